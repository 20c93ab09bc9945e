/**
 * etcd v3's membership and maintenance messages (etcdserverpb/rpc.proto, services Cluster and Maintenance).
 * Fields of 3.5 are among them; an end that does not know a field passes over it.
 */
import {
  bool,
  bytes,
  count,
  enumeration,
  message,
  nested,
  repeated,
  string,
  type TypeOf,
  uid,
  uint32
} from "../protobuf-message.ts"
import { ResponseHeader } from "./kv-fast.ts"

const header = nested(1, () => ResponseHeader)

// Cluster

export const Member = message("etcdserverpb.Member", {
  ID: uid(1),
  name: string(2),
  peerURLs: repeated(string(3)),
  clientURLs: repeated(string(4)),
  isLearner: bool(5)
})
export type Member = TypeOf<typeof Member>

const members = repeated(nested(2, () => Member))

export const MemberAddRequest = message("etcdserverpb.MemberAddRequest", {
  peerURLs: repeated(string(1)),
  isLearner: bool(2)
})
export type MemberAddRequest = TypeOf<typeof MemberAddRequest>

export const MemberAddResponse = message("etcdserverpb.MemberAddResponse", {
  header,
  member: nested(2, () => Member),
  members: repeated(nested(3, () => Member))
})
export type MemberAddResponse = TypeOf<typeof MemberAddResponse>

export const MemberRemoveRequest = message("etcdserverpb.MemberRemoveRequest", { ID: uid(1) })
export type MemberRemoveRequest = TypeOf<typeof MemberRemoveRequest>

export const MemberRemoveResponse = message("etcdserverpb.MemberRemoveResponse", { header, members })
export type MemberRemoveResponse = TypeOf<typeof MemberRemoveResponse>

export const MemberUpdateRequest = message("etcdserverpb.MemberUpdateRequest", {
  ID: uid(1),
  peerURLs: repeated(string(2))
})
export type MemberUpdateRequest = TypeOf<typeof MemberUpdateRequest>

export const MemberUpdateResponse = message("etcdserverpb.MemberUpdateResponse", { header, members })
export type MemberUpdateResponse = TypeOf<typeof MemberUpdateResponse>

export const MemberListRequest = message("etcdserverpb.MemberListRequest", { linearizable: bool(1) })
export type MemberListRequest = TypeOf<typeof MemberListRequest>

export const MemberListResponse = message("etcdserverpb.MemberListResponse", { header, members })
export type MemberListResponse = TypeOf<typeof MemberListResponse>

export const MemberPromoteRequest = message("etcdserverpb.MemberPromoteRequest", { ID: uid(1) })
export type MemberPromoteRequest = TypeOf<typeof MemberPromoteRequest>

export const MemberPromoteResponse = message("etcdserverpb.MemberPromoteResponse", { header, members })
export type MemberPromoteResponse = TypeOf<typeof MemberPromoteResponse>

// Maintenance

const AlarmTypes = ["NONE", "NOSPACE", "CORRUPT"]
export const AlarmType = { none: 0, noSpace: 1, corrupt: 2 } as const
export const AlarmAction = { get: 0, activate: 1, deactivate: 2 } as const

export const AlarmRequest = message("etcdserverpb.AlarmRequest", {
  action: enumeration(1, ["GET", "ACTIVATE", "DEACTIVATE"]),
  memberID: uid(2),
  alarm: enumeration(3, AlarmTypes)
})
export type AlarmRequest = TypeOf<typeof AlarmRequest>

export const AlarmMember = message("etcdserverpb.AlarmMember", {
  memberID: uid(1),
  alarm: enumeration(2, AlarmTypes)
})
export type AlarmMember = TypeOf<typeof AlarmMember>

export const AlarmResponse = message("etcdserverpb.AlarmResponse", {
  header,
  alarms: repeated(nested(2, () => AlarmMember))
})
export type AlarmResponse = TypeOf<typeof AlarmResponse>

export const StatusRequest = message("etcdserverpb.StatusRequest", {})
export type StatusRequest = TypeOf<typeof StatusRequest>

export const StatusResponse = message("etcdserverpb.StatusResponse", {
  header,
  version: string(2),
  dbSize: count(3),
  leader: uid(4),
  raftIndex: count(5),
  raftTerm: count(6),
  raftAppliedIndex: count(7),
  errors: repeated(string(8)),
  dbSizeInUse: count(9),
  isLearner: bool(10)
})
export type StatusResponse = TypeOf<typeof StatusResponse>

export const DefragmentRequest = message("etcdserverpb.DefragmentRequest", {})
export type DefragmentRequest = TypeOf<typeof DefragmentRequest>

export const DefragmentResponse = message("etcdserverpb.DefragmentResponse", { header })
export type DefragmentResponse = TypeOf<typeof DefragmentResponse>

export const HashRequest = message("etcdserverpb.HashRequest", {})
export type HashRequest = TypeOf<typeof HashRequest>

export const HashResponse = message("etcdserverpb.HashResponse", { header, hash: uint32(2) })
export type HashResponse = TypeOf<typeof HashResponse>

export const HashKVRequest = message("etcdserverpb.HashKVRequest", { revision: count(1) })
export type HashKVRequest = TypeOf<typeof HashKVRequest>

export const HashKVResponse = message("etcdserverpb.HashKVResponse", {
  header,
  hash: uint32(2),
  compact_revision: count(3)
})
export type HashKVResponse = TypeOf<typeof HashKVResponse>

export const SnapshotRequest = message("etcdserverpb.SnapshotRequest", {})
export type SnapshotRequest = TypeOf<typeof SnapshotRequest>

export const SnapshotResponse = message("etcdserverpb.SnapshotResponse", {
  header,
  remaining_bytes: count(2),
  blob: bytes(3)
})
export type SnapshotResponse = TypeOf<typeof SnapshotResponse>

export const MoveLeaderRequest = message("etcdserverpb.MoveLeaderRequest", { targetID: uid(1) })
export type MoveLeaderRequest = TypeOf<typeof MoveLeaderRequest>

export const MoveLeaderResponse = message("etcdserverpb.MoveLeaderResponse", { header })
export type MoveLeaderResponse = TypeOf<typeof MoveLeaderResponse>

export const DowngradeRequest = message("etcdserverpb.DowngradeRequest", {
  action: enumeration(1, ["VALIDATE", "ENABLE", "CANCEL"]),
  version: string(2)
})
export type DowngradeRequest = TypeOf<typeof DowngradeRequest>

export const DowngradeResponse = message("etcdserverpb.DowngradeResponse", { header, version: string(2) })
export type DowngradeResponse = TypeOf<typeof DowngradeResponse>
