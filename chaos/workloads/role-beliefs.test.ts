import test from "ava"
import { RoleBeliefs, type Said } from "./role-beliefs.ts"

const said = (askedMillis: number, epoch: number | undefined, more: Partial<Said> = {}): Said => ({
  node: "node01",
  role: "failover",
  askedMillis,
  answeredMillis: askedMillis + 5,
  epoch,
  remainingMillis: undefined,
  ...more
})

const heard = (...all: ReadonlyArray<Said>) => {
  const beliefs = new RoleBeliefs(100)
  for (const one of all) beliefs.say(one)
  return beliefs.holdings
}

test("a role is certain from the first answer that says so to the last question, and not before the one before", (t) => {
  const [holding, ...others] = heard(
    said(10, undefined),
    said(20, 5),
    said(30, 5),
    said(40, 5),
    said(50, undefined)
  )
  t.deepEqual(others, [])
  t.like(holding, {
    what: "role failover",
    holder: "node01",
    fence: 5,
    notBeforeMillis: 10,
    fromMillis: 25,
    untilMillis: 40,
    fenced: true
  })
})

test("what was said once was so for no time that anybody knows of", (t) => {
  t.like(heard(said(20, 5))[0], { notBeforeMillis: 0, fromMillis: 25, untilMillis: 25 })
})

test("another epoch is another holding, which began after the last question about the one before", (t) => {
  const [one, other] = heard(said(20, 5), said(30, 5), said(40, 7))
  t.like(one, { fence: 5, untilMillis: 30 })
  t.like(other, { fence: 7, notBeforeMillis: 30, fromMillis: 45 })
})

test("roles and nodes are told apart", (t) => {
  const holdings = heard(said(10, 5), said(10, 6, { role: "volumes" }), said(10, 7, { node: "node02" }))
  t.deepEqual(
    holdings.map(({ fence }) => fence),
    [5, 6, 7]
  )
})

test("a lease lasts as long as was said last, unless it had run out", (t) => {
  const lease = (askedMillis: number, remainingMillis: number) => said(askedMillis, 5, { remainingMillis })
  t.like(heard(lease(10, 100), lease(20, 200))[0], { leaseMillis: 225 })
  t.like(heard(lease(10, 100), lease(200, 0))[0], { leaseMillis: 115, untilMillis: 200 })
})

test("of many holdings that are over the first are kept", (t) => {
  const beliefs = new RoleBeliefs(3)
  for (let epoch = 1; epoch <= 10; epoch++) beliefs.say(said(epoch * 10, epoch))
  t.deepEqual(
    beliefs.holdings.map(({ fence }) => fence),
    [1, 2, 3, 10]
  )
})
