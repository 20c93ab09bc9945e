/**
 * Who may do what: users with the hashes of their passwords and the roles that they have, and roles with the keys
 * that they open. Replicated state on ordered tables, with the rules of etcd 3.4.
 *
 * Every change counts the revision of all this up by one. Whoever asks for something does so as of a revision,
 * and is refused when that is old by the time his command is applied: between the two he may have lost what
 * allowed it.
 *
 * While authentication is off all of this can be changed and nothing is checked. It is on only if there is a user
 * root with the role root, and then neither can go. Who has the role root may do everything; it need not exist.
 *
 * Bounded: `usersMax` users and `rolesMax` roles, names of `nameBytesMax` bytes, passwords of
 * `passwordBytesMax`, `rolesOfUserMax` roles of one user, and `permissionsOfRoleMax` permissions of one role.
 */
import {
  type AuthRoleGrantPermissionRequest,
  type AuthRoleRevokePermissionRequest,
  type AuthUserAddRequest,
  type AuthUserChangePasswordRequest,
  type Permission,
  Role,
  User
} from "#protocols/wire/etcd/auth.ts"
import { type EtcdError, etcdErrors, GrpcCode } from "#protocols/wire/etcd/errors.ts"
import { type KeyPermissions, keyPermissions } from "./key-permissions.ts"
import type { Table } from "./mvcc.ts"
import { compareBytes, equalBytes, fits } from "./record.ts"

export const usersMax = 10_000
export const rolesMax = 10_000
export const nameBytesMax = 255
export const passwordBytesMax = 1_024
export const rolesOfUserMax = 100
export const permissionsOfRoleMax = 1_000

/** Of a user and of a role: it may do everything. */
export const root = "root"

export interface AuthTables {
  /** Name → etcd's record of a user. */
  readonly users: Table
  /** Name → etcd's record of a role. */
  readonly roles: Table
  /** Holds, besides others' things, whether authentication is on, and the revision. */
  readonly meta: Table
}

/** Who asks for something, and the revision as of which he does. */
export interface Asker {
  readonly user: string
  readonly revision: number
}

interface Rights {
  readonly isRoot: boolean
  readonly keys: KeyPermissions
}

const encoder = new TextEncoder()
const decoder = new TextDecoder()
export const authStateKey: Uint8Array = encoder.encode("auth")
const stateKey = authStateKey

export interface AuthState {
  readonly enabled: boolean
  readonly revision: number
}

export const encodeAuthState = ({ enabled, revision }: AuthState): Uint8Array => {
  const record = new Uint8Array(9)
  record[0] = enabled ? 1 : 0
  new DataView(record.buffer).setFloat64(1, revision)
  return record
}

export const decodeAuthState = (record: Uint8Array | undefined): AuthState => {
  if (record === undefined) return { enabled: false, revision: 1 }
  const view = new DataView(record.buffer, record.byteOffset, record.byteLength)
  return { enabled: view.getUint8(0) === 1, revision: view.getFloat64(1) }
}
const nothing = new Uint8Array(0)

const tooMany = (what: string, max: number): EtcdError => ({
  code: GrpcCode.resourceExhausted,
  message: `etcdserver: too many ${what}, at most ${max}; remove some that nobody needs`
})

const tooLong = (what: string, max: number): EtcdError => ({
  code: GrpcCode.invalidArgument,
  message: `etcdserver: ${what} is too long, at most ${max} bytes`
})

/** Not part of what is applied, where there are no passwords any more. */
export const checkPassword = (password: string): EtcdError | undefined =>
  encoder.encode(password).length > passwordBytesMax ? tooLong("password", passwordBytesMax) : undefined

export class AuthStore {
  readonly #tables: AuthTables
  #enabled = false
  #revision = 1
  #userCount = 0
  #roleCount = 0
  /** Of users that were asked for since the last change. */
  readonly #rights = new Map<string, Rights>()

  constructor(tables: AuthTables) {
    this.#tables = tables
    this.reload()
  }

  /** Something else has taken the place of what was in the tables. */
  reload(): void {
    const { meta, roles, users } = this.#tables
    const { enabled, revision } = decodeAuthState(meta.get(stateKey))
    this.#enabled = enabled
    this.#revision = revision
    this.#userCount = countOf(users)
    this.#roleCount = countOf(roles)
    this.#rights.clear()
  }

  get enabled(): boolean {
    return this.#enabled
  }

  /** Starts at 1. */
  get revision(): number {
    return this.#revision
  }

  // What may be done

