import test from "ava"
import { Encoding } from "effect"
import fc from "fast-check"
import { isTraceparent, parseTraceparent, traceparentOf } from "./traceparent.ts"

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
    `00-${traceId.toUpperCase()}-${spanId}-01`,
    `00-${"0".repeat(32)}-${spanId}-01`,
    `00-${traceId}-${"0".repeat(16)}-01`
  ])
    t.is(parseTraceparent(wrong), undefined)
})

test("what is written is read as it was", (t) => {
  const digits = (length: number) =>
    fc.uint8Array({ minLength: length / 2, maxLength: length / 2 }).map((bytes) => Encoding.encodeHex(bytes))
  const written = fc.record({ traceId: digits(32), spanId: digits(16) })
  fc.assert(
    fc.property(written, (context) => {
      fc.pre(!/^0+$/.test(context.traceId) && !/^0+$/.test(context.spanId))
      t.deepEqual(parseTraceparent(traceparentOf(context)), context)
    })
  )
})

test("whatever is looked at, it is a traceparent or none", (t) => {
  t.true(isTraceparent(`00-${traceId}-${spanId}-00`))
  fc.assert(fc.property(fc.anything({ withBigInt: true }), (value) => !isTraceparent(value)))
  fc.assert(fc.property(fc.string(), (value) => !isTraceparent(value)))
})
