import test from "ava"
import { Cause, Effect, Either, Exit, Fiber, Schema } from "effect"
import fc from "fast-check"
import { address } from "#protocols/address.ts"
import {
  AnswerTooLarge,
  DeadlineExceeded,
  LinkLost,
  MailboxFull,
  MalformedMessage,
  MessageTooLarge,
  NotPermitted,
  UnknownMessage
} from "#protocols/delivery.ts"
import { ActorId, admin, event, type MessageSchema, observe, operate } from "#protocols/message.ts"
import type { Frame } from "#protocols/wire/frames.ts"
import * as Actor from "./actor.ts"
import { ask } from "./ask.ts"
import { linkedSystems } from "./fixtures/linked-systems.ts"
import { Gate } from "./gate.ts"

test("an ask crosses in one batch, and its answer in another", (t) => {
  const { answer, back, there } = linkedSystems(1, ({ back, far, near, there }) =>
    Effect.gen(function* () {
      far.spawn(Store, { name: "store" })
      const answer = yield* ask(near.at(store), new Get({ key: "a" }), "1 second")
      yield* Effect.sleep("1 second")
      return { answer, there: there.batches, back: back.batches }
    })
  )
  t.deepEqual({ answer, there, back }, { answer: "", there: 1, back: 1 })
})

test("what is told in one turn leaves as one batch", (t) => {
  const batches = linkedSystems(1, ({ far, near, there }) =>
    Effect.gen(function* () {
      far.spawn(Store, { name: "store" })
      for (let count = 0; count < 500; count++)
        near.at(store).tell(new Put({ key: "a", value: "b", by: "x" }))
      yield* Effect.sleep("1 second")
      return there.batches
    })
  )
  t.is(batches, 1)
})

test("bytes arrive as bytes", (t) => {
  const answer = linkedSystems(1, ({ far, near }) =>
    Effect.gen(function* () {
      far.spawn(Store, { name: "store" })
      return yield* ask(near.at(store), new Blob({ bytes: new Uint8Array([0, 255, 7]) }), "1 second")
    })
  )
  t.deepEqual(answer, new Uint8Array([7, 255, 0]))
})

test("a large message and a large answer cross in parts, and small ones of others are not kept from leaving", (t) => {
  const { largest, parts, sizes } = linkedSystems(1, ({ far, near, there }) =>
    Effect.gen(function* () {
      far.spawn(Store, { name: "store" })
      let parts = 0
      let largest = 0
      there.onFrame = (frame) => {
        if (frame[0] === "part") parts++
        if (frame[0] === "part") largest = Math.max(largest, frame[1].length)
      }
      const blob = ask(near.at(store), new Blob({ bytes: new Uint8Array(3_000_000) }), "10 seconds")
      const sizes = yield* Effect.all([blob, ask(near.at(store), new Get({ key: "a" }), "10 seconds")], {
        concurrency: "unbounded"
      })
      return { sizes: [sizes[0].length, sizes[1]], parts, largest }
    })
  )
  t.deepEqual(sizes, [3_000_000, ""])
  t.is(parts, Math.ceil(3_000_000 / 65_536))
  t.true(largest <= 65_536)
})

test("datagrams get through while a large message is under way and the window is full", (t) => {
  const order: Array<string> = []
  linkedSystems(
    1,
    ({ far, near, nearPeer, there }) =>
      Effect.gen(function* () {
        far.spawn(Store, { name: "store" })
        there.hold()
        const blob = new Blob({ bytes: new Uint8Array(8_000_000) })
        const asking = yield* Effect.fork(ask(near.at(store), blob, "1 minute"))
        yield* Effect.sleep("1 second")
        nearPeer.datagram("alive")
        there.letGo()
        yield* Fiber.join(asking)
        order.push("answered")
      }),
    { far: { onDatagram: (packet) => void order.push(String(packet)) } }
  )
  t.deepEqual(order, ["alive", "answered"])
})

