/**
 * One actor at its place in the tree: its mailbox, its current life, and the machine that ends lives.
 *
 *              init ok                 stop, crash                 resources closed
 *   starting ───────────► running ───────────────────► stopping ───────────────────► down │ gone
 *      │                                                  ▲                            │
 *      └──────────────── init failed, stop ───────────────┘      restart (kept) ◄──────┘
 *
 * How a life ends is in ending.ts. Only when it is over do watchers, links and the parent hear of it, so a
 * restarted actor never meets the resources of its former self.
 *
 * Signals (ends of children and of watched actors) have a lane of their own that is looked at before
 * every message; stop and kill do not queue at all. No flood of messages delays either.
 */

import type { Fiber } from "effect"
import { Cause, type Effect, Either, Exit, FiberId, Option, Runtime } from "effect"
import {
  ActorCrashed,
  ActorUnavailable,
  MailboxFull,
  NameTaken,
  UnknownMessage
} from "#protocols/delivery.ts"
import {
  type ActorSnapshot,
  type ActorStatus,
  LinkedActorEnded,
  StartFailed,
  StartTimedOut
} from "#protocols/runtime.ts"
import { Ring } from "#protocols/wire/ring.ts"
import type { ChildSignal, Definition, ErasedHandlers } from "./actor.ts"
import { Answer, ignore } from "./actor.ts"
import * as announce from "./announcements.ts"
import { Ask, type Tagged, toMillis } from "./ask.ts"
import { ContextOf, type ReplyTo, type SpawnOptions } from "./context.ts"
import { Ending } from "./ending.ts"
import { ActorTimer, Life, Outcome } from "./life.ts"
import { LocalRef } from "./local-ref.ts"
import { type Entry, Mailbox } from "./mailbox.ts"
import { type ActorRef, describeCause, type Ended, type EndReason, type Watcher } from "./ref.ts"
import { isEffect } from "./run-effect.ts"
import type { ActorSystem } from "./system.ts"
import type { Tap } from "./tap.ts"
import { Callback } from "./timer-wheel.ts"
import { partOf, TracedTell, within } from "./tracing.ts"

const defaultShutdownMillis = 5_000
const defaultStartMillis = 30_000
/** How long a killed actor may hold on to its fiber and scope before it is given up. */
const killGraceMillis = 5_000
const slowHandlerMillis = 50
const noTimeouts = Number.POSITIVE_INFINITY

type Signal =
  | { readonly _tag: "Notice"; readonly toMessage: () => Tagged }
  | { readonly _tag: "Child"; readonly signal: ChildSignal }

/** How a life ended, if that was not planned. */
export interface CrashSeen {
  readonly incarnation: number
  readonly atMillis: number
  readonly handling: string
  readonly cause: Cause.Cause<unknown>
}

export class Instance {
  readonly system: ActorSystem
  readonly parent: Instance | undefined
  readonly name: string
  definition: Definition
  readonly ref: LocalRef
  #options: SpawnOptions
  #args: unknown
  readonly #context: ContextOf

  status: ActorStatus = "starting"
  incarnation = 0
  handled = 0
  dropped = 0
  handlerMillis = 0
  lastCrash = ""
  crash: CrashSeen | undefined
  /** While somebody traces it, and what ends that. */
  tap: { readonly tap: Tap; readonly ends: Callback } | undefined
  #suspension: Callback | undefined
  children: Map<string, Instance> | undefined
  handlers: ErasedHandlers

  #state: unknown
  /** `init` is over and the state is there, though the actor may not have called itself ready. */
  #initialised = false
  #current: Tagged | Ask | undefined
  readonly #mailbox = new Mailbox()
  #signals: Ring<Signal> | undefined
  /** In the run queue, or busy: either way there is no need to enqueue it. */
  #scheduled = false
  #inRunQueue = false
  /** The effect of a handler, of init, onStop or of closing the scope is running. */
  #fiber: Fiber.RuntimeFiber<unknown, unknown> | undefined
  #ending: Ending | undefined
  #startTimer: Callback | undefined
  #stopTimer: Callback | undefined
  #life: Life | undefined
  #watchers: Set<Watcher> | undefined

  constructor(
    system: ActorSystem,
    parent: Instance | undefined,
    name: string,
    definition: Definition,
    args: unknown,
    options: SpawnOptions
  ) {
    this.system = system
    this.parent = parent
    this.name = name
    this.definition = definition
    this.handlers = definition.handlers
    this.#options = options
    this.#args = args
    this.ref = new LocalRef(this)
    this.#context = new ContextOf(this)
  }

