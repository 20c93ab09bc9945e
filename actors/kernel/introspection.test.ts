import test from "ava"
import { Effect, Schema } from "effect"
import { call, Do, puppet } from "#chaos/sim/puppet.ts"
import { onStage } from "#chaos/sim/stage.ts"
import type { DeadLetter } from "#protocols/runtime.ts"
import * as Actor from "./actor.ts"
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

/** A tag that every object has a property of. */
class Stranger extends Schema.TaggedClass<Stranger>()("constructor", {}) {}
