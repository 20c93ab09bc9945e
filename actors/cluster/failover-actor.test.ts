import test from "ava"
import { Effect } from "effect"
import * as Actor from "#actors/kernel/actor.ts"
import { ask } from "#actors/kernel/ask.ts"
import type { ActorRef } from "#actors/kernel/ref.ts"
import type { ActorSystem } from "#actors/kernel/system.ts"
import { onStage } from "#chaos/sim/stage.ts"
import { AutomationStopped, MayAutomate } from "#protocols/breakers.ts"
import {
  type FailoverEvent,
  ForceHolder,
  GetFailover,
  type GetRoles,
  type GiveUpRole,
  HoldFailover,
  ReportRoles,
  type TakeRole,
  VetoHolder
} from "#protocols/failover.ts"
import { MemberFailed, type MemberRecord, Members, Metadata } from "#protocols/membership.ts"
import { FailoverActor } from "./failover-actor.ts"
import { stayOrLeastLoaded } from "./failover-policy.ts"
import { RoleAgentActor } from "./role-agent-actor.ts"

const ann = { by: "ann", reason: "a drill" }

test("roles are given out, and those of a failed member move to another that takes them", (t) => {
  const { before, after, lines } = onStage((system) =>
    Effect.gen(function* () {
      const { events, fail, status } = open(system)
      yield* Effect.sleep("5 seconds")
      const before = yield* status
      fail("n1")
      yield* Effect.sleep("5 seconds")
      return { before, after: yield* status, lines: events.map(({ _tag, reason }) => `${_tag}: ${reason}`) }
    })
  )
  t.deepEqual(
    before.roles.map(({ confirmed, holder, role }) => [role, holder, confirmed]),
    [
      ["volumes", "n1", true],
      ["names", "n2", true]
    ]
  )
  t.like(after.roles[0], { role: "volumes", holder: "n3", confirmed: true, by: "/root/failover" })
  t.true((after.roles[0]?.epoch ?? 0) > (before.roles[0]?.epoch ?? 0))
  t.deepEqual(lines, [
    "FailoverBegan: 3 of 3 agents have said what they have",
    "RoleAssigned: nobody has it, and n1 has 0 others",
    "RoleAssigned: nobody has it, and n2 has 0 others",
    "RoleAssigned: n1 cannot have it, and n3 has 0 others"
  ])
})

test("operators are obeyed or told why not, in the words of protocols/failover.ts", (t) => {
  const { faults, roles } = onStage((system) =>
    Effect.gen(function* () {
      const { coordinator, status } = open(system)
      const early = yield* Effect.flip(ask(coordinator, new HoldFailover(ann), "1 second"))
      yield* Effect.sleep("5 seconds")
      yield* ask(coordinator, new HoldFailover(ann), "1 second")
      const twice = yield* Effect.flip(ask(coordinator, new HoldFailover(ann), "1 second"))
      yield* ask(coordinator, new VetoHolder({ role: "volumes", node: "n1", ...ann }), "1 second")
      const force = (node: string) =>
        ask(coordinator, new ForceHolder({ role: "volumes", node, ...ann }), "1 second")
      const faults = [early, twice, yield* Effect.flip(force("n1")), yield* Effect.flip(force("n9"))]
      yield* force("n2")
      yield* Effect.sleep("5 seconds")
      return { faults: faults.map(({ _tag }) => _tag), roles: (yield* status).roles }
    })
  )
  t.deepEqual(faults, ["FailoverLearning", "FailoverIsHeld", "HolderVetoed", "NoSuchHolder"])
  t.like(roles[0], { role: "volumes", holder: "n2", confirmed: true, by: "ann", reason: "a drill" })
})

