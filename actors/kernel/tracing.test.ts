import test from "ava"
import { Effect, Exit, Schema } from "effect"
import { notedSpans } from "#actors/chainfire/fixtures/noted-spans.ts"
import { address } from "#protocols/address.ts"
import { observe } from "#protocols/message.ts"
import * as Actor from "./actor.ts"
import { ask } from "./ask.ts"
import { linkedSystems } from "./fixtures/linked-systems.ts"
import { Gate } from "./gate.ts"
import { parseTraceparent } from "./tracing.ts"

const traceId = "4bf92f3577b34da6a3ce929d0e0e4736"
const spanId = "00f067aa0ba902b7"

test("a traceparent names a trace, says that it is not recorded, or is nothing", (t) => {
  t.deepEqual(parseTraceparent(`00-${traceId}-${spanId}-01`), { traceId, spanId })
  t.is(parseTraceparent(`00-${traceId}-${spanId}-00`), null)
  for (const wrong of [
    undefined,
    "",
    "00-1-2-01",
    `01-${traceId}-${spanId}-01`,
    `00-${"0".repeat(32)}-${spanId}-01`
  ])
    t.is(parseTraceparent(wrong), undefined)
})

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
  const seen = noted.map(({ attributes, name, parent, problem }) => {
    const part = noted.findIndex(({ context }) => context.spanId === parent?.spanId)
    return `${name} ${attributes["actor.path"]} ${part} ${problem}`.trim()
  })
  t.deepEqual(seen, [
    "ask Price /far/shop -1",
    "ask Price /far/stock 0",
    "ask Price /far/shop -1",
    "ask Price /far/stock 2",
    "ask Price /far/shop -1 Refused",
    "ask Price /far/stock 4 Refused"
  ])
})
