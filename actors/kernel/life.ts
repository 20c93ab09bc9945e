/**
 * What one life of an actor holds and must give back when it ends: timers, watches, links,
 * subscriptions, names, piped effects, stashed messages, asks to be answered later, and its scope.
 *
 * Most actors hold none of it, so an instance makes its `Life` when it first needs one.
 */

import { Context, Effect, Exit, Fiber, FiberId, Runtime, Scope } from "effect"
import { StashFull } from "#protocols/runtime.ts"
import type { Ask, Tagged } from "./ask.ts"
import type { Instance } from "./instance.ts"
import { type ActorRef, type Ended, isAbnormal, type Watcher } from "./ref.ts"
import { Callback, Timer } from "./timer-wheel.ts"

const timersMax = 10_000

/** A timer of an actor. It waits in the mailbox as itself, so that cancelling it also recalls a message that waits. */
export class ActorTimer extends Timer {
  readonly #life: Life
  readonly key: string | number
  readonly message: Tagged
  readonly #intervalMillis: number | undefined
  cancelled = false
  #waits = false

  constructor(life: Life, key: string | number, message: Tagged, intervalMillis: number | undefined) {
    super()
    this.#life = life
    this.key = key
    this.message = message
    this.#intervalMillis = intervalMillis
  }

  get repeats(): boolean {
    return this.#intervalMillis !== undefined
  }

