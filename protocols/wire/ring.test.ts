import test from "ava"
import fc from "fast-check"
import { Ring } from "./ring.ts"

test("a ring gives back what was pushed, in order, across any number of growths", (t) => {
  const ring = new Ring<number>(2)
  for (let item = 0; item < 1_000; item++) ring.push(item)
  t.deepEqual(drained(ring), numbersBelow(1_000))
  t.is(ring.shift(), undefined)
})

test("an item put in front comes out before all others", (t) => {
  const ring = ringOf([1, 2, 3])
  ring.unshift(0)
  t.deepEqual(drained(ring), [0, 1, 2, 3])
})

test("the last item takes the place of the one that was taken out of the middle", (t) => {
  const ring = ringOf([0, 1, 2, 3])
  t.is(ring.takeAt(1), 1)
  t.deepEqual(drained(ring), [0, 3, 2])
})

test("a filter keeps the order and says how many went", (t) => {
  const ring = ringOf(numbersBelow(10))
  t.is(
    ring.filter((item) => item % 3 === 0),
    6
  )
  t.deepEqual(drained(ring), [0, 3, 6, 9])
})

test("whatever is done to a ring, it holds what an array would", (t) => {
  fc.assert(
    fc.property(fc.array(operation, { maxLength: 200 }), (operations) => {
      const ring = new Ring<number>(2)
      const model: Array<number> = []
      operations.forEach((apply, step) => void t.deepEqual(...apply(ring, model, step)))
      t.is(ring.size, model.length)
      t.deepEqual(drained(ring), model)
    }),
    { numRuns: 300 }
  )
})

/** Does the same to both, and returns what both gave back. */
type Operation = (ring: Ring<number>, model: Array<number>, step: number) => [unknown, unknown]

const operation: fc.Arbitrary<Operation> = fc.oneof(
  {
    weight: 4,
    arbitrary: fc.constant<Operation>((ring, model, step) => [ring.push(step), void model.push(step)])
  },
  fc.constant<Operation>((ring, model, step) => [ring.unshift(step), void model.unshift(step)]),
  { weight: 2, arbitrary: fc.constant<Operation>((ring, model) => [ring.shift(), model.shift()]) },
  fc.nat(50).map(
    (index): Operation =>
      (ring, model) => {
        if (model.length === 0) return [undefined, undefined]
        const at = index % model.length
        const [last] = model.splice(-1)
        if (at === model.length) return [ring.takeAt(at), last]
        const [taken] = model.splice(at, 1, last!)
        return [ring.takeAt(at), taken]
      }
  ),
  fc.integer({ min: 2, max: 5 }).map(
    (divisor): Operation =>
      (ring, model) => {
        const kept = model.filter((item) => item % divisor !== 0)
        const gone = model.length - kept.length
        model.splice(0, model.length, ...kept)
        return [ring.filter((item) => item % divisor !== 0), gone]
      }
  )
)

const numbersBelow = (count: number) => Array.from({ length: count }, (_, index) => index)

const ringOf = (items: ReadonlyArray<number>): Ring<number> => {
  const ring = new Ring<number>(4)
  for (const item of items) ring.push(item)
  return ring
}

const drained = (ring: Ring<number>): ReadonlyArray<number> => {
  const items: Array<number> = []
  for (let item = ring.shift(); item !== undefined; item = ring.shift()) items.push(item)
  return items
}
