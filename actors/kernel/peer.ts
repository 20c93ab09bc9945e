/**
 * A peer: the other end of a link, with a tree of its own. Both ends run this same code; a cell, another
 * node and a client differ in what they are given.
 *
 *   our actors ──► asks, tells, watches ──► outbox ══ link ══► inbound ──► their actors
 *
 * What leaves in one turn of the dispatcher leaves as one batch. What is to be sent and what is under way
 * are bounded: see outbox.ts. Beyond the bound an ask is refused and a tell becomes a dead letter. An end
 * that does not read the answers that it asked for loses its link.
 *
 * When the link is gone, asks whose frame had left end with `LinkLost`, those still queued with
 * `ActorUnavailable`, and watches fire with the reason "lost", or "node-lost" where more is known.
 */
import { Cause, Either, Exit } from "effect"
import {
  ActorUnavailable,
  AnswerTooLarge,
  LinkLost,
  MailboxFull,
  MalformedMessage,
  MessageTooLarge,
  UnknownMessage
} from "#protocols/delivery.ts"
import { Assembly } from "#protocols/wire/assembly.ts"
import {
  approximateBytes,
  type Frame,
  isFrame,
  type Outcome,
  takenBytes,
  takenFrames
} from "#protocols/wire/frames.ts"
import { defaultLimits, Outbox, type OutboxLimits } from "#protocols/wire/outbox.ts"
import { traceparentOf } from "#protocols/wire/traceparent.ts"
import type { MessageClass } from "./actor.ts"
import type { Ask, Tagged } from "./ask.ts"
import type { Gate } from "./gate.ts"
import { Inbound, systemPath } from "./inbound.ts"
import { systemMessages } from "./introspection.ts"
import { answerCodec, decodeEnded, isRequest, messageCodec, tagOf } from "./message-codecs.ts"
import type { Packing } from "./ports/links.ts"
import type { Ended, Watcher } from "./ref.ts"
import type { ActorSystem } from "./system.ts"
import { Callback } from "./timer-wheel.ts"

export interface PeerOptions {
  readonly send: (batch: ReadonlyArray<Frame>) => void
  /** What the other end may do; without it, everything. */
  readonly gate?: Gate
  /** Has large messages travel in parts. */
  readonly packing?: Packing
  readonly messageBytesMax?: number
  readonly limits?: OutboxLimits
  /** Events wait so long for others to leave with: for those who look on, and take the node's time with each. */
  readonly eventPauseMillis?: number
  /** The other end wants our tree to stop. Only the host of a cell obeys. */
  readonly onStop?: () => void
  readonly onDatagram?: (packet: unknown) => void
  /** The other end broke the rules in a way that only ends with the link. */
  readonly onStalled?: (reason: string) => void
}

const defaultMessageBytesMax = 64 * 1024 * 1024

/** For what passes through this process on its way to the other end: its outcome, as it came. */
type Raw = (outcome: Outcome) => void

interface Outgoing {
  readonly ask: Ask
  readonly raw: Raw | undefined
  sent: boolean
}

