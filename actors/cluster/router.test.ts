import test from "ava"
import { Effect, Schema } from "effect"
import fc from "fast-check"
import * as Actor from "#actors/kernel/actor.ts"
import { ask } from "#actors/kernel/ask.ts"
import type * as System from "#actors/kernel/system.ts"
import { onStage } from "#chaos/sim/stage.ts"
import { ActorUnavailable } from "#protocols/delivery.ts"
import { type RoutedRef, type Routing, router } from "./router.ts"

test("round-robin gives each member its turn", (t) => {
  const served = onStage((system) => serveMany(routerOver(system, 3, { strategy: "round-robin" }), 9))
  for (const who of ["w0", "w1", "w2"]) t.is(served.filter((name) => name === who).length, 3)
})

test("least-loaded spares members that are slow", (t) => {
  const served = onStage((system) =>
    Effect.gen(function* () {
      const routed = routerOver(system, 3, { strategy: "least-loaded" })
      yield* Effect.fork(Effect.all(naps(routed, 2, 60_000), { concurrency: "unbounded", discard: true }))
      yield* Effect.sleep("1 second")
      return yield* Effect.forEach([1, 2, 3, 4], () => ask(routed, new Who({ key: "" }), "1 second"))
    })
  )
  t.is(new Set(served).size, 1, "the one without a nap gets all")
})

test("least-loaded shares among equals", (t) => {
  const served = onStage((system) => serveMany(routerOver(system, 3, { strategy: "least-loaded" }), 9))
  t.is(new Set(served).size, 3)
})

test("with a consistent hash a key stays with its member, and only the keys of a member that leaves move", (t) => {
  const keys = Array.from({ length: 300 }, (_, index) => `key ${index}`)
  const { after, again, before } = onStage((system) =>
    Effect.gen(function* () {
      const paths = { now: ["w0", "w1", "w2", "w3"].map((name) => spawn(system, name)) }
      const routed = routerTo(system, () => paths.now, byKey)
      const whoServes = () => Effect.forEach(keys, (key) => ask(routed, new Who({ key }), "1 second"))
      const before = yield* whoServes()
      const again = yield* whoServes()
      paths.now = paths.now.filter((path) => path !== "/root/w1")
      return { before, again, after: yield* whoServes() }
    })
  )
  t.deepEqual(again, before)
  t.is(new Set(before).size, 4)
  for (const [index, who] of before.entries()) {
    if (who === "w1") t.not(after[index], "w1")
    else t.is(after[index], who)
  }
})

test("where nobody is, an ask is refused at once, definitely", (t) => {
  const fault = onStage((system) =>
    Effect.flip(
      ask(
        routerTo(system, () => [], { strategy: "round-robin" }),
        new Who({ key: "" }),
        "1 second"
      )
    )
  )
  t.true(fault instanceof ActorUnavailable && fault.path === "group:workers")
})

test("whatever the strategy and the members, every message goes to exactly one of them", (t) => {
  const routings: ReadonlyArray<Routing<Who | Nap>> = [
    { strategy: "round-robin" },
    { strategy: "least-loaded" },
    byKey
  ]
  fc.assert(
    fc.property(
      fc.constantFrom(...routings),
      fc.integer({ min: 1, max: 6 }),
      fc.nat({ max: 30 }),
      (routing, size, count) => {
        const served = onStage((system) => serveMany(routerOver(system, size, routing), count))
        return served.length === count && served.every((name) => /^w[0-5]$/.test(name))
      }
    ),
    { numRuns: 50 }
  )
  t.pass()
})

class Who extends Schema.TaggedRequest<Who>()("Who", {
  payload: { key: Schema.String },
  success: Schema.String,
  failure: Schema.Never
}) {}
class Nap extends Schema.TaggedRequest<Nap>()("Nap", {
  payload: { millis: Schema.Int },
  success: Schema.Void,
  failure: Schema.Never
}) {}

const Worker = Actor.make("worker", {
  messages: [Who, Nap],
  init: (context) => ({ name: context.path.split("/").at(-1) ?? "" }),
  handlers: {
    Who: (state) => Actor.reply(state, state.name),
    Nap: (state, { millis }) => Effect.as(Effect.sleep(millis), Actor.reply(state, undefined))
  }
})

const byKey: Routing<Who | Nap> = {
  strategy: "consistent-hash",
  key: (message) => (message instanceof Who ? message.key : "")
}

const spawn = (system: System.ActorSystem, name: string): string => system.spawn(Worker, { name }).path

const routerTo = (
  system: System.ActorSystem,
  members: () => ReadonlyArray<string>,
  routing: Routing<Who | Nap>
) =>
  router<Who | Nap>({
    group: "workers",
    members,
    messages: [Who, Nap],
    routing,
    resolve: (place) => system.at(place)
  })

const routerOver = (system: System.ActorSystem, size: number, routing: Routing<Who | Nap>) => {
  const paths = Array.from({ length: size }, (_, index) => spawn(system, `w${index}`))
  return routerTo(system, () => paths, routing)
}

const serveMany = (routed: RoutedRef<Who>, count: number) =>
  Effect.forEach(
    Array.from({ length: count }, (_, index) => `${index}`),
    (key) => ask(routed, new Who({ key }), "1 second")
  )

const naps = (routed: RoutedRef<Who | Nap>, count: number, millis: number) =>
  Array.from({ length: count }, () => Effect.exit(ask(routed, new Nap({ millis }), "2 minutes")))
