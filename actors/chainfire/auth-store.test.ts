import test from "ava"
import {
  AuthRoleGrantPermissionRequest,
  AuthRoleRevokePermissionRequest,
  AuthUserAddRequest,
  AuthUserChangePasswordRequest,
  Permission,
  PermissionType
} from "#protocols/wire/etcd/auth.ts"
import { etcdErrors } from "#protocols/wire/etcd/errors.ts"
import {
  AuthStore,
  checkPassword,
  nameBytesMax,
  passwordBytesMax,
  permissionsOfRoleMax,
  rolesMax,
  rolesOfUserMax,
  usersMax
} from "./auth-store.ts"
import { memoryState } from "./fixtures/local.ts"

const bytes = (text: string): Uint8Array => new TextEncoder().encode(text)
const user = (name: string) => AuthUserAddRequest.make({ name, hashedPassword: `hash of ${name}` })
const permission = (name: string, key: string, rangeEnd = "", permType: number = PermissionType.readWrite) =>
  AuthRoleGrantPermissionRequest.make({
    name,
    perm: Permission.make({ key: bytes(key), rangeEnd: bytes(rangeEnd), permType })
  })

/** Root with his role, and ann, who may read and write what begins with a. */
const prepared = (tables = memoryState()) => {
  const auth = new AuthStore(tables)
  for (const name of ["root", "ann"]) auth.addUser(user(name))
  auth.grantRole("root", "root")
  auth.addRole("a")
  auth.grantPermission(permission("a", "a", "b"))
  auth.grantRole("ann", "a")
  return auth
}

test("while it is off everybody may do everything; once it is on, who nobody knows may do nothing", (t) => {
  const auth = prepared()
  t.is(auth.refuses(undefined, "write", bytes("z")), undefined)
  t.is(auth.refusesRoot(undefined), undefined)
  t.is(auth.enable(), undefined)
  const { revision } = auth
  t.is(auth.refuses(undefined, "write", bytes("a")), etcdErrors.userEmpty)
  t.is(auth.refuses({ user: "eve", revision }, "write", bytes("a")), etcdErrors.permissionDenied)
  t.is(auth.refusesRoot({ user: "eve", revision }), etcdErrors.userNotFound)
  t.is(auth.refuses({ user: "ann", revision }, "write", bytes("aa")), undefined)
  t.is(auth.refuses({ user: "ann", revision }, "read", bytes("b")), etcdErrors.permissionDenied)
  t.is(auth.refusesRoot({ user: "ann", revision }), etcdErrors.permissionDenied)
  t.is(auth.refuses({ user: "root", revision }, "read", bytes("a"), bytes("\0")), undefined)
  t.is(auth.refusesRoot({ user: "root", revision }), undefined)
})

test("it is not switched on without a root who may switch it off", (t) => {
  const auth = new AuthStore(memoryState())
  t.is(auth.enable(), etcdErrors.rootUserNotExist)
  auth.addUser(user("root"))
  t.is(auth.enable(), etcdErrors.rootRoleNotExist)
  auth.grantRole("root", "root")
  t.is(auth.enable(), undefined)
  t.is(auth.deleteUser("root"), etcdErrors.invalidAuthManagement)
  t.is(auth.revokeRole("root", "root"), etcdErrors.invalidAuthManagement)
  t.is(auth.deleteRole("root"), etcdErrors.invalidAuthManagement)
  auth.disable()
  t.is(auth.deleteUser("root"), undefined)
})

test("whoever asks as of an old revision is refused, whatever has changed since", (t) => {
  const auth = prepared()
  auth.enable()
  const asker = { user: "ann", revision: auth.revision }
  t.is(auth.refuses(asker, "write", bytes("a")), undefined)
  auth.addUser(user("bob"))
  t.is(auth.refuses(asker, "write", bytes("a")), etcdErrors.authOldRevision)
  t.is(auth.refuses({ ...asker, revision: auth.revision }, "write", bytes("a")), undefined)
})

