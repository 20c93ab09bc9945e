import test from "ava"
import { Prng } from "./prng.ts"

test("a seed names one sequence of numbers", (t) => {
  t.deepEqual(draw(new Prng(1), 100), draw(new Prng(1), 100))
  t.notDeepEqual(draw(new Prng(1), 100), draw(new Prng(2), 100))
})

test("the sequence of a seed never changes, so that a seed of last year still shows its bug", (t) => {
  const prng = new Prng(42)
  t.deepEqual(
    [1, 2, 3, 4].map(() => prng.below(1_000_000)),
    [456_255, 564_175, 574_377, 964_942]
  )
})

test("what is drawn from a fork does not change what its origin draws next", (t) => {
  const quiet = new Prng(1)
  const busy = new Prng(1)
  quiet.fork()
  draw(busy.fork(), 1_000)
  t.deepEqual(draw(quiet, 100), draw(busy, 100))
})

test("a fork draws other numbers than its origin", (t) => {
  const prng = new Prng(1)
  t.notDeepEqual(draw(prng.fork(), 10), draw(prng, 10))
})

test("numbers spread evenly over [0, 1), also from neighbouring seeds", (t) => {
  for (const next of [() => prng.next(), () => new Prng(seed++).next()]) {
    const buckets = new Array<number>(10).fill(0)
    for (let draws = 0; draws < 100_000; draws++) {
      const number = next()
      t.true(number >= 0 && number < 1)
      buckets[Math.floor(number * 10)]!++
    }
    t.true(
      buckets.every((count) => count > 9_500 && count < 10_500),
      buckets.join(" ")
    )
  }
})

let seed = 0
const prng = new Prng(1)

test("a chance of nothing never happens and one of all always does", (t) => {
  const prng = new Prng(1)
  for (let draws = 0; draws < 1_000; draws++) {
    t.false(prng.chance(0))
    t.true(prng.chance(1))
    t.true(prng.below(3) < 3)
  }
})

const draw = (prng: Prng, count: number) => Array.from({ length: count }, () => prng.next())
