/**
 * Commands: what the members of chainfire agree on, as the data of a log entry: one byte that says which,
 * and the request as its client sent it, in etcd's own encoding.
 *
 *   kind                                            request
 *   kind + 128   length, name of who asks, revision   request
 *
 * The second form is for while authentication is on. What is replicated of a request with a password is its
 * hash.
 */
import { Data } from "effect"
import type { Replacement } from "#protocols/chainfire.ts"
import {
  AuthDisableRequest,
  AuthEnableRequest,
  AuthRoleAddRequest,
  AuthRoleDeleteRequest,
  AuthRoleGrantPermissionRequest,
  AuthRoleRevokePermissionRequest,
  AuthUserAddRequest,
  AuthUserChangePasswordRequest,
  AuthUserDeleteRequest,
  AuthUserGrantRoleRequest,
  AuthUserRevokeRoleRequest
} from "#protocols/wire/etcd/auth.ts"
import { AlarmRequest, MemberRemoveRequest } from "#protocols/wire/etcd/cluster.ts"
import { CompactionRequest } from "#protocols/wire/etcd/kv.ts"
import { DeleteRangeRequest, PutRequest } from "#protocols/wire/etcd/kv-fast.ts"
import { LeaseGrantRequest, LeaseRevokeRequest } from "#protocols/wire/etcd/lease.ts"
import { TxnRequest } from "#protocols/wire/etcd/txn-fast.ts"
import { ProtobufMalformed } from "#protocols/wire/protobuf.ts"
import { count, message, string, type TypeOf } from "#protocols/wire/protobuf-message.ts"
import { type Asker, nameBytesMax } from "./auth-store.ts"
import { MemberRecord } from "./member-records.ts"
import { decodeReplacement } from "./replacement.ts"
import { withoutTrace } from "./traced-command.ts"

/** That a user gets a token: his password was right as of a revision of who may do what. */
export const AuthenticateCommand = message("chainfire.Authenticate", {
  name: string(1),
  token_prefix: string(2),
  auth_revision: count(3)
})
export type AuthenticateCommand = TypeOf<typeof AuthenticateCommand>

interface Of<Tag extends string, Request> {
  readonly _tag: Tag
  readonly request: Request
  /** Nobody, if authentication was off or the client showed nothing. */
  readonly asker?: Asker
}

export type Command =
  | Of<"Put", PutRequest>
  | Of<"DeleteRange", DeleteRangeRequest>
  | Of<"Txn", TxnRequest>
  | Of<"Compact", CompactionRequest>
  | Of<"LeaseGrant", LeaseGrantRequest>
  | Of<"LeaseRevoke", LeaseRevokeRequest>
  | Of<"SetMember", MemberRecord>
  | Of<"DropMember", MemberRemoveRequest>
  | Of<"SetReplacement", Replacement>
  | Of<"Alarm", AlarmRequest>
  | Of<"Authenticate", AuthenticateCommand>
  | Of<"AuthEnable", AuthEnableRequest>
  | Of<"AuthDisable", AuthDisableRequest>
  | Of<"UserAdd", AuthUserAddRequest>
  | Of<"UserDelete", AuthUserDeleteRequest>
  | Of<"UserChangePassword", AuthUserChangePasswordRequest>
  | Of<"UserGrantRole", AuthUserGrantRoleRequest>
  | Of<"UserRevokeRole", AuthUserRevokeRoleRequest>
  | Of<"RoleAdd", AuthRoleAddRequest>
  | Of<"RoleDelete", AuthRoleDeleteRequest>
  | Of<"RoleGrantPermission", AuthRoleGrantPermissionRequest>
  | Of<"RoleRevokePermission", AuthRoleRevokePermissionRequest>

/** Of who may do what. */
export type AuthChange = Extract<
  Command,
  { readonly _tag: "AuthEnable" | "AuthDisable" | `${"User" | "Role"}${string}` }
>

/** The log holds what this release cannot read: a later one wrote it. */
export class UnknownCommand extends Data.TaggedError("UnknownCommand")<{ readonly kind: number }> {
  override get message() {
    return `the log holds a command of kind ${this.kind}, which this release does not know; run the release that wrote it`
  }
}

const kinds: Readonly<Record<Command["_tag"], number>> = {
  Put: 1,
  DeleteRange: 2,
  Txn: 3,
  Compact: 4,
  LeaseGrant: 5,
  LeaseRevoke: 6,
  SetMember: 32,
  DropMember: 33,
  SetReplacement: 34,
  Alarm: 35,
  Authenticate: 64,
  AuthEnable: 65,
  AuthDisable: 66,
  UserAdd: 67,
  UserDelete: 68,
  UserChangePassword: 69,
  UserGrantRole: 70,
  UserRevokeRole: 71,
  RoleAdd: 72,
  RoleDelete: 73,
  RoleGrantPermission: 74,
  RoleRevokePermission: 75
}
const known = new Set(Object.values(kinds))

