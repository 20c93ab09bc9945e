/**
 * What members of a group say to each other: plain objects, no schema, since thousands pass each second.
 * How they look as bytes is in raft-codec.ts.
 *
 * Each message carries the term of its sender, except that a pre-vote asks about the term to come, and is
 * granted in that. `round` numbers the leader's heartbeats of a term: whoever repeats a round has obeyed this
 * leader after the round began, which is what reads and leases rest upon; 0 wants no answer.
 */
import type { Membership } from "./raft-membership.ts"

/** A whole number from 1 to 2^53 - 1. */
export type NodeId = number
export const nobody: NodeId = 0

/** `noop`: with which a leader begins its term. `change`: its data is a membership. */
export type EntryKind = "normal" | "change" | "noop"

export interface Entry {
  readonly index: number
  readonly term: number
  readonly kind: EntryKind
  readonly data: Uint8Array
}

/** What an entry counts for in all limits: its data, and what the objects around it take. */
export const entryBytes = (entry: Entry): number => entry.data.length + 64

export interface Snapshot {
  readonly index: number
  readonly term: number
  readonly membership: Membership
  /** Chosen by the shell. Two snapshots with the same index, term and id have the same bytes. */
  readonly id: number
  readonly bytes: number
}

export const isSameSnapshot = (one: Snapshot, other: Snapshot): boolean =>
  one.index === other.index && one.term === other.term && one.id === other.id && one.bytes === other.bytes

interface Addressed {
  readonly from: NodeId
  readonly to: NodeId
  readonly term: number
}

export interface Vote extends Addressed {
  readonly _tag: "Vote"
  /** Only asks whether it would be granted. */
  readonly pre: boolean
  /** The leader wants it, so nobody is to stick to the leader. */
  readonly transfer: boolean
  readonly lastIndex: number
  readonly lastTerm: number
}

export interface VoteReply extends Addressed {
  readonly _tag: "VoteReply"
  readonly pre: boolean
  readonly granted: boolean
}

export interface Append extends Addressed {
  readonly _tag: "Append"
  readonly prevIndex: number
  readonly prevTerm: number
  readonly commit: number
  readonly round: number
  readonly entries: ReadonlyArray<Entry>
}

/** Accepted: the log is durable and the leader's own up to `index`. Rejected: there is no such `prevIndex`. */
export interface AppendReply extends Addressed {
  readonly _tag: "AppendReply"
  readonly index: number
  readonly rejected: boolean
  /** The last index that may agree, and its term. */
  readonly hintIndex: number
  readonly hintTerm: number
  readonly round: number
}

export interface Heartbeat extends Addressed {
  readonly _tag: "Heartbeat"
  /** Not more than this follower is known to have. */
  readonly commit: number
  readonly round: number
  /** There is nothing to do: stop your clock until somebody speaks. */
  readonly quiesce: boolean
}

export interface HeartbeatReply extends Addressed {
  readonly _tag: "HeartbeatReply"
  readonly round: number
  readonly quiesced: boolean
}

export interface Chunk extends Addressed {
  readonly _tag: "Chunk"
  readonly snapshot: Snapshot
  readonly offset: number
  readonly data: Uint8Array
}

export interface ChunkReply extends Addressed {
  readonly _tag: "ChunkReply"
  readonly index: number
  readonly id: number
  /** It has all bytes before this one. */
  readonly offset: number
  /** The chunk did not continue what it has. */
  readonly rejected: boolean
}

export interface TimeoutNow extends Addressed {
  readonly _tag: "TimeoutNow"
}

export interface ReadIndex extends Addressed {
  readonly _tag: "ReadIndex"
  readonly request: number
}

export interface ReadIndexReply extends Addressed {
  readonly _tag: "ReadIndexReply"
  readonly request: number
  readonly index: number
  readonly refused: boolean
}

export type Message =
  | Vote
  | VoteReply
  | Append
  | AppendReply
  | Heartbeat
  | HeartbeatReply
  | Chunk
  | ChunkReply
  | TimeoutNow
  | ReadIndex
  | ReadIndexReply

/** Only the leader of its term sends these. */
export const isFromLeader = ({ _tag }: Message): boolean =>
  _tag === "Append" || _tag === "Heartbeat" || _tag === "Chunk" || _tag === "TimeoutNow"
