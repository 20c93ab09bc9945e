import test from "ava"
import { Cause, Effect, Logger, Schema } from "effect"
import * as Actor from "#actors/kernel/actor.ts"
import { ask, type Tagged } from "#actors/kernel/ask.ts"
import { Leases } from "#actors/kernel/ports/leases.ts"
import type { ActorRef } from "#actors/kernel/ref.ts"
import * as System from "#actors/kernel/system.ts"
import { SimLeases } from "#chaos/sim/sim-leases.ts"
import { SimWorld } from "#chaos/sim/world.ts"
import { GetLeaderRole, type RoleLost, type RoleTaken, YieldRole } from "#protocols/failover.ts"
import { leaderRole } from "./leader-role-actor.ts"

test("of many candidates one leads, and its actor gets the epoch", (t) => {
  const { epochs, events, phases } = onStage(({ candidates, ran, events }) =>
    Effect.gen(function* () {
      yield* Effect.sleep("1 minute")
      const statuses = yield* Effect.forEach(candidates, (one) => ask(one, new GetLeaderRole({}), "1 second"))
      return {
        epochs: ran.map(({ epoch }) => epoch),
        events: [...events],
        phases: statuses.map(({ phase }) => phase)
      }
    })
  )
  t.deepEqual(epochs, [1])
  t.deepEqual(phases.toSorted(), ["leading", "waiting", "waiting"])
  t.deepEqual(
    events.map(({ _tag, reason }) => `${_tag}: ${reason}`),
    ["RoleTaken: the lease was free"]
  )
})

test("asked to yield it has stopped its actor before another leads, under a later epoch", (t) => {
  const { events, most, ran } = onStage(({ alive, candidates, events, ran }) =>
    Effect.gen(function* () {
      yield* Effect.sleep("10 seconds")
      const leader = candidates[Number(events[0]?.holder.slice(1))]
      if (leader !== undefined)
        yield* ask(leader, new YieldRole({ by: "ann", reason: "a drill" }), "1 second")
      yield* Effect.sleep("10 seconds")
      return { events: [...events], ran, most: alive.most }
    })
  )
  t.deepEqual(
    events.map(({ _tag, by, epoch }) => `${_tag} ${epoch} ${by.startsWith("/") ? "itself" : by}`),
    ["RoleTaken 1 itself", "RoleLost 1 ann", "RoleTaken 2 itself"]
  )
  t.not(events[0]?.holder, events[2]?.holder)
  t.is(most, 1)
  t.is(ran.length, 2)
})

test("others lead within half a second of a yield, without having asked for the lease all the time", (t) => {
  const { asked, gapMillis } = onStage(({ asked, candidates, events, ran, world }) =>
    Effect.gen(function* () {
      yield* Effect.sleep("61 seconds")
      const before = asked.count
      const fromMillis = world.nowMillis
      const leader = candidates[Number(events[0]?.holder.slice(1))]
      if (leader !== undefined)
        yield* ask(leader, new YieldRole({ by: "ann", reason: "a drill" }), "1 second")
      yield* Effect.sleep("5 seconds")
      return { asked: before, gapMillis: (ran[1]?.atMillis ?? Number.POSITIVE_INFINITY) - fromMillis }
    })
  )
  t.true(gapMillis < 500, `${gapMillis} ms`)
  // Of two who wait for a minute, each time that a lease of 15 seconds might have run out.
  t.true(asked <= 20, `${asked} times`)
})

test("an actor that crashes ends its leadership, and no two lives of it share an epoch", (t) => {
  const { epochs, reasons } = onStage(({ events, ran, system }) =>
    Effect.gen(function* () {
      yield* Effect.sleep("5 seconds")
      system.kill(ran[0]?.path ?? "")
      yield* Effect.sleep("20 seconds")
      const lost = events.filter(({ _tag }) => _tag === "RoleLost")
      return { epochs: ran.map(({ epoch }) => epoch), reasons: lost.map(({ reason }) => reason) }
    })
  )
  t.deepEqual(epochs, [1, 2])
  t.deepEqual(reasons, ["its actor has ended: killed"])
})

