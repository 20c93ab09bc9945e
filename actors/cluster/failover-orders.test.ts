import test from "ava"
import type { StandingOrders } from "#protocols/failover.ts"
import { FailoverOrders, type HandOrder } from "./failover-orders.ts"

const ann = { by: "ann", reason: "a drill" }
const bob = { by: "bob", reason: "another" }
const on = { role: "volumes", node: "n1" }
const live = ["n1", "n2"]

test("what is held once stays held by whoever was first, and says so", (t) => {
  const orders = new FailoverOrders(3)
  t.deepEqual(did(orders, { _tag: "Hold", ...ann }), ["FailoverHeld"])
  t.deepEqual(did(orders, { _tag: "Hold", ...bob }), [
    "failover is held already by ann (a drill); release it first"
  ])
  t.deepEqual(did(orders, { _tag: "Release", ...bob }), ["FailoverReleased"])
  t.deepEqual(did(orders, { _tag: "Release", ...bob }), [])
  t.is(orders.held, null)
})

test("a veto stands until it is lifted, and ends a force", (t) => {
  const orders = new FailoverOrders(3)
  t.deepEqual(did(orders, { _tag: "Force", ...on, ...ann }), ["ForcePlaced"])
  t.deepEqual(did(orders, { _tag: "Veto", ...on, ...bob }), ["VetoPlaced", "ForceEnded"])
  t.deepEqual(did(orders, { _tag: "Veto", ...on, ...bob }), [])
  t.is(orders.forced("volumes"), undefined)
  t.deepEqual(did(orders, { _tag: "Force", ...on, ...ann }), [
    "n1 may not have volumes: bob has vetoed it (another); lift the veto first"
  ])
  t.deepEqual(did(orders, { _tag: "LiftVeto", ...on, ...ann }), ["VetoLifted"])
  t.deepEqual(did(orders, { _tag: "LiftVeto", ...on, ...ann }), [])
})

test("a role is forced to one live member at a time, until it is lifted or that is gone", (t) => {
  const orders = new FailoverOrders(3)
  t.deepEqual(did(orders, { _tag: "Force", role: "volumes", node: "n9", ...ann }), [
    "n9 cannot have volumes, it is no live member; live are n1, n2"
  ])
  did(orders, { _tag: "Force", ...on, ...ann })
  did(orders, { _tag: "Force", role: "volumes", node: "n2", ...ann })
  t.is(orders.forced("volumes")?.node, "n2")
  t.deepEqual(did(orders, { _tag: "LiftForce", role: "volumes", ...ann }), ["ForceEnded"])
  t.deepEqual(did(orders, { _tag: "LiftForce", role: "volumes", ...ann }), [])
  did(orders, { _tag: "Force", ...on, ...ann })
  t.deepEqual(
    orders.drop((node) => node === "n1", "/failover"),
    []
  )
  t.like(orders.drop(() => false, "/failover")[0], { by: "/failover", reason: "n1 is no member any more" })
  t.is(orders.forced("volumes"), undefined)
})

test("each change is a later version, and only a later version is learned", (t) => {
  const orders = new FailoverOrders(3)
  const kept: StandingOrders = { term: 2, number: 7, held: ann, vetoes: [], forced: [] }
  t.true(orders.learn(kept))
  t.false(orders.learn({ ...kept, number: 6, held: null }))
  t.is(orders.held, ann)
  did(orders, { _tag: "Veto", ...on, ...ann })
  t.like(orders.standing, { term: 3, number: 1, held: ann })
  did(orders, { _tag: "Release", ...ann })
  t.like(orders.standing, { term: 3, number: 2 })
  t.false(orders.learn({ ...kept, number: 900 }))
})

test("there are so many orders at a time and no more", (t) => {
  const orders = new FailoverOrders(3)
  for (let index = 0; index < 1_000; index++)
    did(orders, { _tag: "Veto", role: `r${index}`, node: "n1", ...ann })
  t.regex(did(orders, { _tag: "Veto", ...on, ...ann })[0] ?? "", /1000 such orders/)
})

const did = (orders: FailoverOrders, order: HandOrder): ReadonlyArray<string> => {
  const outcome = orders.take(order, live)
  return outcome._tag === "Refused" ? [outcome.fault.message] : outcome.events.map(({ _tag }) => _tag)
}