  get path(): string {
    return this.parent === undefined ? `/${this.name}` : `${this.parent.path}/${this.name}`
  }

  // Starting

  start(): void {
    this.incarnation++
    this.status = "starting"
    this.#initialised = false
    this.handlers = this.definition.handlers
    let begun: unknown
    try {
      begun = this.definition.init(this.#context, this.#args)
    } catch (defect) {
      return this.#crash(Cause.die(defect))
    }
    if (isEffect(begun)) this.#initialise(begun)
    else this.#begin(begun)
  }

  /** Starts the next life of a kept actor. */
  restart(): void {
    if (this.status !== "down") return
    this.start()
    announce.restarted(this)
  }

  /** What its place holds from the next life on. */
  redeclare(definition: Definition, options: SpawnOptions, args: unknown): void {
    if (this.status !== "down") return
    this.definition = definition
    this.#options = options
    this.#args = args
  }

  #initialise(effect: Effect.Effect<unknown, unknown, unknown>): void {
    this.#expectReady()
    this.run(effect, (exit) => {
      if (Exit.isSuccess(exit)) this.#begin(exit.value)
      else if (this.#ending === undefined || !Cause.isInterruptedOnly(exit.cause)) this.#crash(exit.cause)
    })
  }

  /** From here on its start deadline runs, until it is ready or ends. */
  #expectReady(): void {
    const startMillis = toMillis(this.#options.startDeadline ?? defaultStartMillis)
    if (this.#startTimer !== undefined || startMillis === noTimeouts) return
    this.#startTimer = new Callback(() => {
      this.#end("crashed", Cause.fail(new StartTimedOut({ path: this.path, afterMillis: startMillis })))
      this.#interrupt()
    })
    this.system.timers.start(this.#startTimer, startMillis)
  }

  #started(): void {
    if (this.#startTimer !== undefined) this.system.timers.cancel(this.#startTimer)
    this.#startTimer = undefined
  }

  #begin(state: unknown): void {
    if (state === ignore) return this.#end("ignored", Cause.empty)
    this.#state = state
    this.#initialised = true
    if (this.status !== "starting") return this.#wake()
    if (this.definition.readiness !== "manual") return this.ready()
    this.#expectReady()
    this.#wakeIfWaiting()
  }

  /** Takes messages from now on, and tells the parent so. */
  ready(): void {
    if (this.status !== "starting") return
    this.#started()
    this.status = "running"
    announce.started(this)
    const { name, incarnation } = this
    if (this.parent === undefined) this.system.rootStarted()
    else this.parent.childSignal({ _tag: "ChildStarted", name, incarnation })
    this.#wakeIfWaiting()
  }

  // Receiving