test("one that does not stop is killed before the lease can be granted to another", (t) => {
  const { most, ran } = onStage(
    ({ alive, events, leases, ran }) =>
      Effect.gen(function* () {
        yield* Effect.sleep("5 seconds")
        leases.cut(events[0]?.holder ?? "")
        yield* Effect.sleep("1 minute")
        return { ran, most: alive.most }
      }),
    3_600_000
  )
  t.true(ran.length > 1)
  t.is(most, 1)
})

test("a candidate that dies takes its actor along and gives the lease back", (t) => {
  const { events, gapMillis } = onStage(({ events, ran, system, world }) =>
    Effect.gen(function* () {
      yield* Effect.sleep("5 seconds")
      const fromMillis = world.nowMillis
      system.inject(`/root/${events[0]?.holder}`, dead)
      yield* Effect.sleep("5 seconds")
      return { events: [...events], gapMillis: (ran[1]?.atMillis ?? Number.POSITIVE_INFINITY) - fromMillis }
    })
  )
  t.regex(events[1]?.reason ?? "", /its candidate has ended: crashed, Error: out of luck/)
  t.true(gapMillis < 2_000, `${gapMillis} ms`)
})

// Fixtures

const dead = Cause.die(new Error("out of luck"))

interface Stage {
  readonly system: System.ActorSystem
  readonly world: SimWorld
  readonly leases: SimLeases
  readonly candidates: ReadonlyArray<ActorRef<GetLeaderRole | YieldRole>>
  readonly events: ReadonlyArray<RoleTaken | RoleLost>
  /** Each life of the role's actor. */
  readonly ran: ReadonlyArray<Life>
  readonly alive: { readonly most: number }
  /** For the lease. */
  readonly asked: { readonly count: number }
}

interface Life {
  readonly epoch: number
  readonly path: string
  readonly atMillis: number
}

class Nothing extends Schema.TaggedClass<Nothing>()("Nothing", {}) {}

/** Three candidates n0, n1 and n2, each with a way of its own to the store. */
const onStage = <A, E>(play: (stage: Stage) => Effect.Effect<A, E>, stopMillis = 0): A => {
  const world = new SimWorld(3)
  const leases = new SimLeases(world)
  const events: Array<RoleTaken | RoleLost> = []
  const ran: Array<Life> = []
  const alive = { now: 0, most: 0 }
  const asked = { count: 0 }
  const Work = Actor.make("work", {
    messages: [Nothing],
    init: ({ path }, { epoch }: { readonly epoch: number }) => {
      ran.push({ epoch, path, atMillis: world.nowMillis })
      alive.most = Math.max(alive.most, ++alive.now)
      const gone = Effect.addFinalizer(() => Effect.sync(() => void alive.now--))
      return Effect.as(gone, { epoch })
    },
    handlers: { Nothing: (state) => state },
    onStop: () => Effect.sleep(stopMillis)
  })
  const candidate = leaderRole({ role: "work", child: Work, args: (epoch) => ({ epoch }) })
  const candidates: Array<Stage["candidates"][number]> = []
  const Root = Actor.make("root", {
    messages: [],
    services: [Leases],
    init: (context) => {
      for (const holder of ["n0", "n1", "n2"])
        candidates.push(context.spawn(candidate, { name: holder, args: { holder } }))
      return {}
    },
    handlers: {}
  })
  const port: Leases = {
    acquire: (name, holder, ttlMillis) => {
      asked.count++
      return leases.portOf(holder).acquire(name, holder, ttlMillis)
    },
    renew: (lease) => leases.portOf(lease.holder).renew(lease),
    release: (lease) => leases.portOf(lease.holder).release(lease),
    freed: (name) => leases.portOf("n0").freed(name)
  }
  const program = Effect.gen(function* () {
    const system = yield* System.make("root", Root)
    const hear = (event: Tagged) => void events.push(event as RoleTaken | RoleLost)
    system.events.subscribe(hear, ["RoleTaken", "RoleLost"])
    return yield* play({ system, world, leases, candidates, events, ran, alive, asked })
  })
  return world.run(
    program.pipe(
      Effect.scoped,
      Effect.provideService(Leases, port),
      Effect.provide(Logger.remove(Logger.defaultLogger))
    )
  )
}
