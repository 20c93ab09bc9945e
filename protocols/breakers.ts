/**
 * Circuit breakers: whether to ask a target at all while it fails; and the fleet breaker: whether machines
 * may still act on their own while many nodes die at once.
 *
 * Promised: a breaker refuses at once and definitely, the target has not seen the request. Its changes are
 * numbered without gaps, and each names who brought it about and why. One that is held stays in its state,
 * whatever happens, until it is released. A fleet breaker that has tripped by itself stays so until enough
 * nodes are healthy again or somebody resets it; one that was tripped by hand waits for a hand.
 *
 * Not promised: that callers in different processes agree: each process judges by its own calls. Nor that
 * every change is published: one that happens while the breaker's actor is down is published after its
 * restart, and of more than a hundred of those the oldest are lost, which shows as a gap in the numbers.
 * Nor that a fleet breaker tripped by hand stays so when its actor restarts: it then judges anew by who is
 * dead.
 */
import { Schema } from "effect"
import type { FaultUnion } from "./fault.ts"
import { ActorId, event, observe, operate } from "./message.ts"

// Values

export const BreakerState = Schema.Literal("closed", "open", "half-open")
export type BreakerState = typeof BreakerState.Type

/** What a breaker has counted: while closed within its window, while half-open since it became so. */
export const BreakerNumbers = Schema.Struct({
  calls: Schema.Int,
  failed: Schema.Int,
  /** Longer than it allows, failed or not. */
  slow: Schema.Int
})
export type BreakerNumbers = typeof BreakerNumbers.Type

/** Who, as the gateway has authenticated them, and why. */
const order = { by: ActorId, reason: Schema.NonEmptyString }

/** The same once it was given. */
export const Order = Schema.Struct({ by: Schema.NonEmptyString, reason: Schema.NonEmptyString })
export type Order = typeof Order.Type

export const BreakerStatus = Schema.Struct({
  breaker: Schema.String,
  state: BreakerState,
  /** Why it is in this state. */
  reason: Schema.String,
  held: Schema.NullOr(Order),
  /** Until it lets a probe through; null where no time will do that. */
  remainingMillis: Schema.NullOr(Schema.Number),
  numbers: BreakerNumbers,
  /** Probes under way. */
  probes: Schema.Int,
  /** Calls refused so far. */
  refused: Schema.Int,
  /** How often it has opened since it was last closed; the wait grows with it. */
  openings: Schema.Int,
  /** The number of its last change. */
  changes: Schema.Int
})
export type BreakerStatus = typeof BreakerStatus.Type

/** What a fleet breaker watches: one zone, or with null the whole fleet. */
export const FleetScope = Schema.NullOr(Schema.String)
export type FleetScope = typeof FleetScope.Type

const inScope = (scope: FleetScope) => (scope === null ? "the fleet" : `zone ${scope}`)

export const ScopeStatus = Schema.Struct({
  zone: FleetScope,
  tripped: Schema.Boolean,
  /** Why and by whom it was tripped; empty while it is not. */
  reason: Schema.String,
  by: Schema.String,
  /** Dead within the window; once tripped, all that died since the window before and have not come back. */
  dead: Schema.Array(Schema.String),
  /** Alive and not suspected. */
  healthy: Schema.Int,
  /** The dead and everybody who is not. Those who left are not members. */
  members: Schema.Int
})
export type ScopeStatus = typeof ScopeStatus.Type

// Faults

const seconds = (millis: number) => `${(millis / 1_000).toFixed(1)} s`

/** The breaker on the way to the target did not let the request through. */
export class BreakerOpen extends Schema.TaggedError<BreakerOpen>()("BreakerOpen", {
  breaker: Schema.String,
  path: Schema.String,
  request: Schema.String,
  state: BreakerState,
  reason: Schema.String,
  held: Schema.Boolean,
  /** Until it lets a probe through; null where no time will do that. */
  remainingMillis: Schema.NullOr(Schema.Number)
}) {
  readonly definite = true
  override get message() {
    return `${this.path} was not asked ${this.request}: breaker ${this.breaker} is ${this.state} (${this.reason}); nothing happened, ${this.#next}`
  }
  get #next(): string {
    if (this.remainingMillis !== null) return `ask again in ${seconds(this.remainingMillis)}`
    if (this.held && this.state === "open") return "it is held: have an operator release it"
    return "its probes are under way: ask again after a pause"
  }
}

export class BreakerHeld extends Schema.TaggedError<BreakerHeld>()(
  "BreakerHeld",
  { breaker: Schema.String, state: BreakerState, ...Order.fields },
  { description: "Somebody holds the breaker in its state." }
) {
  readonly definite = true
  override get message() {
    return `breaker ${this.breaker} stays ${this.state}: ${this.by} holds it (${this.reason}); release it first`
  }
}

export class AutomationStopped extends Schema.TaggedError<AutomationStopped>()(
  "AutomationStopped",
  {
    /** What was asked about. */
    zone: Schema.String,
    /** What has tripped: that zone, or with null the whole fleet. */
    tripped: FleetScope,
    by: Schema.String,
    reason: Schema.String,
    sinceMillis: Schema.Number,
    dead: Schema.Array(Schema.String),
    healthy: Schema.Int,
    members: Schema.Int,
    /** Healthy members at which it resets by itself; null where it waits for a hand. */
    healthyNeeded: Schema.NullOr(Schema.Int)
  },
  { description: "Too many nodes died at once, or somebody said stop: no machine may act on its own there." }
) {
  readonly definite = true
  override get message() {
    const where = inScope(this.tripped)
    const next =
      this.healthyNeeded === null
        ? `have an operator reset it for ${where}`
        : `bring ${this.healthyNeeded} of ${this.members} back to health (${this.healthy} are), or reset it by hand for ${where}`
    return `nothing may act by itself in zone ${this.zone}: the fleet breaker tripped for ${where} ${seconds(this.sinceMillis)} ago (${this.reason}); ${next}`
  }
}