export class Peer {
  readonly #system: ActorSystem
  /** Path of the tree on the other side. */
  readonly path: string
  readonly #options: PeerOptions
  readonly #outbox: Outbox
  readonly #inbound: Inbound
  #taken = 0
  #takenBytes = 0
  #flushing = false
  #pausing = false
  readonly #pause = new Callback(() => {
    this.#pausing = false
    this.#flushSoon()
  })
  #lost: string | undefined
  #ids = 0
  readonly #asked = new Map<number, Outgoing>()
  readonly #watching = new Map<number, { readonly path: string; readonly watcher: Watcher }>()
  readonly #watchIds = new Map<Watcher, number>()
  readonly #subscriptions = new Map<number, Raw>()
  /** By subscription: credit that was given and has not been put into a frame. */
  readonly #creditOwed = new Map<number, number>()
  readonly #assembly: Assembly | undefined
  #malformed = 0

  constructor(system: ActorSystem, path: string, options: PeerOptions) {
    this.#system = system
    this.path = path
    this.#options = options
    this.#assembly = options.packing && new Assembly(options.packing.unpack)
    this.#outbox = new Outbox(options.limits ?? defaultLimits, options.packing?.pack)
    this.#inbound = new Inbound(system, this, options.gate, (frame) => this.#enqueue(frame))
  }

  /** Frames that were not understood. */
  get malformed(): number {
    return this.#malformed + this.#inbound.malformed
  }

  get queued(): number {
    return this.#outbox.queued
  }

  get queuedBytes(): number {
    return this.#outbox.queuedBytes
  }

  get droppedDatagrams(): number {
    return this.#outbox.droppedDatagrams
  }

  get #messageBytesMax(): number {
    return this.#options.messageBytesMax ?? defaultMessageBytesMax
  }

  // Going out

  tell(path: string, messages: ReadonlyMap<string, MessageClass>, message: Tagged, trace?: string): void {
    const known = messages.get(message._tag)
    if (known === undefined) return this.#deadLetter(path, message._tag, "unknown message")
    let encoded: unknown
    try {
      encoded = messageCodec(known).encode(message)
    } catch {
      return this.#deadLetter(path, message._tag, "malformed")
    }
    this.relayTell(path, encoded, trace)
  }

  relayTell(path: string, encoded: unknown, trace?: string): void {
    const why =
      this.#lost !== undefined
        ? "link lost"
        : this.#outbox.full
          ? "link full"
          : this.#sizeOf(encoded) > this.#messageBytesMax
            ? "too large"
            : undefined
    if (why !== undefined) return this.#deadLetter(path, tagOf(encoded), why)
    this.#enqueue(trace === undefined ? ["tell", path, encoded] : ["tell", path, trace, encoded])
  }

  #sizeOf(encoded: unknown): number {
    return approximateBytes(encoded, this.#messageBytesMax + 1)
  }

  ask(path: string, messages: ReadonlyMap<string, MessageClass>, ask: Ask): void {
    const { request } = ask
    const target = { path, request: request._tag }
    const known = messages.get(request._tag)
    if (known === undefined || !isRequest(request)) {
      return ask.settle(Exit.fail(new UnknownMessage({ ...target, accepts: [...messages.keys()] })))
    }
    let encoded: unknown
    try {
      encoded = messageCodec(known).encode(request)
    } catch (problem) {
      return ask.settle(Exit.fail(new MalformedMessage({ ...target, problem: firstLine(problem) })))
    }
    this.#ask(path, ask, encoded, undefined)
  }

  /** An ask of somebody else, as it came; its outcome goes back as it comes. */
  relayAsk(ask: Ask, encoded: unknown, raw: Raw): void {
    this.#ask(ask.path, ask, encoded, raw)
  }

  #ask(path: string, ask: Ask, encoded: unknown, raw: Raw | undefined): void {
    const target = { path, request: ask.request._tag }
    if (this.#lost !== undefined)
      return ask.settle(Exit.fail(new ActorUnavailable({ ...target, why: "link lost" })))
    if (this.#outbox.full)
      return ask.settle(Exit.fail(new MailboxFull({ ...target, capacity: this.#outbox.queued })))
    const bytes = this.#sizeOf(encoded)
    if (bytes > this.#messageBytesMax) {
      const bytesMax = this.#messageBytesMax
      return ask.settle(Exit.fail(new MessageTooLarge({ ...target, bytes, bytesMax })))
    }
    const id = this.#ids++
    this.#asked.set(id, { ask, raw, sent: false })
    ask.onSettled = () => {
      if (this.#asked.delete(id)) this.#enqueue(["withdraw", id])
    }
    ask.settleWithAsker()
    ask.arm(this.#system.timers)
    const { deadlineMillis, span } = ask
    this.#enqueue(
      span === undefined
        ? ["ask", id, path, deadlineMillis, encoded]
        : ["ask", id, path, deadlineMillis, traceparentOf(span.context), encoded]
    )
  }

  /** Asks the system on the other side, not one of its actors. */
  askSystem(ask: Ask): void {
    this.ask(systemPath, systemMessages, ask)
  }

  watch(path: string, watcher: Watcher): void {
    if (this.#lost !== undefined) return watcher.notice(lost(path, this.#lost))
    const id = this.#ids++
    this.#watching.set(id, { path, watcher })
    this.#watchIds.set(watcher, id)
    this.#enqueue(["watch", id, path])
  }

  unwatch(watcher: Watcher): void {
    const id = this.#watchIds.get(watcher)
    if (id === undefined) return
    this.#watchIds.delete(watcher)
    this.#watching.delete(id)
    this.#enqueue(["unwatch", id])
  }

  /** Somebody else's subscription to the events of the other side. */
  relaySubscription(
    path: string,
    tags: ReadonlyArray<string>,
    credit: number,
    trace: string | undefined,
    raw: Raw
  ) {
    const refused = this.#lost ?? (this.#outbox.full ? "the link is full" : undefined)
    if (refused !== undefined) {
      // Behind whoever asks, who is not ready to hear of it yet.
      this.#system.dispatcher.enqueue(() => raw(["died", 0, refused]))
      return { more: () => {}, end: () => {} }
    }
    const id = this.#ids++
    this.#subscriptions.set(id, raw)
    this.#enqueue(
      trace === undefined
        ? ["subscribe", id, path, tags, credit]
        : ["subscribe", id, path, tags, credit, trace]
    )
    return {
      // However often somebody says so: this link is everybody's, and gets one frame of it at a time.
      more: (count: number) => {
        const owed = (this.#creditOwed.get(id) ?? 0) + count
        this.#creditOwed.set(id, Math.min(owed, Number.MAX_SAFE_INTEGER))
        this.#flushSoon()
      },
      end: () => {
        this.#subscriptions.delete(id)
        this.#creditOwed.delete(id)
        this.#enqueue(["unsubscribe", id])
      }
    }
  }

  /** May be lost, like every datagram. */
  datagram(packet: unknown): void {
    if (this.#lost !== undefined) return
    this.#outbox.pushDatagram(packet)
    this.#flushSoon()
  }

  /** Has the tree on the other side stop, in order. */
  stop(): void {
    this.#enqueue(["stop"])
  }

  #enqueue(frame: Frame): void {
    if (this.#lost !== undefined) return
    const wasFull = this.#outbox.full
    this.#outbox.push(frame)
    // Requests of ours stop at the bound; these are answers and events that the other end does not read.
    if (wasFull && this.#outbox.stalled) {
      return this.#options.onStalled?.(
        `it does not read what it asked for: ${this.#outbox.queuedBytes} bytes in ${this.#outbox.queued} frames wait for it`
      )
    }
    if (frame[0] === "event" && this.#options.eventPauseMillis !== undefined)
      return this.#flushLater(this.#options.eventPauseMillis)
    this.#flushSoon()
  }

  #flushLater(pauseMillis: number): void {
    if (this.#pausing) return
    this.#pausing = true
    this.#system.timers.start(this.#pause, pauseMillis)
  }

  #flushSoon(): void {
    if (this.#flushing || !(this.#outbox.ready || this.#owesTaken || this.#owesCredit)) return
    this.#flushing = true
    this.#system.dispatcher.enqueue(() => this.#flush())
  }

  get #owesCredit(): boolean {
    return this.#creditOwed.size > 0 && !this.#outbox.full
  }

  get #owesTaken(): boolean {
    return this.#taken >= takenFrames || this.#takenBytes >= takenBytes
  }

  /** Sends what may leave, without waiting for the end of the turn: whoever closes the link says it last. */
  flush(): void {
    this.#flush()
  }

  #flush(): void {
    this.#flushing = false
    if (this.#lost !== undefined) return
    if (this.#owesCredit) {
      for (const [id, count] of this.#creditOwed) this.#outbox.push(["more", id, count])
      this.#creditOwed.clear()
    }
    const batch: Array<Frame> = []
    if (this.#taken > 0) batch.push(["taken", this.#taken])
    this.#taken = 0
    this.#takenBytes = 0
    this.#outbox.fill(batch, this.#leaves)
    if (batch.length > 0) this.#options.send(batch)
    this.#flushSoon()
  }

  readonly #leaves = (frame: Frame): boolean => {
    if (frame[0] !== "ask") return true
    const outgoing = this.#asked.get(frame[1])
    // Settled while it waited here: the other side never hears of it.
    if (outgoing === undefined) return false
    outgoing.sent = true
    return true
  }

  // Coming in

  /** Whatever the other end sent; it may be anything. */
  receive(batch: unknown): void {
    if (this.#lost !== undefined) return
    if (!Array.isArray(batch)) return void this.#malformed++
    for (const frame of batch) {
      if (!isFrame(frame)) {
        this.#malformed++
        this.#taken++
      } else if (frame[0] === "taken") this.#outbox.taken(frame[1])
      else if (frame[0] === "datagram") this.#options.onDatagram?.(frame[1])
      else {
        this.#taken++
        this.#takenBytes += frame[0] === "part" ? frame[1].length : approximateBytes(frame[frame.length - 1])
        this.#take(frame)
      }
    }
    this.#flushSoon()
  }

  #take(frame: Frame): void {
    switch (frame[0]) {
      case "tell":
        return frame.length === 4
          ? this.#inbound.tell(frame[1], frame[3], frame[2])
          : this.#inbound.tell(frame[1], frame[2])
      case "ask":
        return frame.length === 6
          ? this.#inbound.ask(frame[1], frame[2], frame[3], frame[5], frame[4])
          : this.#inbound.ask(frame[1], frame[2], frame[3], frame[4])
      case "withdraw":
        return this.#inbound.withdraw(frame[1])
      case "reply":
      case "failed":
      case "died":
        return this.#takeOutcome(frame)
      case "watch":
        return this.#inbound.watch(frame[1], frame[2])
      case "unwatch":
        return this.#inbound.unwatch(frame[1])
      case "ended":
        return this.#takeEnded(frame[1], frame[2])
      case "subscribe":
        return this.#inbound.subscribe(frame[1], frame[2], frame[3], frame[4], frame[5])
      case "more":
        return this.#inbound.more(frame[1], frame[2])
      case "unsubscribe":
        return this.#inbound.unsubscribe(frame[1])
      case "event":
      case "missed":
        return this.#subscriptions.get(frame[1])?.(frame)
      case "large":
        return this.#takeLarge(frame[1], frame[2])
      case "part":
        return this.#takePart(frame[1])
      case "stop":
        return this.#options.onStop?.()
      case "undelivered":
        // Only clients are told.
        return void this.#malformed++
    }
  }

  #takeOutcome(outcome: Outcome): void {
    const [kind, id, encoded] = outcome
    const subscription = this.#subscriptions.get(id)
    if (subscription !== undefined) {
      this.#subscriptions.delete(id)
      return subscription(outcome)
    }
    const outgoing = this.#asked.get(id)
    if (outgoing === undefined) return
    this.#asked.delete(id)
    const { ask, raw } = outgoing
    if (raw !== undefined) {
      raw(outcome)
      if (kind !== "reply") ask.endSpan(kind === "failed" ? tagOf(encoded) : "it crashed")
      return ask.settle(Exit.void)
    }
    if (kind === "died") return ask.settle(Exit.die(new Error(String(encoded))))
    if (!isRequest(ask.request)) return
    const codec = answerCodec(ask.request)
    const decoded = (kind === "reply" ? codec.success : codec.failure).decode(encoded)
    if (Either.isRight(decoded)) {
      return ask.settle(kind === "reply" ? Exit.succeed(decoded.right) : Exit.fail(decoded.right))
    }
    this.#malformed++
    const problem = `its answer does not decode: ${decoded.left}`
    ask.settle(Exit.fail(new MalformedMessage({ path: ask.path, request: ask.request._tag, problem })))
  }

  #takeEnded(id: number, encoded: unknown): void {
    const watching = this.#watching.get(id)
    if (watching === undefined) return
    this.#watching.delete(id)
    this.#watchIds.delete(watching.watcher)
    const decoded = decodeEnded(encoded)
    if (Either.isLeft(decoded)) this.#malformed++
    watching.watcher.notice(
      Either.getOrElse(decoded, () => lost(watching.path, "its death notice does not decode"))
    )
  }

  // Large frames

  #takeLarge(head: Frame, bytes: number): void {
    if (this.#assembly === undefined) return void this.#malformed++
    const fits = bytes <= this.#messageBytesMax
    if (!fits) this.#refuseLarge(head, bytes)
    this.#assembly.begin(fits ? head : undefined, bytes)
  }

  #refuseLarge(head: Frame, bytes: number): void {
    const bytesMax = this.#messageBytesMax
    const request = "(too large to be read)"
    switch (head[0]) {
      case "tell": {
        const fault = new MessageTooLarge({ path: head[1], request, bytes, bytesMax })
        return this.#inbound.undelivered(head[1], request, "too large", fault)
      }
      case "ask":
        return this.#inbound.refuse(head[1], new MessageTooLarge({ path: head[2], request, bytes, bytesMax }))
      case "reply":
      case "failed": {
        const outgoing = this.#asked.get(head[1])
        if (outgoing === undefined) return
        const { path, request: asked } = outgoing.ask
        this.#asked.delete(head[1])
        return outgoing.ask.settle(
          Exit.fail(new AnswerTooLarge({ path, request: asked._tag, bytes, bytesMax }))
        )
      }
      case "event":
        return this.#subscriptions.get(head[1])?.(["missed", head[1], 1])
    }
  }

  #takePart(bytes: Uint8Array): void {
    const assembled = this.#assembly?.add(bytes)
    if (assembled === undefined) return
    if ("whole" in assembled) return this.#take(assembled.whole)
    this.#malformed++
    const head = assembled.malformed
    if (head?.[0] !== "ask") return
    const problem = "its parts make no message"
    this.#inbound.refuse(head[1], new MalformedMessage({ path: head[2], request: "(unreadable)", problem }))
  }

  // The end

  /** The link is gone. Nothing more goes out or comes in. */
  close(reason: string, how: "lost" | "node-lost" = "lost"): void {
    if (this.#lost !== undefined) return
    this.#lost = reason
    this.#system.timers.cancel(this.#pause)
    const asked = [...this.#asked.values()]
    // First, so that there is nothing to withdraw.
    this.#asked.clear()
    for (const { ask, sent } of asked) {
      const target = { path: ask.path, request: ask.request._tag }
      ask.settle(
        Exit.fail(
          sent ? new LinkLost({ ...target, reason }) : new ActorUnavailable({ ...target, why: "link lost" })
        )
      )
    }
    const watching = [...this.#watching.values()]
    this.#watching.clear()
    this.#watchIds.clear()
    for (const { path, watcher } of watching) watcher.notice(lost(path, reason, how))
    const subscriptions = [...this.#subscriptions]
    this.#subscriptions.clear()
    for (const [id, raw] of subscriptions) raw(["died", id, reason])
    this.#inbound.close()
    this.#outbox.drain((frame) => {
      if (frame[0] === "tell") this.#deadLetter(frame[1], tagOf(frame[frame.length - 1]), "link lost")
    })
  }

  #deadLetter(path: string, tag: string, why: string): void {
    this.#system.deadLetters.add(path, tag, why)
  }
}

export const lost = (path: string, reason: string, how: "lost" | "node-lost" = "lost"): Ended => ({
  path,
  incarnation: 0,
  reason: how,
  cause: Cause.fail(new Error(reason)),
  duringInit: false
})

const firstLine = (problem: unknown): string =>
  (problem instanceof Error ? problem.message : String(problem)).split("\n", 1)[0] ?? ""
