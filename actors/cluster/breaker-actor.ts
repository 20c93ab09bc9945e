/**
 * The circuit breaker as an actor: a `Breaker` that the callers of one process share, and the actor that
 * speaks for it.
 *
 *   caller ──askThrough──► Breaker (shared object) ──ask──► target
 *                             ▲    │ changes, in order
 *              trip, reset,   │    ▼
 *              hold, release  └─ BreakerActor ──► events
 *
 * A closed breaker costs a caller about a microsecond and no message: the state machine lives in the
 * object, not behind a mailbox. Only changes, which are rare, go to the actor. It publishes them, wakes
 * the breaker when its wait is over, and takes the orders of operators.
 *
 * Whoever makes the calls declares the `Breaker` once, starts the actor with it (in its tree, before
 * itself, or as its child) and asks through it. The object outlives the actor: while the actor is down
 * callers are protected as before, and its next life publishes what it missed.
 */
import { Cause, Effect, Exit, Option, Schema } from "effect"
import * as Actor from "#actors/kernel/actor.ts"
import { ask, type Failure, type Request, type Success } from "#actors/kernel/ask.ts"
import type { ActorContext } from "#actors/kernel/context.ts"
import type { ActorRef } from "#actors/kernel/ref.ts"
import {
  BreakerChanged,
  type BreakerEvent,
  BreakerHeld,
  BreakerHoldBegan,
  BreakerHoldEnded,
  BreakerOpen,
  type BreakerStatus,
  GetBreaker,
  HoldBreaker,
  type Order,
  ReleaseBreaker,
  ResetBreaker,
  TripBreaker
} from "#protocols/breakers.ts"
import {
  ActorCrashed,
  ActorUnavailable,
  DeadlineExceeded,
  type DeliveryFault,
  LinkLost,
  MailboxFull
} from "#protocols/delivery.ts"
import {
  type BreakerChange,
  type BreakerRules,
  CircuitBreaker,
  defaultRules,
  type Permit
} from "./circuit-breaker.ts"

/** Changes that wait for the actor; of more the oldest are lost. */
const unpublishedMax = 100

/** What the object needs of the world. It has it from its actor. */
interface Outside {
  readonly nowMillis: () => number
  readonly changed: () => void
}

/** One per target and process. */
export class Breaker {
  readonly name: string
  readonly #core: CircuitBreaker
  readonly #failureCounts: (failure: unknown) => boolean
  #outside: Outside | undefined
  #unpublished: Array<BreakerChange> = []

