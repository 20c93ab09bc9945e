import test from "ava"
import type { StandingOrders } from "#protocols/failover.ts"
import { FailoverLooks } from "./failover-looks.ts"

const orders: StandingOrders = { term: 0, number: 0, held: null, vetoes: [], forced: [] }
const everybody = () => true

test("an agent is asked one question at a time, and again when its time has come", (t) => {
  const looks = new FailoverLooks()
  looks.soon("n1", 10)
  t.is(looks.wakeMillis, 10)
  t.deepEqual(looks.due(everybody, null, 9), [])
  t.deepEqual(looks.due(everybody, null, 10), ["n1"])
  t.deepEqual(looks.due(everybody, null, 5_000), [])
  t.is(looks.wakeMillis, Number.POSITIVE_INFINITY)
  t.is(looks.settled("n1", false, 7_000), 10)
  t.false(looks.hasMet("n1"))
  t.is(looks.settled("n1", true, 7_000), undefined)
  t.is(looks.wakeMillis, 7_000)
})

test("one that has answered was met, and stays so when it does not answer later", (t) => {
  const looks = new FailoverLooks()
  looks.soon("n1", 0)
  looks.due(everybody, null, 0)
  looks.settled("n1", true, 5)
  looks.due(everybody, null, 5)
  looks.settled("n1", false, 10)
  t.true(looks.hasMet("n1"))
  t.is(looks.met, 1)
})

test("who is not live is forgotten until it has come back", (t) => {
  const looks = new FailoverLooks()
  looks.soon("n1", 0)
  t.deepEqual(
    looks.due(() => false, null, 0),
    []
  )
  t.is(looks.wakeMillis, Number.POSITIVE_INFINITY)
  looks.soon("n1", 50)
  t.deepEqual(looks.due(everybody, null, 50), ["n1"])
})

test("an agent that was asked before the last order is behind", (t) => {
  const looks = new FailoverLooks()
  looks.soon("n1", 0)
  looks.due(everybody, orders, 0)
  t.false(looks.isBehind("n1", orders))
  t.true(looks.isBehind("n1", { ...orders, number: 1 }))
  looks.settled("n1", true, 9_000)
  looks.everybodySoon(100)
  t.is(looks.wakeMillis, 100)
})