const withAsker = 128
const encoder = new TextEncoder()
const decoder = new TextDecoder()

/** `request`: in etcd's encoding, as it came or as `encode` makes it. */
export const encodeCommand = (kind: Command["_tag"], request: Uint8Array, asker?: Asker): Uint8Array => {
  if (asker !== undefined) return encodeAsked(kinds[kind], request, asker)
  const bytes = new Uint8Array(1 + request.length)
  bytes[0] = kinds[kind]
  bytes.set(request, 1)
  return bytes
}

const encodeAsked = (kind: number, request: Uint8Array, { revision, user }: Asker): Uint8Array => {
  const name = encoder.encode(user)
  if (name.length > nameBytesMax) throw new Error(`a user has a name of ${name.length} bytes, and cannot`)
  const bytes = new Uint8Array(10 + name.length + request.length)
  bytes[0] = kind | withAsker
  bytes[1] = name.length
  bytes.set(name, 2)
  new DataView(bytes.buffer).setFloat64(2 + name.length, revision)
  bytes.set(request, 10 + name.length)
  return bytes
}

/** Throws `UnknownCommand`, and `ProtobufMalformed` for what no member would have proposed. */
export const decodeCommand = (given: Uint8Array): Command => {
  const bytes = withoutTrace(given)
  const kind = bytes[0] ?? 0
  if (kind < withAsker) return decodeRequest(kind, bytes.subarray(1))
  if (!known.has(kind - withAsker)) throw new UnknownCommand({ kind })
  const nameEnd = 2 + (bytes[1] ?? 0)
  if (bytes.length < nameEnd + 8)
    throw new ProtobufMalformed({ reason: "it does not say who asks", offset: bytes.length })
  const user = decoder.decode(bytes.subarray(2, nameEnd))
  const revision = new DataView(bytes.buffer, bytes.byteOffset).getFloat64(nameEnd)
  return { ...decodeRequest(kind - withAsker, bytes.subarray(nameEnd + 8)), asker: { user, revision } }
}

const decodeRequest = (kind: number, request: Uint8Array): Command => {
  switch (kind) {
    case kinds.Put:
      return { _tag: "Put", request: PutRequest.decode(request) }
    case kinds.DeleteRange:
      return { _tag: "DeleteRange", request: DeleteRangeRequest.decode(request) }
    case kinds.Txn:
      return { _tag: "Txn", request: TxnRequest.decode(request) }
    case kinds.Compact:
      return { _tag: "Compact", request: CompactionRequest.decode(request) }
    case kinds.LeaseGrant:
      return { _tag: "LeaseGrant", request: LeaseGrantRequest.decode(request) }
    case kinds.LeaseRevoke:
      return { _tag: "LeaseRevoke", request: LeaseRevokeRequest.decode(request) }
    case kinds.SetMember:
      return { _tag: "SetMember", request: MemberRecord.decode(request) }
    case kinds.DropMember:
      return { _tag: "DropMember", request: MemberRemoveRequest.decode(request) }
    case kinds.SetReplacement:
      return { _tag: "SetReplacement", request: decodeReplacement(request) }
    case kinds.Authenticate:
      return { _tag: "Authenticate", request: AuthenticateCommand.decode(request) }
    case kinds.AuthEnable:
      return { _tag: "AuthEnable", request: AuthEnableRequest.decode(request) }
    case kinds.AuthDisable:
      return { _tag: "AuthDisable", request: AuthDisableRequest.decode(request) }
    case kinds.UserAdd:
      return { _tag: "UserAdd", request: AuthUserAddRequest.decode(request) }
    case kinds.UserDelete:
      return { _tag: "UserDelete", request: AuthUserDeleteRequest.decode(request) }
    case kinds.UserChangePassword:
      return { _tag: "UserChangePassword", request: AuthUserChangePasswordRequest.decode(request) }
    case kinds.UserGrantRole:
      return { _tag: "UserGrantRole", request: AuthUserGrantRoleRequest.decode(request) }
    case kinds.UserRevokeRole:
      return { _tag: "UserRevokeRole", request: AuthUserRevokeRoleRequest.decode(request) }
    case kinds.RoleAdd:
      return { _tag: "RoleAdd", request: AuthRoleAddRequest.decode(request) }
    case kinds.RoleDelete:
      return { _tag: "RoleDelete", request: AuthRoleDeleteRequest.decode(request) }
    case kinds.RoleGrantPermission:
      return { _tag: "RoleGrantPermission", request: AuthRoleGrantPermissionRequest.decode(request) }
    case kinds.RoleRevokePermission:
      return { _tag: "RoleRevokePermission", request: AuthRoleRevokePermissionRequest.decode(request) }
    case kinds.Alarm:
      return { _tag: "Alarm", request: AlarmRequest.decode(request) }
    default:
      throw new UnknownCommand({ kind })
  }
}