  /** `failureCounts`: which of the requests' own failures mean that the target is unwell. None unless stated. */
  constructor(
    name: string,
    rules: Partial<BreakerRules> = {},
    failureCounts: (failure: unknown) => boolean = () => false
  ) {
    this.name = name
    this.#failureCounts = failureCounts
    this.#core = new CircuitBreaker({ ...defaultRules, ...rules }, (change) => {
      this.#unpublished.push(change)
      if (this.#unpublished.length > unpublishedMax) this.#unpublished.shift()
      this.#outside?.changed()
    })
  }

  get core(): CircuitBreaker {
    return this.#core
  }

  get status(): BreakerStatus {
    return { breaker: this.name, ...this.#core.status(this.nowMillis) }
  }

  /** For its actor, at the start of each life. */
  attach(outside: Outside): void {
    this.#outside = outside
  }

  /** For its actor: what it has not published yet, oldest first. */
  takeChanges(): ReadonlyArray<BreakerChange> {
    const changes = this.#unpublished
    this.#unpublished = []
    return changes
  }

  get nowMillis(): number {
    if (this.#outside === undefined) {
      throw new Error(
        `breaker ${this.name} has no actor yet, so it has no clock: start its BreakerActor before whoever asks through it`
      )
    }
    return this.#outside.nowMillis()
  }

  refusal(path: string, request: string): BreakerOpen {
    const { held, reason, state } = this.#core
    return new BreakerOpen({
      breaker: this.name,
      path,
      request,
      state,
      reason,
      held: held !== undefined,
      remainingMillis: this.#core.remainingMillis(this.nowMillis)
    })
  }

  /** Whether the end of a call says that the target is unwell; undefined: it says nothing. */
  blames(cause: Cause.Cause<unknown>): boolean | undefined {
    if (Cause.isInterruptedOnly(cause)) return undefined
    const failure = Cause.failureOption(cause)
    if (Option.isNone(failure) || Option.isSome(Cause.dieOption(cause))) return true
    return isTargetsFault(failure.value) || this.#failureCounts(failure.value)
  }

  /** An admitted call has ended. Who gave up after a long wait knows at least that the target is slow. */
  bringBack(permit: Permit, fromMillis: number, blamed: boolean | undefined): void {
    const { nowMillis } = this
    const tookMillis = nowMillis - fromMillis
    if (blamed === undefined && tookMillis < this.#core.rules.slowMillis) this.#core.abandon(permit)
    else this.#core.settle(permit, blamed === true, tookMillis, nowMillis)
  }
}

/** The other two faults of delivery are the caller's own: such a message will be refused by a healthy target too. */
const isTargetsFault = (failure: unknown): boolean =>
  failure instanceof DeadlineExceeded ||
  failure instanceof ActorCrashed ||
  failure instanceof ActorUnavailable ||
  failure instanceof LinkLost ||
  failure instanceof MailboxFull

type Through<Asked> = Effect.Effect<Success<Asked>, Failure<Asked> | DeliveryFault | BreakerOpen>

/**
 * Asks, unless the breaker is open: then it fails with `BreakerOpen` at once and the target hears nothing.
 *
 * As a failure counts what says that the target is unwell: a deadline that passed, a crash, a lost link,
 * nobody there, a full mailbox, and a defect. The request's own failure is an answer and does not count,
 * unless the breaker was declared with a predicate that says so; neither does a message that the target
 * does not know or cannot read, which is the caller's mistake. A call that takes `slowMillis` or longer
 * counts as slow, whatever comes of it, and also when its caller gave up waiting; one that was
 * interrupted earlier does not count at all.
 *
 * A handler that must not wait pipes it: `context.pipe(askThrough(…), (exit) => message)`.
 */
export const askThrough = <Asked extends Request>(
  breaker: Breaker,
  ref: ActorRef<Asked>,
  request: Asked,
  deadline: Parameters<typeof ask>[2]
): Through<Asked> =>
  // Nothing may come between a permit and its return.
  Effect.uninterruptibleMask((restore): Through<Asked> => {
    const { core } = breaker
    const fromMillis = breaker.nowMillis
    const permit = core.admit(fromMillis)
    if (permit === undefined) return Effect.fail(breaker.refusal(ref.path, request._tag))
    return Effect.matchCauseEffect(restore(ask(ref, request, deadline)), {
      onSuccess: (answer) => {
        breaker.bringBack(permit, fromMillis, false)
        return Exit.succeed(answer)
      },
      onFailure: (cause) => {
        breaker.bringBack(permit, fromMillis, breaker.blames(cause))
        return Exit.failCause(cause)
      }
    })
  })

/** To itself: there are changes to publish, or a wait may be over. */
class BreakerMoved extends Schema.TaggedClass<BreakerMoved>()("BreakerMoved", {}) {}

type BreakerMessage = GetBreaker | TripBreaker | ResetBreaker | HoldBreaker | ReleaseBreaker | BreakerMoved
type BreakerContext = ActorContext<BreakerMessage, Breaker>

export const BreakerActor = Actor.make("breaker", {
  messages: [GetBreaker, TripBreaker, ResetBreaker, HoldBreaker, ReleaseBreaker, BreakerMoved],
  init: (context, breaker: Breaker) => {
    const { self } = context
    breaker.attach({ nowMillis: () => context.nowMillis(), changed: () => self.tell(new BreakerMoved()) })
    // For what happened between two lives, and for a wait that began then.
    self.tell(new BreakerMoved())
    return breaker
  },
  handlers: {
    BreakerMoved: (breaker, _moved, context) => {
      breaker.core.advance(breaker.nowMillis)
      publish(breaker, context)
      return breaker
    },
    GetBreaker: (breaker) => Actor.reply(breaker, breaker.status),
    TripBreaker: (breaker, order, context) =>
      obeyed(breaker, breaker.core.trip(order, breaker.nowMillis), context),
    ResetBreaker: (breaker, order, context) =>
      obeyed(breaker, breaker.core.reset(order, breaker.nowMillis), context),
    HoldBreaker: (breaker, order, context) =>
      obeyed(breaker, breaker.core.hold(order, breaker.nowMillis), context),
    ReleaseBreaker: (breaker, order, context) => {
      breaker.core.release(order, breaker.nowMillis)
      publish(breaker, context)
      return Actor.reply(breaker, breaker.status)
    }
  },
  inspect: (breaker) => breaker.status
})

const obeyed = (breaker: Breaker, holder: Order | undefined, context: BreakerContext) => {
  publish(breaker, context)
  return holder === undefined
    ? Actor.reply(breaker, breaker.status)
    : Actor.refuse(
        breaker,
        new BreakerHeld({
          breaker: breaker.name,
          state: breaker.core.state,
          by: holder.by,
          reason: holder.reason
        })
      )
}

const publish = (breaker: Breaker, context: BreakerContext): void => {
  const nowMillis = context.nowMillis()
  for (const change of breaker.takeChanges()) {
    const atMillis = context.wallMillis() - (nowMillis - change.nowMillis)
    context.publish(eventOf(breaker.name, change, atMillis, context.path))
  }
  const { wakeMillis } = breaker.core
  if (wakeMillis === Number.POSITIVE_INFINITY) context.cancel("wake")
  else context.after(Math.max(0, wakeMillis - nowMillis), new BreakerMoved(), "wake")
}

const eventOf = (breaker: string, change: BreakerChange, atMillis: number, path: string): BreakerEvent => {
  const { by = path, number, reason } = change
  const about = { breaker, number, atMillis, reason, by }
  switch (change._tag) {
    case "Changed":
      return new BreakerChanged({ ...about, from: change.from, to: change.to, numbers: change.numbers })
    case "HoldBegan":
      return new BreakerHoldBegan({ ...about, state: change.state })
    case "HoldEnded":
      return new BreakerHoldEnded({ ...about, state: change.state })
  }
}
