/**
 * Answers to what a member is asked to do. All refusals are definite: nothing has happened. `Proposed` is
 * not: the entry is committed once one of this index *and term* is handed out as committed, and lost once one
 * of another term is handed out at this index.
 */
import type { NodeId } from "./raft-messages.ts"

export interface Proposed {
  readonly _tag: "Proposed"
  readonly index: number
  readonly term: number
}

export type Refusal =
  /** `leader`: whom to ask, or nobody. */
  | { readonly _tag: "NotLeader"; readonly leader: NodeId }
  /** Ask again in an election timeout, by then there is a new leader or the old one goes on. */
  | { readonly _tag: "Transferring"; readonly to: NodeId }
  | { readonly _tag: "Overloaded"; readonly uncommittedBytes: number }
  /** The change before it, or the leader's first entry, is not committed yet. */
  | { readonly _tag: "ChangeInFlight"; readonly index: number }
  | { readonly _tag: "NotCaughtUp"; readonly node: NodeId; readonly lag: number }
  | { readonly _tag: "InvalidChange"; readonly reason: string }
  | { readonly _tag: "InvalidTransfer"; readonly to: NodeId | undefined }

/** What a person reads. */
export const describeRefusal = (refusal: Refusal): string => {
  switch (refusal._tag) {
    case "NotLeader":
      return refusal.leader === 0 ? "no leader is known" : `member ${refusal.leader} leads`
    case "Transferring":
      return `the leadership is being transferred to member ${refusal.to}`
    case "Overloaded":
      return `${refusal.uncommittedBytes} bytes are proposed and not committed`
    case "ChangeInFlight":
      return `the change at ${refusal.index}, or the leader's first entry, is not committed yet`
    case "NotCaughtUp":
      return `member ${refusal.node} is ${refusal.lag} entries behind`
    case "InvalidChange":
      return `the change makes no sense: ${refusal.reason}`
    case "InvalidTransfer":
      return `${refusal.to === undefined ? "no member" : `member ${refusal.to}`} can take over`
  }
}
