/**
 * Asks: a request on its way to an actor, and whatever waits for its answer.
 *
 * An ask is settled exactly once: by the answer, by a fault, or by its deadline. One that is settled, or
 * whose asking fiber was interrupted meanwhile, is skipped when its turn comes: it was withdrawn.
 */

import type { Fiber, Schema } from "effect"
import { Cause, Duration, Effect, Exit, FiberRef, RuntimeFlags } from "effect"
import type { DeliveryFault } from "#protocols/delivery.ts"
import { DeadlineExceeded } from "#protocols/delivery.ts"
import type { ActorRef } from "./ref.ts"
import { Timer } from "./timer-wheel.ts"
import type { Timers } from "./timers.ts"
import { problemOf, type Span, spanWithin } from "./tracing.ts"

/** Any request class instance: what can be asked. */
export type Request = Schema.TaggedRequest.All
export type Success<Asked> =
  Asked extends Schema.WithResult<infer A, infer _I, infer _E, infer _EI, infer _R> ? A : never
export type Failure<Asked> =
  Asked extends Schema.WithResult<infer _A, infer _I, infer E, infer _EI, infer _R> ? E : never
export type Answered<Asked> = Exit.Exit<Success<Asked>, Failure<Asked> | DeliveryFault>

/** The request and its way back. The answer's type is the request's; the ask itself does not know it. */
export class Ask extends Timer {
  readonly request: Tagged
  readonly path: string
  readonly #resume: (exit: Exit.Exit<unknown, unknown>) => void
  readonly #deadlineMillis: number
  readonly #asker: Fiber.RuntimeFiber<unknown, unknown> | undefined
  #timers: Timers | undefined
  settled = false
  /** Of few, where something is traced: it ends with the ask, and is gone then. */
  span: Span | undefined = undefined
  /** Told once, when it is settled for whatever reason. For whoever carries it across a boundary. */
  onSettled: (() => void) | undefined = undefined

  constructor(
    request: Tagged,
    path: string,
    deadlineMillis: number,
    resume: (exit: Exit.Exit<unknown, unknown>) => void,
    asker: Fiber.RuntimeFiber<unknown, unknown> | undefined
  ) {
    super()
    this.request = request
    this.path = path
    this.#deadlineMillis = deadlineMillis
    this.#resume = resume
    this.#asker = asker
  }

  get deadlineMillis(): number {
    return this.#deadlineMillis
  }

  /** Starts the clock. An ask that was refused at once never gets this far. */
  arm(timers: Timers): void {
    this.#timers = timers
    timers.start(this, this.#deadlineMillis)
  }

  /** Nobody waits any more: answered, expired, or the asking fiber was interrupted. */
  get withdrawn(): boolean {
    if (this.settled) return true
    const interrupted =
      this.#asker !== undefined && !Cause.isEmpty(this.#asker.getFiberRef(FiberRef.interruptedCause))
    if (interrupted) this.settle(Exit.void)
    return interrupted
  }

  settle(exit: Exit.Exit<unknown, unknown>): void {
    if (this.settled) return
    this.settled = true
    this.#timers?.cancel(this)
    this.onSettled?.()
    if (this.span !== undefined) this.endSpan(problemOf(exit))
    this.#resume(exit)
  }

  /** Ahead of the ask itself, where it is known how that ends. */
  endSpan(problem: string | undefined): void {
    const { span } = this
    this.span = undefined
    span?.end(problem)
  }

  /** Settles it as soon as the asking fiber is gone, so that the other side can be told. */
  settleWithAsker(): void {
    const asker = this.#asker
    if (asker === undefined) return
    const gone = () => this.settle(Exit.void)
    const { onSettled } = this
    this.onSettled = () => {
      asker.removeObserver(gone)
      onSettled?.()
    }
    asker.addObserver(gone)
  }

  override fire(): void {
    this.settle(
      Exit.fail(
        new DeadlineExceeded({
          path: this.path,
          request: this.request._tag,
          deadlineMillis: this.#deadlineMillis
        })
      )
    )
  }
}

export interface Tagged {
  readonly _tag: string
}

/**
 * Sends a request and waits for its answer, at most until the deadline.
 *
 * Fails with the request's own failure or with a `DeliveryFault`. Interrupting the waiting fiber
 * withdraws a request that was not handled yet.
 */
export const ask = <Asked extends Request>(
  ref: ActorRef<Asked>,
  request: Asked,
  deadline: Duration.DurationInput
): Effect.Effect<Success<Asked>, Failure<Asked> | DeliveryFault> =>
  Effect.withFiberRuntime((fiber, status) => {
    // In an uninterruptible region, such as a finalizer of an interrupted fiber, the ask goes through.
    const asker = RuntimeFlags.interruptible(status.runtimeFlags) ? fiber : undefined
    return Effect.async((resume: (exit: Answered<Asked>) => void) => {
      const asked = new Ask(request, ref.path, toMillis(deadline), settleWith(resume), asker)
      if (fiber.currentSpan !== undefined) asked.span = spanWithin(fiber.currentSpan, ref.path, request._tag)
      ref.deliver(asked)
    })
  })

/** The one place where an answer regains the type that its request declares. */
const settleWith =
  <Asked>(resume: (exit: Answered<Asked>) => void) =>
  (exit: Exit.Exit<unknown, unknown>): void =>
    resume(exit as Answered<Asked>)

export const askWith = <Asked extends Request>(
  ref: ActorRef<Asked>,
  request: Asked,
  deadline: Duration.DurationInput,
  answered: (exit: Answered<Asked>) => void,
  span?: Span
): void => {
  const asked = new Ask(request, ref.path, toMillis(deadline), settleWith(answered), undefined)
  asked.span = span
  ref.deliver(asked)
}

const decoded = new Map<string, number>()

/** Durations written as text are few and repeated, and parsing one costs more than the whole ask. */
export const toMillis = (duration: Duration.DurationInput): number => {
  if (typeof duration === "number") return duration >= 0 ? duration : 0
  if (typeof duration !== "string") return Duration.toMillis(duration)
  let millis = decoded.get(duration)
  if (millis === undefined) {
    millis = Duration.toMillis(duration)
    if (decoded.size < 1_000) decoded.set(duration, millis)
  }
  return millis
}
