/**
 * A peer: the other end of a link, with a subtree of its own. Both ends run this same code.
 *
 * What its actors are told and asked in one turn of the dispatcher leaves as one batch. Of frames that
 * the other side has not dealt with yet at most `inFlightMax` are under way; behind them at most
 * `queuedMax` wait. Beyond that an ask is refused and a tell becomes a dead letter, so a peer that
 * stalls costs bounded memory.
 *
 * When the link is gone, asks whose frame had left end with `LinkLost`, those still queued with
 * `ActorUnavailable`, and watches fire with the reason "lost".
 */
import { Cause, Either, Exit, Schema } from "effect"
import {
  ActorUnavailable,
  LinkLost,
  MailboxFull,
  MalformedMessage,
  UnknownMessage
} from "#protocols/delivery.ts"
import { GetTree, NoSuchActor } from "#protocols/runtime.ts"
import type { MessageClass } from "./actor.ts"
import { Ask, type Tagged } from "./ask.ts"
import {
  answerCodec,
  decodeEnded,
  encodeEnded,
  encodeFault,
  type Frame,
  isFrame,
  isRequest,
  messageCodec
} from "./frames.ts"
import type { Instance } from "./instance.ts"
import type { Ended, Watcher } from "./ref.ts"
import { Ring } from "./ring.ts"
import type { ActorSystem } from "./system.ts"

/** What no actor has as its path. */
const systemPath = ""
const systemMessages: ReadonlyMap<string, MessageClass> = new Map([[GetTree._tag, GetTree]])
const decodeGetTree = Schema.decodeUnknownEither(GetTree)

const inFlightMax = 16_384
const queuedMax = 65_536

interface Outgoing {
  readonly ask: Ask
  sent: boolean
}

export class Peer {
  readonly #system: ActorSystem
  readonly #send: (batch: ReadonlyArray<unknown>) => void
  readonly #onStop: () => void
  /** Path of the subtree on the other side. */
  readonly path: string
  readonly #queue = new Ring<Frame>(64)
  #inFlight = 0
  #taken = 0
  #flushing = false
  #lost: string | undefined
  #ids = 0
  readonly #asked = new Map<number, Outgoing>()
  readonly #answering = new Map<number, Ask>()
  readonly #watching = new Map<Watcher, number>()
  readonly #watched = new Map<number, { readonly instance: Instance; readonly watcher: Watcher }>()
  /** Frames that were not understood. */
  malformed = 0

  /** `onStop`: the other side wants our tree to stop. Only the host of a cell obeys. */
  constructor(
    system: ActorSystem,
    path: string,
    send: (batch: ReadonlyArray<unknown>) => void,
    onStop: () => void = () => {}
  ) {
    this.#system = system
    this.path = path
    this.#send = send
    this.#onStop = onStop
  }

  // Going out

  tell(path: string, messages: ReadonlyMap<string, MessageClass>, message: Tagged): void {
    const known = messages.get(message._tag)
    const why =
      this.#lost !== undefined
        ? "link lost"
        : known === undefined
          ? "unknown message"
          : this.#queue.size >= queuedMax
            ? "link full"
            : undefined
    if (why !== undefined || known === undefined) {
      return this.#system.deadLetters.add(path, message._tag, why ?? "unknown message")
    }
    this.#enqueue(["tell", path, messageCodec(known).encode(message)])
  }