  /** Why somebody may not read or write these keys. A range as in a request. */
  refuses(
    asker: Asker | undefined,
    what: keyof KeyPermissions,
    key: Uint8Array,
    rangeEnd: Uint8Array = nothing
  ): EtcdError | undefined {
    if (!this.#enabled) return undefined
    if (asker === undefined) return etcdErrors.userEmpty
    if (asker.revision < this.#revision) return etcdErrors.authOldRevision
    const rights = this.#rightsOf(asker.user)
    if (rights === undefined) return etcdErrors.permissionDenied
    return rights.isRoot || rights.keys[what].covers(key, rangeEnd) ? undefined : etcdErrors.permissionDenied
  }

  /** Why somebody may not do what only root may. */
  refusesRoot(asker: Asker | undefined): EtcdError | undefined {
    if (!this.#enabled) return undefined
    if (asker === undefined || asker.user === "") return etcdErrors.userEmpty
    const rights = this.#rightsOf(asker.user)
    if (rights === undefined) return etcdErrors.userNotFound
    return rights.isRoot ? undefined : etcdErrors.permissionDenied
  }

  /** Why somebody may not do what every user may. */
  refusesUser(asker: Asker | undefined): EtcdError | undefined {
    if (!this.#enabled) return undefined
    if (asker === undefined) return etcdErrors.userEmpty
    return this.#rightsOf(asker.user) === undefined ? etcdErrors.permissionDenied : undefined
  }

  #rightsOf(name: string): Rights | undefined {
    const known = this.#rights.get(name)
    if (known !== undefined) return known
    const user = this.user(name)
    if (user === undefined) return undefined
    const permissions = user.roles.flatMap((role) => this.role(role)?.keyPermission ?? [])
    const rights = { isRoot: user.roles.includes(root), keys: keyPermissions(permissions) }
    this.#rights.set(name, rights)
    return rights
  }

  // What there is

  user(name: string): User | undefined {
    const record = named(this.#tables.users, name)
    return record && User.decode(record)
  }

  role(name: string): Role | undefined {
    const record = named(this.#tables.roles, name)
    return record && Role.decode(record)
  }

  get userNames(): ReadonlyArray<string> {
    return namesIn(this.#tables.users)
  }

  get roleNames(): ReadonlyArray<string> {
    return namesIn(this.#tables.roles)
  }

  hasRole(user: string, role: string): boolean {
    return this.user(user)?.roles.includes(role) ?? false
  }

  // Changes: each says why it was refused, and has changed nothing then.

  enable(): EtcdError | undefined {
    if (this.#enabled) return undefined
    const user = this.user(root)
    if (user === undefined) return etcdErrors.rootUserNotExist
    if (!user.roles.includes(root)) return etcdErrors.rootRoleNotExist
    this.#enabled = true
    this.#store()
    return undefined
  }

  disable(): undefined {
    if (!this.#enabled) return
    this.#enabled = false
    this.#changed()
  }

  /** The password is hashed by now. */
  addUser({ hashedPassword, name, options }: AuthUserAddRequest): EtcdError | undefined {
    if (name === "") return etcdErrors.userEmpty
    if (!fitsName(name)) return tooLong("user name", nameBytesMax)
    if (this.user(name) !== undefined) return etcdErrors.userAlreadyExists
    if (this.#userCount >= usersMax) return tooMany("users", usersMax)
    const password = encoder.encode(hashedPassword)
    this.#putUser({ name: encoder.encode(name), password, roles: [], options })
    this.#userCount++
    this.#changed()
    return undefined
  }

  deleteUser(name: string): EtcdError | undefined {
    if (this.#enabled && name === root) return etcdErrors.invalidAuthManagement
    if (this.user(name) === undefined) return etcdErrors.userNotFound
    this.#tables.users.delete(encoder.encode(name))
    this.#userCount--
    this.#changed()
    return undefined
  }

  changePassword({ hashedPassword, name }: AuthUserChangePasswordRequest): EtcdError | undefined {
    const user = this.user(name)
    if (user === undefined) return etcdErrors.userNotFound
    this.#putUser({ ...user, password: encoder.encode(hashedPassword) })
    this.#changed()
    return undefined
  }

  grantRole(name: string, role: string): EtcdError | undefined {
    const user = this.user(name)
    if (user === undefined) return etcdErrors.userNotFound
    if (role !== root && this.role(role) === undefined) return etcdErrors.roleNotFound
    if (user.roles.includes(role)) return undefined
    if (user.roles.length >= rolesOfUserMax) return tooMany("roles of one user", rolesOfUserMax)
    this.#putUser({ ...user, roles: [...user.roles, role].sort(byBytes) })
    this.#changed()
    return undefined
  }

  revokeRole(name: string, role: string): EtcdError | undefined {
    if (this.#enabled && name === root && role === root) return etcdErrors.invalidAuthManagement
    const user = this.user(name)
    if (user === undefined) return etcdErrors.userNotFound
    if (!user.roles.includes(role)) return etcdErrors.roleNotGranted
    this.#putUser(without(user, role))
    this.#changed()
    return undefined
  }

  addRole(name: string): EtcdError | undefined {
    if (name === "") return etcdErrors.roleEmpty
    if (!fitsName(name)) return tooLong("role name", nameBytesMax)
    if (this.role(name) !== undefined) return etcdErrors.roleAlreadyExists
    if (this.#roleCount >= rolesMax) return tooMany("roles", rolesMax)
    this.#putRole({ name: encoder.encode(name), keyPermission: [] })
    this.#roleCount++
    this.#changed()
    return undefined
  }

  /** No user has it any more. */
  deleteRole(name: string): EtcdError | undefined {
    if (this.#enabled && name === root) return etcdErrors.invalidAuthManagement
    if (this.role(name) === undefined) return etcdErrors.roleNotFound
    this.#tables.roles.delete(encoder.encode(name))
    this.#roleCount--
    const users = [...this.#tables.users.range(nothing, undefined)].map(([, record]) => User.decode(record))
    for (const user of users) if (user.roles.includes(name)) this.#putUser(without(user, name))
    this.#changed()
    return undefined
  }

  grantPermission({ name, perm }: AuthRoleGrantPermissionRequest): EtcdError | undefined {
    // Where etcd 3.4 crashes, this is what later releases say.
    if (perm === undefined) return etcdErrors.permissionNotGiven
    if (!fits(perm.key) || !fits(perm.rangeEnd)) return etcdErrors.requestTooLarge
    const role = this.role(name)
    if (role === undefined) return etcdErrors.roleNotFound
    const permissions = granted(role.keyPermission, perm)
    if (permissions.length > permissionsOfRoleMax)
      return tooMany("permissions of one role", permissionsOfRoleMax)
    this.#putRole({ ...role, keyPermission: permissions })
    this.#changed()
    return undefined
  }

  revokePermission({ key, rangeEnd, role: name }: AuthRoleRevokePermissionRequest): EtcdError | undefined {
    const role = this.role(name)
    if (role === undefined) return etcdErrors.roleNotFound
    const keyPermission = role.keyPermission.filter((held) => !isOf(held, key, rangeEnd))
    if (keyPermission.length === role.keyPermission.length) return etcdErrors.permissionNotGranted
    this.#putRole({ ...role, keyPermission })
    this.#changed()
    return undefined
  }

  #putUser(user: User): void {
    this.#tables.users.put(user.name, User.encode(user))
  }

  #putRole(role: Role): void {
    this.#tables.roles.put(role.name, Role.encode(role))
  }

  #changed(): void {
    this.#revision++
    this.#rights.clear()
    this.#store()
  }

  #store(): void {
    this.#tables.meta.put(stateKey, encodeAuthState({ enabled: this.#enabled, revision: this.#revision }))
  }
}

/**
 * In the place that etcd gives it: among those of the same key it looks at the first only, and a permission
 * that it has twice counts for both.
 */
const granted = (held: ReadonlyArray<Permission>, given: Permission): ReadonlyArray<Permission> => {
  const first = held.findIndex(({ key }) => compareBytes(key, given.key) >= 0)
  const found = held[first]
  if (found !== undefined && isOf(found, given.key, given.rangeEnd)) return held.with(first, given)
  return [...held, given].sort((one, other) => compareBytes(one.key, other.key))
}

const isOf = (held: Permission, key: Uint8Array, rangeEnd: Uint8Array): boolean =>
  equalBytes(held.key, key) && equalBytes(held.rangeEnd, rangeEnd)

const without = (user: User, role: string): User => ({
  ...user,
  roles: user.roles.filter((held) => held !== role)
})

const fitsName = (name: string): boolean => encoder.encode(name).length <= nameBytesMax

/** Whether there can be a user of that name. */
export const isUserName = (name: string): boolean => name !== "" && fitsName(name)

/** What no name can be has no record. */
const named = (table: Table, name: string): Uint8Array | undefined =>
  isUserName(name) ? table.get(encoder.encode(name)) : undefined

const namesIn = (table: Table): ReadonlyArray<string> =>
  [...table.range(nothing, undefined)].map(([name]) => decoder.decode(name))

const countOf = (table: Table): number => {
  let count = 0
  for (const _ of table.range(nothing, undefined)) count++
  return count
}

const byBytes = (one: string, other: string): number =>
  compareBytes(encoder.encode(one), encoder.encode(other))
