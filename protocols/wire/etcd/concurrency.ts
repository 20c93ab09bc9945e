/**
 * etcd's locks and elections as services of their own (v3lockpb/v3lock.proto, v3electionpb/v3election.proto).
 * Both are transactions and watches that the server does for its clients.
 */
import { bytes, count, id, message, nested, type TypeOf } from "../protobuf-message.ts"
import { KeyValue, ResponseHeader } from "./kv-fast.ts"

const header = nested(1, () => ResponseHeader)

export const LockRequest = message("v3lockpb.LockRequest", { name: bytes(1), lease: id(2) })
export type LockRequest = TypeOf<typeof LockRequest>
export const LockResponse = message("v3lockpb.LockResponse", { header, key: bytes(2) })
export type LockResponse = TypeOf<typeof LockResponse>

export const UnlockRequest = message("v3lockpb.UnlockRequest", { key: bytes(1) })
export type UnlockRequest = TypeOf<typeof UnlockRequest>
export const UnlockResponse = message("v3lockpb.UnlockResponse", { header })
export type UnlockResponse = TypeOf<typeof UnlockResponse>

export const LeaderKey = message("v3electionpb.LeaderKey", {
  name: bytes(1),
  key: bytes(2),
  rev: count(3),
  lease: id(4)
})
export type LeaderKey = TypeOf<typeof LeaderKey>

export const CampaignRequest = message("v3electionpb.CampaignRequest", {
  name: bytes(1),
  lease: id(2),
  value: bytes(3)
})
export type CampaignRequest = TypeOf<typeof CampaignRequest>
export const CampaignResponse = message("v3electionpb.CampaignResponse", {
  header,
  leader: nested(2, () => LeaderKey)
})
export type CampaignResponse = TypeOf<typeof CampaignResponse>

export const ProclaimRequest = message("v3electionpb.ProclaimRequest", {
  leader: nested(1, () => LeaderKey),
  value: bytes(2)
})
export type ProclaimRequest = TypeOf<typeof ProclaimRequest>
export const ProclaimResponse = message("v3electionpb.ProclaimResponse", { header })
export type ProclaimResponse = TypeOf<typeof ProclaimResponse>

export const LeaderRequest = message("v3electionpb.LeaderRequest", { name: bytes(1) })
export type LeaderRequest = TypeOf<typeof LeaderRequest>
export const LeaderResponse = message("v3electionpb.LeaderResponse", {
  header,
  kv: nested(2, () => KeyValue)
})
export type LeaderResponse = TypeOf<typeof LeaderResponse>

export const ResignRequest = message("v3electionpb.ResignRequest", { leader: nested(1, () => LeaderKey) })
export type ResignRequest = TypeOf<typeof ResignRequest>
export const ResignResponse = message("v3electionpb.ResignResponse", { header })
export type ResignResponse = TypeOf<typeof ResignResponse>