  ask(path: string, messages: ReadonlyMap<string, MessageClass>, ask: Ask): void {
    const { request } = ask
    const target = { path, request: request._tag }
    const known = messages.get(request._tag)
    if (known === undefined || !isRequest(request)) {
      return ask.settle(Exit.fail(new UnknownMessage({ ...target, accepts: [...messages.keys()] })))
    }
    if (this.#lost !== undefined)
      return ask.settle(Exit.fail(new ActorUnavailable({ ...target, why: "link lost" })))
    if (this.#queue.size >= queuedMax)
      return ask.settle(Exit.fail(new MailboxFull({ ...target, capacity: queuedMax })))
    const id = this.#ids++
    this.#asked.set(id, { ask, sent: false })
    ask.onSettled = () => {
      if (this.#asked.delete(id)) this.#enqueue(["withdraw", id])
    }
    ask.settleWithAsker()
    ask.arm(this.#system.timers)
    this.#enqueue(["ask", id, path, ask.deadlineMillis, messageCodec(known).encode(request)])
  }

  /** Asks the system on the other side about its tree. */
  askSystem(ask: Ask): void {
    this.ask(systemPath, systemMessages, ask)
  }

  watch(path: string, watcher: Watcher): void {
    if (this.#lost !== undefined) return watcher.notice(lost(path, this.#lost))
    const id = this.#ids++
    this.#watching.set(watcher, id)
    this.#enqueue(["watch", id, path])
  }

  /** Has the tree on the other side stop, in order. */
  stop(): void {
    this.#enqueue(["stop"])
  }

  unwatch(watcher: Watcher): void {
    const id = this.#watching.get(watcher)
    if (id === undefined) return
    this.#watching.delete(watcher)
    this.#enqueue(["unwatch", id])
  }

  #enqueue(frame: Frame): void {
    if (this.#lost !== undefined) return
    this.#queue.push(frame)
    if (this.#flushing || this.#inFlight >= inFlightMax) return
    this.#flushing = true
    this.#system.dispatcher.enqueue(() => this.#flush())
  }

  #flush(): void {
    this.#flushing = false
    if (this.#lost !== undefined) return
    const batch: Array<Frame> = this.#taken > 0 ? [["taken", this.#taken]] : []
    this.#taken = 0
    while (this.#inFlight < inFlightMax) {
      const frame = this.#queue.shift()
      if (frame === undefined) break
      this.#inFlight++
      if (frame[0] === "ask") {
        const outgoing = this.#asked.get(frame[1])
        // Settled while it waited here: the other side never hears of it.
        if (outgoing === undefined) continue
        outgoing.sent = true
      }
      batch.push(frame)
    }
    if (batch.length > 0) this.#send(batch)
  }

  // Coming in

  receive(batch: ReadonlyArray<unknown>): void {
    let counted = 0
    for (const frame of batch) {
      if (!isFrame(frame)) {
        this.malformed++
        counted++
      } else if (frame[0] === "taken") {
        this.#inFlight = Math.max(0, this.#inFlight - frame[1])
        if (this.#queue.size > 0) this.#flushSoon()
      } else {
        counted++
        this.#take(frame)
      }
    }
    if (counted === 0) return
    this.#taken += counted
    this.#flushSoon()
  }

  #flushSoon(): void {
    if (this.#flushing) return
    this.#flushing = true
    this.#system.dispatcher.enqueue(() => this.#flush())
  }

  #take(frame: Frame): void {
    switch (frame[0]) {
      case "tell":
        return this.#takeTell(frame[1], frame[2])
      case "ask":
        return this.#takeAsk(frame[1], frame[2], frame[3], frame[4])
      case "withdraw": {
        const ask = this.#answering.get(frame[1])
        this.#answering.delete(frame[1])
        return ask?.settle(Exit.void)
      }
      case "reply":
        return this.#takeReply(frame[1], frame[2])
      case "watch":
        return this.#takeWatch(frame[1], frame[2])
      case "unwatch": {
        const watched = this.#watched.get(frame[1])
        this.#watched.delete(frame[1])
        return watched?.instance.removeWatcher(watched.watcher)
      }
      case "ended":
        return this.#takeEnded(frame[1], frame[2])
      case "stop":
        return this.#onStop()
    }
  }

  #takeTell(path: string, encoded: unknown): void {
    const instance = this.#system.instanceAt(path)
    const tag = tagOf(encoded)
    const known = instance?.definition.messages.get(tag)
    if (instance === undefined || known === undefined) {
      return this.#system.deadLetters.add(path, tag, instance === undefined ? "not found" : "unknown message")
    }
    const decoded = messageCodec(known).decode(encoded)
    if (Either.isRight(decoded) && isTagged(decoded.right)) return instance.tell(decoded.right)
    this.malformed++
    this.#system.deadLetters.add(path, tag, "malformed")
  }

  #takeAsk(id: number, path: string, deadlineMillis: number, encoded: unknown): void {
    if (path === systemPath) return this.#takeSystemAsk(id, encoded)
    const request = tagOf(encoded)
    const target = { path, request }
    const instance = this.#system.instanceAt(path)
    const known = instance?.definition.messages.get(request)
    if (instance === undefined) {
      return this.#refuse(id, new ActorUnavailable({ ...target, why: "not found" }))
    }
    if (known === undefined) {
      const accepts = [...instance.definition.messages.keys()]
      return this.#refuse(id, new UnknownMessage({ ...target, accepts }))
    }
    const decoded = messageCodec(known).decode(encoded)
    if (Either.isLeft(decoded) || !isTagged(decoded.right) || !isRequest(decoded.right)) {
      this.malformed++
      const problem = Either.isLeft(decoded)
        ? (decoded.left.message.split("\n", 1)[0] ?? "")
        : "it is not an ask"
      return this.#refuse(id, new MalformedMessage({ ...target, problem }))
    }
    const { encode } = answerCodec(decoded.right)
    const ask = new Ask(
      decoded.right,
      path,
      deadlineMillis,
      (exit) => {
        if (this.#answering.delete(id)) this.#enqueue(["reply", id, encode(exit)])
      },
      undefined
    )
    this.#answering.set(id, ask)
    instance.deliver(ask)
  }

  /** The system itself is asked, not one of its actors. */
  #takeSystemAsk(id: number, encoded: unknown): void {
    const decoded = decodeGetTree(encoded)
    if (Either.isLeft(decoded)) {
      this.malformed++
      const problem = decoded.left.message.split("\n", 1)[0] ?? ""
      return this.#refuse(id, new MalformedMessage({ path: systemPath, request: tagOf(encoded), problem }))
    }
    const { depth, path } = decoded.right
    const found = this.#system.snapshot(path, depth)
    const exit = found instanceof NoSuchActor ? Exit.fail(found) : Exit.succeed(found)
    this.#enqueue(["reply", id, answerCodec(decoded.right).encode(exit)])
  }

  #refuse(id: number, fault: ActorUnavailable | UnknownMessage | MalformedMessage): void {
    this.#enqueue(["reply", id, encodeFault(Exit.fail(fault))])
  }

  #takeReply(id: number, encoded: unknown): void {
    const outgoing = this.#asked.get(id)
    if (outgoing === undefined) return
    this.#asked.delete(id)
    const { ask } = outgoing
    if (!isRequest(ask.request)) return
    const decoded = answerCodec(ask.request).decode(encoded)
    if (Either.isRight(decoded) && Exit.isExit(decoded.right)) return ask.settle(decoded.right)
    this.malformed++
    const problem = `its answer does not decode: ${Either.isLeft(decoded) ? decoded.left.message.split("\n", 1)[0] : ""}`
    ask.settle(Exit.fail(new MalformedMessage({ path: ask.path, request: ask.request._tag, problem })))
  }

  #takeWatch(id: number, path: string): void {
    const instance = this.#system.instanceAt(path)
    const watcher: Watcher = {
      notice: (ended) => {
        this.#watched.delete(id)
        this.#enqueue(["ended", id, encodeEnded(ended)])
      }
    }
    if (instance === undefined) {
      return watcher.notice({ path, incarnation: 0, reason: "absent", cause: Cause.empty, duringInit: false })
    }
    this.#watched.set(id, { instance, watcher })
    instance.addWatcher(watcher)
  }

  #takeEnded(id: number, encoded: unknown): void {
    for (const [watcher, other] of this.#watching) {
      if (other !== id) continue
      this.#watching.delete(watcher)
      const decoded = decodeEnded(encoded)
      if (Either.isRight(decoded)) watcher.notice(decoded.right)
      else this.malformed++
      return
    }
  }

