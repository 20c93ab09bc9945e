import test from "ava"
import fc from "fast-check"
import { BreakerWindow, bucketCount } from "./breaker-window.ts"

test("a call counts until its bucket has left the window", (t) => {
  const window = new BreakerWindow(10_000)
  window.add(true, false, 500)
  t.deepEqual(window.numbers(9_999), { calls: 1, failed: 1, slow: 0 })
  t.deepEqual(window.numbers(10_000), { calls: 0, failed: 0, slow: 0 })
})

test("a window that nobody looked at for a year is empty", (t) => {
  const window = new BreakerWindow(1_000)
  for (let call = 0; call < 100; call++) window.add(true, true, call * 10)
  t.deepEqual(window.numbers(31_536_000_000), { calls: 0, failed: 0, slow: 0 })
})

test("numbers once given do not change with the window", (t) => {
  const window = new BreakerWindow(1_000)
  const before = window.numbers(0)
  window.add(true, true, 0)
  t.deepEqual(before, { calls: 0, failed: 0, slow: 0 })
})

test("it counts what a list of all calls would count", (t) => {
  const call = fc.record({ afterMillis: fc.nat(400), failed: fc.boolean(), slow: fc.boolean() })
  fc.assert(
    fc.property(
      fc.array(call, { maxLength: 200, size: "max" }),
      fc.integer({ min: 10, max: 2_000 }),
      (calls, millis) => {
        const window = new BreakerWindow(millis)
        const bucketOf = (atMillis: number) => Math.floor(atMillis / (millis / bucketCount))
        let nowMillis = 0
        const all: Array<{ readonly bucket: number; readonly failed: boolean; readonly slow: boolean }> = []
        for (const { afterMillis, failed, slow } of calls) {
          nowMillis += afterMillis
          window.add(failed, slow, nowMillis)
          all.push({ bucket: bucketOf(nowMillis), failed, slow })
          const inside = all.filter(({ bucket }) => bucket > bucketOf(nowMillis) - bucketCount)
          t.deepEqual(window.numbers(nowMillis), {
            calls: inside.length,
            failed: inside.filter((one) => one.failed).length,
            slow: inside.filter((one) => one.slow).length
          })
        }
      }
    )
  )
})
