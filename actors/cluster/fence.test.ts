import test from "ava"
import fc from "fast-check"
import { Fence, roleEpoch, termOf } from "./fence.ts"

test("a fence admits the highest epoch it has seen as often as it comes, and refuses all below", (t) => {
  const fence = new Fence("volumes")
  t.is(fence.admit(4), undefined)
  t.is(fence.admit(4), undefined)
  t.is(fence.admit(7), undefined)
  const stale = fence.admit(6)
  t.true(stale?.definite)
  t.is(stale?.message, "epoch 6 of volumes is over: 7 was seen; nothing happened, stop acting in this role")
  t.is(fence.highest, 7)
})

test("a fence that was stored goes on where it was", (t) => {
  t.is(new Fence("volumes", 5).admit(4)?.current, 5)
  t.is(new Fence("volumes", 5).admit(5), undefined)
})

test("what is no epoch is a bug of the caller", (t) => {
  for (const epoch of [0, -1, 1.5, Number.NaN, 2 ** 53]) t.throws(() => new Fence("volumes").admit(epoch))
})

test("the epochs that act never go down, whatever comes in whatever order", (t) => {
  fc.assert(
    fc.property(fc.array(fc.integer({ min: 1, max: 50 }), { maxLength: 200 }), (epochs) => {
      const fence = new Fence("any")
      const admitted = epochs.filter((epoch) => fence.admit(epoch) === undefined)
      return admitted.every((epoch, index) => index === 0 || epoch >= (admitted[index - 1] ?? 0))
    })
  )
  t.pass()
})

test("all epochs of a later term are larger than all of an earlier one, and safe integers", (t) => {
  const term = fc.integer({ min: 1, max: 2 ** 33 - 1 })
  const count = fc.integer({ min: 0, max: 2 ** 20 - 1 })
  fc.assert(
    fc.property(term, count, term, count, (term, count, otherTerm, otherCount) => {
      const [one, other] = [roleEpoch(term, count), roleEpoch(otherTerm, otherCount)]
      const expected = Math.sign(term - otherTerm) || Math.sign(count - otherCount)
      return Number.isSafeInteger(one) && termOf(one) === term && Math.sign(one - other) === expected
    })
  )
  t.throws(() => roleEpoch(1, 2 ** 20), { message: /used up/ })
  t.throws(() => roleEpoch(0, 1), { message: /no term/ })
  t.throws(() => roleEpoch(2 ** 33, 1), { message: /no term/ })
})