  /** The link is gone. Nothing more goes out or comes in. */
  close(reason: string): void {
    if (this.#lost !== undefined) return
    this.#lost = reason
    for (const { ask, sent } of this.#asked.values()) {
      const target = { path: ask.path, request: ask.request._tag }
      ask.onSettled = undefined
      ask.settle(
        Exit.fail(
          sent ? new LinkLost({ ...target, reason }) : new ActorUnavailable({ ...target, why: "link lost" })
        )
      )
    }
    this.#asked.clear()
    for (const watcher of [...this.#watching.keys()]) watcher.notice(lost(this.path, reason))
    this.#watching.clear()
    for (const { instance, watcher } of this.#watched.values()) instance.removeWatcher(watcher)
    this.#watched.clear()
    // Nobody is there to hear the answers; what is being handled goes on.
    const answering = [...this.#answering.values()]
    this.#answering.clear()
    for (const ask of answering) ask.settle(Exit.void)
    for (let frame = this.#queue.shift(); frame !== undefined; frame = this.#queue.shift()) {
      if (frame[0] === "tell") this.#system.deadLetters.add(frame[1], tagOf(frame[2]), "link lost")
    }
  }
}

export const lost = (path: string, reason: string): Ended => ({
  path,
  incarnation: 0,
  reason: "lost",
  cause: Cause.fail(new Error(reason)),
  duringInit: false
})

const isTagged = (value: unknown): value is Tagged =>
  typeof value === "object" && value !== null && "_tag" in value && typeof value._tag === "string"

const tagOf = (encoded: unknown): string => (isTagged(encoded) ? encoded._tag : "(no tag)")