test("a peer that does not read costs bounded memory: asks are refused, tells are dead letters, datagrams give way", (t) => {
  const outcome = linkedSystems(1, ({ far, near, nearPeer, there }) =>
    Effect.gen(function* () {
      far.spawn(Store, { name: "store" })
      there.hold()
      for (let round = 0; round < 120; round++) {
        for (let count = 0; count < 10; count++) {
          near.at(store).tell(new Put({ key: "a", value: "v".repeat(100_000), by: "x" }))
          nearPeer.datagram(count)
        }
        yield* Effect.sleep("1 second")
      }
      const refused = yield* Effect.flip(ask(near.at(store), new Get({ key: "a" }), "1 second"))
      const { queuedBytes } = nearPeer
      const lost = near.deadLetters.total
      there.letGo()
      yield* Effect.sleep("1 minute")
      const answer = yield* ask(near.at(store), new Count({}), "1 second")
      return { refused, queuedBytes, lost, answer }
    })
  )
  t.true(outcome.refused instanceof MailboxFull)
  t.true(outcome.queuedBytes < 65 * 1024 * 1024, `${outcome.queuedBytes} bytes`)
  t.true(outcome.lost > 0)
  t.is(outcome.answer, 1_200 - outcome.lost, "all others arrived once it read again")
})

test("who asks for more than it reads loses its link", (t) => {
  const { queuedBytes, reason } = linkedSystems(1, ({ back, far, farPeer, near, stalled }) =>
    Effect.gen(function* () {
      far.spawn(Store, { name: "store" })
      back.hold()
      for (let count = 0; count < 300 && stalled.length === 0; count++) {
        yield* Effect.fork(Effect.exit(ask(near.at(store), new Zeros({ count: 1_000_000 }), "1 minute")))
        yield* Effect.sleep("10 millis")
      }
      return { reason: stalled[0], queuedBytes: farPeer.queuedBytes }
    })
  )
  t.regex(String(reason), /^it does not read what it asked for: \d+ bytes in \d+ frames wait for it$/)
  t.true(queuedBytes < 130 * 1024 * 1024, `${queuedBytes} bytes`)
})

test("whoever gives credit again and again for what is relayed fills no link, and all of it arrives", (t) => {
  const { frames, stalled } = linkedSystems(6, ({ nearPeer, stalled, there }) =>
    Effect.gen(function* () {
      const frames: Array<unknown> = []
      there.onFrame = (frame) => void frames.push(frame)
      const relayed = nearPeer.relaySubscription("/far", ["Anything"], 1, undefined, () => {})
      yield* Effect.sleep("1 second")
      for (let round = 0; round < 100; round++) {
        for (let times = 0; times < 5_000; times++) relayed.more(1)
        yield* Effect.sleep(1)
      }
      yield* Effect.sleep("1 second")
      return { frames, stalled: [...stalled] }
    })
  )
  t.deepEqual(stalled, [])
  const more = frames.flatMap((frame) =>
    Array.isArray(frame) && frame[0] === "more" ? [Number(frame[2])] : []
  )
  t.true(more.length <= 100, `${more.length} frames`)
  t.is(
    more.reduce((sum, count) => sum + count, 0),
    500_000
  )
})

test("over the size that a link takes nothing is sent, or nothing taken, and the link lives on", (t) => {
  const outcome = linkedSystems(
    1,
    ({ far, farPeer, near, there }) =>
      Effect.gen(function* () {
        far.spawn(Store, { name: "store" })
        const large = (bytes: number) =>
          Effect.flip(ask(near.at(store), new Blob({ bytes: new Uint8Array(bytes) }), "1 second"))
        const here = yield* large(2_000_000)
        const answer = yield* large(600_000)
        const bytes = 600_000
        there.inject([["large", ["ask", 77, "/far/store", 1_000, null], bytes]])
        const part: Frame = ["part", new Uint8Array(60_000)]
        for (let count = 0; count < 10; count++) there.inject([part])
        yield* Effect.sleep("1 second")
        const after = yield* ask(near.at(store), new Get({ key: "a" }), "1 second")
        return { here, answer, after, malformed: farPeer.malformed }
      }),
    { near: { messageBytesMax: 1_000_000 }, far: { messageBytesMax: 500_000 } }
  )
  t.true(outcome.here instanceof MessageTooLarge && outcome.here.bytesMax === 1_000_000)
  t.true(outcome.answer instanceof MessageTooLarge && outcome.answer.bytesMax === 500_000)
  t.deepEqual([outcome.after, outcome.malformed], ["", 0])
})

