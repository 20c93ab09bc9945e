/**
 * Membership: who is in the cluster, as each node believes, and what it is told when that changes.
 *
 * Promised: a member that stops answering is reported failed by every live member within a bound that
 * grows with the logarithm of the cluster; a member that is merely slow, or suspected by a node that is
 * itself slow, can refute; views converge once messages get through again.
 *
 * Not promised: that all members believe the same at the same instant, nor that a failed member is dead:
 * it may be cut off and working. Whatever must have one holder needs a lease with a fencing epoch. Nor
 * that two processes may share a name: each outbids the other, and both appear to fail and to join in turn.
 */
import { Schema } from "effect"
import { admin, event, observe } from "./message.ts"

// Values

const Word = Schema.String.pipe(Schema.maxLength(256))

/** What a member tells about itself; gossiped, so keep it small: 512 bytes as JSON at most. */
export class Metadata extends Schema.Class<Metadata>("Metadata")(
  Schema.Struct({
    roles: Schema.Array(Word).pipe(Schema.maxItems(32)),
    zone: Word,
    version: Word,
    ports: Schema.Record({ key: Word, value: Schema.Int.pipe(Schema.between(0, 65_535)) })
  }).pipe(
    Schema.filter((metadata) => JSON.stringify(metadata).length <= 512 || "is larger than 512 bytes as JSON")
  )
) {}

export const MemberStatus = Schema.Literal("alive", "suspect", "failed", "left")
export type MemberStatus = typeof MemberStatus.Type

export const MemberRecord = Schema.Struct({
  name: Word,
  /** Where its link port listens: `host:port`. */
  address: Word,
  /** New at each start of the process: the same name with another boot id is another life. */
  bootId: Word,
  /** Raised by the member itself, to refute. Starts at its wall clock, so that a new life beats an old one. */
  incarnation: Schema.Int.pipe(Schema.between(0, 2 ** 52)),
  status: MemberStatus,
  metadata: Metadata
})
export type MemberRecord = typeof MemberRecord.Type

/** A statement about a member, and who makes it. */
export const News = Schema.Struct({ record: MemberRecord, by: Word })
export type News = typeof News.Type

/** Why a node believes what it reports. */
export const Evidence = Schema.Struct({
  /** Who said so: the node itself when its own probe told. */
  source: Schema.String,
  what: Schema.Literal("probe", "gossip", "sync", "leave", "refutation", "suspicion timeout", "new boot id"),
  /** Members that suspected it independently. */
  confirmations: Schema.Int
})
export type Evidence = typeof Evidence.Type

// Events: what a membership actor publishes

const about = { member: MemberRecord, evidence: Evidence }

export class MemberJoined extends Schema.TaggedClass<MemberJoined>()(
  "MemberJoined",
  about,
  event("A member is in the cluster: it is new, or came back as another life.")
) {}
export class MemberSuspected extends Schema.TaggedClass<MemberSuspected>()(
  "MemberSuspected",
  about,
  event("A member does not answer. It fails unless it refutes in time.")
) {}
export class MemberRecovered extends Schema.TaggedClass<MemberRecovered>()(
  "MemberRecovered",
  about,
  event("A member was suspected and has refuted.")
) {}
export class MemberLeft extends Schema.TaggedClass<MemberLeft>()(
  "MemberLeft",
  about,
  event("A member has said goodbye.")
) {}
export class MemberFailed extends Schema.TaggedClass<MemberFailed>()(
  "MemberFailed",
  about,
  event("A member has not answered for too long. It may be dead, or cut off and working.")
) {}
export class MemberUpdated extends Schema.TaggedClass<MemberUpdated>()(
  "MemberUpdated",
  about,
  event("A member has changed its metadata.")
) {}

export const MembershipEvent = Schema.Union(
  MemberJoined,
  MemberSuspected,
  MemberRecovered,
  MemberLeft,
  MemberFailed,
  MemberUpdated
)
export type MembershipEvent = typeof MembershipEvent.Type

// Requests

export class Members extends Schema.TaggedRequest<Members>()(
  "Members",
  { payload: {}, success: Schema.Array(MemberRecord), failure: Schema.Never },
  observe("All members this node knows of, itself included; failed and left ones until they are forgotten.")
) {}

export class Describe extends Schema.TaggedRequest<Describe>()(
  "Describe",
  { payload: { metadata: Metadata }, success: Schema.Void, failure: Schema.Never },
  admin("Changes what this node tells the cluster about itself.", { repeatable: true })
) {}

export class Leave extends Schema.TaggedRequest<Leave>()(
  "Leave",
  { payload: {}, success: Schema.Void, failure: Schema.Never },
  admin(
    "Says goodbye and waits until enough members have heard it. The node answers, but takes no part, from then on.",
    { repeatable: true }
  )
) {}

// Packets: what membership actors send each other. Any of them may be lost, late, doubled or out of order.

const Seq = Schema.Int.pipe(Schema.between(0, 2 ** 52))
const news = Schema.Array(News).pipe(Schema.maxItems(16))

/** Answered with an `ack` of the same number, by the target only. */
export const Ping = Schema.Struct({ kind: Schema.Literal("ping"), seq: Seq, target: Word, news })
export const Ack = Schema.Struct({ kind: Schema.Literal("ack"), seq: Seq, news })
/** A relay is there, and has not heard from the target. */
export const Nack = Schema.Struct({ kind: Schema.Literal("nack"), seq: Seq, news })
/** Asks a relay to ping the target, and to pass on its ack. */
export const PingRequest = Schema.Struct({
  kind: Schema.Literal("ping-req"),
  seq: Seq,
  target: Word,
  address: Word,
  news
})
export const Gossip = Schema.Struct({ kind: Schema.Literal("gossip"), news })
/** A part of everything the sender knows. */
export const Sync = Schema.Struct({
  kind: Schema.Literal("sync"),
  /** Wants the receiver's in return. */
  reply: Schema.Boolean,
  records: Schema.Array(MemberRecord).pipe(Schema.maxItems(64))
})

export const Packet = Schema.Union(Ping, Ack, Nack, PingRequest, Gossip, Sync)
export type Packet = typeof Packet.Type
