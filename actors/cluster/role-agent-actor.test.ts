import test from "ava"
import { Cause, Effect } from "effect"
import { ask } from "#actors/kernel/ask.ts"
import { onStage } from "#chaos/sim/stage.ts"
import {
  GetRoles,
  GiveUpRole,
  ReportRoles,
  type RoleGranted,
  type RoleRevoked,
  TakeRole
} from "#protocols/failover.ts"
import { roleEpoch } from "./fence.ts"
import { RoleAgentActor } from "./role-agent-actor.ts"

const at = (term: number, count: number) => ({ term, role: "volumes", epoch: roleEpoch(term, count) })

test("what it is given and what it gives up are events, and a late coordinator is refused", (t) => {
  const { events, fault, late, report } = play(({ agent, events }) =>
    Effect.gen(function* () {
      yield* ask(agent, new TakeRole({ ...at(1, 1), reason: "nobody has it" }), "1 second")
      yield* ask(agent, new GiveUpRole({ ...at(1, 2), reason: "n2 has less to do" }), "1 second")
      const fault = yield* Effect.flip(ask(agent, new TakeRole({ ...at(1, 1), reason: "late" }), "1 second"))
      yield* ask(agent, new ReportRoles({ term: 2, orders: null }), "1 second")
      const late = yield* Effect.flip(ask(agent, new ReportRoles({ term: 1, orders: null }), "1 second"))
      return { events, fault, late, report: yield* ask(agent, new GetRoles({}), "1 second") }
    })
  )
  t.deepEqual(
    events.map(({ _tag, reason, role }) => `${_tag} ${role}: ${reason}`),
    ["RoleGranted volumes: nobody has it", "RoleRevoked volumes: n2 has less to do"]
  )
  t.is(fault._tag, "StaleEpoch")
  t.is(
    late.message,
    "epoch 1 of the failover coordinator is over: 2 was seen; nothing happened, stop acting in this role"
  )
  t.deepEqual(report, {
    node: "n1",
    term: 2,
    held: [],
    seen: [{ role: "volumes", epoch: roleEpoch(1, 2) }],
    orders: null
  })
})

test("an agent that ends revokes what it had", (t) => {
  const events = play(({ agent, events, system }) =>
    Effect.gen(function* () {
      yield* ask(agent, new TakeRole({ ...at(1, 1), reason: "nobody has it" }), "1 second")
      system.inject(agent.path, Cause.die(new Error("out of luck")))
      yield* Effect.sleep("1 second")
      return events
    })
  )
  t.is(events.at(-1)?._tag, "RoleRevoked")
  t.is(events.at(-1)?.reason, "the agent of n1 has ended: crashed")
})

type Setting = ReturnType<typeof setting>

const setting = (system: Parameters<Parameters<typeof onStage>[0]>[0]) => {
  const events: Array<RoleGranted | RoleRevoked> = []
  system.events.subscribe(
    (event) => void events.push(event as RoleGranted | RoleRevoked),
    ["RoleGranted", "RoleRevoked"]
  )
  return { system, events, agent: system.spawn(RoleAgentActor, { args: { node: "n1" } }) }
}

const play = <A, E>(body: (at: Setting) => Effect.Effect<A, E>): A =>
  onStage((system) => body(setting(system)))
