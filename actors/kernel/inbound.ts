/**
 * What the other end of a link wants of our actors: their answers, their deaths, our events.
 *
 * What is meant for an actor of this process is decoded and delivered. What is meant for one behind
 * another link (in a cell, or on another node) is relayed there as it came, so a client reaches the
 * whole cluster through any node. Everything that is kept here for the other end is bounded and ends
 * with the link.
 */
import { Cause, Either, Exit, Option } from "effect"
import {
  ActorUnavailable,
  type DeliveryFault,
  MailboxFull,
  MalformedMessage,
  UnknownMessage
} from "#protocols/delivery.ts"
import { ClientActed } from "#protocols/operations.ts"
import { type Frame, type Outcome, renumbered } from "#protocols/wire/frames.ts"
import { traceparentOf } from "#protocols/wire/traceparent.ts"
import { Ask, type Tagged } from "./ask.ts"
import type { Gate } from "./gate.ts"
import { answerHere, isSystemRequest, systemMessages } from "./introspection.ts"
import {
  answerCodec,
  encodeEnded,
  encodeEvent,
  encodeFault,
  encodeUnknownFault,
  isRequest,
  isTagged,
  messageCodec,
  tagOf
} from "./message-codecs.ts"
import { aboutOf } from "./operations.ts"
import type { Peer } from "./peer.ts"
import { type ActorRef, describeCause, type Ended, type Watcher } from "./ref.ts"
import type { ActorSystem } from "./system.ts"
import { type Arrival, type Span, StreamSpan, spanOfArrival, TracedTell } from "./tracing.ts"

/** Per link; whoever wants more is refused. */
const answeringMax = 65_536
const watchedMax = 65_536
const subscriptionsMax = 1_000

/** A second, of what one client does. All of it is events. */
const auditsLoggedMax = 10

/** What no actor has as its path: the system itself. */
export const systemPath = ""

interface Subscription {
  readonly more: (credit: number) => void
  readonly end: () => void
  /** From its begin to its end. */
  readonly span: StreamSpan | undefined
}

export class Inbound {
  readonly #system: ActorSystem
  readonly #peer: Peer
  readonly #gate: Gate | undefined
  readonly #enqueue: (frame: Frame) => void
  readonly #answering = new Map<number, Ask>()
  readonly #watched = new Map<number, { readonly end: () => void }>()
  readonly #subscriptions = new Map<number, Subscription>()
  /** Frames that were not understood. */
  malformed = 0
  #loggingSinceMillis = Number.NEGATIVE_INFINITY
  #logged = 0

  constructor(system: ActorSystem, peer: Peer, gate: Gate | undefined, enqueue: (frame: Frame) => void) {
    this.#system = system
    this.#peer = peer
    this.#gate = gate
    this.#enqueue = enqueue
  }

