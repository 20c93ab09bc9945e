/**
 * Leases: names that one holder at a time may have, for a while.
 *
 * Promised: grants of one name are in one order, and each has a larger epoch than all before it, whatever
 * crashes. From a grant, or a renewal, until the holder's own clock reads `untilMillis` the name is granted
 * to no other holder. `untilMillis` is counted from before the request left, and less the drift margin, so
 * that holds while the rates of the two clocks differ by no more than `clockDriftMax`. Each request ends,
 * with an answer or a fault, within a time that the implementation states; `freed` alone waits. Interrupting one is
 * like losing its answer.
 *
 * Not promised: that a request whose answer was lost did nothing. An `acquire` that ends indefinitely may
 * have granted a lease which nobody knows of; it runs out by itself, and the same holder may ask again.
 * Nor that a clock which stands still, in a paused machine, notices anything: hence the epoch.
 *
 * A holder is one life of whoever acts: two processes never use the same name for themselves. It may acquire
 * what it has already: that is a new grant, with a new epoch, and its old epoch is lost.
 */
import { Context, type Effect } from "effect"
import type { Lease, LeaseHeld, LeaseLost, LeasesUnavailable } from "#protocols/leases.ts"

export interface Leases {
  readonly acquire: (
    name: string,
    holder: string,
    ttlMillis: number
  ) => Effect.Effect<Lease, LeaseHeld | LeasesUnavailable>
  /** The whole time to live again, under the same epoch. A lease that has run out is lost, even if nobody took it. */
  readonly renew: (lease: Lease) => Effect.Effect<Lease, LeaseLost | LeasesUnavailable>
  /** Gives it back early. One that is lost already is given back. Whoever calls this has stopped acting. */
  readonly release: (lease: Lease) => Effect.Effect<void, LeasesUnavailable>
  /**
   * Ends once nobody has the name: at once, when it is given back, or when its time is over. Fails when the store
   * can tell no more. It may end late, or never: whoever waits asks again when the time it knows of is over.
   */
  readonly freed: (name: string) => Effect.Effect<void, LeasesUnavailable>
}

export const Leases = Context.GenericTag<Leases>("kernel/Leases")

/** How much faster one clock may run than the other: a hundredth, twenty times what NTP lets a clock be off. */
export const clockDriftMax = 0.01

/** How long the holder may act by its own clock, from the moment before its request left. */
export const holdMillis = (ttlMillis: number): number => ttlMillis * (1 - clockDriftMax)
