import test from "ava"
import fc from "fast-check"
import { StaleEpoch, type StandingOrders } from "#protocols/failover.ts"
import { roleEpoch } from "./fence.ts"
import { RoleAgent, rolesMax } from "./role-agent.ts"

const role = "volumes"
const at = (term: number, count: number) => ({ role, epoch: roleEpoch(term, count) })

test("a role is granted once, and a higher epoch of it replaces the lower", (t) => {
  const agent = new RoleAgent("n1")
  t.deepEqual(tags(agent.take(1, at(1, 1), "first")), ["granted"])
  t.deepEqual(tags(agent.take(1, at(1, 1), "first, once more")), [])
  t.deepEqual(tags(agent.take(1, at(1, 3), "again")), ["revoked", "granted"])
  t.deepEqual(agent.report.held, [at(1, 3)])
})

test("a lower epoch is refused with the one that was seen", (t) => {
  const agent = new RoleAgent("n1")
  agent.take(1, at(1, 3), "first")
  const refused = agent.take(1, at(1, 2), "late")
  t.true(refused._tag === "Refused" && refused.fault instanceof StaleEpoch)
  t.like(refused, { fault: { role, epoch: at(1, 2).epoch, current: at(1, 3).epoch } })
})

test("what was given up under an epoch does not come back with a late copy of it", (t) => {
  const agent = new RoleAgent("n1")
  agent.take(1, at(1, 1), "first")
  t.deepEqual(tags(agent.giveUp(1, at(1, 2), "moved")), ["revoked"])
  t.deepEqual(tags(agent.giveUp(1, at(1, 2), "moved, once more")), [])
  t.is(agent.take(1, at(1, 1), "late")._tag, "Refused")
  t.is(agent.take(1, at(1, 2), "never sent")._tag, "Refused")
  t.deepEqual(agent.report.held, [])
  t.deepEqual(agent.report.seen, [at(1, 2)])
})

test("whoever has met a later coordinator obeys no earlier one, for any role", (t) => {
  const agent = new RoleAgent("n1")
  agent.take(3, at(3, 1), "first")
  t.is(agent.meet(5, null), undefined)
  t.like(agent.meet(4, null), { epoch: 4, current: 5 })
  t.is(agent.take(4, { role: "routes", epoch: roleEpoch(4, 1) }, "late")._tag, "Refused")
  t.is(agent.giveUp(4, at(4, 1), "late")._tag, "Refused")
  t.deepEqual(agent.report.held, [at(3, 1)])
})

test("a later coordinator may have a role given up under an epoch of an earlier one", (t) => {
  const agent = new RoleAgent("n1")
  agent.take(1, at(1, 1), "first")
  agent.meet(5, null)
  t.deepEqual(tags(agent.giveUp(5, at(2, 1), "another has it")), ["revoked"])
})

test("of the orders that coordinators leave it keeps the latest", (t) => {
  const agent = new RoleAgent("n1")
  const orders = (term: number, number: number): StandingOrders => ({
    term,
    number,
    held: null,
    vetoes: [],
    forced: []
  })
  agent.meet(2, orders(2, 2))
  agent.meet(2, orders(2, 1))
  t.deepEqual(agent.report.orders, orders(2, 2))
  agent.meet(3, orders(0, 0))
  t.deepEqual(agent.report.orders, orders(2, 2))
  agent.meet(3, orders(3, 1))
  t.deepEqual(agent.report.orders, orders(3, 1))
})

test("it knows so many roles and no more", (t) => {
  const agent = new RoleAgent("n1")
  for (let index = 0; index < rolesMax; index++)
    agent.take(1, { role: `r${index}`, epoch: roleEpoch(1, index + 1) }, "many")
  const refused = agent.take(1, { role: "one more", epoch: roleEpoch(1, 5_000) }, "too many")
  t.like(refused, { fault: { _tag: "TooManyRoles", rolesMax } })
  t.is(agent.take(1, { role: "r0", epoch: roleEpoch(1, 5_001) }, "known")._tag, "Done")
})

test("whatever comes in whatever order, granted epochs only grow, and at its end all is revoked", (t) => {
  const message = fc.record({
    take: fc.boolean(),
    term: fc.integer({ min: 1, max: 3 }),
    count: fc.integer({ min: 1, max: 5 }),
    meets: fc.boolean()
  })
  fc.assert(
    fc.property(fc.array(message, { maxLength: 60 }), (messages) => {
      const agent = new RoleAgent("n1")
      let highest = 0
      let termMet = 0
      for (const { count, meets, take, term } of messages) {
        if (meets && agent.meet(term, null) === undefined) termMet = Math.max(termMet, term)
        const answer = take
          ? agent.take(term, at(term, count), "x")
          : agent.giveUp(term, at(term, count), "x")
        if (answer._tag === "Refused") continue
        if (term < termMet) return false
        for (const { epoch, to } of answer.changes) {
          if (to === "granted" && epoch <= highest) return false
          if (to === "granted") highest = epoch
        }
      }
      const held = agent.report.held.length
      return agent.giveUpAll("over").length === held && agent.report.held.length === 0
    })
  )
  t.pass()
})

const tags = (answer: ReturnType<RoleAgent["take"]>): ReadonlyArray<string> =>
  answer._tag === "Done" ? answer.changes.map(({ to }) => to) : [answer.fault._tag]