  tell(message: Tagged): void {
    if (this.status !== "running" && this.status !== "starting")
      return this.#deadLetter(message._tag, this.#why())
    if (this.#mailbox.size >= this.definition.mailbox.capacity && !this.#makeRoom(message)) return
    this.#mailbox.push(message)
    if (!this.#scheduled) this.#schedule()
  }

  /** With a span, unless it has to wait for room or is refused. */
  tellTraced(told: TracedTell): void {
    if (this.status !== "running" || this.#mailbox.size >= this.definition.mailbox.capacity) {
      told.end("it is not taken at once")
      return this.tell(told.message)
    }
    this.#mailbox.push(told)
    this.#wake()
  }

  deliver(ask: Ask): void {
    if (this.status !== "running" && this.status !== "starting") {
      this.system.deadLetters.add(ask.path, ask.request._tag, this.#why())
      return ask.settle(this.#unavailable(ask))
    }
    if (this.#mailbox.size >= this.definition.mailbox.capacity && !this.#makeRoom(ask)) return
    ask.arm(this.system.timers)
    this.#mailbox.push(ask)
    if (!this.#scheduled) this.#schedule()
  }

  /** Its own timers and outcomes: as many as it started, so they need no bound and are never dropped. */
  acceptOwn(entry: ActorTimer | Outcome): void {
    if (this.status !== "running" && this.status !== "starting") return
    this.#mailbox.push(entry)
    if (!this.#scheduled) this.#schedule()
  }

  signal(signal: Signal): void {
    if (this.status !== "running" && this.status !== "starting") return
    this.#signals ??= new Ring(4)
    this.#signals.push(signal)
    if (!this.#scheduled) this.#schedule()
  }

  childSignal(signal: ChildSignal): void {
    if (this.#ending !== undefined) {
      this.#ending.waitsForChild = false
      this.#wake()
    } else if (this.definition.onChild !== undefined) this.signal({ _tag: "Child", signal })
  }

  /** An event it subscribed to. Whatever goes wrong here is no matter of the publisher. */
  hear(toMessage: () => Tagged): void {
    try {
      this.tell(toMessage())
    } catch (defect) {
      this.inject(Cause.die(defect))
    }
  }

  /** The mailbox is at its bound. True when the entry may be queued after all. */
  #makeRoom(entry: Tagged | Ask): boolean {
    const { capacity, overflow } = this.definition.mailbox
    if (this.#mailbox.purge(capacity)) return true
    if (entry instanceof Ask && overflow === "backpressure" && this.#mailbox.wait(entry, capacity)) {
      entry.arm(this.system.timers)
      return false
    }
    const oldest = overflow === "drop-oldest" ? this.#mailbox.takeOldest() : undefined
    this.#overflowed(oldest ?? entry, capacity)
    if (overflow === "fail" && !(entry instanceof Ask))
      throw new MailboxFull({ path: this.path, request: entry._tag, capacity })
    return oldest !== undefined
  }

  #overflowed(lost: Tagged | Ask | TracedTell, capacity: number): void {
    this.dropped++
    if (lost instanceof TracedTell) lost.end("mailbox full")
    this.system.deadLetters.add(this.path, tagOf(lost), "mailbox full")
    if (lost instanceof Ask)
      lost.settle(Exit.fail(new MailboxFull({ path: lost.path, request: lost.request._tag, capacity })))
    announce.overflowed(this, capacity)
  }

  #schedule(): void {
    this.#scheduled = true
    if (this.#inRunQueue) return
    this.#inRunQueue = true
    this.system.dispatcher.enqueue(this)
  }

  #wake(): void {
    if (!this.#scheduled) this.#schedule()
  }

  #wakeIfWaiting(): void {
    if (this.#mailbox.ready || (this.#signals !== undefined && this.#signals.size > 0)) this.#wake()
  }

  // Handling

  /** The dispatcher's call: signals first, then messages, until the mailbox is empty or the turn is over. */
  turn(messagesMax: number): number {
    this.#inRunQueue = false
    let handled = 0
    const { dispatcher } = this.system
    while (handled < messagesMax && this.#fiber === undefined) {
      if (this.#ending !== undefined) {
        this.#advanceEnding(this.#ending)
        break
      }
      if (!this.#initialised) break
      if (this.#signals !== undefined && this.#signals.size > 0) {
        handled++
        this.#handleSignal(this.#signals.shift())
        continue
      }
      if (this.status !== "running") break
      const entry = this.#mailbox.next()
      if (entry === undefined) break
      handled++
      if (--dispatcher.untilSample > 0) this.#handle(entry)
      else {
        this.#handleTimed(entry)
        if (dispatcher.yieldsToIo) break
      }
    }
    this.#scheduled = true
    if (this.#fiber !== undefined) return handled
    this.#current = undefined
    if (this.#hasWork()) this.#schedule()
    else this.#scheduled = false
    return handled
  }

  #hasWork(): boolean {
    if (this.#ending !== undefined) return !this.#ending.waitsForChild
    if (this.status === "running") {
      return this.#mailbox.ready || (this.#signals !== undefined && this.#signals.size > 0)
    }
    return (
      this.status === "starting" && this.#initialised && this.#signals !== undefined && this.#signals.size > 0
    )
  }

  #handleTimed(entry: Entry): void {
    const [millis, standsFor] = this.system.dispatcher.sample(() => this.#handle(entry))
    this.handlerMillis += millis * standsFor
    if (millis >= slowHandlerMillis) announce.slow(this, tagOf(this.#current), millis)
  }

  #handle(entry: Entry): void {
    if (entry._tag !== undefined) return this.#handleTell(entry)
    if (entry instanceof Ask) return this.#handleAsk(entry)
    if (entry instanceof ActorTimer) {
      const message = entry.taken()
      if (message !== undefined) this.#handleTell(message)
    } else if (entry instanceof Outcome) this.#handleMade(entry.toMessage)
    else this.#handleTell(entry.message, entry)
  }

  #handleMade(toMessage: () => Tagged): void {
    this.#current = undefined
    let message: Tagged
    try {
      message = toMessage()
    } catch (defect) {
      return this.#crash(Cause.die(defect))
    }
    this.#handleTell(message)
  }

  #handleSignal(signal: Signal | undefined): void {
    if (signal === undefined) return
    if (signal._tag === "Notice") return this.#handleMade(signal.toMessage)
    this.#current = undefined
    try {
      this.#state = this.definition.onChild?.(this.#state, signal.signal, this.#context)
    } catch (defect) {
      this.#crash(Cause.die(defect))
    }
  }

  #handleTell(message: Tagged, traced?: TracedTell): void {
    this.handled++
    let handler = this.handlers[message._tag]
    this.#current = message
    this.system.tracer?.(this.path, message._tag)
    this.tap?.tap.see(message, "tell", this.#mailbox.size)
    if (handler === undefined) return this.#deadLetter(message._tag, "unknown message")
    if (traced !== undefined) handler = traced.handles(this.system, handler)
    let next: unknown
    try {
      next = handler(this.#state, message, this.#context)
    } catch (defect) {
      return this.#crash(Cause.die(defect))
    }
    if (next === this.#state || typeof next !== "object" || next === null) this.#state = next
    else if (next instanceof Answer) this.#state = next.state
    else if (!isEffect(next)) this.#state = next
    else this.#handleEffect(next, undefined)
  }

  #handleAsk(ask: Ask): void {
    if (ask.withdrawn) return
    this.handled++
    const { _tag } = ask.request
    let handler = this.handlers[_tag]
    this.#current = ask
    this.system.tracer?.(this.path, _tag)
    this.tap?.tap.see(ask.request, "ask", this.#mailbox.size)
    if (handler === undefined) {
      const accepts = [...this.definition.messages.keys()]
      return ask.settle(Exit.fail(new UnknownMessage({ path: this.path, request: _tag, accepts })))
    }
    let answer: unknown
    if (ask.span !== undefined) handler = within(this.system, ask.span, handler)
    try {
      answer = handler(this.#state, ask.request, this.#context)
    } catch (defect) {
      return this.#crash(Cause.die(defect))
    }
    if (answer instanceof Answer) this.#answer(ask, answer)
    else if (isEffect(answer)) this.#handleEffect(partOf(answer, ask, this.system.spans), ask)
    else
      this.#crash(Cause.die(new TypeError(`the handler of ${_tag} returned neither an answer nor an effect`)))
  }

  /** What it handles, if somebody waits for the answer. */
  get asked(): Ask | undefined {
    return this.#current instanceof Ask ? this.#current : undefined
  }

  #answer(ask: Ask, answer: Answer<unknown, unknown, unknown>): void {
    this.#state = answer.state
    if (answer.kind === "reply") ask.settle(Exit.succeed(answer.value))
    else if (answer.kind === "refuse") ask.settle(Exit.fail(answer.value))
  }

  #handleEffect(effect: Effect.Effect<unknown, unknown, unknown>, ask: Ask | undefined): void {
    const startMillis = this.system.clock.nowMillis()
    this.run(effect, (exit) => {
      this.handlerMillis += this.system.clock.nowMillis() - startMillis
      if (Exit.isSuccess(exit)) {
        const { value } = exit
        if (!(value instanceof Answer)) this.#state = value
        else if (ask === undefined) this.#state = value.state
        else this.#answer(ask, value)
        return
      }
      const failure = Cause.failureOption(exit.cause)
      if (ask !== undefined && Option.isSome(failure) && !Cause.isDie(exit.cause))
        ask.settle(Exit.fail(failure.value))
      else if (this.#ending !== undefined && Cause.isInterruptedOnly(exit.cause))
        this.#dropCurrent("it was killed")
      else this.#crash(exit.cause)
    })
  }

  /** Runs an effect of this life; until it ends no message is handled. */
  run(
    effect: Effect.Effect<unknown, unknown, unknown>,
    done: (exit: Exit.Exit<unknown, unknown>) => void
  ): void {
    const fiber = Runtime.runFork(this.life().runtime())(effect)
    const exit = fiber.unsafePoll()
    if (exit !== null) return done(exit)
    this.#fiber = fiber
    this.#scheduled = true
    // Killed by what this effect did before it first waited.
    if (this.#ending?.killed === true) this.#interrupt()
    fiber.addObserver((late) => {
      // Given up meanwhile: this life is over and another may have begun.
      if (this.#fiber !== fiber) return
      this.#fiber = undefined
      done(late)
      this.#schedule()
    })
  }

  #interrupt(): void {
    this.#fiber?.unsafeInterruptAsFork(FiberId.none)
  }

  // What handlers do through their context

  life(): Life {
    if (this.#life !== undefined) return this.#life
    const life = new Life(this)
    // Between two lives and after the last there is none: what a leftover of one starts is void.
    if (this.status === "down" || this.status === "gone") life.over = true
    else this.#life = life
    return life
  }

  register(name: string): void {
    Either.getOrThrowWith(this.system.names.register(name, this.ref), (taken) => taken)
    this.life().onEnd(() => this.system.names.unregister(name, this.ref))
  }

  link(ref: ActorRef<never>): void {
    this.life().linkTo(ref)
    if (ref instanceof LocalRef && ref.instance.#ending === undefined) ref.instance.life().linkTo(this.ref)
  }

  spawn(definition: Definition, options: SpawnOptions, args: unknown): Instance {
    this.children ??= new Map()
    const name = options.name ?? this.#freeName(definition.name)
    const holder = this.children.get(name)
    if (name === "" || name.includes("/")) {
      const reason = "a name is a step of a path, so it is not empty and has no slash"
      throw new StartFailed({ path: `${this.path}/${name}`, reason })
    }
    if (holder !== undefined) throw new NameTaken({ name, holder: holder.path })
    if (this.status === "down" || this.status === "gone" || this.#ending?.children !== undefined)
      throw new StartFailed({ path: `${this.path}/${name}`, reason: `its parent is ${this.status}` })
    const child = new Instance(this.system, this, name, definition, args, options)
    this.children.set(name, child)
    this.system.actors++
    child.start()
    return child
  }

  #names = 0
  #freeName(base: string): string {
    if (this.children?.has(base) !== true) return base
    let name: string
    do name = `${base}-${++this.#names}`
    while (this.children.has(name))
    return name
  }

  forgetChild(name: string): void {
    const child = this.children?.get(name)
    if (child?.status !== "down") return
    this.children?.delete(name)
    this.system.actors--
    child.status = "gone"
  }

  replyTo(request: Tagged): ReplyTo<unknown, unknown> {
    const ask = this.#current
    if (!(ask instanceof Ask) || ask.request !== request) {
      throw new Error(
        `${this.path} may take the reply token of ${request._tag} only while it handles that very ask`
      )
    }
    const life = this.life()
    life.defer(ask)
    const settle = (exit: Exit.Exit<unknown, unknown>) => {
      life.answered(ask)
      ask.settle(exit)
    }
    return { reply: (value) => settle(Exit.succeed(value)), refuse: (failure) => settle(Exit.fail(failure)) }
  }

  stashCurrent(): void {
    if (this.#current !== undefined) this.life().stash(this.#current, tagOf(this.#current))
  }

  unstash(): void {
    const stashed = this.life().takeStash()
    for (let index = stashed.length - 1; index >= 0; index--) {
      const entry = stashed[index]
      if (entry !== undefined) this.#mailbox.unshift(entry)
    }
    this.#wakeIfWaiting()
  }

  // Ending

  /** What its parent does to stop it. */
  requestStop(): void {
    if (this.#options.shutdown === "kill") this.kill()
    else this.stop("shutdown")
  }

  /** Stops after the current handler: children first, then itself, killed when that takes too long. */
  stop(reason: EndReason, cause: Cause.Cause<unknown> = Cause.empty): void {
    if (this.status !== "running" && this.status !== "starting") return
    const neverBegan = this.status === "starting" && !this.#initialised
    this.#end(reason, cause)
    if (neverBegan) this.#interrupt()
  }

  /** Ends it and all below at once: fibers are interrupted, `onStop` does not run, scopes still close. */
  kill(): void {
    if (this.status === "down" || this.status === "gone") return
    if (this.#ending === undefined) this.#end("killed", Cause.empty)
    const ending = this.#ending
    if (ending === undefined || ending.killed) return
    ending.kill()
    this.#interrupt()
    if (this.children !== undefined) for (const child of this.children.values()) child.kill()
    if (this.#stopTimer !== undefined) this.system.timers.cancel(this.#stopTimer)
    this.#stopTimer = new Callback(() => this.#abandon())
    this.system.timers.start(this.#stopTimer, killGraceMillis)
    this.#wake()
  }

  /** Crashes it from outside, as if what it is doing had died of the cause. False where no life is there to end. */
  inject(cause: Cause.Cause<unknown>): boolean {
    if (this.status !== "running" && this.status !== "starting") return false
    this.#crash(cause)
    this.#interrupt()
    return true
  }

  /** A link broke. That does not wait for the effect of a handler, since its end may be what the effect waits for. */
  unlinked({ cause, path, reason }: Ended): void {
    const broken = Cause.die(new LinkedActorEnded({ path: this.path, linked: path, reason }))
    this.inject(Cause.sequential(broken, cause))
  }

  #crash(cause: Cause.Cause<unknown>): void {
    if (this.#current instanceof Ask) this.#dropCurrent(describeCause(cause))
    if (this.#ending === undefined) this.#end("crashed", cause)
    else this.#ending.add(cause)
  }

  /** The asker of what is being handled learns that it may be half done. */
  #dropCurrent(reason: string): void {
    const ask = this.#current
    if (!(ask instanceof Ask)) return
    ask.settle(Exit.fail(new ActorCrashed({ path: ask.path, request: ask.request._tag, reason })))
  }

  /** The beginning of the end: nothing is accepted from here on, and what waited is refused. */
  #end(reason: EndReason, cause: Cause.Cause<unknown>): void {
    if (this.#ending !== undefined) return
    const duringInit = this.status === "starting"
    this.#ending = new Ending(this, reason, cause, duringInit)
    this.status = "stopping"
    this.resume()
    this.#started()
    this.#refuseQueued()
    const shutdownMillis = this.#shutdownMillis
    if (shutdownMillis !== noTimeouts) {
      this.#stopTimer = new Callback(() => this.kill())
      this.system.timers.start(this.#stopTimer, shutdownMillis)
    }
    if (reason === "crashed") this.reportCrash(cause)
    else if (!Cause.isEmpty(cause)) this.#noteCrash(cause)
    this.#wake()
  }

  get #shutdownMillis(): number {
    const { shutdown } = this.#options
    if (shutdown !== undefined && shutdown !== "kill") return toMillis(shutdown)
    // All below the root have deadlines of their own, one after the other.
    return this.parent === undefined ? noTimeouts : defaultShutdownMillis
  }

  /** For its ending, too. */
  reportCrash(cause: Cause.Cause<unknown>): void {
    this.#noteCrash(cause)
    announce.failed(this, tagOf(this.#current), cause)
  }

  #noteCrash(cause: Cause.Cause<unknown>): void {
    this.lastCrash = describeCause(cause)
    const atMillis = this.system.clock.wallMillis()
    this.crash = { incarnation: this.incarnation, atMillis, handling: tagOf(this.#current), cause }
  }

  #refuseQueued(): void {
    this.#mailbox.drain((entry) => this.#refuse(entry))
    this.#signals = undefined
  }

  /** What this life had promised to answer or to handle later. */
  #refuseKept(): void {
    const { deferred, stashed } = this.#life?.release() ?? { deferred: [], stashed: [] }
    for (const entry of stashed) this.#refuse(entry)
    for (const ask of deferred) {
      const reason = "it ended before it answered"
      ask.settle(Exit.fail(new ActorCrashed({ path: ask.path, request: ask.request._tag, reason })))
    }
  }

  #refuse(entry: Entry): void {
    if (entry instanceof Ask) {
      if (!entry.withdrawn) {
        this.system.deadLetters.add(entry.path, entry.request._tag, this.#why())
        entry.settle(this.#unavailable(entry))
      }
    } else if (entry instanceof TracedTell) {
      entry.end(this.#why())
      this.#deadLetter(entry.message._tag, this.#why())
    } else if (entry._tag !== undefined) this.#deadLetter(entry._tag, this.#why())
  }

  #advanceEnding(ending: Ending): void {
    this.#refuseKept()
    if (ending.advance()) this.#finish(ending)
  }

  /** For its ending. */
  get busy(): boolean {
    return this.#fiber !== undefined
  }

  /** For its ending. */
  stopHook(ended: Ended): unknown {
    return this.#initialised ? this.definition.onStop?.(this.#state, ended) : undefined
  }

  /** For its ending. */
  closing(exit: Exit.Exit<unknown, unknown>): Effect.Effect<void> | undefined {
    return this.#life?.close(exit)
  }

  /** A killed actor whose fiber or finalizer does not end: that is left behind, and the ending goes on. */
  #abandon(): void {
    if (this.#stopTimer !== undefined) this.system.timers.start(this.#stopTimer, killGraceMillis)
    // Without a fiber it waits for a child, which is given up by itself.
    if (this.#fiber === undefined) return
    announce.abandoned(this)
    this.#dropCurrent("it was killed")
    this.#fiber = undefined
    this.#schedule()
  }

  #finish(ending: Ending): void {
    if (this.#stopTimer !== undefined) this.system.timers.cancel(this.#stopTimer)
    this.#stopTimer = undefined
    this.#life?.release()
    this.#life = undefined
    this.#state = undefined
    this.#initialised = false
    this.#ending = undefined
    this.#current = undefined
    this.handlers = this.definition.handlers
    const { ended } = ending
    const kept = this.#options.keep === true && this.parent?.status !== "stopping"
    this.status = kept ? "down" : "gone"
    if (!kept) this.#args = undefined
    if (!kept && this.parent?.children?.get(this.name) === this) {
      this.parent.children.delete(this.name)
      this.system.actors--
    }
    announce.ended(this, ended)
    const watchers = this.#watchers
    this.#watchers = undefined
    if (watchers !== undefined) for (const watcher of watchers) watcher.notice(ended)
    if (this.parent === undefined) this.system.rootEnded(ended)
    else this.parent.childSignal({ _tag: "ChildEnded", name: this.name, ended })
  }

  // Operating it from outside

  /** Its mailbox waits until it is resumed, or so long; its signals and its end do not. */
  suspend(forMillis: number): void {
    this.resume()
    this.#suspension = new Callback(() => this.resume())
    this.system.timers.start(this.#suspension, forMillis)
    this.#mailbox.held = true
  }

  /** False where it was not suspended. */
  resume(): boolean {
    if (this.#suspension === undefined) return false
    this.system.timers.cancel(this.#suspension)
    this.#suspension = undefined
    this.#mailbox.held = false
    this.#wakeIfWaiting()
    return true
  }

  get isSuspended(): boolean {
    return this.#suspension !== undefined
  }

  get queued(): number {
    return this.#mailbox.size
  }

  // Watching it from outside

  addWatcher(watcher: Watcher): void {
    if (this.status !== "down" && this.status !== "gone") {
      this.#watchers ??= new Set()
      this.#watchers.add(watcher)
      return
    }
    const { incarnation, path } = this
    watcher.notice({ path, incarnation, reason: "absent", cause: Cause.empty, duringInit: false })
  }

  removeWatcher(watcher: Watcher): void {
    this.#watchers?.delete(watcher)
  }

  snapshot(depth: number): ActorSnapshot {
    const below = depth > 0 && this.children !== undefined ? [...this.children.values()] : []
    return {
      path: this.path,
      name: this.name,
      kind: this.definition.kind,
      role: this.#options.role ?? "",
      status: this.isSuspended ? "suspended" : this.status,
      incarnation: this.incarnation,
      mailbox: this.#mailbox.size,
      handled: this.handled,
      dropped: this.dropped,
      handlerMillis: this.handlerMillis,
      lastCrash: this.lastCrash,
      children: below.map((child) => child.snapshot(depth - 1))
    }
  }

  inspect(): unknown {
    if (!this.#initialised) return undefined
    try {
      return this.definition.inspect?.(this.#state)
    } catch (defect) {
      return `its inspect threw ${describeCause(Cause.die(defect))}`
    }
  }

  #why(): "stopped" | "stopping" | "restarting" {
    if (this.status === "stopping") return "stopping"
    return this.status === "down" ? "restarting" : "stopped"
  }

  #unavailable(ask: Ask) {
    return Exit.fail(new ActorUnavailable({ path: ask.path, request: ask.request._tag, why: this.#why() }))
  }

  #deadLetter(tag: string, why: string): void {
    this.dropped++
    this.system.deadLetters.add(this.path, tag, why)
  }
}

const tagOf = (entry: Tagged | Ask | TracedTell | undefined): string => {
  if (entry instanceof Ask) return entry.request._tag
  if (entry instanceof TracedTell) return entry.message._tag
  return entry === undefined ? "" : entry._tag
}