  override fire(): void {
    const { instance } = this.#life
    if (this.#intervalMillis !== undefined) instance.system.timers.repeat(this, this.#intervalMillis)
    if (this.#waits) return
    this.#waits = true
    instance.acceptOwn(this)
  }

  /** Its message is about to be handled, unless it was cancelled while it waited. */
  taken(): Tagged | undefined {
    this.#waits = false
    if (this.cancelled) return undefined
    if (!this.repeats) this.#life.forgetTimer(this)
    return this.message
  }
}

/** An outcome on its way back into the mailbox; the message is made when it is handled. */
export class Outcome {
  readonly _tag = undefined
  readonly toMessage: () => Tagged

  constructor(toMessage: () => Tagged) {
    this.toMessage = toMessage
  }
}

/** How long an effect may take, and what it fails with when it takes longer. A timer, where `Effect.timeout` is two fibers. */
export interface Within<E> {
  readonly millis: number
  readonly fault: () => E
}

export class Life {
  readonly instance: Instance
  /** By their key; those without one by a number. */
  readonly #timers = new Map<string | number, ActorTimer>()
  readonly #watches = new Map<ActorRef<never>, Watcher>()
  readonly #links = new Map<ActorRef<never>, Watcher>()
  readonly #fibers = new Set<Fiber.RuntimeFiber<unknown, unknown>>()
  #disposers: Array<() => void> = []
  readonly #deferred = new Set<Ask>()
  /** How many it holds before it looks for those that expired. */
  #deferredMax = 1_000
  #stash: Array<Tagged | Ask> = []
  #timerKeys = 0
  #scope: Scope.CloseableScope | undefined
  #runtime: Runtime.Runtime<unknown> | undefined
  over = false

  constructor(instance: Instance) {
    this.instance = instance
  }

  startTimer(delayMillis: number, intervalMillis: number | undefined, message: Tagged, key?: string): void {
    if (this.over) return
    const name = key ?? this.#timerKeys++
    this.cancelTimer(name)
    if (this.#timers.size >= timersMax) {
      throw new Error(
        `${this.instance.path} has ${timersMax} timers running already; cancel some or use one periodic timer`
      )
    }
    const timer = new ActorTimer(this, name, message, intervalMillis)
    this.#timers.set(name, timer)
    this.instance.system.timers.start(timer, delayMillis)
  }

  cancelTimer(key: string | number): void {
    const timer = this.#timers.get(key)
    if (timer === undefined) return
    this.#timers.delete(key)
    timer.cancelled = true
    this.instance.system.timers.cancel(timer)
  }

  forgetTimer(timer: ActorTimer): void {
    if (this.#timers.get(timer.key) === timer) this.#timers.delete(timer.key)
  }

  watch(ref: ActorRef<never>, toMessage: (ended: Ended) => Tagged): void {
    if (this.over) return
    this.unwatch(ref)
    const watcher: Watcher = {
      notice: (ended) => {
        if (this.over || this.#watches.get(ref) !== watcher) return
        this.#watches.delete(ref)
        this.instance.signal({ _tag: "Notice", toMessage: () => toMessage(ended) })
      }
    }
    this.#watches.set(ref, watcher)
    ref.addWatcher(watcher)
  }

  unwatch(ref: ActorRef<never>): void {
    const watcher = this.#watches.get(ref)
    if (watcher === undefined) return
    this.#watches.delete(ref)
    ref.removeWatcher(watcher)
  }

  /** One half of a link; the other actor's life holds the other half. */
  linkTo(ref: ActorRef<never>): void {
    if (this.over || this.#links.has(ref)) return
    const watcher: Watcher = {
      notice: (ended) => {
        if (this.over || !this.#links.delete(ref)) return
        if (isAbnormal(ended.reason) || ended.reason === "absent") this.instance.unlinked(ended)
      }
    }
    this.#links.set(ref, watcher)
    ref.addWatcher(watcher)
  }

  /** Puts an outcome into the mailbox, unless this life is over by then. */
  outcome(toMessage: () => Tagged): void {
    if (!this.over) this.instance.acceptOwn(new Outcome(toMessage))
  }

  onEnd(dispose: () => void): void {
    if (this.over) dispose()
    else this.#disposers.push(dispose)
  }

  pipe<A, E>(
    effect: Effect.Effect<A, E, unknown>,
    toMessage: (exit: Exit.Exit<A, E>) => Tagged,
    within?: Within<E>
  ): void {
    if (this.over) return
    const fiber = Runtime.runFork(this.runtime())(effect)
    const done = fiber.unsafePoll()
    if (done !== null) return this.outcome(() => toMessage(done))
    this.#fibers.add(fiber)
    let isLate = false
    const deadline = new Callback(() => {
      isLate = true
      fiber.unsafeInterruptAsFork(FiberId.none)
    })
    const { timers } = this.instance.system
    if (within !== undefined) timers.start(deadline, within.millis)
    fiber.addObserver((exit) => {
      this.#fibers.delete(fiber)
      timers.cancel(deadline)
      const late = isLate && Exit.isInterrupted(exit) ? within : undefined
      this.outcome(() => toMessage(late === undefined ? exit : Exit.fail(late.fault())))
    })
  }

  defer(ask: Ask): void {
    this.#deferred.add(ask)
    if (this.#deferred.size < this.#deferredMax) return
    for (const other of this.#deferred) if (other.settled) this.#deferred.delete(other)
    this.#deferredMax = Math.max(1_000, this.#deferred.size * 2)
  }

  answered(ask: Ask): void {
    this.#deferred.delete(ask)
  }

  stash(entry: Tagged | Ask, tag: string): void {
    const { stashMax } = this.instance.definition
    if (this.#stash.length >= stashMax)
      throw new StashFull({ path: this.instance.path, request: tag, stashMax })
    this.#stash.push(entry)
  }

  takeStash(): ReadonlyArray<Tagged | Ask> {
    const stashed = this.#stash
    this.#stash = []
    return stashed
  }

  /** Runs effects of this life: the system's services and this life's scope. */
  runtime(): Runtime.Runtime<unknown> {
    if (this.#runtime === undefined) {
      const { runtime } = this.instance.system
      this.#scope = Effect.runSync(Scope.make())
      this.#runtime = Runtime.make({
        context: Context.add(runtime.context, Scope.Scope, this.#scope),
        fiberRefs: runtime.fiberRefs,
        runtimeFlags: runtime.runtimeFlags
      })
    }
    return this.#runtime
  }

  /** Gives back all that needs no waiting. Returns the asks that will not be answered, and what was stashed. */
  release(): { readonly deferred: ReadonlyArray<Ask>; readonly stashed: ReadonlyArray<Tagged | Ask> } {
    this.over = true
    for (const key of [...this.#timers.keys()]) this.cancelTimer(key)
    for (const [ref, watcher] of this.#watches) ref.removeWatcher(watcher)
    this.#watches.clear()
    for (const [ref, watcher] of this.#links) ref.removeWatcher(watcher)
    this.#links.clear()
    for (const dispose of this.#disposers) dispose()
    this.#disposers = []
    const deferred = [...this.#deferred]
    this.#deferred.clear()
    return { deferred, stashed: this.takeStash() }
  }

  /** Interrupts piped effects, then closes the scope. Undefined when there is nothing to close. */
  close(exit: Exit.Exit<unknown, unknown>): Effect.Effect<void> | undefined {
    const scope = this.#scope
    if (scope === undefined) return undefined
    // Not even a kill leaves a finalizer half done: one that takes too long is left behind, running.
    return Effect.uninterruptible(
      Effect.zipRight(Fiber.interruptAllAs(this.#fibers, FiberId.none), Scope.close(scope, exit))
    )
  }
}