test("an answer over the size that the asker takes is told apart from a request that was not taken", (t) => {
  const fault = linkedSystems(
    1,
    ({ far, near }) =>
      Effect.gen(function* () {
        far.spawn(Store, { name: "store" })
        return yield* Effect.flip(ask(near.at(store), new Zeros({ count: 300_000 }), "1 second"))
      }),
    { near: { messageBytesMax: 200_000 } }
  )
  t.true(fault instanceof AnswerTooLarge && !fault.definite)
})

test("asks whose frame had left fail as lost, those that had not as unavailable, and watches fire", (t) => {
  const exits = linkedSystems(1, ({ far, near, nearPeer, there }) =>
    Effect.gen(function* () {
      far.spawn(Store, { name: "store" })
      const sent = yield* Effect.fork(Effect.flip(ask(near.at(store), new Never({}), "1 minute")))
      yield* Effect.sleep("1 second")
      there.hold()
      const bytes = new Uint8Array(4_000_000)
      const parts = yield* Effect.fork(Effect.flip(ask(near.at(store), new Blob({ bytes }), "1 minute")))
      yield* Effect.sleep("1 second")
      const queued = yield* Effect.fork(Effect.flip(ask(near.at(store), new Get({ key: "a" }), "1 minute")))
      yield* Effect.sleep("1 second")
      nearPeer.close("the cable was pulled")
      return [yield* Fiber.join(sent), yield* Fiber.join(parts), yield* Fiber.join(queued)]
    })
  )
  t.deepEqual(
    exits.map((fault) => fault._tag),
    ["LinkLost", "LinkLost", "ActorUnavailable"]
  )
  const [first] = exits
  t.true(first instanceof LinkLost && first.reason === "the cable was pulled")
})

test("an actor that crashes, and a bug in its answer, are told to the asker over there", (t) => {
  const outcome = linkedSystems(1, ({ far, near }) =>
    Effect.gen(function* () {
      far.spawn(Store, { name: "store" })
      const crashed = yield* Effect.flip(ask(near.at(store), new Crash({}), "1 second"))
      far.spawn(Store, { name: "second" })
      const wrong = yield* Effect.exit(ask(near.at(address("/far/second", Lie)), new Lie({}), "1 second"))
      return { crashed, wrong }
    })
  )
  t.is(outcome.crashed._tag, "ActorCrashed")
  t.true(Exit.isFailure(outcome.wrong) && Cause.isDie(outcome.wrong.cause))
})

test("a deadline holds here, however long the other end takes", (t) => {
  const fault = linkedSystems(1, ({ far, near, there }) =>
    Effect.gen(function* () {
      far.spawn(Store, { name: "store" })
      there.hold()
      return yield* Effect.flip(ask(near.at(store), new Get({ key: "a" }), "3 seconds"))
    })
  )
  t.true(fault instanceof DeadlineExceeded)
})

test("whatever arrives, nothing is thrown and the link goes on", (t) => {
  const kinds = [
    "tell",
    "ask",
    "reply",
    "failed",
    "watch",
    "ended",
    "subscribe",
    "large",
    "part",
    "taken",
    "stop"
  ]
  const frames = fc.array(
    fc.oneof(
      fc.anything(),
      fc.tuple(fc.constantFrom(...kinds), fc.anything(), fc.anything()),
      fc.tuple(
        fc.constantFrom("ask", "subscribe"),
        fc.nat(),
        fc.constant("/far/store"),
        fc.anything(),
        fc.anything()
      ),
      fc.tuple(
        fc.constant("tell"),
        fc.constant("/far/store"),
        fc.record({ _tag: fc.constantFrom("Put", "Get", "Note"), key: fc.anything(), value: fc.anything() })
      )
    ),
    { maxLength: 20 }
  )
  fc.assert(
    fc.property(frames, (batch) => {
      const answer = linkedSystems(1, ({ far, near, there }) =>
        Effect.gen(function* () {
          far.spawn(Store, { name: "store" })
          there.inject(batch)
          there.inject(batch[0])
          yield* Effect.sleep("1 second")
          return yield* Effect.either(ask(near.at(store), new Get({ key: "zz" }), "1 second"))
        })
      )
      t.true(Either.isRight(answer) || answer.left._tag === "MailboxFull", String(answer))
    }),
    { numRuns: 300 }
  )
})

// Gates

