import test from "ava"
import { Effect, Exit } from "effect"
import * as Actor from "#actors/kernel/actor.ts"
import { ask } from "#actors/kernel/ask.ts"
import type { ActorSystem } from "#actors/kernel/system.ts"
import { onStage } from "#chaos/sim/stage.ts"
import {
  AutomationStopped,
  type FleetBreakerEvent,
  GetFleetBreaker,
  MayAutomate,
  ResetFleetBreaker,
  TripFleetBreaker
} from "#protocols/breakers.ts"
import {
  MemberFailed,
  MemberJoined,
  MemberLeft,
  type MemberRecord,
  MemberRecovered,
  Members,
  Metadata
} from "#protocols/membership.ts"
import { FleetBreakerActor } from "./fleet-breaker-actor.ts"

const ann = { by: "ann", reason: "a drill" }

test("machines may act while few nodes are dead, and are told why when they may not", (t) => {
  const { before, elsewhere, events, fault } = onStage((system) =>
    Effect.gen(function* () {
      const { events, may, publish } = open(system)
      publish(MemberJoined, 0, 10)
      publish(MemberJoined, 10, 30, "b")
      publish(MemberFailed, 0, 4)
      yield* Effect.sleep("20 seconds")
      const before = yield* may("a")
      publish(MemberFailed, 4, 5)
      yield* Effect.sleep("12 seconds")
      return { before, fault: yield* Effect.flip(may("a")), elsewhere: yield* may("b"), events }
    })
  )
  t.is(before, undefined)
  t.is(elsewhere, undefined)
  t.true(fault instanceof AutomationStopped && fault.definite)
  t.is(
    fault.message,
    "nothing may act by itself in zone a: the fleet breaker tripped for zone a 12.0 s ago (5 of 10 nodes died within 60 s); bring 8 of 10 back to health (5 are), or reset it by hand for zone a"
  )
  t.is(events.length, 1)
  t.like(events[0], {
    _tag: "FleetBreakerTripped",
    zone: "a",
    by: "/root/fleet-breaker",
    dead: ["n0", "n1", "n2", "n3", "n4"],
    healthy: 5,
    members: 10
  })
})

test("it lets automation go on when enough nodes are back, and says so", (t) => {
  const { during, events } = onStage((system) =>
    Effect.gen(function* () {
      const { events, may, publish } = open(system)
      publish(MemberJoined, 0, 10)
      publish(MemberLeft, 9, 10)
      publish(MemberFailed, 0, 5)
      publish(MemberRecovered, 0, 3)
      const during = yield* Effect.exit(may("a"))
      publish(MemberRecovered, 3, 4)
      yield* may("a")
      return { during, events }
    })
  )
  t.true(Exit.isFailure(during))
  t.deepEqual(
    events.map(({ _tag, reason, zone }) => `${_tag} ${zone}: ${reason}`),
    [
      "FleetBreakerTripped a: 5 of 9 nodes died within 60 s",
      "FleetBreakerTripped null: 5 of 9 nodes died within 60 s",
      "FleetBreakerReset null: 8 of 9 nodes are healthy",
      "FleetBreakerReset a: 8 of 9 nodes are healthy"
    ]
  )
})

test("an operator stops all automation and lets it go on", (t) => {
  const { after, events, fault } = onStage((system) =>
    Effect.gen(function* () {
      const { breaker, events, may, publish } = open(system)
      publish(MemberJoined, 0, 10)
      yield* ask(breaker, new TripFleetBreaker({ zone: null, ...ann }), "1 second")
      const fault = yield* Effect.flip(may("a"))
      yield* ask(breaker, new ResetFleetBreaker({ zone: null, ...ann }), "1 second")
      return { fault, after: yield* may("a"), events }
    })
  )
  t.is(
    fault.message,
    "nothing may act by itself in zone a: the fleet breaker tripped for the fleet 0.0 s ago (a drill); have an operator reset it for the fleet"
  )
  t.is(after, undefined)
  t.deepEqual(
    events.map(({ _tag, by }) => `${_tag} ${by}`),
    ["FleetBreakerTripped ann", "FleetBreakerReset ann"]
  )
})

