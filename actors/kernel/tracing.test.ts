import test from "ava"
import { Effect, Exit, Schema } from "effect"
import { address } from "#protocols/address.ts"
import { event, type MessageSchema, observe } from "#protocols/message.ts"
import type { Frame } from "#protocols/wire/frames.ts"
import * as Actor from "./actor.ts"
import { ask } from "./ask.ts"
import { type Linked, linkedSystems } from "./fixtures/linked-systems.ts"
import { type NotedSpan, notedSpans } from "./fixtures/noted-spans.ts"
import { Gate } from "./gate.ts"
import { Peer } from "./peer.ts"

const traceId = "4bf92f3577b34da6a3ce929d0e0e4736"
const spanId = "00f067aa0ba902b7"
const trace = `00-${traceId}-${spanId}-01`

class Refused extends Schema.TaggedError<Refused>()("Refused", {}) {}

class Price extends Schema.TaggedRequest<Price>()(
  "Price",
  { payload: { of: Schema.String }, success: Schema.Int, failure: Refused },
  observe("What something costs.")
) {}

class Priced extends Schema.TaggedClass<Priced>()("Priced", { price: Schema.Int }) {}

const Stock = Actor.make("stock", {
  messages: [Price],
  init: () => null,
  handlers: {
    Price: (_state, { of }) => (of === "air" ? Actor.refuse(null, new Refused()) : Actor.reply(null, 7))
  }
})

const stock = address("/far/stock", Price)

/** Asks by an effect, or by a message to itself. */
const Shop = Actor.make("shop", {
  messages: [Price, Priced],
  init: () => null,
  handlers: {
    Price: (_state, request, context) => {
      if (request.of === "tea") {
        const { reply } = context.replyTo(request)
        context.ask(context.at(stock), request, "1 second", (answered) => {
          const price = Exit.isSuccess(answered) ? answered.value : 0
          reply(price)
          return new Priced({ price })
        })
        return Actor.later(null)
      }
      const asking = ask(context.at(stock), new Price({ of: request.of }), "1 second").pipe(
        Effect.mapError(() => new Refused())
      )
      return Effect.map(Effect.delay(asking, "10 millis"), (price) => Actor.reply(null, price))
    },
    Priced: () => null
  }
})

/** Each with the number of what it is part of, and what went wrong. */
const shown = (noted: ReadonlyArray<NotedSpan>): ReadonlyArray<string> =>
  noted.map(({ attributes, name, parent, problem }) => {
    const part = noted.findIndex(({ context }) => context.spanId === parent?.spanId)
    return `${name} ${attributes["actor.path"]} ${part} ${problem}`.trim()
  })

test("what a client asks is a span, and what that asks of others in turn is part of it", (t) => {
  const { noted, spans } = notedSpans()
  const gate = new Gate(
    { actorId: "HUMAN::ada", grants: [{ permission: "observe", prefix: "/far" }] },
    new Map([[Price._tag, Price]])
  )
  linkedSystems(
    1,
    ({ far, near }) =>
      Effect.gen(function* () {
        far.spans = spans
        far.spawn(Stock, { name: "stock" })
        far.spawn(Shop, { name: "shop" })
        const shop = near.at(address("/far/shop", Price))
        for (const what of ["tea", "salt"]) yield* ask(shop, new Price({ of: what }), "1 second")
        yield* Effect.flip(ask(shop, new Price({ of: "air" }), "1 second"))
        // What nobody outside has asked for begins no trace.
        yield* ask(far.at(stock), new Price({ of: "salt" }), "1 second")
      }),
    { far: { gate } }
  )
  t.deepEqual(shown(noted), [
    "ask Price /far/shop -1",
    "ask Price /far/stock 0",
    "ask Price /far/shop -1",
    "ask Price /far/stock 2",
    "ask Price /far/shop -1 Refused",
    "ask Price /far/stock 4 Refused"
  ])
})

class Sold extends Schema.TaggedClass<Sold>()(
  "Sold",
  { price: Schema.Int, by: Schema.Literal("step", "effect") },
  observe("Something was sold.")
) {}

class Restocked extends Schema.TaggedClass<Restocked>()(
  "Restocked",
  { of: Schema.String },
  event("It is.")
) {}

/** Asks the other node for a price, and tells it what was sold. */
const Till = Actor.make("till", {
  messages: [Price, Priced],
  init: () => null,
  handlers: {
    Price: (_state, { of }, context) => {
      const books = context.at(address("/far/books", Sold))
      books.tell(new Sold({ price: 1, by: "step" }))
      return ask(context.at(stock), new Price({ of }), "1 second").pipe(
        Effect.mapError(() => new Refused()),
        Effect.tap((price) => Effect.sync(() => books.tell(new Sold({ price, by: "effect" })))),
        Effect.map((price) => Actor.reply(null, price))
      )
    },
    Priced: () => null
  }
})

/** Has what was sold priced anew. */
const Books = Actor.make("books", {
  messages: [Sold],
  init: () => 0,
  handlers: {
    Sold: (sum, { by, price }, context) =>
      by === "step"
        ? sum + price
        : Effect.as(
            Effect.orElseSucceed(ask(context.at(stock), new Price({ of: "salt" }), "1 second"), () => 0),
            sum + price
          )
  }
})

