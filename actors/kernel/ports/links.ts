/**
 * Links: connections to other nodes, and from nodes, clients and ops shells to this one.
 *
 * Promised: whoever is let in has been authenticated, speaks our protocol and belongs to our cluster; on
 * the dialing side the same is known of the node that answered. Batches arrive whole, in order, at most
 * once each and without a gap, for as long as the link lives. A link on which the other end has not been
 * heard of for `silenceMillisMax` is closed, whoever it is that hangs; heartbeats do not wait behind more
 * than what the ends have under way. `onClosed` is called exactly once, whichever end closed and why, and
 * no `onBatch` follows. Closing the layer closes all its links.
 *
 * Not promised: that a batch which was sent arrives when the link closes soon after. Nor backpressure: a
 * batch that the network has not taken waits in memory, so whoever sends bounds what is under way. Nor
 * that a batch holds frames: the other end may have sent anything.
 */
import { Context, type Effect, type Scope } from "effect"
import type { Identity, Introduction, LinkFault } from "#protocols/links.ts"
import type { Frame } from "#protocols/wire/frames.ts"

/** What a caller wants: be a node among nodes, a client of actors, an operator's shell. */
export type Entrance = "nodes" | "actors" | "ops"

export interface Caller {
  /** In its own words; protocol and cluster fit. */
  readonly introduction: Introduction
  /** As authenticated. */
  readonly identity: Identity
}

export interface Link extends Caller {
  /** After the link has closed this does nothing. */
  readonly send: (batch: ReadonlyArray<Frame>) => void
  /** The other end is told the reason if it can still be reached. */
  readonly close: (reason: string) => void
}

export interface LinkListener {
  readonly onBatch: (batch: unknown) => void
  readonly onClosed: (reason: string) => void
}

/** Called once for each link, before anything can arrive on it. */
export type Opened = (link: Link) => LinkListener

export interface Doorkeeper {
  /** Why this caller is not let in; it is told so. Called before `opened`, with others possibly between. */
  readonly refuses: (caller: Caller) => LinkFault | undefined
  readonly opened: Opened
}

/** How payloads become bytes and back, for messages that travel in parts. */
export interface Packing {
  readonly pack: (value: unknown) => Uint8Array
  /** Throws on what is no packed value. */
  readonly unpack: (bytes: Uint8Array) => unknown
}

export const silenceMillisMax = 6_000

export class Links extends Context.Tag("kernel/Links")<
  Links,
  {
    /** How we introduce ourselves. */
    readonly self: Introduction
    readonly packing: Packing
    /** Lets callers in for as long as the scope is open; before and after, all are refused. */
    readonly admit: (entrance: Entrance, doorkeeper: Doorkeeper) => Effect.Effect<void, never, Scope.Scope>
    /** To a node, as a node. Interrupting it gives up; once it succeeded, `close` of the link ends it. */
    readonly dial: (address: string, opened: Opened) => Effect.Effect<Link, LinkFault>
  }
>() {}