  /** The link behind which a path lies, if that is another one than this. */
  #route(path: string): Peer | undefined {
    const peer = this.#system.peerOf(path)
    return peer === this.#peer ? undefined : peer
  }

  /** What a client may do, and does, everybody can see. */
  #audit(path: string, request: string, encoded: unknown): void {
    const needs = this.#gate?.audits(request)
    if (this.#gate === undefined || needs === undefined) return
    const { actorId: by } = this.#gate.identity
    const about = aboutOf(encoded)
    const atMillis = this.#system.clock.wallMillis()
    this.#system.events.publish(new ClientActed({ by, path, request, needs, about, atMillis }))
    const nowMillis = this.#system.clock.nowMillis()
    if (nowMillis - this.#loggingSinceMillis >= 1_000) {
      this.#loggingSinceMillis = nowMillis
      this.#logged = 0
    }
    if (this.#logged++ >= auditsLoggedMax) return
    this.#system.log("info", `${by} sends ${request} to ${path}${about === "" ? "" : `: ${about}`}`)
  }

  // Tells

  tell(path: string, encoded: unknown, trace?: string): void {
    const tag = tagOf(encoded)
    const passed = this.#gate?.pass(path, tag, encoded) ?? passes(encoded)
    if (Either.isLeft(passed)) return this.undelivered(path, tag, "not permitted", passed.left)
    this.#audit(path, tag, encoded)
    const target = { path, request: tag }
    const instance = this.#system.instanceAt(path)
    const known = instance?.definition.messages.get(tag)
    if (instance === undefined) {
      const route = this.#route(path)
      if (route !== undefined) return this.#relayTell(route, path, passed.right, trace)
      const fault = new ActorUnavailable({ ...target, why: "not found" })
      return this.undelivered(path, tag, "not found", fault)
    }
    if (known === undefined) {
      const fault = new UnknownMessage({ ...target, accepts: [...instance.definition.messages.keys()] })
      return this.undelivered(path, tag, "unknown message", fault)
    }
    const decoded = messageCodec(known).decode(passed.right)
    if (Either.isRight(decoded) && isTagged(decoded.right)) {
      const span = this.#spanOf("tell", path, tag, trace)
      if (span === undefined) return instance.tell(decoded.right)
      return instance.tellTraced(new TracedTell(decoded.right, span))
    }
    this.malformed++
    const problem = Either.isLeft(decoded) ? decoded.left : "it is no message"
    this.undelivered(path, tag, "malformed", new MalformedMessage({ ...target, problem }))
  }

  #relayTell(route: Peer, path: string, encoded: unknown, trace?: string): void {
    const span = this.#spanOf("tell", path, tagOf(encoded), trace)
    route.relayTell(path, encoded, span && traceparentOf(span.context))
    span?.end()
  }

  /** A client hears of it; between nodes a tell that fails is a dead letter, here as anywhere. */
  undelivered(path: string, tag: string, why: string, fault: DeliveryFault): void {
    this.#system.deadLetters.add(path, tag, why)
    if (this.#gate !== undefined) this.#enqueue(["undelivered", path, encodeFault(fault)])
  }

  // Asks

  ask(id: number, path: string, deadlineMillis: number, encoded: unknown, trace?: string): void {
    const request = tagOf(encoded)
    const target = { path, request }
    if (this.#answering.has(id)) return void this.malformed++
    if (this.#answering.size >= answeringMax)
      return this.refuse(id, new MailboxFull({ ...target, capacity: answeringMax }))
    const passed = this.#gate?.pass(path, request, encoded) ?? passes(encoded)
    if (Either.isLeft(passed)) return this.refuse(id, passed.left)
    this.#audit(path, request, encoded)
    if (path === systemPath) return this.#askSystem(id, passed.right)
    const instance = this.#system.instanceAt(path)
    const known = instance?.definition.messages.get(request)
    if (instance === undefined) return this.#relay(id, path, deadlineMillis, passed.right, trace)
    if (known === undefined) {
      const accepts = [...instance.definition.messages.keys()]
      return this.refuse(id, new UnknownMessage({ ...target, accepts }))
    }
    const decoded = messageCodec(known).decode(passed.right)
    if (Either.isLeft(decoded) || !isTagged(decoded.right) || !isRequest(decoded.right)) {
      this.malformed++
      const problem = Either.isLeft(decoded) ? decoded.left : "it is not an ask"
      return this.refuse(id, new MalformedMessage({ ...target, problem }))
    }
    const { failure, success } = answerCodec(decoded.right)
    const ask = new Ask(
      decoded.right,
      path,
      deadlineMillis,
      (exit) => {
        if (this.#answering.delete(id)) this.#answer(id, exit, success.encode, failure.encode)
      },
      undefined
    )
    this.#answering.set(id, ask)
    ask.span = this.#spanOf("ask", path, request, trace)
    instance.deliver(ask)
  }

  #relay(id: number, path: string, deadlineMillis: number, encoded: unknown, trace?: string): void {
    const request = tagOf(encoded)
    const route = this.#route(path)
    if (route === undefined) {
      return this.refuse(id, new ActorUnavailable({ path, request, why: "not found" }))
    }
    const ask = new Ask(
      { _tag: request },
      path,
      deadlineMillis,
      (exit) => {
        if (this.#answering.delete(id)) this.#answer(id, exit, (value) => value, encodeUnknownFault)
      },
      undefined
    )
    this.#answering.set(id, ask)
    ask.span = this.#spanOf("ask", path, request, trace)
    route.relayAsk(ask, encoded, (outcome) => {
      if (this.#answering.delete(id)) this.#enqueue(renumbered(outcome, id))
    })
  }

  /** Most have none, and are recognised as such at a glance. */
  #spanOf(what: Arrival["what"], path: string, request: string, trace?: string): Span | undefined {
    const { spans } = this.#system
    const isClient = this.#gate !== undefined
    if (trace === undefined && (spans === undefined || !isClient)) return undefined
    return spanOfArrival(spans, isClient ? "client" : "node", { what, path, request, trace })
  }

  /** The system itself is asked, not one of its actors. */
  #askSystem(id: number, encoded: unknown): void {
    const request = tagOf(encoded)
    const target = { path: systemPath, request }
    const known = systemMessages.get(request)
    if (known === undefined)
      return this.refuse(id, new UnknownMessage({ ...target, accepts: [...systemMessages.keys()] }))
    const decoded = messageCodec(known).decode(encoded)
    if (Either.isLeft(decoded) || !isSystemRequest(decoded.right)) {
      this.malformed++
      const problem: string = Either.isLeft(decoded) ? decoded.left : "it is no request"
      return this.refuse(id, new MalformedMessage({ ...target, problem }))
    }
    const asked: Tagged = decoded.right
    if (!isRequest(asked)) return
    const { failure, success } = answerCodec(asked)
    this.#answer(id, answerHere(this.#system, decoded.right), success.encode, failure.encode)
  }

  #answer(
    id: number,
    exit: Exit.Exit<unknown, unknown>,
    encodeSuccess: (value: unknown) => unknown,
    encodeFailure: (fault: unknown) => unknown
  ): void {
    // What does not encode is a bug of who answered, and must not become a bug of the link.
    try {
      if (Exit.isSuccess(exit)) return this.#enqueue(["reply", id, encodeSuccess(exit.value)])
      const failure = Cause.failureOption(exit.cause)
      if (Option.isSome(failure)) return this.#enqueue(["failed", id, encodeFailure(failure.value)])
    } catch (defect) {
      return this.#enqueue(["died", id, describeCause(Cause.die(defect))])
    }
    this.#enqueue(["died", id, describeCause(exit.cause)])
  }

  refuse(id: number, fault: DeliveryFault): void {
    this.#enqueue(["failed", id, encodeFault(fault)])
  }

  withdraw(id: number): void {
    const ask = this.#answering.get(id)
    this.#answering.delete(id)
    ask?.settle(Exit.void)
  }

  // Watches

  watch(id: number, path: string): void {
    if (this.#watched.has(id)) return void this.malformed++
    const watcher: Watcher = {
      notice: (ended) => {
        this.#watched.delete(id)
        this.#enqueue(["ended", id, encodeEnded(ended)])
      }
    }
    const watched = this.#watchable(path)
    if (watched === undefined || this.#watched.size >= watchedMax) return watcher.notice(absent(path))
    this.#watched.set(id, { end: () => watched.removeWatcher(watcher) })
    watched.addWatcher(watcher)
  }

  #watchable(path: string): Pick<ActorRef<never>, "addWatcher" | "removeWatcher"> | undefined {
    if (this.#gate?.observes(path) === false) return undefined
    const instance = this.#system.instanceAt(path)
    if (instance !== undefined) return instance
    const route = this.#route(path)
    if (route === undefined) return undefined
    return {
      addWatcher: (watcher) => route.watch(path, watcher),
      removeWatcher: (watcher) => route.unwatch(watcher)
    }
  }

  unwatch(id: number): void {
    const watched = this.#watched.get(id)
    this.#watched.delete(id)
    watched?.end()
  }

  // Events

  subscribe(id: number, path: string, tags: ReadonlyArray<string>, credit: number, trace?: string): void {
    if (this.#subscriptions.has(id)) return void this.malformed++
    const refusal = this.#refusalOf(path)
    if (refusal !== undefined) return this.refuse(id, refusal)
    const route = path === `/${this.#system.name}` ? undefined : this.#route(path)
    const begun = this.#spanOf("subscribe", path, "", trace)
    const span = begun && new StreamSpan(begun)
    const subscription =
      route === undefined
        ? this.#ownEvents(id, tags, credit, span)
        : route.relaySubscription(path, tags, credit, begun && traceparentOf(begun.context), (outcome) => {
            this.#relayed(id, outcome, span)
            this.#enqueue(renumbered(outcome, id))
          })
    this.#subscriptions.set(id, { ...subscription, span })
  }

  #relayed(id: number, outcome: Outcome, span: StreamSpan | undefined): void {
    if (outcome[0] === "event") span?.count(1)
    else if (outcome[0] === "missed") span?.miss(outcome[2])
    else {
      this.#subscriptions.delete(id)
      span?.end(outcome[0] === "failed" ? tagOf(outcome[2]) : "the link behind it was lost")
    }
  }

  #refusalOf(path: string): DeliveryFault | undefined {
    const target = { path, request: "subscribe" }
    if (this.#subscriptions.size >= subscriptionsMax)
      return new MailboxFull({ ...target, capacity: subscriptionsMax })
    if (this.#gate?.observes(path) === false) return this.#gate.refusal(path, "subscribe", "observe")
    const known = path === `/${this.#system.name}` || this.#route(path) !== undefined
    return known ? undefined : new ActorUnavailable({ ...target, why: "not found" })
  }

  /** As many as there is credit for; what is left out is counted, and told once there is credit again. */
  #ownEvents(id: number, tags: ReadonlyArray<string>, credit: number, span: StreamSpan | undefined) {
    let left = credit
    let missed = 0
    const end = this.#system.events.subscribe((event) => {
      if (left === 0) {
        span?.miss(1)
        return void missed++
      }
      const encoded = encodeEvent(event)
      if (encoded === undefined) return
      left--
      span?.count(1)
      this.#enqueue(["event", id, encoded])
    }, tags)
    const more = (count: number) => {
      left = Math.min(left + count, Number.MAX_SAFE_INTEGER)
      if (missed > 0) this.#enqueue(["missed", id, missed])
      missed = 0
    }
    return { more, end }
  }

  more(id: number, credit: number): void {
    this.#subscriptions.get(id)?.more(credit)
  }

  unsubscribe(id: number): void {
    const subscription = this.#subscriptions.get(id)
    this.#subscriptions.delete(id)
    subscription?.end()
    subscription?.span?.end()
  }

  /** Nobody is there to hear any of it; what is being handled goes on. */
  close(): void {
    const answering = [...this.#answering.values()]
    this.#answering.clear()
    for (const ask of answering) ask.settle(Exit.void)
    for (const { end } of this.#watched.values()) end()
    this.#watched.clear()
    for (const { end, span } of this.#subscriptions.values()) {
      end()
      span?.end("the link was lost")
    }
    this.#subscriptions.clear()
  }
}

const passes = (encoded: unknown): Either.Either<unknown, never> => Either.right(encoded)

const absent = (path: string): Ended => ({
  path,
  incarnation: 0,
  reason: "absent",
  cause: Cause.empty,
  duringInit: false
})
