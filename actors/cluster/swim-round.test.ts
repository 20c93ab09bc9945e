import test from "ava"
import { Prng } from "#chaos/sim/prng.ts"
import { SwimRound } from "./swim-round.ts"

const names = ["a", "b", "c", "d", "e"]

test("everybody comes once in each round", (t) => {
  const next = rounds()
  for (let round = 0; round < 20; round++) t.deepEqual(names.map(() => next()).sort(), names)
})

test("rounds differ in their order", (t) => {
  const next = rounds()
  const orders = new Set(Array.from({ length: 20 }, () => names.map(() => next()).join("")))
  t.true(orders.size > 10)
})

test("whoever joins comes within the round under way, and once", (t) => {
  const dice = new Prng(1)
  const round = new SwimRound(() => dice.next())
  const next = () =>
    round.next(
      () => [...names],
      () => true
    )
  next()
  round.add("new")
  round.add("new")
  t.is([next(), next(), next(), next(), next()].filter((name) => name === "new").length, 1)
})

test("whoever is put first comes next, and not a second time in that round", (t) => {
  const dice = new Prng(1)
  const round = new SwimRound(() => dice.next())
  const next = () =>
    round.next(
      () => [...names],
      () => true
    )
  next()
  round.addNext("c")
  const rest = [next(), next(), next(), next()]
  t.is(rest[0], "c")
  t.false(rest.slice(1, 3).includes("c"))
})

test("a round of nobody wanted has no next", (t) => {
  const round = new SwimRound(() => 0)
  t.is(
    round.next(
      () => [...names],
      () => false
    ),
    undefined
  )
  t.is(
    round.next(
      () => [],
      () => true
    ),
    undefined
  )
})

const rounds = () => {
  const dice = new Prng(1)
  const round = new SwimRound(() => dice.next())
  return () =>
    round.next(
      () => [...names],
      () => true
    )
}
