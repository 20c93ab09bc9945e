import test from "ava"
import { backoffMillis, steadyMillis } from "./reconnecting.ts"

test("the first attempt comes soon, later ones less and less often, and none after more than five seconds", (t) => {
  const delays = [0, 1, 2, 3, 10, 1_000].map((failures) => backoffMillis(failures, 0.999_999))
  t.deepEqual(delays.map(Math.round), [100, 200, 400, 800, 5_000, 5_000])
})

test("chance spreads those who lost the same node at the same time", (t) => {
  t.deepEqual([backoffMillis(0, 0), backoffMillis(9, 0), backoffMillis(9, 0.5)], [50, 2_500, 3_750])
  t.true(steadyMillis >= backoffMillis(99, 1))
})
