/** The answer to each kind of command in etcd's encoding, as it goes from the leader to the member that was asked. */
import {
  AuthDisableResponse,
  AuthEnableResponse,
  AuthenticateResponse,
  AuthRoleAddResponse,
  AuthRoleDeleteResponse,
  AuthRoleGrantPermissionResponse,
  AuthRoleRevokePermissionResponse,
  AuthUserAddResponse,
  AuthUserChangePasswordResponse,
  AuthUserDeleteResponse,
  AuthUserGrantRoleResponse,
  AuthUserRevokeRoleResponse
} from "#protocols/wire/etcd/auth.ts"
import { AlarmResponse, MemberUpdateResponse } from "#protocols/wire/etcd/cluster.ts"
import { CompactionResponse } from "#protocols/wire/etcd/kv.ts"
import { DeleteRangeResponse, PutResponse } from "#protocols/wire/etcd/kv-fast.ts"
import { LeaseGrantResponse, LeaseRevokeResponse } from "#protocols/wire/etcd/lease.ts"
import { TxnResponse } from "#protocols/wire/etcd/txn-fast.ts"
import type { Message as ProtobufMessage } from "#protocols/wire/protobuf-message.ts"
import type { Command } from "./command.ts"
import type { Response } from "./state-machine.ts"

const codecs = {
  Put: PutResponse,
  DeleteRange: DeleteRangeResponse,
  Txn: TxnResponse,
  Compact: CompactionResponse,
  LeaseGrant: LeaseGrantResponse,
  LeaseRevoke: LeaseRevokeResponse,
  SetMember: MemberUpdateResponse,
  Alarm: AlarmResponse,
  SetReplacement: MemberUpdateResponse,
  DropMember: MemberUpdateResponse,
  Authenticate: AuthenticateResponse,
  AuthEnable: AuthEnableResponse,
  AuthDisable: AuthDisableResponse,
  UserAdd: AuthUserAddResponse,
  UserDelete: AuthUserDeleteResponse,
  UserChangePassword: AuthUserChangePasswordResponse,
  UserGrantRole: AuthUserGrantRoleResponse,
  UserRevokeRole: AuthUserRevokeRoleResponse,
  RoleAdd: AuthRoleAddResponse,
  RoleDelete: AuthRoleDeleteResponse,
  RoleGrantPermission: AuthRoleGrantPermissionResponse,
  RoleRevokePermission: AuthRoleRevokePermissionResponse
} satisfies Record<Command["_tag"], unknown>

/** The response to a command is that of its kind. */
export const encodeResponse = (kind: Command["_tag"], response: Response): Uint8Array =>
  (codecs[kind] as ProtobufMessage<Response>).encode(response)
