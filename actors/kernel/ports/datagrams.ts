/**
 * Datagrams: small packets to other nodes, for protocols that live with their loss.
 *
 * Promised: a packet that arrives is one that was sent, whole, and comes with the address under which its
 * sender can be reached. `send` never waits and never fails: what cannot be sent is lost. A listener is
 * called in a turn of its own, never inside `send`, and not after its scope has closed.
 *
 * Not promised: that a packet arrives, that it arrives once, or that two arrive in the order sent. Nor
 * that the sender is who it says, beyond what the link below has authenticated; nor that it means well:
 * receivers decode what they get.
 */
import { Context, type Effect, type Scope } from "effect"

export interface Datagrams {
  /** The packet is a JSON value, of 64 KiB at most. */
  readonly send: (toAddress: string, packet: unknown) => void
  /** One listener at a time; a later one takes the place of an earlier one. */
  readonly listen: (
    receive: (fromAddress: string, packet: unknown) => void
  ) => Effect.Effect<void, never, Scope.Scope>
}

export const Datagrams = Context.GenericTag<Datagrams>("kernel/Datagrams")