test("a client may do what its grants say, where they say it, and what it may not is told to it", (t) => {
  const gate = gateFor([
    { permission: "operate", prefix: "/far/store" },
    { permission: "observe", prefix: "/far" }
  ])
  const { faults, left } = linkedSystems(
    1,
    ({ far, near }) =>
      Effect.gen(function* () {
        for (const name of ["store", "storehouse"]) far.spawn(Store, { name })
        const at = (path: string) => near.at(address(path, Get, Wipe, Never, Put))
        yield* ask(at("/far/store"), new Get({ key: "a" }), "1 second")
        yield* ask(at("/far/storehouse"), new Get({ key: "a" }), "1 second")
        const faults = [
          yield* Effect.flip(ask(at("/far/store"), new Wipe({ by: "me" }), "1 second")),
          yield* Effect.flip(ask(at("/far/store"), new Never({}), "1 second"))
        ]
        at("/far/store").tell(new Put({ key: "a", value: "mine", by: "SYSTEM::root" }))
        at("/far/storehouse").tell(new Put({ key: "a", value: "b", by: "SYSTEM::root" }))
        yield* Effect.sleep("1 second")
        const left = [
          yield* ask(at("/far/store"), new Get({ key: "a" }), "1 second"),
          yield* ask(at("/far/storehouse"), new Get({ key: "a" }), "1 second")
        ]
        return { faults, left }
      }),
    { far: { gate } }
  )
  t.deepEqual(
    faults.map((fault) => fault instanceof NotPermitted && fault.needs),
    ["admin", ""]
  )
  t.deepEqual(left, ["mine by HUMAN::ada", ""], "the sender is who authenticated, whatever the payload says")
  t.is(gate.refused, 3)
})

test("a client gets events while it has credit, and hears how many it missed", (t) => {
  const frames: Array<Frame> = []
  linkedSystems(
    1,
    ({ back, far, there }) =>
      Effect.gen(function* () {
        back.onFrame = (frame) => void frames.push(frame)
        there.inject([["subscribe", 5, "/far", ["Rang"], 2]])
        yield* Effect.sleep("1 second")
        for (let count = 0; count < 5; count++) far.events.publish(new Rang({ count }))
        yield* Effect.sleep("1 second")
        there.inject([["more", 5, 10]])
        yield* Effect.sleep("1 second")
        far.events.publish(new Rang({ count: 5 }))
        yield* Effect.sleep("1 second")
        there.inject([["unsubscribe", 5]])
        yield* Effect.sleep("1 second")
        far.events.publish(new Rang({ count: 6 }))
        yield* Effect.sleep("1 second")
      }),
    { far: { gate: gateFor([{ permission: "observe", prefix: "/" }]) } }
  )
  t.deepEqual(
    frames.filter(([kind]) => kind !== "taken"),
    [
      ["event", 5, { _tag: "Rang", count: 0 }],
      ["event", 5, { _tag: "Rang", count: 1 }],
      ["missed", 5, 3],
      ["event", 5, { _tag: "Rang", count: 5 }]
    ]
  )
})

test("a client without the grant sees no event, no death, and not whether anybody is there", (t) => {
  const frames: Array<Frame> = []
  linkedSystems(
    1,
    ({ back, far, there }) =>
      Effect.gen(function* () {
        far.spawn(Store, { name: "store" })
        back.onFrame = (frame) => void frames.push(frame)
        there.inject([
          ["subscribe", 1, "/far", ["Rang"], 10],
          ["watch", 2, "/far/store"],
          ["ask", 3, "/far/store", 1_000, { _tag: "Get", key: "a" }],
          ["ask", 4, "/far/nobody", 1_000, { _tag: "Get", key: "a" }],
          ["ask", 5, "", 1_000, { _tag: "GetTree" }],
          ["tell", "/far/store", { _tag: "Unheard" }],
          ["stop"]
        ])
        yield* Effect.sleep("1 second")
        far.events.publish(new Rang({ count: 1 }))
        yield* Effect.sleep("1 second")
      }),
    { far: { gate: gateFor([]) } }
  )
  const faults = frames.flatMap((frame) =>
    frame[0] === "failed" || frame[0] === "undelivered" ? [Reflect.get(Object(frame[2]), "_tag")] : []
  )
  t.deepEqual(faults, Array(5).fill("NotPermitted"))
  t.is(frames.filter(([kind]) => kind === "event").length, 0)
  t.regex(JSON.stringify(frames.find(([kind]) => kind === "ended")), /absent/)
})