export type BreakerFault = FaultUnion<BreakerOpen | BreakerHeld | AutomationStopped>

// Requests to one breaker

export class GetBreaker extends Schema.TaggedRequest<GetBreaker>()(
  "GetBreaker",
  { payload: {}, success: BreakerStatus, failure: Schema.Never },
  observe("The state of a breaker, why it is in it, and what it has counted.")
) {}

export class TripBreaker extends Schema.TaggedRequest<TripBreaker>()(
  "TripBreaker",
  { payload: order, success: BreakerStatus, failure: BreakerHeld },
  operate("Opens it. One that is open already waits its whole time again.")
) {}

export class ResetBreaker extends Schema.TaggedRequest<ResetBreaker>()(
  "ResetBreaker",
  { payload: order, success: BreakerStatus, failure: BreakerHeld },
  operate("Closes it and forgets what it has counted.")
) {}

export class HoldBreaker extends Schema.TaggedRequest<HoldBreaker>()(
  "HoldBreaker",
  { payload: order, success: BreakerStatus, failure: BreakerHeld },
  operate("Keeps it in its state until it is released. It goes on counting.")
) {}

export class ReleaseBreaker extends Schema.TaggedRequest<ReleaseBreaker>()(
  "ReleaseBreaker",
  { payload: order, success: BreakerStatus, failure: Schema.Never },
  operate(
    "Lets it decide again, at once, by what it counted meanwhile. Releasing one that is not held succeeds.",
    { repeatable: true }
  )
) {}

// Requests to the fleet breaker

export class MayAutomate extends Schema.TaggedRequest<MayAutomate>()(
  "MayAutomate",
  { payload: { zone: Schema.String }, success: Schema.Void, failure: AutomationStopped },
  observe("Asked by every machine before it acts on a node by itself. Success means yes.")
) {}

export class GetFleetBreaker extends Schema.TaggedRequest<GetFleetBreaker>()(
  "GetFleetBreaker",
  { payload: {}, success: Schema.Array(ScopeStatus), failure: Schema.Never },
  observe("The fleet and each of its zones: whether automation is stopped there, why, and who is dead.")
) {}

export class TripFleetBreaker extends Schema.TaggedRequest<TripFleetBreaker>()(
  "TripFleetBreaker",
  { payload: { zone: FleetScope, ...order }, success: Schema.Void, failure: Schema.Never },
  operate(
    "Stops automation in a zone, or with null in the whole fleet, until somebody resets it: health alone does not."
  )
) {}

export class ResetFleetBreaker extends Schema.TaggedRequest<ResetFleetBreaker>()(
  "ResetFleetBreaker",
  { payload: { zone: FleetScope, ...order }, success: Schema.Void, failure: Schema.Never },
  operate(
    "Lets automation go on in a zone, or with null in the whole fleet. Who is dead now does not count again. Other scopes stay as they are."
  )
) {}

// Events

const change = {
  breaker: Schema.String,
  /** Its changes, counted from 1. */
  number: Schema.Int,
  atMillis: Schema.Number,
  reason: Schema.String,
  /** The breaker's own path where it decided by itself. */
  by: Schema.String
}

export class BreakerChanged extends Schema.TaggedClass<BreakerChanged>()(
  "BreakerChanged",
  {
    ...change,
    from: BreakerState,
    to: BreakerState,
    /** What it had counted when it changed. */
    numbers: BreakerNumbers
  },
  event("A breaker went from one state to another. From a state to the same one only by hand.")
) {}

export class BreakerHoldBegan extends Schema.TaggedClass<BreakerHoldBegan>()(
  "BreakerHoldBegan",
  { ...change, state: BreakerState },
  event("A breaker stays in its state from now on, whatever happens.")
) {}

export class BreakerHoldEnded extends Schema.TaggedClass<BreakerHoldEnded>()(
  "BreakerHoldEnded",
  { ...change, state: BreakerState },
  event("A breaker decides by itself again.")
) {}

export const BreakerEvent = Schema.Union(BreakerChanged, BreakerHoldBegan, BreakerHoldEnded)
export type BreakerEvent = typeof BreakerEvent.Type

const fleetChange = {
  zone: FleetScope,
  atMillis: Schema.Number,
  reason: Schema.String,
  /** The fleet breaker's own path where it decided by itself. */
  by: Schema.String,
  dead: Schema.Array(Schema.String),
  healthy: Schema.Int,
  members: Schema.Int
}

export class FleetBreakerTripped extends Schema.TaggedClass<FleetBreakerTripped>()(
  "FleetBreakerTripped",
  fleetChange,
  event("Machines may no longer act on their own in a zone, or with null in the whole fleet.")
) {}

export class FleetBreakerReset extends Schema.TaggedClass<FleetBreakerReset>()(
  "FleetBreakerReset",
  fleetChange,
  event("Machines may act on their own again in a zone, or with null in the whole fleet.")
) {}

export const FleetBreakerEvent = Schema.Union(FleetBreakerTripped, FleetBreakerReset)
export type FleetBreakerEvent = typeof FleetBreakerEvent.Type
