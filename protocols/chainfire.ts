/**
 * Chainfire: the replicated coordination store. Programs of the field speak etcd v3 to it, see
 * protocols/wire/etcd; here is what its members say to each other, and what an operator can ask of one.
 *
 * Promised: what was acknowledged is there after any minority of the members lost their power, and after all of
 * them did and came back. A read that is not asked to be serializable sees all that was acknowledged before it
 * began. A command whose answer is lost may have been carried out.
 */
import { Schema } from "effect"
import { admin, event, observe } from "./message.ts"

/** An error of etcd: a code of gRPC and the words that clients know. */
export class EtcdRefusal extends Schema.TaggedError<EtcdRefusal>()("EtcdRefusal", {
  code: Schema.Int,
  reason: Schema.String
}) {
  /** Codes 4 and 14 leave open what happened. */
  get definite(): boolean {
    return this.code !== 4 && this.code !== 14
  }
  override get message() {
    return `${this.reason} (gRPC code ${this.code}); see the API reference of etcd v3`
  }
}

// Among members

/** Messages of raft, see actors/raft/raft-codec.ts. May be lost. */
export class RaftPacket extends Schema.TaggedClass<RaftPacket>()("RaftPacket", {
  /** The node that it comes from: whoever was away when that became a member answers it all the same. */
  node: Schema.String,
  bytes: Schema.Uint8ArrayFromSelf
}) {}

/** From the leader, to one that was removed and goes on as if it was not. */
export class Expelled extends Schema.TaggedClass<Expelled>()("Expelled", { member: Schema.Int }) {}

/** From a member that does not lead to the one that does; the answer is in etcd's encoding. */
export class CarryOut extends Schema.TaggedRequest<CarryOut>()("CarryOut", {
  payload: { command: Schema.Uint8ArrayFromSelf },
  success: Schema.Uint8ArrayFromSelf,
  failure: EtcdRefusal
}) {}

/** A change of who the members are, to the one that leads: a method of etcd's Cluster service and its request. */
export class ChangeMembers extends Schema.TaggedRequest<ChangeMembers>()("ChangeMembers", {
  payload: { method: Schema.String, request: Schema.Uint8ArrayFromSelf },
  success: Schema.Uint8ArrayFromSelf,
  failure: EtcdRefusal
}) {}

/** A node that was added as a member says who it is; the leader knows it by its URL. */
export class Announce extends Schema.TaggedRequest<Announce>()("Announce", {
  payload: {
    name: Schema.String,
    peerUrl: Schema.String,
    clientUrl: Schema.String,
    /** Drawn when its data directory was empty: a member that has lost its data shows another one. */
    dataId: Schema.String
  },
  success: Schema.Struct({
    id: Schema.Int,
    members: Schema.Array(Schema.Struct({ id: Schema.Int, name: Schema.String }))
  }),
  failure: EtcdRefusal
}) {}

/** From a member with an empty data directory, before it takes part: whether it had another one before. */
export class WasThere extends Schema.TaggedRequest<WasThere>()("WasThere", {
  payload: { member: Schema.Int },
  success: Schema.Boolean,
  failure: EtcdRefusal
}) {}

/** Only the leader counts. Null: there is no such lease. */
export class RenewLease extends Schema.TaggedRequest<RenewLease>()("RenewLease", {
  payload: { lease: Schema.BigInt },
  success: Schema.NullOr(Schema.Number),
  failure: EtcdRefusal
}) {}

/** The milliseconds that a lease has left, as the leader counts them. Null: there is no such lease. */
export class RemainingLease extends Schema.TaggedRequest<RemainingLease>()("RemainingLease", {
  payload: { lease: Schema.BigInt },
  success: Schema.NullOr(Schema.Number),
  failure: EtcdRefusal
}) {}

// For operators

