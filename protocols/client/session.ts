/**
 * The session: everything between a client's calls and the frames of its links. It does no I/O. It is told
 * when a link is there, what came over it and when it is lost; it hands out batches and endings; the clock
 * is an argument. One session outlives many links.
 *
 *   ask ──► pending ──► outbox ══ link ══► node        What becomes of an ask when the link is lost:
 *            ▲    │                                       not sent yet              stays, for the next link
 *            └────┴── kept until it ends                  sent, repeatable          is sent again on it
 *                                                         sent, not repeatable      LinkLost, at once
 *
 * Whatever stays does so until its deadline. Then it ends as `ActorUnavailable` if nothing of it was ever
 * sent over any link and there is none, else as `DeadlineExceeded`. Tells have no deadline and so do not
 * wait for links: without one they are refused, and those that had not left come back as undelivered.
 */
import {
  ActorUnavailable,
  AnswerTooLarge,
  DeadlineExceeded,
  type DeliveryFault,
  LinkLost,
  MailboxFull,
  MalformedMessage,
  MessageTooLarge
} from "../delivery.ts"
import { Assembly } from "../wire/assembly.ts"
import { approximateBytes, type Frame, isFrame, takenBytes, takenFrames } from "../wire/frames.ts"
import { defaultLimits, Outbox, type OutboxLimits } from "../wire/outbox.ts"
import type { ClientWorld } from "./client-world.ts"
import { decodeFault } from "./codecs.ts"
import type { Feed } from "./feed.ts"

export interface SessionLink {
  readonly send: (batch: ReadonlyArray<Frame>) => void
  readonly close: (reason: string) => void
}

export interface Packing {
  readonly pack: (value: unknown) => Uint8Array
  /** Throws on what is no packed value. */
  readonly unpack: (bytes: Uint8Array) => unknown
}

/** How an ask ended: as the node said it, still encoded, or for a reason that is known here. */
export type Ending =
  | readonly ["reply", value: unknown]
  | readonly ["failed", fault: unknown]
  | readonly ["died", reason: string]
  | readonly ["fault", fault: DeliveryFault]

export interface Question {
  readonly path: string
  readonly request: string
  readonly encoded: unknown
  /** What it is part of, as frames have it. */
  readonly trace?: string | undefined
  /** Handled twice it does no more than once. */
  readonly repeatable: boolean
  readonly deadlineMillis: number
  /** Called exactly once, unless it is withdrawn. */
  readonly ended: (ending: Ending) => void
}

export interface SessionOptions {
  readonly world: ClientWorld
  readonly packing: Packing
  /** A tell that was refused; the fault as the node encoded it, or known here. */
  readonly undelivered: (path: string, fault: DeliveryFault) => void
  readonly messageBytesMax?: number
  readonly limits?: OutboxLimits
}

/** Nodes take no more than these from one client. */
const defaultMessageBytesMax = 16 * 1024 * 1024
const asksMax = 65_536
const feedsMax = 1_000
/** A week; more is not carried. */
const deadlineMillisMax = 604_800_000
const pathLengthMax = 4_096

interface Pending {
  readonly question: Omit<Question, "encoded">
  /** Kept for as long as it may have to be sent, for the first time or again. */
  encoded: unknown
  readonly dueMillis: number
  readonly bytes: number
  readonly cancel: () => void
  kept: boolean
  /** On any link so far. */
  sent: boolean
  /** On the link of now. */
  out: boolean
}

interface Subscribed {
  readonly feed: Feed<unknown>
  readonly trace: string | undefined
  /** On an earlier link. */
  before: boolean
}

export class Session {
  readonly #world: ClientWorld
  readonly #options: SessionOptions
  readonly #limits: OutboxLimits
  readonly #messageBytesMax: number
  #link: { readonly to: SessionLink; readonly outbox: Outbox; readonly arriving: Assembly } | undefined
  #lostReason = ""
  #closed = false
  #flushing = false
  #taken = 0
  #takenBytes = 0
  #ids = 0
  /** In the order they were asked. */
  readonly #pending = new Map<number, Pending>()
  #keptBytes = 0
  readonly #feeds = new Map<number, Subscribed>()
  /** Frames that were not understood. */
  malformed = 0
  /** Events that were not understood. */
  skipped = 0

  constructor(options: SessionOptions) {
    this.#options = options
    this.#world = options.world
    this.#limits = options.limits ?? defaultLimits
    this.#messageBytesMax = options.messageBytesMax ?? defaultMessageBytesMax
  }

  // Calls

