import test from "ava"
import { Effect, Schema } from "effect"
import { call, Do, puppet } from "#chaos/sim/puppet.ts"
import { onStage } from "#chaos/sim/stage.ts"
import { catalogueEntries } from "#protocols/catalogue.ts"
import { GetAccepted, GetCatalogue } from "#protocols/catalogue-requests.ts"
import { observe, operate } from "#protocols/message.ts"
import type { DeadLetter } from "#protocols/runtime.ts"
import * as Actor from "./actor.ts"
import { ask } from "./ask.ts"
import { Introspection } from "./introspection.ts"
import type { ActorRef } from "./ref.ts"

test("a snapshot shows the tree with its counters, down to a depth", (t) => {
  const { deep, shallow } = onStage((system) =>
    Effect.gen(function* () {
      const one = system.spawn(puppet(), {
        args: { spawn: (context) => void context.spawn(puppet(), { name: "child", role: "worker" }) }
      })
      yield* call(one, "spawn")
      one.tell(new Do({ act: "nothing" }))
      yield* Effect.sleep("1 millis")
      return { deep: system.snapshot("/root/puppet"), shallow: system.snapshot("/root", 1) }
    })
  )
  t.like(deep, {
    path: "/root/puppet",
    kind: "puppet",
    status: "running",
    incarnation: 1,
    handled: 2,
    mailbox: 0,
    dropped: 0,
    children: [{ path: "/root/puppet/child", role: "worker", handled: 0 }]
  })
  t.like(shallow, { path: "/root", children: [{ path: "/root/puppet", children: [] }] })
})

test("a path that leads nowhere is answered with the nearest that exists", (t) => {
  const answer = onStage((system) => {
    system.spawn(puppet())
    return Effect.succeed(system.snapshot("/root/puppte/x"))
  })
  t.is(
    "message" in answer && answer.message,
    "there is no actor at /root/puppte/x; /root exists and has puppet: choose a path from there"
  )
})

test("an operator sees of a state what the actor shows, and an inspect that throws harms nobody", (t) => {
  const states = onStage((system) => {
    const declare = (name: string, inspect?: (state: number) => unknown) =>
      Actor.make(name, { messages: [], init: () => 42, handlers: {}, ...(inspect && { inspect }) })
    system.spawn(declare("open", (state) => ({ state })))
    system.spawn(declare("closed"))
    system.spawn(
      declare("broken", () => {
        throw new Error("out of luck")
      })
    )
    return Effect.succeed(["open", "closed", "broken"].map((name) => system.inspect(`/root/${name}`)))
  })
  t.deepEqual(
    states.map((shown) => "state" in shown && shown.state),
    [{ state: 42 }, undefined, "its inspect threw Error: out of luck"]
  )
})

test("dead letters are all counted, the last are kept, and at most ten a second are published", (t) => {
  const { kept, published, total } = onStage((system) =>
    Effect.gen(function* () {
      const published: Array<DeadLetter> = []
      system.events.subscribe((event) => published.push(event as DeadLetter), ["DeadLetter"])
      const one = system.spawn(puppet())
      system.kill(one.path)
      yield* Effect.sleep("1 millis")
      for (let count = 0; count < 100; count++) one.tell(new Do({ act: "x" }))
      yield* Effect.sleep("2 seconds")
      one.tell(new Do({ act: "x" }))
      return { published, total: system.deadLetters.total, kept: system.deadLetters.recent().length }
    })
  )
  t.is(total, 101)
  t.is(published.length, 11)
  t.like(published[0], { path: "/root/puppet", message: "Do", why: "stopped", total: 1 })
  t.is(published[10]!.total, 101)
  t.is(kept, 11)
})

test("a message that no handler knows is a dead letter", (t) => {
  const letters = onStage((system) =>
    Effect.gen(function* () {
      const one: ActorRef<never> = system.spawn(puppet())
      ;(one as ActorRef<Stranger>).tell(new Stranger())
      yield* Effect.sleep("1 millis")
      return system.deadLetters.recent().map(({ message, why }) => [message, why])
    })
  )
  t.deepEqual(letters, [["constructor", "unknown message"]])
})

test("a node tells which messages its clients may send, all or those of one component", (t) => {
  const { all, links, none } = onStage((system) =>
    Effect.gen(function* () {
      const introspection = system.spawn(Introspection, { args: { catalogueEntries } })
      const entries = (component?: string) =>
        ask(introspection, new GetCatalogue(component === undefined ? {} : { component }), "1 second")
      return { all: yield* entries(), links: yield* entries("links"), none: yield* entries("linen") }
    })
  )
  t.deepEqual(all, catalogueEntries())
  t.true(links.length > 0 && links.length < all.length)
  t.true(links.every(({ component }) => component === "links"))
  t.deepEqual(none, [])
})

test("a node tells which messages an actor takes from clients", (t) => {
  const { accepted, fault, own } = onStage((system) =>
    Effect.gen(function* () {
      const introspection = system.spawn(Introspection, { args: { catalogueEntries } })
      system.spawn(Clock)
      const accepts = (path: string) => ask(introspection, new GetAccepted({ path }), "1 second")
      return {
        accepted: yield* accepts("/root/clock"),
        own: yield* accepts("/root/introspection"),
        fault: yield* Effect.flip(accepts("/root/cuckoo"))
      }
    })
  )
  t.deepEqual(accepted, ["ReadClock", "SetClock"])
  t.deepEqual(own.slice(0, 5), ["GetTree", "Inspect", "InjectCrash", "GetCatalogue", "GetAccepted"])
  t.is(
    fault.message,
    "there is no actor at /root/cuckoo; /root exists and has introspection, clock: choose a path from there"
  )
})

class ReadClock extends Schema.TaggedRequest<ReadClock>()(
  "ReadClock",
  { payload: {}, success: Schema.Number, failure: Schema.Never },
  observe("What it shows.")
) {}
class SetClock extends Schema.TaggedClass<SetClock>()(
  "SetClock",
  { to: Schema.Number },
  operate("Sets it.")
) {}
class Tick extends Schema.TaggedClass<Tick>()("Tick", {}) {}

const Clock = Actor.make("clock", {
  messages: [ReadClock, Tick, SetClock],
  init: () => 0,
  handlers: {
    ReadClock: (shows) => Actor.reply(shows, shows),
    Tick: (shows) => shows + 1,
    SetClock: (_shows, { to }) => to
  }
})

/** A tag that every object has a property of. */
class Stranger extends Schema.TaggedClass<Stranger>()("constructor", {}) {}
