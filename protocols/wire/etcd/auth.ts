/**
 * etcd v3's authentication messages (authpb/auth.proto and etcdserverpb/rpc.proto, service Auth). Most are
 * a name or two, answered by nothing but the header.
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
  type TypeOf
} from "../protobuf-message.ts"
import { ResponseHeader } from "./kv-fast.ts"

const header = nested(1, () => ResponseHeader)

export const PermissionType = { read: 0, write: 1, readWrite: 2 } as const

export const Permission = message("authpb.Permission", {
  permType: enumeration(1, ["READ", "WRITE", "READWRITE"]),
  key: bytes(2),
  range_end: bytes(3)
})
export type Permission = TypeOf<typeof Permission>

export const UserAddOptions = message("authpb.UserAddOptions", { no_password: bool(1) })
export type UserAddOptions = TypeOf<typeof UserAddOptions>

/** How etcd stores them; they are not sent. */
export const User = message("authpb.User", {
  name: bytes(1),
  password: bytes(2),
  roles: repeated(string(3)),
  options: nested(4, () => UserAddOptions)
})
export type User = TypeOf<typeof User>

export const Role = message("authpb.Role", {
  name: bytes(1),
  keyPermission: repeated(nested(2, () => Permission))
})
export type Role = TypeOf<typeof Role>

export const AuthEnableRequest = message("etcdserverpb.AuthEnableRequest", {})
export type AuthEnableRequest = TypeOf<typeof AuthEnableRequest>
export const AuthEnableResponse = message("etcdserverpb.AuthEnableResponse", { header })
export type AuthEnableResponse = TypeOf<typeof AuthEnableResponse>

export const AuthDisableRequest = message("etcdserverpb.AuthDisableRequest", {})
export type AuthDisableRequest = TypeOf<typeof AuthDisableRequest>
export const AuthDisableResponse = message("etcdserverpb.AuthDisableResponse", { header })
export type AuthDisableResponse = TypeOf<typeof AuthDisableResponse>

export const AuthStatusRequest = message("etcdserverpb.AuthStatusRequest", {})
export type AuthStatusRequest = TypeOf<typeof AuthStatusRequest>
export const AuthStatusResponse = message("etcdserverpb.AuthStatusResponse", {
  header,
  enabled: bool(2),
  authRevision: count(3)
})
export type AuthStatusResponse = TypeOf<typeof AuthStatusResponse>

export const AuthenticateRequest = message("etcdserverpb.AuthenticateRequest", {
  name: string(1),
  password: string(2)
})
export type AuthenticateRequest = TypeOf<typeof AuthenticateRequest>
export const AuthenticateResponse = message("etcdserverpb.AuthenticateResponse", { header, token: string(2) })
export type AuthenticateResponse = TypeOf<typeof AuthenticateResponse>

// Users

export const AuthUserAddRequest = message("etcdserverpb.AuthUserAddRequest", {
  name: string(1),
  password: string(2),
  options: nested(3, () => UserAddOptions),
  hashedPassword: string(4)
})
export type AuthUserAddRequest = TypeOf<typeof AuthUserAddRequest>
export const AuthUserAddResponse = message("etcdserverpb.AuthUserAddResponse", { header })
export type AuthUserAddResponse = TypeOf<typeof AuthUserAddResponse>

export const AuthUserGetRequest = message("etcdserverpb.AuthUserGetRequest", { name: string(1) })
export type AuthUserGetRequest = TypeOf<typeof AuthUserGetRequest>
export const AuthUserGetResponse = message("etcdserverpb.AuthUserGetResponse", {
  header,
  roles: repeated(string(2))
})
export type AuthUserGetResponse = TypeOf<typeof AuthUserGetResponse>

export const AuthUserListRequest = message("etcdserverpb.AuthUserListRequest", {})
export type AuthUserListRequest = TypeOf<typeof AuthUserListRequest>
export const AuthUserListResponse = message("etcdserverpb.AuthUserListResponse", {
  header,
  users: repeated(string(2))
})
export type AuthUserListResponse = TypeOf<typeof AuthUserListResponse>

export const AuthUserDeleteRequest = message("etcdserverpb.AuthUserDeleteRequest", { name: string(1) })
export type AuthUserDeleteRequest = TypeOf<typeof AuthUserDeleteRequest>
export const AuthUserDeleteResponse = message("etcdserverpb.AuthUserDeleteResponse", { header })
export type AuthUserDeleteResponse = TypeOf<typeof AuthUserDeleteResponse>

