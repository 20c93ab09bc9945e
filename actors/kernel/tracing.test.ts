import test from "ava"
import { parseTraceparent } from "./tracing.ts"

const traceId = "4bf92f3577b34da6a3ce929d0e0e4736"
const spanId = "00f067aa0ba902b7"

test("a traceparent names a trace, says that it is not recorded, or is nothing", (t) => {
  t.deepEqual(parseTraceparent(`00-${traceId}-${spanId}-01`), { traceId, spanId })
  t.is(parseTraceparent(`00-${traceId}-${spanId}-00`), null)
  for (const wrong of [
    undefined,
    "",
    "00-1-2-01",
    `01-${traceId}-${spanId}-01`,
    `00-${"0".repeat(32)}-${spanId}-01`
  ])
    t.is(parseTraceparent(wrong), undefined)
})