test("without an answer from the fleet breaker, or with a no, nothing is moved and it is said why", (t) => {
  for (const [breaker, reason] of [
    ["silent", /the fleet breaker did not say: DeadlineExceeded/],
    ["stopped", /^half the zone is dead$/]
  ] as const) {
    const { events, roles } = onStage((system) =>
      Effect.gen(function* () {
        const { events, status } = open(system, breaker)
        yield* Effect.sleep("30 seconds")
        return { events, roles: (yield* status).roles }
      })
    )
    t.true(roles.every(({ holder }) => holder === null))
    const said = events.filter(({ _tag }) => _tag === "FailoverStopped")
    t.is(said.length, 2, "once for each role")
    t.regex(said[0]?.reason ?? "", reason)
  }
})

test("a coordinator that an agent does not obey any more ends, and moves nothing", (t) => {
  const { after, events } = onStage((system) =>
    Effect.gen(function* () {
      const { agents, coordinator, events, fail } = open(system)
      yield* Effect.sleep("5 seconds")
      const [agent] = agents.values()
      if (agent !== undefined) yield* ask(agent, new ReportRoles({ term: 8, orders: null }), "1 second")
      yield* Effect.sleep("6 seconds")
      fail("n2")
      yield* Effect.sleep("5 seconds")
      const after = yield* Effect.flip(ask(coordinator, new GetFailover({}), "1 second"))
      return { after, events: events.map(({ _tag }) => _tag) }
    })
  )
  t.is(after._tag, "ActorUnavailable")
  t.deepEqual(events.slice(3), ["FailoverEnded"])
})

// Fixtures

const Roll = Actor.make("roll", {
  messages: [Members],
  init: (_context, roll: ReadonlyArray<MemberRecord>) => roll,
  handlers: { Members: (roll) => Actor.reply(roll, roll) }
})

const Breaker = Actor.make("breaker", {
  messages: [MayAutomate],
  init: (_context, answer: Says) => ({ answer }),
  handlers: {
    MayAutomate: (state, request, context) => {
      if (state.answer === "yes") return Actor.reply(state, undefined)
      if (state.answer === "stopped") return Actor.refuse(state, stopped)
      context.replyTo(request)
      return Actor.later(state)
    }
  }
})

type Says = "yes" | "silent" | "stopped"

const stopped = new AutomationStopped({
  zone: "a",
  tripped: "a",
  by: "/root/fleet-breaker",
  reason: "half the zone is dead",
  sinceMillis: 0,
  dead: [],
  healthy: 0,
  members: 0,
  healthyNeeded: null
})

const names = ["n1", "n2", "n3"]

const record = (name: string, status: MemberRecord["status"] = "alive"): MemberRecord => {
  const metadata = new Metadata({ roles: [], zone: "a", version: "1", ports: {} })
  return { name, address: name, bootId: name, incarnation: 1, status, metadata }
}

const open = (system: ActorSystem, says: Says = "yes") => {
  const events: Array<FailoverEvent> = []
  const watched = ["FailoverBegan", "FailoverEnded", "FailoverStopped", "RoleAssigned"]
  system.events.subscribe((event) => void events.push(event as FailoverEvent), watched)
  const agents = new Map<string, ActorRef<GetRoles | ReportRoles | TakeRole | GiveUpRole>>(
    names.map((name) => [name, system.spawn(RoleAgentActor, { name: `agent-${name}`, args: { node: name } })])
  )
  const coordinator = system.spawn(FailoverActor, {
    args: {
      term: 7,
      members: system.spawn(Roll, { args: names.map((name) => record(name)) }),
      fleetBreaker: system.spawn(Breaker, { args: says }),
      agentOf: (node) => agents.get(node)!,
      policy: stayOrLeastLoaded(["volumes", "names"], () => true)
    }
  })
  const evidence = { source: "test", what: "probe" as const, confirmations: 0 }
  return {
    agents,
    coordinator,
    events,
    fail: (name: string) =>
      system.events.publish(new MemberFailed({ member: record(name, "failed"), evidence })),
    status: ask(coordinator, new GetFailover({}), "1 second")
  }
}
