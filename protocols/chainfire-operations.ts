/**
 * What operators have done to chainfire, and see of it, besides what protocols/chainfire.ts has: who the members
 * are and how that changes, where the leader is, and a copy of everything. `/<node>/chainfire/member/operations`
 * takes it; a change of members goes on to whoever leads.
 *
 * Promised: a change of members is refused rather than lose the quorum. A backup is what `etcdctl snapshot save`
 * would write, of one moment, with its SHA-256 at its end.
 *
 * Not promised: that a backup waits for its reader. One that is not read on for half a minute is given up.
 */
import { Schema } from "effect"
import { EtcdRefusal } from "./chainfire.ts"
import { Bytes } from "./chainfire-keys.ts"
import { admin, observe, operate } from "./message.ts"

// Values

export const ChainfireMember = Schema.Struct({
  id: Schema.Int,
  /** Of its node; empty until it has said so. */
  name: Schema.String,
  peerUrls: Schema.Array(Schema.String),
  clientUrls: Schema.Array(Schema.String),
  /** It gets the log and does not vote. */
  learner: Schema.Boolean,
  leads: Schema.Boolean
})
export type ChainfireMember = typeof ChainfireMember.Type

const member = { member: Schema.Int.pipe(Schema.greaterThanOrEqualTo(1)) }

// Faults

/** Nobody has begun it, it was not read on in time, or reading what it is made of failed. */
export class BackupGone extends Schema.TaggedError<BackupGone>()(
  "BackupGone",
  { backup: Schema.Int, reason: Schema.String },
  { description: "There is no such backup to be read." }
) {
  readonly definite = true
  override get message() {
    return `backup ${this.backup} cannot be read: ${this.reason}; begin another one`
  }
}

export class TooManyBackups extends Schema.TaggedError<TooManyBackups>()(
  "TooManyBackups",
  { backupsMax: Schema.Int },
  { description: "As many backups as a member makes at a time are being read." }
) {
  readonly definite = true
  override get message() {
    return `${this.backupsMax} backups are being read already; wait until one of them ends`
  }
}

// Requests

export class GetChainfireMembers extends Schema.TaggedRequest<GetChainfireMembers>()(
  "GetChainfireMembers",
  { payload: {}, success: Schema.Array(ChainfireMember), failure: Schema.Never },
  observe("The members of chainfire as this one knows them.")
) {}

export class AddMember extends Schema.TaggedRequest<AddMember>()(
  "AddMember",
  {
    payload: { peerUrl: Schema.NonEmptyString },
    success: Schema.Struct({ member: Schema.Int }),
    failure: EtcdRefusal
  },
  admin(
    "Adds a member, which gets the log and does not vote before it is promoted. Its node is started afterwards."
  )
) {}

export class PromoteMember extends Schema.TaggedRequest<PromoteMember>()(
  "PromoteMember",
  { payload: member, success: Schema.Void, failure: EtcdRefusal },
  admin("Has a member vote that has nearly all of the log.")
) {}

export class RemoveMember extends Schema.TaggedRequest<RemoveMember>()(
  "RemoveMember",
  { payload: member, success: Schema.Void, failure: EtcdRefusal },
  admin("Removes a member for good. Refused where the others that answer would be no quorum.")
) {}

export class TransferLeader extends Schema.TaggedRequest<TransferLeader>()(
  "TransferLeader",
  { payload: member, success: Schema.Void, failure: EtcdRefusal },
  operate("Has another voter lead. Only the one that leads takes it.")
) {}

export class BeginBackup extends Schema.TaggedRequest<BeginBackup>()(
  "BeginBackup",
  { payload: {}, success: Schema.Struct({ backup: Schema.Int }), failure: TooManyBackups },
  admin("Begins a copy of all that this member has, as it is at this moment. It is read with ReadBackup.")
) {}

export class ReadBackup extends Schema.TaggedRequest<ReadBackup>()(
  "ReadBackup",
  {
    payload: { backup: Schema.Int },
    success: Schema.Struct({ bytes: Bytes, remainingBytes: Schema.Int, done: Schema.Boolean }),
    failure: BackupGone
  },
  admin("The next part of a backup.", { traffic: true })
) {}

export class GetChainfireMetrics extends Schema.TaggedRequest<GetChainfireMetrics>()(
  "GetChainfireMetrics",
  { payload: {}, success: Schema.String, failure: Schema.Never },
  observe("The numbers of this member, as Prometheus reads them.")
) {}
