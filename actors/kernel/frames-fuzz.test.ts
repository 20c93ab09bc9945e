/** A million mutated frames against one live peer with a gate. The seed decides what they are. */
import { setImmediate } from "node:timers/promises"
import test from "ava"
import { Cause, Effect, Schema } from "effect"
import { LiveWorld } from "#actors/platform/live-world.ts"
import { Prng } from "#chaos/sim/prng.ts"
import { pack, unpack } from "#protocols/client/packet-parser.ts"
import { ActorId, admin, event, type MessageSchema, observe, operate } from "#protocols/message.ts"
import { type Frame, isFrame } from "#protocols/wire/frames.ts"
import * as Actor from "./actor.ts"
import { Gate } from "./gate.ts"
import { Peer } from "./peer.ts"
import * as ActorSystem from "./system.ts"
import type { Spans } from "./tracing.ts"

const framesMax = 1_000_000
const batchFrames = 100
const messageBytesMax = 100_000

test("a million mutated frames: whatever is wrong is counted and answered, and the link goes on", async (t) => {
  const seed = 20_261_121
  const prng = new Prng(seed)
  const outcome = await Effect.runPromise(
    Effect.gen(function* () {
      const system = yield* ActorSystem.make("node", Root)
      system.spawn(Store, { name: "store" })
      const spans = new OpenSpans()
      system.spans = spans
      const gate = new Gate({ actorId: "HUMAN::mallory", grants }, catalogue)
      const answers = new Map<string, number>()
      const replies: Array<Frame> = []
      let sent = 0
      let stalled: string | undefined
      const peer: Peer = new Peer(system, "/mallory", {
        gate,
        packing: { pack, unpack },
        messageBytesMax,
        send: (batch) => {
          for (const frame of batch) {
            answers.set(frame[0], (answers.get(frame[0]) ?? 0) + 1)
            if (frame[0] === "failed" || frame[0] === "undelivered") count(answers, frame[2])
            if (frame[0] === "reply" && frame[1] === aliveId) replies.push(frame)
            if (frame[0] !== "taken") sent++
          }
        },
        onStalled: (reason) => {
          stalled = reason
        }
      })
      system.mount(peer)

      // What the other end has dealt with, as an honest one would say it.
      const acknowledge = () => {
        peer.receive([["taken", sent]])
        sent = 0
      }
      let thrown: unknown
      let undecodable = 0
      let valid = 0
      let heapPeak = 0
      const before = heap()
      const startedMillis = performance.now()
      for (let count = 0; count < framesMax; count += batchFrames) {
        const batch = Array.from({ length: batchFrames }, () => mutated(prng))
        let arrived: unknown = batch
        try {
          // On the wire a batch is one packet: bits flip in packed bytes, and not in values.
          const bytes = pack(batch)
          if (prng.chance(0.3)) flipBits(bytes, prng)
          arrived = unpack(bytes)
        } catch {
          undecodable += batchFrames
          arrived = undefined
        }
        if (Array.isArray(arrived)) valid += arrived.filter(isFrame).length
        try {
          peer.receive(arrived)
        } catch (cause) {
          thrown ??= cause
        }
        if (count % 10_000 === 0) {
          yield* Effect.promise(() => setImmediate())
          acknowledge()
          heapPeak = Math.max(heapPeak, heap())
        }
      }
      const millis = performance.now() - startedMillis
      yield* Effect.sleep("50 millis")
      acknowledge()
      // Whoever was asked for events or held up gives them back; then the same link answers as ever.
      for (let id = 0; id < idsMax; id++)
        peer.receive([
          ["unsubscribe", id],
          ["unwatch", id],
          ["withdraw", id]
        ])
      peer.receive([["ask", aliveId, "/node/store", 5_000, { _tag: "Get", key: "alive" }]])
      yield* Effect.sleep("50 millis")
      // With the link ends what was asked for under other numbers.
      const { malformed, queued } = peer
      peer.close("enough")
      return {
        after: heap(),
        answers,
        before,
        gate,
        heapPeak,
        malformed,
        millis,
        queued,
        replies,
        spans,
        stalled,
        thrown,
        undecodable,
        valid
      }
    }).pipe(
      Effect.scoped,
      Effect.provide(LiveWorld),
      Effect.catchAllCause((cause) => Effect.die(Cause.squash(cause)))
    )
  )
  t.log(
    `${Math.round(outcome.millis)} ms, ${outcome.valid} frames of valid form, ${outcome.malformed} malformed, ${outcome.gate.refused} refused, ${outcome.undecodable} in packets that did not decode, heap ${outcome.before} → ${outcome.heapPeak} → ${outcome.after} MB`
  )
  t.log(JSON.stringify(Object.fromEntries(outcome.answers)))
  t.is(outcome.thrown, undefined, `seed ${seed}`)
  t.is(outcome.stalled, undefined)
  t.deepEqual(outcome.replies, [["reply", aliveId, "the value of alive"]])
  t.true(outcome.spans.begun > 5_000, `${outcome.spans.begun} spans`)
  t.is(outcome.spans.ended, outcome.spans.begun, "no span is left open, and none ends twice")
  t.true(outcome.valid > 100_000)
  t.true(outcome.malformed > 100_000)
  t.true(outcome.gate.refused > 10_000)
  t.true(outcome.heapPeak - outcome.before < 200, `${outcome.heapPeak} MB`)
  const told = ["NotPermitted", "UnknownMessage", "MalformedMessage", "ActorUnavailable", "MessageTooLarge"]
  for (const fault of told) t.true((outcome.answers.get(fault) ?? 0) > 100, `${fault} is told to the sender`)
})

