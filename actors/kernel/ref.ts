/**
 * Refs: the only handle one actor has on another.
 *
 * A ref names a place in the tree, not one life of the actor there: it stays valid when a supervisor
 * restarts the actor. What was queued for a life that ended does not reach the next one.
 */
import { Cause } from "effect"
import type { Address } from "#protocols/address.ts"
import type { EndReason as EndReasonSchema } from "#protocols/runtime.ts"
import type { Ask, Tagged } from "./ask.ts"

/** Who may be told and asked `Message`. */
export interface ActorRef<in Message extends Tagged> extends Address<Message> {
  /** Fire and forget. Never blocks, never fails; what cannot be delivered is a dead letter. */
  tell(message: Message): void
  /** For the kernel: `ask` builds the envelope. */
  deliver(ask: Ask): void
  /** For the kernel: `context.watch` registers here. */
  addWatcher(watcher: Watcher): void
  removeWatcher(watcher: Watcher): void
}

export const isRef = <Message extends Tagged>(address: Address<Message>): address is ActorRef<Message> =>
  "deliver" in address

/** Learns of the end of the current life of whatever it was added to, once. */
export interface Watcher {
  notice(ended: Ended): void
}

/**
 * How one life of an actor ended.
 *
 *   finished   by itself, as planned            shutdown   asked to, by its supervisor or itself
 *   crashed    a defect; see the cause          killed     did not stop by its deadline, or was told to die
 *   ignored    its init chose not to start      absent     there was no life to watch
 *   lost       the link to where it lives is gone; it may live on
 *   node-lost  the node where it lived has failed, or is another process now
 */
export type EndReason = typeof EndReasonSchema.Type

export interface Ended {
  readonly path: string
  /** Which life: 1 for the first. */
  readonly incarnation: number
  readonly reason: EndReason
  /** Why, in full; empty for an end as planned. */
  readonly cause: Cause.Cause<unknown>
  /** It never got as far as handling a message. */
  readonly duringInit: boolean
}

/** OTP's distinction: what a transient child is restarted for, and what breaks a link. */
export const isAbnormal = (reason: EndReason): boolean =>
  reason === "crashed" || reason === "killed" || reason === "lost" || reason === "node-lost"

/** What went wrong in one line, for people. The whole of it is in the cause. */
export const describeCause = (cause: Cause.Cause<unknown>): string => {
  const error = Cause.squash(cause)
  const text = error instanceof Error ? `${nameOf(error)}: ${error.message}` : String(error)
  return text.split("\n", 1)[0] ?? ""
}

/** A fault may have a field called `name`, which is not its own. */
const nameOf = (error: Error): string =>
  "_tag" in error && typeof error._tag === "string" ? error._tag : error.name