test("an unknown message and one that does not decode are told to the client, and counted", (t) => {
  const { faults, malformed } = linkedSystems(
    1,
    ({ back, far, farPeer, there }) =>
      Effect.gen(function* () {
        far.spawn(Store, { name: "store" })
        const faults: Array<unknown> = []
        back.onFrame = (frame) => {
          if (frame[0] === "failed" || frame[0] === "undelivered") faults.push(frame[2])
        }
        there.inject([
          ["ask", 1, "/far/store", 1_000, { _tag: "Get", key: 5 }],
          ["tell", "/far/store", { _tag: "Put", key: "a", value: 5 }],
          ["ask", 2, "/far/store", 1_000, { _tag: "Rang", count: 1 }],
          "nonsense"
        ])
        yield* Effect.sleep("1 second")
        return { faults, malformed: farPeer.malformed }
      }),
    { far: { gate: gateFor([{ permission: "admin", prefix: "/" }]) } }
  )
  t.deepEqual(
    faults.map((fault) => Reflect.get(Object(fault), "_tag")),
    [MalformedMessage, MalformedMessage, UnknownMessage].map(({ _tag }) => _tag)
  )
  t.is(malformed, 3)
})

class Get extends Schema.TaggedRequest<Get>()(
  "Get",
  { payload: { key: Schema.String }, success: Schema.String, failure: Schema.Never },
  observe("The value of a key.")
) {}
class Put extends Schema.TaggedClass<Put>()(
  "Put",
  { key: Schema.String, value: Schema.String, by: ActorId },
  operate("Stores a value.")
) {}
class Wipe extends Schema.TaggedRequest<Wipe>()(
  "Wipe",
  { payload: { by: ActorId }, success: Schema.Void, failure: Schema.Never },
  admin("Forgets everything.")
) {}
class Blob extends Schema.TaggedRequest<Blob>()("Blob", {
  payload: { bytes: Schema.Uint8ArrayFromSelf },
  success: Schema.Uint8ArrayFromSelf,
  failure: Schema.Never
}) {}
class Zeros extends Schema.TaggedRequest<Zeros>()("Zeros", {
  payload: { count: Schema.Int },
  success: Schema.Uint8ArrayFromSelf,
  failure: Schema.Never
}) {}
class Count extends Schema.TaggedRequest<Count>()("Count", {
  payload: {},
  success: Schema.Int,
  failure: Schema.Never
}) {}
class Never extends Schema.TaggedRequest<Never>()("Never", {
  payload: {},
  success: Schema.Void,
  failure: Schema.Never
}) {}
class Crash extends Schema.TaggedRequest<Crash>()("Crash", {
  payload: {},
  success: Schema.Void,
  failure: Schema.Never
}) {}
class Lie extends Schema.TaggedRequest<Lie>()("Lie", {
  payload: {},
  success: Schema.NonEmptyString,
  failure: Schema.Never
}) {}
class Rang extends Schema.TaggedClass<Rang>()("Rang", { count: Schema.Int }, event("The bell rang.")) {}

const Store = Actor.make("store", {
  messages: [Get, Put, Wipe, Blob, Zeros, Count, Never, Crash, Lie],
  init: () => ({ values: new Map<string, string>(), puts: 0 }),
  handlers: {
    Get: (state, { key }) => Actor.reply(state, state.values.get(key) ?? ""),
    Put: ({ puts, values }, { by, key, value }) => ({
      values: new Map(values).set(key, `${value} by ${by}`),
      puts: puts + 1
    }),
    Wipe: () => Actor.reply({ values: new Map(), puts: 0 }, undefined),
    Blob: (state, { bytes }) => Actor.reply(state, bytes.toReversed()),
    Zeros: (state, { count }) => Actor.reply(state, new Uint8Array(count)),
    Count: (state) => Actor.reply(state, state.puts),
    Never: (state, never, context) => {
      context.replyTo(never)
      return Actor.later(state)
    },
    Crash: () => {
      throw new Error("a bug")
    },
    Lie: (state) => Actor.reply(state, "")
  }
})

const store = address("/far/store", Get, Put, Blob, Zeros, Count, Never, Crash)

const catalogue = new Map<string, MessageSchema>(
  [Get, Put, Wipe, Never, Rang].map((message) => [message._tag, message])
)

const gateFor = (grants: Gate["identity"]["grants"]) => new Gate({ actorId: "HUMAN::ada", grants }, catalogue)