export const ChainfireStatus = Schema.Struct({
  member: Schema.Int,
  role: Schema.Literal("follower", "pre-candidate", "candidate", "leader"),
  term: Schema.Int,
  /** 0 while none is known. */
  leader: Schema.Int,
  commitIndex: Schema.Int,
  appliedIndex: Schema.Int,
  revision: Schema.Int,
  compactRevision: Schema.Int,
  leases: Schema.Int,
  /** Whether clients have to say who they are. */
  authentication: Schema.Boolean,
  watches: Schema.Int,
  /** Of those, parked: they read the store when their client reads again. */
  parkedWatches: Schema.Int,
  /** How often a snapshot of a leader has taken the place of its state, since it was started. */
  snapshotsInstalled: Schema.Int,
  /** Where its log begins: what came before is in its state. */
  firstIndex: Schema.Int,
  voters: Schema.Array(Schema.Int),
  learners: Schema.Array(Schema.Int),
  removed: Schema.Boolean,
  /** Those that are raised, of all members: NOSPACE, CORRUPT. */
  alarms: Schema.Array(Schema.String),
  /** Why it takes part no longer; empty while it does. */
  failed: Schema.String
})
export type ChainfireStatus = typeof ChainfireStatus.Type

export class GetChainfire extends Schema.TaggedRequest<GetChainfire>()(
  "GetChainfire",
  { payload: {}, success: ChainfireStatus, failure: Schema.Never },
  observe("How this member of chainfire is: its role, how far it has come, and who watches.")
) {}

// Events: what a member publishes

export const ReplacementStep = Schema.Literal(
  "adding",
  "catching up",
  "promoting",
  "removing",
  "verifying",
  "done",
  "aborted"
)
export type ReplacementStep = typeof ReplacementStep.Type

export class ChainfireLed extends Schema.TaggedClass<ChainfireLed>()(
  "ChainfireLed",
  {
    member: Schema.Int,
    term: Schema.Int,
    /** 0 while none is known. */
    leader: Schema.Int
  },
  event("A member of chainfire has learned of another leader, or of another term.")
) {}

export class ChainfireMembersChanged extends Schema.TaggedClass<ChainfireMembersChanged>()(
  "ChainfireMembersChanged",
  { member: Schema.Int, voters: Schema.Array(Schema.Int), learners: Schema.Array(Schema.Int) },
  event("A member of chainfire has learned of other members.")
) {}

export class ReplacementAdvanced extends Schema.TaggedClass<ReplacementAdvanced>()(
  "ReplacementAdvanced",
  { id: Schema.Int, step: ReplacementStep, waitsFor: Schema.String },
  event("The replacement of a member of chainfire has come to another step, or waits.")
) {}

// Who the members are

/** One member that takes the place of another, step by step, and what was seen at each. */
export const Replacement = Schema.Struct({
  id: Schema.Int,
  old: Schema.Int,
  peerUrl: Schema.String,
  /** The new member; 0 before it was added. */
  added: Schema.Int,
  step: ReplacementStep,
  /** Why it does not go on; empty while it does. */
  waitsFor: Schema.String,
  evidence: Schema.Array(
    Schema.Struct({
      step: ReplacementStep,
      /** Milliseconds since 1970. */
      atMillis: Schema.Number,
      /** The commit index of the group. */
      commit: Schema.Int,
      what: Schema.String
    })
  )
})
export type Replacement = typeof Replacement.Type

/** Another replacement is under way, or there is none that could be called off. */
export class ReplacementRefused extends Schema.TaggedError<ReplacementRefused>()("ReplacementRefused", {
  reason: Schema.String
}) {
  readonly definite = true
  override get message() {
    return `the members stay as they are: ${this.reason}; GetReplacement says what is under way`
  }
}

export class ReplaceMember extends Schema.TaggedRequest<ReplaceMember>()(
  "ReplaceMember",
  {
    payload: { old: Schema.Int, peerUrl: Schema.String },
    success: Replacement,
    failure: Schema.Union(ReplacementRefused, EtcdRefusal)
  },
  admin(
    "Puts a member of chainfire in the place of another one: adds it, lets it catch up, has it vote, removes the old one and reads. Goes on by itself, also when the leader dies, and waits rather than lose the quorum."
  )
) {}

export class AbortReplacement extends Schema.TaggedRequest<AbortReplacement>()(
  "AbortReplacement",
  { payload: {}, success: Replacement, failure: Schema.Union(ReplacementRefused, EtcdRefusal) },
  admin("Calls a replacement off, as long as the new member does not vote, and removes that one again.")
) {}

export class GetReplacement extends Schema.TaggedRequest<GetReplacement>()(
  "GetReplacement",
  { payload: {}, success: Schema.NullOr(Replacement), failure: EtcdRefusal },
  observe("The replacement of a member that is under way or was the last one, with its evidence.")
) {}
