/**
 * Every method of etcd v3: its gRPC path, its path at the JSON gateway, and its messages. Streams have
 * requests that keep coming, answers that keep coming, or both.
 */
import type { Message } from "../protobuf-message.ts"
import * as Auth from "./auth.ts"
import * as Cluster from "./cluster.ts"
import * as Concurrency from "./concurrency.ts"
import { CompactionRequest, CompactionResponse } from "./kv.ts"
import * as Kv from "./kv-fast.ts"
import * as Lease from "./lease.ts"
import * as Txn from "./txn-fast.ts"
import * as Watch from "./watch.ts"

export type Streaming = "unary" | "answers" | "both"

export interface Method<Request extends object, Response extends object> {
  /** `/etcdserverpb.KV/Put` */
  readonly path: string
  /** `/v3/kv/put`, by POST. Methods the gateway of 3.4 does not have, have none. */
  readonly gateway: string | undefined
  readonly request: Message<Request>
  readonly response: Message<Response>
  readonly streaming: Streaming
}

const method = <Request extends object, Response extends object>(
  path: string,
  gateway: string | undefined,
  request: Message<Request>,
  response: Message<Response>,
  streaming: Streaming = "unary"
): Method<Request, Response> => ({ path, gateway, request, response, streaming })

const kv = "/etcdserverpb.KV"
const lease = "/etcdserverpb.Lease"
const cluster = "/etcdserverpb.Cluster"
const maintenance = "/etcdserverpb.Maintenance"
const auth = "/etcdserverpb.Auth"
const election = "/v3electionpb.Election"

export const KV = {
  range: method(`${kv}/Range`, "/v3/kv/range", Kv.RangeRequest, Kv.RangeResponse),
  put: method(`${kv}/Put`, "/v3/kv/put", Kv.PutRequest, Kv.PutResponse),
  deleteRange: method(
    `${kv}/DeleteRange`,
    "/v3/kv/deleterange",
    Kv.DeleteRangeRequest,
    Kv.DeleteRangeResponse
  ),
  txn: method(`${kv}/Txn`, "/v3/kv/txn", Txn.TxnRequest, Txn.TxnResponse),
  compact: method(`${kv}/Compact`, "/v3/kv/compaction", CompactionRequest, CompactionResponse)
}

export const WATCH = {
  watch: method("/etcdserverpb.Watch/Watch", "/v3/watch", Watch.WatchRequest, Watch.WatchResponse, "both")
}

export const LEASE = {
  grant: method(`${lease}/LeaseGrant`, "/v3/lease/grant", Lease.LeaseGrantRequest, Lease.LeaseGrantResponse),
  revoke: method(
    `${lease}/LeaseRevoke`,
    "/v3/lease/revoke",
    Lease.LeaseRevokeRequest,
    Lease.LeaseRevokeResponse
  ),
  keepAlive: method(
    `${lease}/LeaseKeepAlive`,
    "/v3/lease/keepalive",
    Lease.LeaseKeepAliveRequest,
    Lease.LeaseKeepAliveResponse,
    "both"
  ),
  timeToLive: method(
    `${lease}/LeaseTimeToLive`,
    "/v3/lease/timetolive",
    Lease.LeaseTimeToLiveRequest,
    Lease.LeaseTimeToLiveResponse
  ),
  leases: method(
    `${lease}/LeaseLeases`,
    "/v3/lease/leases",
    Lease.LeaseLeasesRequest,
    Lease.LeaseLeasesResponse
  )
}

export const CLUSTER = {
  memberAdd: method(
    `${cluster}/MemberAdd`,
    "/v3/cluster/member/add",
    Cluster.MemberAddRequest,
    Cluster.MemberAddResponse
  ),
  memberRemove: method(
    `${cluster}/MemberRemove`,
    "/v3/cluster/member/remove",
    Cluster.MemberRemoveRequest,
    Cluster.MemberRemoveResponse
  ),
  memberUpdate: method(
    `${cluster}/MemberUpdate`,
    "/v3/cluster/member/update",
    Cluster.MemberUpdateRequest,
    Cluster.MemberUpdateResponse
  ),
  memberList: method(
    `${cluster}/MemberList`,
    "/v3/cluster/member/list",
    Cluster.MemberListRequest,
    Cluster.MemberListResponse
  ),
  memberPromote: method(
    `${cluster}/MemberPromote`,
    "/v3/cluster/member/promote",
    Cluster.MemberPromoteRequest,
    Cluster.MemberPromoteResponse
  )
}

export const MAINTENANCE = {
  alarm: method(`${maintenance}/Alarm`, "/v3/maintenance/alarm", Cluster.AlarmRequest, Cluster.AlarmResponse),
  status: method(
    `${maintenance}/Status`,
    "/v3/maintenance/status",
    Cluster.StatusRequest,
    Cluster.StatusResponse
  ),
  defragment: method(
    `${maintenance}/Defragment`,
    "/v3/maintenance/defragment",
    Cluster.DefragmentRequest,
    Cluster.DefragmentResponse
  ),
  hash: method(`${maintenance}/Hash`, undefined, Cluster.HashRequest, Cluster.HashResponse),
  hashKV: method(
    `${maintenance}/HashKV`,
    "/v3/maintenance/hash",
    Cluster.HashKVRequest,
    Cluster.HashKVResponse
  ),
  snapshot: method(
    `${maintenance}/Snapshot`,
    "/v3/maintenance/snapshot",
    Cluster.SnapshotRequest,
    Cluster.SnapshotResponse,
    "answers"
  ),
  moveLeader: method(
    `${maintenance}/MoveLeader`,
    "/v3/maintenance/transfer-leadership",
    Cluster.MoveLeaderRequest,
    Cluster.MoveLeaderResponse
  ),
  downgrade: method(
    `${maintenance}/Downgrade`,
    undefined,
    Cluster.DowngradeRequest,
    Cluster.DowngradeResponse
  )
}