  /** Asks; the result withdraws it. */
  ask(question: Question): () => void {
    const { encoded, ...rest } = question
    const { ended, path, request } = rest
    const bytes = this.#bytesOf(encoded)
    const refusal = this.#refusal(path, request, bytes)
    if (refusal !== undefined) {
      ended(["fault", refusal])
      return () => {}
    }
    const id = this.#ids++
    const deadlineMillis = Math.min(Math.max(0, question.deadlineMillis), deadlineMillisMax)
    this.#pending.set(id, {
      question: rest,
      encoded,
      dueMillis: this.#world.nowMillis() + deadlineMillis,
      bytes,
      cancel: this.#world.alarm(deadlineMillis, () => this.#expire(id)),
      kept: true,
      sent: false,
      out: false
    })
    this.#keptBytes += bytes
    this.#push(askFrame(id, rest, deadlineMillis, encoded))
    return () => this.#withdraw(id)
  }

  /** Why it was not taken, if it was not. */
  tell(path: string, request: string, encoded: unknown, trace?: string): DeliveryFault | undefined {
    if (this.#link === undefined) return new ActorUnavailable({ path, request, why: "link lost" })
    const refusal = this.#refusal(path, request, this.#bytesOf(encoded))
    if (refusal === undefined)
      this.#push(trace === undefined ? ["tell", path, encoded] : ["tell", path, trace, encoded])
    return refusal
  }

  /** From now on, over this link and all after it, until it is unsubscribed or over. */
  subscribe(feed: Feed<unknown>, trace?: string): Subscription {
    const { path } = feed
    const target = { path, request: "subscribe" }
    const over = this.#closed
      ? new ActorUnavailable({ ...target, why: "link lost" })
      : !isPath(path)
        ? new ActorUnavailable({ ...target, why: "not found" })
        : this.#feeds.size >= feedsMax
          ? new MailboxFull({ ...target, capacity: feedsMax })
          : undefined
    if (over !== undefined) {
      feed.over(over)
      return { grant: () => {}, end: () => {} }
    }
    const id = this.#ids++
    const subscribed = { feed, trace, before: false }
    this.#feeds.set(id, subscribed)
    this.#begin(id, subscribed)
    return {
      grant: () => this.#grant(id),
      end: () => {
        if (this.#feeds.delete(id)) this.#push(["unsubscribe", id])
      }
    }
  }

  get pending(): number {
    return this.#pending.size
  }

  /** As counted for the limit: text may count more than it takes, so near the limit its bytes decide. */
  #bytesOf(encoded: unknown): number {
    const bytesMax = this.#messageBytesMax
    const bytes = approximateBytes(encoded, 4 * bytesMax)
    return bytes <= bytesMax || bytes >= 4 * bytesMax ? bytes : this.#options.packing.pack(encoded).length
  }

  #refusal(path: string, request: string, bytes: number): DeliveryFault | undefined {
    const target = { path, request }
    const bytesMax = this.#messageBytesMax
    if (this.#closed) return new ActorUnavailable({ ...target, why: "link lost" })
    if (!isPath(path)) return new ActorUnavailable({ ...target, why: "not found" })
    if (bytes > bytesMax) return new MessageTooLarge({ ...target, bytes, bytesMax })
    const full =
      this.#pending.size >= asksMax ||
      this.#pending.size >= this.#limits.queuedFramesMax ||
      this.#keptBytes >= this.#limits.queuedBytesMax ||
      this.#link?.outbox.full === true
    if (!full) return undefined
    return new MailboxFull({
      ...target,
      capacity: Math.max(this.#pending.size, this.#link?.outbox.queued ?? 0)
    })
  }

  // Endings

  /** Takes it out; whoever does so ends it. */
  #remove(id: number): Pending | undefined {
    const pending = this.#pending.get(id)
    if (pending === undefined) return undefined
    this.#pending.delete(id)
    pending.cancel()
    this.#release(pending)
    return pending
  }

  #release(pending: Pending): void {
    if (pending.kept) this.#keptBytes -= pending.bytes
    pending.kept = false
    pending.encoded = undefined
  }

  #end(id: number, ending: Ending): void {
    this.#remove(id)?.question.ended(ending)
  }

  #withdraw(id: number): void {
    if (this.#remove(id)?.out === true) this.#push(["withdraw", id])
  }

  #expire(id: number): void {
    const pending = this.#remove(id)
    if (pending === undefined) return
    if (pending.out) this.#push(["withdraw", id])
    const { deadlineMillis, ended, path, request } = pending.question
    const fault =
      pending.sent || this.#link !== undefined
        ? new DeadlineExceeded({ path, request, deadlineMillis })
        : new ActorUnavailable({ path, request, why: "link lost" })
    ended(["fault", fault])
  }

  // Links

  linked(to: SessionLink): void {
    if (this.#closed) return to.close("the client was closed")
    const { pack, unpack } = this.#options.packing
    this.#link = { to, outbox: new Outbox(this.#limits, pack), arriving: new Assembly(unpack) }
    this.#taken = 0
    this.#takenBytes = 0
    // Events first: what the asks bring about shall not be missed.
    for (const [id, subscribed] of this.#feeds) this.#begin(id, subscribed)
    const nowMillis = this.#world.nowMillis()
    for (const [id, { dueMillis, encoded, question }] of this.#pending) {
      this.#push(askFrame(id, question, Math.max(0, dueMillis - nowMillis), encoded))
    }
  }

  lost(reason: string): void {
    const link = this.#link
    if (link === undefined) return
    this.#link = undefined
    this.#lostReason = reason
    const ends = [...this.#pending].filter(([, pending]) => {
      pending.out = false
      return pending.sent && !pending.question.repeatable
    })
    for (const [id, { question }] of ends) {
      this.#end(id, ["fault", new LinkLost({ path: question.path, request: question.request, reason })])
    }
    link.outbox.drain((frame) => {
      if (frame[0] !== "tell") return
      const [, path] = frame
      const encoded = frame[frame.length - 1]
      this.#options.undelivered(
        path,
        new ActorUnavailable({ path, request: tagOf(encoded), why: "link lost" })
      )
    })
  }

  /** What could leave does; everything else ends. */
  close(reason: string): void {
    if (this.#closed) return
    this.#flush()
    this.#closed = true
    const link = this.#link
    this.lost(reason)
    for (const [id, { question, sent }] of [...this.#pending]) {
      const target = { path: question.path, request: question.request }
      const fault = sent
        ? new LinkLost({ ...target, reason })
        : new ActorUnavailable({ ...target, why: "link lost" })
      this.#end(id, ["fault", fault])
    }
    for (const { feed } of this.#feeds.values()) {
      feed.over(new LinkLost({ path: feed.path, request: "subscribe", reason }))
    }
    this.#feeds.clear()
    link?.to.close(reason)
  }

  #begin(id: number, subscribed: Subscribed): void {
    if (this.#link === undefined) return
    const { feed, trace } = subscribed
    if (subscribed.before) feed.resumed(this.#lostReason)
    subscribed.before = true
    const credit = feed.begin()
    this.#push(
      trace === undefined
        ? ["subscribe", id, feed.path, feed.tags, credit]
        : ["subscribe", id, feed.path, feed.tags, credit, trace]
    )
  }

  #grant(id: number): void {
    if (this.#link === undefined) return
    const count = this.#feeds.get(id)?.feed.grant() ?? 0
    if (count > 0) this.#push(["more", id, count])
  }

  // Going out

  #push(frame: Frame): void {
    const link = this.#link
    if (link === undefined) return
    link.outbox.push(frame)
    // Messages stop at the bound; this is a node that sends, and takes nothing.
    if (link.outbox.stalled) return link.to.close("it takes nothing of what is sent to it")
    this.#flushSoon()
  }

  #flushSoon(): void {
    if (this.#flushing || !(this.#link?.outbox.ready === true || this.#owesTaken)) return
    this.#flushing = true
    this.#world.soon(() => {
      this.#flushing = false
      this.#flush()
      this.#flushSoon()
    })
  }

  get #owesTaken(): boolean {
    return this.#link !== undefined && (this.#taken >= takenFrames || this.#takenBytes >= takenBytes)
  }

  #flush(): void {
    const link = this.#link
    if (link === undefined) return
    const batch: Array<Frame> = []
    if (this.#taken > 0) batch.push(["taken", this.#taken])
    this.#taken = 0
    this.#takenBytes = 0
    link.outbox.fill(batch, this.#leaves)
    if (batch.length > 0) link.to.send(batch)
  }

  readonly #leaves = (frame: Frame): boolean => {
    if (frame[0] !== "ask") return true
    const pending = this.#pending.get(frame[1])
    // It ended while it waited here: the node never hears of it.
    if (pending === undefined) return false
    pending.sent = true
    pending.out = true
    if (!pending.question.repeatable) this.#release(pending)
    return true
  }

  // Coming in

  /** Whatever the node sent; it may be anything. */
  receive(batch: unknown): void {
    if (this.#link === undefined) return
    if (!Array.isArray(batch)) return void this.malformed++
    for (const frame of batch) {
      if (!isFrame(frame)) {
        this.malformed++
        this.#taken++
      } else if (frame[0] === "taken") this.#link?.outbox.taken(frame[1])
      else if (frame[0] !== "datagram") {
        this.#taken++
        this.#takenBytes += frame[0] === "part" ? frame[1].length : approximateBytes(frame[frame.length - 1])
        this.#take(frame)
      }
    }
    this.#flushSoon()
  }

  #take(frame: Frame): void {
    switch (frame[0]) {
      case "reply":
        return this.#end(frame[1], ["reply", frame[2]])
      case "failed":
        return this.#feeds.has(frame[1])
          ? this.#over(frame[1], (feed) => faultOf(feed, frame[2]))
          : this.#end(frame[1], ["failed", frame[2]])
      case "died":
        return this.#feeds.has(frame[1])
          ? this.#over(frame[1], (feed) => subscriptionLost(feed, frame[2]))
          : this.#end(frame[1], ["died", frame[2]])
      case "event":
        return this.#event(frame[1], frame[2])
      case "missed":
        return this.#feeds.get(frame[1])?.feed.missed(frame[2])
      case "undelivered":
        return this.#undelivered(frame[1], frame[2])
      case "large":
        return this.#large(frame[1], frame[2])
      case "part":
        return this.#part(frame[1])
      default:
        // Nobody but nodes has actors to send messages to.
        this.malformed++
    }
  }

  #event(id: number, encoded: unknown): void {
    const feed = this.#feeds.get(id)?.feed
    if (feed === undefined) return
    if (!feed.event(encoded)) this.skipped++
    this.#grant(id)
  }

  #over(id: number, why: (feed: Feed<unknown>) => DeliveryFault): void {
    const subscribed = this.#feeds.get(id)
    if (subscribed === undefined) return
    this.#feeds.delete(id)
    subscribed.feed.over(why(subscribed.feed))
  }

  #undelivered(path: string, encoded: unknown): void {
    const fault = decodeFault(encoded)
    if (fault === undefined) this.malformed++
    else this.#options.undelivered(path, fault)
  }

  #large(head: Frame, bytes: number): void {
    const bytesMax = this.#messageBytesMax
    const fits = bytes <= bytesMax
    const wanted = head[0] === "reply" || head[0] === "failed" || head[0] === "event"
    this.#link?.arriving.begin(fits && wanted ? head : undefined, bytes)
    if (!wanted) return void this.malformed++
    if (fits) return
    if (head[0] === "event") return this.#feeds.get(head[1])?.feed.tooLarge()
    const question = this.#pending.get(head[1])?.question
    if (question === undefined) return
    const { path, request } = question
    this.#end(head[1], ["fault", new AnswerTooLarge({ path, request, bytes, bytesMax })])
  }

  #part(bytes: Uint8Array): void {
    const assembled = this.#link?.arriving.add(bytes)
    if (assembled === undefined) return
    if ("whole" in assembled) return this.#take(assembled.whole)
    this.malformed++
    const head = assembled.malformed
    if (head?.[0] === "event") return this.#feeds.get(head[1])?.feed.tooLarge()
    if (head?.[0] !== "reply" && head?.[0] !== "failed") return
    const question = this.#pending.get(head[1])?.question
    if (question === undefined) return
    const { path, request } = question
    const problem = "its answer did not arrive whole"
    this.#end(head[1], ["fault", new MalformedMessage({ path, request, problem })])
  }
}

export interface Subscription {
  /** To be called after something was taken out of the feed. */
  readonly grant: () => void
  readonly end: () => void
}

const askFrame = (
  id: number,
  { path, trace }: Pick<Question, "path" | "trace">,
  deadlineMillis: number,
  encoded: unknown
): Frame =>
  trace === undefined
    ? ["ask", id, path, deadlineMillis, encoded]
    : ["ask", id, path, deadlineMillis, trace, encoded]

const isPath = (path: string): boolean => path.startsWith("/") && path.length <= pathLengthMax

const faultOf = ({ path }: Feed<unknown>, encoded: unknown): DeliveryFault =>
  decodeFault(encoded) ??
  new MalformedMessage({ path, request: "subscribe", problem: "what came back does not decode" })

const subscriptionLost = ({ path }: Feed<unknown>, reason: string): DeliveryFault =>
  new LinkLost({ path, request: "subscribe", reason })

const tagOf = (encoded: unknown): string => {
  const tag: unknown = typeof encoded === "object" && encoded !== null ? Reflect.get(encoded, "_tag") : ""
  return typeof tag === "string" ? tag : ""
}
