import test from "ava"
import * as fc from "fast-check"
import { suspicionMillis } from "./suspicion.ts"

const patience = { minMillis: 4_000, maxMult: 6, confirmationsMax: 2 }

test("a suspicion that nobody confirms lasts the longest", (t) => {
  t.is(suspicionMillis({ ...patience, confirmations: 0 }), 24_000)
})

test("the first confirmation shortens a suspicion more than the second", (t) => {
  const [none = 0, one = 0, two = 0] = [0, 1, 2].map((confirmations) =>
    suspicionMillis({ ...patience, confirmations })
  )
  t.true(none - one > one - two)
  t.is(two, 4_000)
})

test("a suspicion that nobody else could confirm is short at once", (t) => {
  t.is(suspicionMillis({ ...patience, confirmations: 0, confirmationsMax: 0 }), 4_000)
})

test("a suspicion never grows with confirmations, and stays within its bounds", (t) => {
  fc.assert(
    fc.property(fc.nat(20), fc.nat(20), fc.integer({ min: 1, max: 10 }), (max, confirmations, maxMult) => {
      const at = (count: number) =>
        suspicionMillis({ minMillis: 1_000, maxMult, confirmationsMax: max, confirmations: count })
      t.true(at(confirmations + 1) <= at(confirmations))
      t.true(at(confirmations) >= 1_000 && at(confirmations) <= 1_000 * maxMult)
    })
  )
})