/** Counts them. */
class OpenSpans implements Spans {
  begun = 0
  ended = 0

  readonly begin: Spans["begin"] = (_name, _kind, parent) => {
    this.begun++
    const context = parent ?? { traceId: "a".repeat(32), spanId: "b".repeat(16) }
    const end = () => void this.ended++
    return { context, attribute: () => {}, end }
  }
}

const heap = (): number => Math.round(process.memoryUsage().heapUsed / 2 ** 20)

const count = (answers: Map<string, number>, fault: unknown): void => {
  const tag = String(Reflect.get(Object(fault), "_tag"))
  answers.set(tag, (answers.get(tag) ?? 0) + 1)
}

// Mutations

/** The numbers that are made up stay below; that of the last ask lies above. */
const idsMax = 2_000
const aliveId = 1_000_000

const paths = [
  "/node/store",
  "/node/store",
  "/node",
  "/node/nobody",
  "/nodeX/store",
  "/elsewhere/store",
  "",
  "store"
] as const
const tags = ["Get", "Put", "Wipe", "Secret", "Rang", "Nothing"] as const

const encodedMessage = (prng: Prng): unknown => ({
  _tag: pick(prng, tags),
  key: prng.chance(0.8) ? `key ${prng.below(100)}` : junk(prng, 2),
  ...(prng.chance(0.5) ? { value: "v".repeat(prng.below(50)) } : {})
})

const hex = (prng: Prng, length: number): string =>
  Array.from({ length }, () => prng.below(16).toString(16)).join("")

/** Some are not recorded, and some are none. */
const traceparent = (prng: Prng): string =>
  `0${prng.chance(0.9) ? 0 : 1}-${hex(prng, 32)}-${hex(prng, prng.chance(0.9) ? 16 : 15)}-0${prng.below(4)}`

/** One of every kind, as an honest end would send it. */
const validFrame = (prng: Prng): Frame => {
  const id = prng.below(idsMax)
  const path = pick(prng, paths)
  switch (prng.below(20)) {
    case 0:
      return ["tell", path, encodedMessage(prng)]
    case 1:
      return ["tell", path, traceparent(prng), encodedMessage(prng)]
    case 2:
    case 3:
      return ["ask", id, path, prng.below(10_000), encodedMessage(prng)]
    case 4:
      return ["ask", id, path, prng.below(10_000), traceparent(prng), encodedMessage(prng)]
    case 5:
      return ["withdraw", id]
    case 6:
      return ["reply", id, encodedMessage(prng)]
    case 7:
      return ["failed", id, { _tag: "MailboxFull", path, request: "Get", capacity: 1 }]
    case 8:
      return ["died", id, "a bug"]
    case 9:
      return ["undelivered", path, { _tag: "MailboxFull", path, request: "Get", capacity: 1 }]
    case 10:
      return ["watch", id, path]
    case 11:
      return ["unwatch", id]
    case 12:
      return ["ended", id, { path, incarnation: 1, reason: "killed" }]
    case 13:
      return prng.chance(0.5)
        ? ["subscribe", id, "/node", ["Rang"], prng.below(100)]
        : ["subscribe", id, "/node", ["Rang"], prng.below(100), traceparent(prng)]
    case 14:
      return prng.chance(0.5) ? ["more", id, prng.below(100)] : ["unsubscribe", id]
    case 15:
      return ["event", id, { _tag: "Rang", count: 1 }]
    case 16:
      return prng.chance(0.5) ? ["missed", id, prng.below(9)] : ["datagram", encodedMessage(prng)]
    case 17:
      return prng.chance(0.5)
        ? ["large", ["ask", id, path, 1_000, null], prng.below(2 * messageBytesMax)]
        : ["large", ["ask", id, path, 1_000, traceparent(prng), null], prng.below(2 * messageBytesMax)]
    case 18:
      return ["part", new Uint8Array(prng.below(20_000))]
    default:
      return prng.chance(0.5) ? ["taken", prng.below(10)] : ["stop"]
  }
}

