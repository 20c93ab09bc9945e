import test from "ava"
import { Effect, Schema } from "effect"
import { onLiveStage, onStage } from "#chaos/sim/stage.ts"
import * as Actor from "./actor.ts"
import { ask } from "./ask.ts"
import type { ActorSystem } from "./system.ts"

test("a handler returns the next state, or an effect of it", (t) => {
  t.is(onStage(counted), 6)
})

test("the same actor does the same in the live world", async (t) => {
  t.is(await onLiveStage(counted), 6)
})

test("while an effect runs no other message is handled", (t) => {
  const order = onStage((system) =>
    Effect.gen(function* () {
      const counter = system.spawn(Counter, { args: 0 })
      counter.tell(new AddLater({ amount: 1 }))
      counter.tell(new Add({ amount: 10 }))
      return [yield* ask(counter, new GetCount(), "1 minute"), system.clock.nowMillis()]
    })
  )
  t.deepEqual(order, [11, 1_000])
})

test("an init may decline to run", (t) => {
  const { actors, reason } = onStage((system) =>
    Effect.gen(function* () {
      const reasons: Array<string> = []
      const declining = Actor.make("declining", { messages: [], init: () => Actor.ignore, handlers: {} })
      system.spawn(declining).addWatcher({ notice: ({ reason }) => reasons.push(reason) })
      yield* Effect.sleep("1 millis")
      return { actors: system.actors, reason: reasons[0] }
    })
  )
  t.is(reason, "ignored")
  t.is(actors, 1)
})

test("a state may be anything that is not an effect, undefined included", (t) => {
  for (const state of [undefined, null, 0, "", [], { _tag: "Add" }, new Map(), () => 1]) {
    const holder = Actor.make("holder", {
      messages: [GetState],
      init: () => ({ state }),
      handlers: { GetState: ({ state }) => Actor.reply({ state }, state) }
    })
    t.is(
      onStage((system) => ask(system.spawn(holder), new GetState(), "1 second")),
      state
    )
  }
})

const counted = (system: ActorSystem) => {
  const counter = system.spawn(Counter, { args: 1 })
  counter.tell(new Add({ amount: 2 }))
  counter.tell(new Add({ amount: 3 }))
  return ask(counter, new GetCount(), "1 second")
}

class Add extends Schema.TaggedClass<Add>()("Add", { amount: Schema.Number }) {}
class AddLater extends Schema.TaggedClass<AddLater>()("AddLater", { amount: Schema.Number }) {}
class GetCount extends Schema.TaggedRequest<GetCount>()("GetCount", {
  payload: {},
  success: Schema.Number,
  failure: Schema.Never
}) {}
class GetState extends Schema.TaggedRequest<GetState>()("GetState", {
  payload: {},
  success: Schema.Unknown,
  failure: Schema.Never
}) {}

const Counter = Actor.make("counter", {
  messages: [Add, AddLater, GetCount],
  init: (_context, start: number) => start,
  handlers: {
    Add: (count, { amount }) => count + amount,
    AddLater: (count, { amount }) => Effect.as(Effect.sleep("1 second"), count + amount),
    GetCount: (count) => Actor.reply(count, count)
  }
})
