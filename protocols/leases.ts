/**
 * Leases: time-bounded claims on a name, such as "node1 leads failover for the next fifteen seconds".
 *
 * Promised: each grant of a name carries a larger epoch than all grants of that name before it, for ever.
 * Until the holder's own clock reads `untilMillis` the name is granted to nobody else, as long as the
 * clocks of holder and store run at rates that differ by no more than the drift that the port states.
 *
 * Not promised: that a holder notices that its lease has run out. One that was paused wakes up and believes
 * it is still the holder. Whatever a lease protects must therefore compare epochs (`Fence`) and refuse
 * the smaller one.
 */
import { Schema } from "effect"
import type { FaultUnion } from "./fault.ts"

// Values

/** A fencing token: of two, the larger one was granted later. */
export const Epoch = Schema.Int.pipe(Schema.between(1, Number.MAX_SAFE_INTEGER))

export const Lease = Schema.Struct({
  name: Schema.NonEmptyString,
  holder: Schema.NonEmptyString,
  epoch: Epoch,
  ttlMillis: Schema.Number,
  /** By the monotonic clock of the process that asked. From then on it must not act as the holder. */
  untilMillis: Schema.Number
})
export type Lease = typeof Lease.Type

// Faults

/** Somebody else has it. */
export class LeaseHeld extends Schema.TaggedError<LeaseHeld>()("LeaseHeld", {
  name: Schema.String,
  holder: Schema.String,
  /** As the store's clock has it; the holder may renew it, or give it back before. */
  remainingMillis: Schema.Number
}) {
  readonly definite = true
  override get message() {
    const seconds = (this.remainingMillis / 1_000).toFixed(1)
    return `${this.name} is leased to ${this.holder} for another ${seconds} s; ask again then, or have the holder yield it`
  }
}

/** The lease has run out, or was given back, or its holder has taken it anew with a later epoch. */
export class LeaseLost extends Schema.TaggedError<LeaseLost>()("LeaseLost", {
  name: Schema.String,
  holder: Schema.String,
  epoch: Epoch
}) {
  readonly definite = true
  override get message() {
    return `${this.holder} no longer has epoch ${this.epoch} of the lease ${this.name}; stop what it protects, then acquire it again`
  }
}

/** The store did not answer. */
export class LeasesUnavailable extends Schema.TaggedError<LeasesUnavailable>()("LeasesUnavailable", {
  name: Schema.String,
  request: Schema.Literal("acquire", "renew", "release", "wait"),
  reason: Schema.String,
  /** The store cannot have seen it. Where it may have, it may also have done it. */
  definite: Schema.Boolean
}) {
  override get message() {
    const happened = this.definite ? "nothing happened" : "it may have been done"
    return `the lease store did not answer ${this.request} of ${this.name} (${this.reason}); ${happened}, ask again after a pause`
  }
}

export const LeaseFault = Schema.Union(LeaseHeld, LeaseLost, LeasesUnavailable)
export type LeaseFault = FaultUnion<typeof LeaseFault.Type>