export const AUTH = {
  enable: method(`${auth}/AuthEnable`, "/v3/auth/enable", Auth.AuthEnableRequest, Auth.AuthEnableResponse),
  disable: method(
    `${auth}/AuthDisable`,
    "/v3/auth/disable",
    Auth.AuthDisableRequest,
    Auth.AuthDisableResponse
  ),
  status: method(`${auth}/AuthStatus`, undefined, Auth.AuthStatusRequest, Auth.AuthStatusResponse),
  authenticate: method(
    `${auth}/Authenticate`,
    "/v3/auth/authenticate",
    Auth.AuthenticateRequest,
    Auth.AuthenticateResponse
  ),
  userAdd: method(`${auth}/UserAdd`, "/v3/auth/user/add", Auth.AuthUserAddRequest, Auth.AuthUserAddResponse),
  userGet: method(`${auth}/UserGet`, "/v3/auth/user/get", Auth.AuthUserGetRequest, Auth.AuthUserGetResponse),
  userList: method(
    `${auth}/UserList`,
    "/v3/auth/user/list",
    Auth.AuthUserListRequest,
    Auth.AuthUserListResponse
  ),
  userDelete: method(
    `${auth}/UserDelete`,
    "/v3/auth/user/delete",
    Auth.AuthUserDeleteRequest,
    Auth.AuthUserDeleteResponse
  ),
  userChangePassword: method(
    `${auth}/UserChangePassword`,
    "/v3/auth/user/changepw",
    Auth.AuthUserChangePasswordRequest,
    Auth.AuthUserChangePasswordResponse
  ),
  userGrantRole: method(
    `${auth}/UserGrantRole`,
    "/v3/auth/user/grant",
    Auth.AuthUserGrantRoleRequest,
    Auth.AuthUserGrantRoleResponse
  ),
  userRevokeRole: method(
    `${auth}/UserRevokeRole`,
    "/v3/auth/user/revoke",
    Auth.AuthUserRevokeRoleRequest,
    Auth.AuthUserRevokeRoleResponse
  ),
  roleAdd: method(`${auth}/RoleAdd`, "/v3/auth/role/add", Auth.AuthRoleAddRequest, Auth.AuthRoleAddResponse),
  roleGet: method(`${auth}/RoleGet`, "/v3/auth/role/get", Auth.AuthRoleGetRequest, Auth.AuthRoleGetResponse),
  roleList: method(
    `${auth}/RoleList`,
    "/v3/auth/role/list",
    Auth.AuthRoleListRequest,
    Auth.AuthRoleListResponse
  ),
  roleDelete: method(
    `${auth}/RoleDelete`,
    "/v3/auth/role/delete",
    Auth.AuthRoleDeleteRequest,
    Auth.AuthRoleDeleteResponse
  ),
  roleGrantPermission: method(
    `${auth}/RoleGrantPermission`,
    "/v3/auth/role/grant",
    Auth.AuthRoleGrantPermissionRequest,
    Auth.AuthRoleGrantPermissionResponse
  ),
  roleRevokePermission: method(
    `${auth}/RoleRevokePermission`,
    "/v3/auth/role/revoke",
    Auth.AuthRoleRevokePermissionRequest,
    Auth.AuthRoleRevokePermissionResponse
  )
}

export const LOCK = {
  lock: method("/v3lockpb.Lock/Lock", "/v3/lock/lock", Concurrency.LockRequest, Concurrency.LockResponse),
  unlock: method(
    "/v3lockpb.Lock/Unlock",
    "/v3/lock/unlock",
    Concurrency.UnlockRequest,
    Concurrency.UnlockResponse
  )
}

export const ELECTION = {
  campaign: method(
    `${election}/Campaign`,
    "/v3/election/campaign",
    Concurrency.CampaignRequest,
    Concurrency.CampaignResponse
  ),
  proclaim: method(
    `${election}/Proclaim`,
    "/v3/election/proclaim",
    Concurrency.ProclaimRequest,
    Concurrency.ProclaimResponse
  ),
  leader: method(
    `${election}/Leader`,
    "/v3/election/leader",
    Concurrency.LeaderRequest,
    Concurrency.LeaderResponse
  ),
  observe: method(
    `${election}/Observe`,
    "/v3/election/observe",
    Concurrency.LeaderRequest,
    Concurrency.LeaderResponse,
    "answers"
  ),
  resign: method(
    `${election}/Resign`,
    "/v3/election/resign",
    Concurrency.ResignRequest,
    Concurrency.ResignResponse
  )
}

/** All of them, for what treats them alike, such as the gateway. */
export const methods: ReadonlyArray<Method<object, object>> = [
  KV,
  WATCH,
  LEASE,
  CLUSTER,
  MAINTENANCE,
  AUTH,
  LOCK,
  ELECTION
].flatMap((service): ReadonlyArray<Method<object, object>> => Object.values(service))