test("what changes nothing counts no revision", (t) => {
  const auth = prepared()
  const { revision } = auth
  auth.grantRole("ann", "a")
  auth.addRole("a")
  auth.addUser(user("ann"))
  auth.deleteUser("eve")
  auth.revokePermission(AuthRoleRevokePermissionRequest.make({ role: "a", key: bytes("z") }))
  auth.disable()
  auth.enable()
  t.is(auth.revision, revision)
  auth.disable()
  t.is(auth.revision, revision + 1)
})

test("what a user may do changes with his roles, and with what they open", (t) => {
  const auth = prepared()
  auth.enable()
  const may = (what: "read" | "write", key: string) =>
    auth.refuses({ user: "ann", revision: auth.revision }, what, bytes(key)) === undefined
  t.true(may("write", "a"))
  auth.grantPermission(permission("a", "a", "b", PermissionType.read))
  t.deepEqual([may("read", "a"), may("write", "a")], [true, false])
  auth.addRole("x")
  auth.grantPermission(permission("x", "x", "", PermissionType.write))
  t.false(may("write", "x"))
  auth.grantRole("ann", "x")
  t.deepEqual([may("read", "x"), may("write", "x")], [false, true])
  auth.revokePermission(
    AuthRoleRevokePermissionRequest.make({ role: "a", key: bytes("a"), rangeEnd: bytes("b") })
  )
  t.false(may("read", "a"))
  auth.deleteRole("x")
  t.false(may("write", "x"))
  auth.addRole("x")
  t.deepEqual(auth.user("ann")?.roles, ["a"], "a new role of that name is not granted to anybody")
})

test("another process that opens the tables finds it all", (t) => {
  const tables = memoryState()
  const before = prepared(tables)
  before.enable()
  before.changePassword(AuthUserChangePasswordRequest.make({ name: "ann", hashedPassword: "other" }))
  const after = new AuthStore(tables)
  t.deepEqual(
    [after.enabled, after.revision, after.userNames, after.roleNames],
    [true, before.revision, ["ann", "root"], ["a"]]
  )
  t.deepEqual(after.user("ann")?.password, bytes("other"))
  t.is(after.refuses({ user: "ann", revision: after.revision }, "read", bytes("a")), undefined)
})

test("names, passwords, users, roles and permissions are bounded, and the refusal says the bound", (t) => {
  const auth = new AuthStore(memoryState())
  const long = "n".repeat(nameBytesMax + 1)
  t.regex(auth.addUser(user(long))?.message ?? "", /user name is too long, at most 255 bytes/)
  t.regex(auth.addRole(long)?.message ?? "", /role name is too long, at most 255 bytes/)
  t.is(auth.user(long), undefined)
  t.regex(checkPassword("p".repeat(passwordBytesMax + 1))?.message ?? "", /password is too long/)
  t.is(checkPassword("p".repeat(passwordBytesMax)), undefined)

  for (let count = 0; count < usersMax; count++) auth.addUser(user(`u${count}`))
  t.regex(auth.addUser(user("more"))?.message ?? "", /too many users, at most 10000/)
  for (let count = 0; count < rolesMax; count++) auth.addRole(`r${count}`)
  t.regex(auth.addRole("more")?.message ?? "", /too many roles, at most 10000/)
  for (let count = 0; count < rolesOfUserMax; count++) auth.grantRole("u0", `r${count}`)
  t.regex(auth.grantRole("u0", "r9999")?.message ?? "", /too many roles of one user, at most 100/)
  for (let count = 0; count < permissionsOfRoleMax; count++)
    auth.grantPermission(permission("r0", `k${count}`))
  t.regex(auth.grantPermission(permission("r0", "k"))?.message ?? "", /too many permissions of one role/)
  t.is(auth.grantPermission(permission("r0", "k7", "", 0)), undefined, "those that it has can still change")

  auth.deleteUser("u1")
  auth.deleteRole("r1")
  t.is(auth.addUser(user("more")), undefined)
  t.is(auth.addRole("more"), undefined)
})

test("a permission that is not given is refused; etcd 3.4 crashes", (t) => {
  const request = AuthRoleGrantPermissionRequest.make({ name: "a" })
  t.is(prepared().grantPermission(request), etcdErrors.permissionNotGiven)
})