/** Half of them are left as they are: what is well-formed and makes no sense is an attack, too. */
const mutated = (prng: Prng): unknown => {
  const frame: Array<unknown> = [...validFrame(prng)]
  const at = prng.below(frame.length)
  switch (prng.below(14)) {
    case 0:
      frame[at] = junk(prng, 3)
      return frame
    case 1:
      return frame.slice(0, at)
    case 2:
      return [...frame, junk(prng, 2)]
    case 3:
      frame[0] = pick(prng, [
        "tell",
        "ask",
        "large",
        "part",
        "subscribe",
        "taken",
        "nothing",
        "__proto__",
        ""
      ])
      return frame
    case 4:
      return Object.fromEntries(frame.entries())
    case 5:
      frame[1] = pick(prng, [
        -1,
        1.5,
        Number.NaN,
        Number.MAX_SAFE_INTEGER,
        2 ** 53,
        Number.POSITIVE_INFINITY,
        "1",
        null
      ])
      return frame
    case 6:
      return [frame[0], frame[1], "/".repeat(prng.below(6_000)), frame[3], frame[4]]
    default:
      return frame
  }
}

const junk = (prng: Prng, depth: number): unknown => {
  switch (prng.below(depth === 0 ? 7 : 9)) {
    case 0:
      return null
    case 1:
      return prng.below(2 ** 31) - 2 ** 30
    case 2:
      return "\u0000\ufffd€".repeat(prng.below(20))
    case 3:
      return prng.next() * 1e300
    case 4:
      return undefined
    case 5:
      return new Uint8Array(prng.below(30))
    case 6:
      return prng.chance(0.5)
    case 7:
      return Array.from({ length: prng.below(5) }, () => junk(prng, depth - 1))
    default:
      return { [pick(prng, ["_tag", "__proto__", "constructor", "length", "key"])]: junk(prng, depth - 1) }
  }
}

/** A few places, anywhere. */
const flipBits = (bytes: Uint8Array, prng: Prng): void => {
  for (let flips = 1 + prng.below(3); flips > 0; flips--) {
    const at = prng.below(bytes.length)
    bytes[at] = (bytes[at] ?? 0) ^ (1 << prng.below(8))
  }
}

const pick = <A>(prng: Prng, among: readonly [A, ...ReadonlyArray<A>]): A =>
  among[prng.below(among.length)] ?? among[0]

// Who is attacked

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
class Secret extends Schema.TaggedRequest<Secret>()("Secret", {
  payload: {},
  success: Schema.Void,
  failure: Schema.Never
}) {}
class Rang extends Schema.TaggedClass<Rang>()("Rang", { count: Schema.Int }, event("The bell rang.")) {}

const Store = Actor.make("store", {
  messages: [Get, Put, Wipe, Secret],
  init: () => ({ puts: 0 }),
  handlers: {
    Get: (state, { key }) => Actor.reply(state, `the value of ${key}`),
    Put: ({ puts }) => ({ puts: puts + 1 }),
    Wipe: () => Actor.reply({ puts: 0 }, undefined),
    Secret: (state) => Actor.reply(state, undefined)
  }
})

const Root = Actor.make("root", { messages: [], init: () => null, handlers: {} })

const catalogue = new Map<string, MessageSchema>(
  [Get, Put, Wipe, Secret, Rang].map((message) => [message._tag, message])
)
const grants = [{ permission: "operate", prefix: "/node" } as const]