/** Two nodes, with a client of the first that sends frames. */
const shopping = (
  recorded: ReadonlyArray<"near" | "far">,
  play: (said: {
    readonly send: (frame: Frame) => void
    readonly noted: () => ReadonlyArray<NotedSpan>
    readonly linked: Linked
  }) => Effect.Effect<void>
) => {
  const notes = { near: notedSpans("1"), far: notedSpans("2") }
  const frames: Array<Frame> = []
  linkedSystems(2, (linked) =>
    Effect.gen(function* () {
      const { far, near, there } = linked
      there.onFrame = (frame) => void frames.push(frame)
      for (const node of recorded) linked[node].spans = notes[node].spans
      near.spawn(Till, { name: "till" })
      far.spawn(Stock, { name: "stock" })
      far.spawn(Books, { name: "books" })
      const gate = new Gate(
        { actorId: "HUMAN::ada", grants: [{ permission: "observe", prefix: "/" }] },
        new Map<string, MessageSchema>([Price, Sold, Restocked].map((message) => [message._tag, message]))
      )
      const client = new Peer(near, "", { gate, send: () => {} })
      const noted = () => [...notes.near.noted, ...notes.far.noted]
      yield* play({ send: (frame) => client.receive([frame]), noted, linked })
      yield* Effect.sleep("100 millis")
      client.close("it went")
      yield* Effect.sleep("50 millis")
    })
  )
  return { near: notes.near.noted, far: notes.far.noted, frames }
}

const salt = { _tag: "Price", of: "salt" }

test("a trace that a client brings goes over links: with asks, tells of steps and effects, and what these ask", (t) => {
  const { far, frames, near } = shopping(["near", "far"], ({ send }) =>
    Effect.sync(() => send(["ask", 0, "/near/till", 1_000, trace, salt]))
  )
  t.deepEqual(shown([...near, ...far]), [
    "ask Price /near/till -1",
    "ask Price /far/stock 0",
    "tell Sold /far/books 0",
    "ask Price /far/stock 1",
    "tell Sold /far/books 0",
    "ask Price /far/stock 4"
  ])
  t.deepEqual(near[0]?.parent, { traceId, spanId })
  t.true([...near, ...far].every(({ context }) => context.traceId === traceId))
  t.deepEqual(
    [...near, ...far].map(({ kind }) => kind),
    ["server", "internal", "peer", "peer", "peer", "internal"]
  )
  t.deepEqual(
    frames.filter(([kind]) => kind === "ask" || kind === "tell").map((frame) => frame.length),
    [4, 6, 4]
  )
})

test("a node that records nothing passes a trace on, and one that nobody records is on no link", (t) => {
  const play = (flags: string) =>
    shopping(["far"], ({ send }) =>
      Effect.sync(() => send(["ask", 0, "/near/till", 1_000, `00-${traceId}-${spanId}-${flags}`, salt]))
    )
  const passed = play("01")
  t.deepEqual(
    passed.far.map(({ name, parent }) => `${name} ${parent?.traceId === traceId}`),
    ["tell Sold true", "ask Price true", "tell Sold true", "ask Price true"]
  )
  const unrecorded = play("00")
  t.deepEqual(unrecorded.far, [])
  t.true(unrecorded.frames.every((frame) => frame.length < 6))
})

test("of a node that records nothing, and of what no client asked for, frames carry nothing", (t) => {
  const { far, frames } = shopping(["far"], ({ linked: { near }, send }) =>
    Effect.gen(function* () {
      send(["ask", 0, "/near/till", 1_000, salt])
      yield* Effect.orElseSucceed(ask(near.at(stock), new Price({ of: "salt" }), "1 second"), () => 0)
    })
  )
  t.deepEqual(far, [])
  t.deepEqual(
    frames
      .filter(([kind]) => kind === "ask" || kind === "tell")
      .map((frame) => frame.length)
      .toSorted(),
    [3, 3, 5, 5]
  )
})

test("a stream is a span on each node that it comes through, until it is over, with how much came", (t) => {
  const publish = ({ far }: Linked, count: number) => {
    for (let done = 0; done < count; done++) far.events.publish(new Restocked({ of: "tea" }))
  }
  const { far, near } = shopping(["near", "far"], ({ linked, noted, send }) =>
    Effect.gen(function* () {
      send(["subscribe", 7, "/far", ["Restocked"], 3, trace])
      send(["subscribe", 8, "/far", ["Restocked"], 100])
      yield* Effect.sleep("50 millis")
      publish(linked, 5)
      yield* Effect.sleep("50 millis")
      send(["more", 7, 10])
      yield* Effect.sleep("50 millis")
      // Whoever reads no more is told nothing of what is left out from here on, and the node that has it knows.
      publish(linked, 12)
      yield* Effect.sleep("50 millis")
      t.true(
        noted().every(({ problem }) => problem === undefined),
        "they last"
      )
      send(["unsubscribe", 7])
    })
  )
  const told = (noted: ReadonlyArray<NotedSpan>) =>
    noted.map(({ attributes, name, parent, problem }) => ({ name, parent, problem, ...attributes }))
  const own = { name: "subscribe", "actor.path": "/far" }
  const counted = { "stream.items": 13, "stream.missed": 2 }
  t.deepEqual(told(near), [
    { ...own, ...counted, parent: { traceId, spanId }, problem: "" },
    { ...own, "stream.items": 17, parent: undefined, problem: "the link was lost" }
  ])
  t.like(told(far)[0], {
    ...own,
    "stream.items": 13,
    "stream.missed": 4,
    parent: near[0]?.context,
    problem: ""
  })
  t.like(told(far)[1], { "stream.items": 17, parent: near[1]?.context })
})