export const AuthUserChangePasswordRequest = message("etcdserverpb.AuthUserChangePasswordRequest", {
  name: string(1),
  password: string(2),
  hashedPassword: string(3)
})
export type AuthUserChangePasswordRequest = TypeOf<typeof AuthUserChangePasswordRequest>
export const AuthUserChangePasswordResponse = message("etcdserverpb.AuthUserChangePasswordResponse", {
  header
})
export type AuthUserChangePasswordResponse = TypeOf<typeof AuthUserChangePasswordResponse>

export const AuthUserGrantRoleRequest = message("etcdserverpb.AuthUserGrantRoleRequest", {
  user: string(1),
  role: string(2)
})
export type AuthUserGrantRoleRequest = TypeOf<typeof AuthUserGrantRoleRequest>
export const AuthUserGrantRoleResponse = message("etcdserverpb.AuthUserGrantRoleResponse", { header })
export type AuthUserGrantRoleResponse = TypeOf<typeof AuthUserGrantRoleResponse>

export const AuthUserRevokeRoleRequest = message("etcdserverpb.AuthUserRevokeRoleRequest", {
  name: string(1),
  role: string(2)
})
export type AuthUserRevokeRoleRequest = TypeOf<typeof AuthUserRevokeRoleRequest>
export const AuthUserRevokeRoleResponse = message("etcdserverpb.AuthUserRevokeRoleResponse", { header })
export type AuthUserRevokeRoleResponse = TypeOf<typeof AuthUserRevokeRoleResponse>

// Roles

export const AuthRoleAddRequest = message("etcdserverpb.AuthRoleAddRequest", { name: string(1) })
export type AuthRoleAddRequest = TypeOf<typeof AuthRoleAddRequest>
export const AuthRoleAddResponse = message("etcdserverpb.AuthRoleAddResponse", { header })
export type AuthRoleAddResponse = TypeOf<typeof AuthRoleAddResponse>

export const AuthRoleGetRequest = message("etcdserverpb.AuthRoleGetRequest", { role: string(1) })
export type AuthRoleGetRequest = TypeOf<typeof AuthRoleGetRequest>
export const AuthRoleGetResponse = message("etcdserverpb.AuthRoleGetResponse", {
  header,
  perm: repeated(nested(2, () => Permission))
})
export type AuthRoleGetResponse = TypeOf<typeof AuthRoleGetResponse>

export const AuthRoleListRequest = message("etcdserverpb.AuthRoleListRequest", {})
export type AuthRoleListRequest = TypeOf<typeof AuthRoleListRequest>
export const AuthRoleListResponse = message("etcdserverpb.AuthRoleListResponse", {
  header,
  roles: repeated(string(2))
})
export type AuthRoleListResponse = TypeOf<typeof AuthRoleListResponse>

export const AuthRoleDeleteRequest = message("etcdserverpb.AuthRoleDeleteRequest", { role: string(1) })
export type AuthRoleDeleteRequest = TypeOf<typeof AuthRoleDeleteRequest>
export const AuthRoleDeleteResponse = message("etcdserverpb.AuthRoleDeleteResponse", { header })
export type AuthRoleDeleteResponse = TypeOf<typeof AuthRoleDeleteResponse>

export const AuthRoleGrantPermissionRequest = message("etcdserverpb.AuthRoleGrantPermissionRequest", {
  name: string(1),
  perm: nested(2, () => Permission)
})
export type AuthRoleGrantPermissionRequest = TypeOf<typeof AuthRoleGrantPermissionRequest>
export const AuthRoleGrantPermissionResponse = message("etcdserverpb.AuthRoleGrantPermissionResponse", {
  header
})
export type AuthRoleGrantPermissionResponse = TypeOf<typeof AuthRoleGrantPermissionResponse>

export const AuthRoleRevokePermissionRequest = message("etcdserverpb.AuthRoleRevokePermissionRequest", {
  role: string(1),
  key: bytes(2),
  range_end: bytes(3)
})
export type AuthRoleRevokePermissionRequest = TypeOf<typeof AuthRoleRevokePermissionRequest>
export const AuthRoleRevokePermissionResponse = message("etcdserverpb.AuthRoleRevokePermissionResponse", {
  header
})
export type AuthRoleRevokePermissionResponse = TypeOf<typeof AuthRoleRevokePermissionResponse>
