/**
 * Transport: how a client gets a link to a node. Over socket.io it is socket.ts; in the simulator, its links.
 *
 * Promised: the node has let us in, and has said who it is. Batches arrive whole, in order, at most once
 * each; `onClosed` is called exactly once, whichever end closed and why, and no `onBatch` follows.
 *
 * Not promised: that a batch which was sent arrives, nor that a batch holds frames.
 */
import type { Effect } from "effect"
import type { Introduction, LinkFault } from "../links.ts"
import type { Packing, SessionLink } from "./session.ts"

export interface ClientLink extends SessionLink {
  /** Of the node. */
  readonly introduction: Introduction
}

export interface LinkListener {
  readonly onBatch: (batch: unknown) => void
  readonly onClosed: (reason: string) => void
}

export interface Transport {
  readonly packing: Packing
  /** `opened` is called before anything can arrive. Interrupting it gives up. */
  readonly dial: (
    url: string,
    opened: (link: ClientLink) => LinkListener
  ) => Effect.Effect<unknown, LinkFault>
}