test("started again in the middle of an outage it stops automation again", (t) => {
  const { fault, scopes } = onStage(
    (system) =>
      Effect.gen(function* () {
        const { begin, breaker, may, publish } = open(system)
        publish(MemberJoined, 0, 4)
        publish(MemberFailed, 0, 2)
        yield* Effect.flip(may("a"))
        system.kill(breaker.path)
        yield* Effect.sleep("1 hour")
        const again = begin()
        const fault = yield* Effect.flip(ask(again, new MayAutomate({ zone: "a" }), "1 second"))
        return { fault, scopes: yield* ask(again, new GetFleetBreaker(), "1 second") }
      }),
    1,
    { limitMillis: 7_200_000 }
  )
  t.true(fault instanceof AutomationStopped)
  t.deepEqual(
    scopes.map(({ dead, healthy, tripped, zone }) => [zone, tripped, dead, healthy]),
    [
      [null, true, ["n0", "n1"], 2],
      ["a", true, ["n0", "n1"], 2]
    ]
  )
})

test("whatever happens while it begins, no death is missed", (t) => {
  for (let seed = 1; seed <= 200; seed++) {
    const fault = onStage(
      (system, world) =>
        Effect.gen(function* () {
          const { may, publish } = open(system)
          publish(MemberJoined, 0, 4)
          for (let turn = world.prng.below(20); turn > 0; turn--) yield* Effect.yieldNow()
          publish(MemberFailed, 0, 1)
          for (let turn = world.prng.below(20); turn > 0; turn--) yield* Effect.yieldNow()
          publish(MemberFailed, 1, 2)
          yield* Effect.sleep("1 second")
          return yield* Effect.flip(may("a"))
        }),
      seed
    )
    t.true(fault instanceof AutomationStopped, `seed ${seed}`)
  }
})

test("without an answer from membership it does not start, and nobody may act", (t) => {
  const fault = onStage((system) =>
    Effect.gen(function* () {
      const deaf = Actor.make("deaf", {
        messages: [Members],
        init: () => null,
        handlers: {
          Members: (state, request, context) => {
            context.replyTo(request)
            return Actor.later(state)
          }
        }
      })
      const breaker = system.spawn(FleetBreakerActor, { args: { members: system.spawn(deaf) } })
      return yield* Effect.flip(ask(breaker, new MayAutomate({ zone: "a" }), "10 seconds"))
    })
  )
  t.is(fault._tag, "ActorUnavailable")
})

// Fixtures

/** Answers as membership does, from what the test has published. */
const Roll = Actor.make("roll", {
  messages: [Members],
  init: (_context, roll: ReadonlyMap<string, MemberRecord>) => roll,
  handlers: { Members: (roll) => Actor.reply(roll, [...roll.values()]) }
})

const open = (system: ActorSystem) => {
  const roll = new Map<string, MemberRecord>()
  const events: Array<FleetBreakerEvent> = []
  system.events.subscribe(
    (event) => void events.push(event as FleetBreakerEvent),
    ["FleetBreakerTripped", "FleetBreakerReset"]
  )
  const members = system.spawn(Roll, { args: roll })
  const begin = () => system.spawn(FleetBreakerActor, { args: { members } })
  const breaker = begin()
  const publish = (
    Event: typeof MemberJoined | typeof MemberFailed | typeof MemberRecovered | typeof MemberLeft,
    from: number,
    to: number,
    zone = "a"
  ) => {
    for (let index = from; index < to; index++) {
      const status = Event === MemberFailed ? "failed" : Event === MemberLeft ? "left" : "alive"
      const member: MemberRecord = {
        name: `n${index}`,
        address: `n${index}:7700`,
        bootId: "boot",
        incarnation: 1,
        status,
        metadata: new Metadata({ roles: [], zone, version: "1", ports: {} })
      }
      roll.set(member.name, member)
      const evidence = { source: "test", what: "probe" as const, confirmations: 0 }
      system.events.publish(new Event({ member, evidence }))
    }
  }
  return {
    begin,
    breaker,
    events,
    publish,
    may: (zone: string) => ask(breaker, new MayAutomate({ zone }), "1 second")
  }
}
