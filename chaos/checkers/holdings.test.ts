import test from "ava"
import fc from "fast-check"
import type { Holding } from "./evidence.ts"
import { held } from "./fixtures/evidence.ts"
import { overlapsOf, shrinkingFences } from "./holdings.ts"

test("one after the other does not overlap, not even at the same millisecond", (t) => {
  t.deepEqual(overlapsOf([held("a", 1, 0, 10), held("b", 2, 10, 20)]), [])
})

test("of two at once the one with the smaller fence is the former one, whoever was seen first", (t) => {
  const [one, other] = [held("a", 1, 0, 10), held("b", 2, 5, 20)]
  t.deepEqual(overlapsOf([one, other]), [{ former: one, later: other, fromMillis: 5 }])
  const early = held("b", 2, 0, 20)
  const late = held("a", 1, 5, 10)
  t.deepEqual(overlapsOf([early, late]), [{ former: late, later: early, fromMillis: 5 }])
})

test("whoever holds to the end overlaps with all who come later, and different things do not", (t) => {
  t.is(overlapsOf([held("a", 1, 0), held("b", 2, 5, 6), held("c", 3, 8)]).length, 2)
  t.is(overlapsOf([held("a", 1, 0), { ...held("b", 2, 5), what: "other" }]).length, 0)
})

test("what one holder has under one fence is one holding, and what was seen for no time is none", (t) => {
  t.deepEqual(overlapsOf([held("a", 1, 0, 10), held("a", 1, 5, 20)]), [])
  t.deepEqual(overlapsOf([held("a", 1, 0, 10), held("b", 2, 5, 5)]), [])
  t.deepEqual(shrinkingFences([held("a", 1, 0, 10), { ...held("a", 1, 5, 20), notBeforeMillis: 4 }]), [])
})

test("a fence that is not larger than one before is found, if it certainly came later", (t) => {
  const former = held("a", 5, 10, 20)
  const later = { ...held("b", 5, 30, 40), notBeforeMillis: 25 }
  t.deepEqual(shrinkingFences([former, later]), [{ former, later }])
  t.deepEqual(shrinkingFences([former, { ...later, fence: 6 }]), [])
  t.deepEqual(shrinkingFences([former, { ...later, fence: 4, notBeforeMillis: 9 }]), [])
})

/** Few of everything, so that there is much to find. */
const holdings: fc.Arbitrary<ReadonlyArray<Holding>> = fc
  .array(
    fc.record({
      what: fc.constantFrom("lock", "role"),
      holder: fc.constantFrom("a", "b", "c"),
      fence: fc.integer({ min: 1, max: 6 }),
      notBeforeMillis: fc.nat(10),
      fromAfter: fc.nat(3),
      lasts: fc.option(fc.nat(6), { nil: undefined })
    }),
    { maxLength: 12 }
  )
  .map((all) =>
    all.map(({ fence, fromAfter, holder, lasts, notBeforeMillis, what }) => {
      const fromMillis = notBeforeMillis + fromAfter
      const untilMillis = lasts === undefined ? undefined : fromMillis + lasts
      return { ...held(holder, fence, fromMillis, untilMillis), what, notBeforeMillis }
    })
  )

const pairs = (all: ReadonlyArray<Holding>) =>
  all.flatMap((one) => all.filter((other) => other !== one).map((other) => [one, other] as const))
const differ = (one: Holding, other: Holding) =>
  one.what === other.what && (one.holder !== other.holder || one.fence !== other.fence)

test("whoever looks at every millisecond of every pair finds the same overlaps", (t) => {
  const isHeld = ({ fromMillis, untilMillis = 100 }: Holding, millis: number) =>
    fromMillis <= millis && millis < untilMillis
  const naive = (all: ReadonlyArray<Holding>) =>
    pairs(all).filter(
      ([one, other]) =>
        differ(one, other) &&
        Array.from({ length: 40 }, (_, millis) => millis).some(
          (millis) => isHeld(one, millis) && isHeld(other, millis)
        )
    ).length / 2
  fc.assert(
    fc.property(holdings, (all) => overlapsOf(all).length === naive(all)),
    { numRuns: 2_000 }
  )
  t.pass()
})

test("whoever compares every pair finds the same holdings with a fence that does not grow", (t) => {
  const naive = (all: ReadonlyArray<Holding>) =>
    new Set(
      pairs(all)
        .filter(
          ([one, other]) =>
            differ(one, other) && one.fromMillis <= other.notBeforeMillis && one.fence >= other.fence
        )
        .map(([, later]) => later)
    )
  fc.assert(
    fc.property(holdings, (all) => {
      const found = new Set(shrinkingFences(all).map(({ later }) => later))
      return found.symmetricDifference(naive(all)).size === 0
    }),
    { numRuns: 2_000 }
  )
  t.pass()
})
