/** What each command needs, told by a user who may read r, write w, and do both with b. */
import test from "ava"
import { Either } from "effect"
import {
  AuthEnableRequest,
  AuthRoleAddRequest,
  AuthRoleGrantPermissionRequest,
  AuthUserAddRequest,
  AuthUserDeleteRequest,
  AuthUserGrantRoleRequest,
  Permission
} from "#protocols/wire/etcd/auth.ts"
import { MemberRemoveRequest } from "#protocols/wire/etcd/cluster.ts"
import { type EtcdError, etcdErrors } from "#protocols/wire/etcd/errors.ts"
import { CompactionRequest } from "#protocols/wire/etcd/kv.ts"
import { DeleteRangeRequest, PutRequest, RangeRequest } from "#protocols/wire/etcd/kv-fast.ts"
import { LeaseGrantRequest, LeaseRevokeRequest } from "#protocols/wire/etcd/lease.ts"
import { Compare, type RequestOp, TxnRequest } from "#protocols/wire/etcd/txn-fast.ts"
import type { Asker } from "./auth-store.ts"
import { refusesTxn } from "./authorisation.ts"
import { AuthenticateCommand, type Command } from "./command.ts"
import { memoryState } from "./fixtures/local.ts"
import { MemberRecord } from "./member-records.ts"
import { begin } from "./replacement.ts"
import { StateMachine } from "./state-machine.ts"

const bytes = (text: string): Uint8Array => new TextEncoder().encode(text)
const { permissionDenied, userEmpty } = etcdErrors
const shared = 5n
const empty = 6n

const prepared = () => {
  const machine = new StateMachine(memoryState(), 2, () => 0, { changed: () => {} })
  let index = 0
  const apply = (command: Command): Either.Either<object, EtcdError> => {
    const outcome = machine.apply(++index, 1, command)
    if (outcome === undefined) throw new Error("a command has an outcome")
    return outcome
  }
  const grant = (key: string, permType: number) =>
    apply({
      _tag: "RoleGrantPermission",
      request: AuthRoleGrantPermissionRequest.make({
        name: "some",
        perm: Permission.make({ key: bytes(key), permType })
      })
    })
  for (const name of ["root", "ann"])
    apply({ _tag: "UserAdd", request: AuthUserAddRequest.make({ name, hashedPassword: "h" }) })
  apply({ _tag: "RoleAdd", request: AuthRoleAddRequest.make({ name: "some" }) })
  for (const [key, permType] of [["r", 0] as const, ["w", 1] as const, ["b", 2] as const])
    grant(key, permType)
  apply({ _tag: "UserGrantRole", request: AuthUserGrantRoleRequest.make({ user: "root", role: "root" }) })
  apply({ _tag: "UserGrantRole", request: AuthUserGrantRoleRequest.make({ user: "ann", role: "some" }) })
  for (const ID of [shared, empty])
    apply({ _tag: "LeaseGrant", request: LeaseGrantRequest.make({ ID, TTL: 100 }) })
  apply({ _tag: "Put", request: PutRequest.make({ key: bytes("others"), lease: shared }) })
  apply({ _tag: "AuthEnable", request: AuthEnableRequest.make({}) })
  const { revision } = machine.auth
  const refused = (command: Command): EtcdError | undefined => {
    const outcome = apply(command)
    return Either.isLeft(outcome) ? outcome.left : undefined
  }
  return { machine, refused, ann: { user: "ann", revision }, root: { user: "root", revision } }
}

const put = (key: string, more: Partial<PutRequest> = {}) => PutRequest.make({ key: bytes(key), ...more })
const range = (key: string) => RangeRequest.make({ key: bytes(key) })
const remove = (key: string, prevKv = false) => DeleteRangeRequest.make({ key: bytes(key), prevKv })
const none = {
  requestPut: undefined,
  requestRange: undefined,
  requestDeleteRange: undefined,
  requestTxn: undefined
}
const txn = (...success: ReadonlyArray<Partial<RequestOp>>): TxnRequest =>
  TxnRequest.make({ success: success.map((op) => ({ ...none, ...op })) })

/** What is compared: a request, why ann is refused, and why nobody is. */
const commands: ReadonlyArray<readonly [string, Command, EtcdError | undefined]> = [
  ["to write what she may", { _tag: "Put", request: put("w") }, undefined],
  ["to write what she may read", { _tag: "Put", request: put("r") }, permissionDenied],
  ["to see what it was", { _tag: "Put", request: put("w", { prevKv: true }) }, permissionDenied],
  ["to see what she may see", { _tag: "Put", request: put("b", { prevKv: true }) }, undefined],
  ["a lease with keys of others", { _tag: "Put", request: put("w", { lease: shared }) }, permissionDenied],
  ["a lease of her own", { _tag: "Put", request: put("w", { lease: empty }) }, undefined],
  ["to delete", { _tag: "DeleteRange", request: remove("w") }, undefined],
  ["to delete and see", { _tag: "DeleteRange", request: remove("w", true) }, permissionDenied],
  ["to delete what she may read", { _tag: "DeleteRange", request: remove("r") }, permissionDenied],
  ["to revoke a lease", { _tag: "LeaseRevoke", request: { ID: shared } }, permissionDenied],
  ["to revoke her own", { _tag: "LeaseRevoke", request: LeaseRevokeRequest.make({ ID: empty }) }, undefined],
  ["to have a lease", { _tag: "LeaseGrant", request: LeaseGrantRequest.make({ ID: 9n, TTL: 9 }) }, undefined],
  ["to compact", { _tag: "Compact", request: CompactionRequest.make({ revision: 2 }) }, undefined],
  ["to add a user", { _tag: "UserAdd", request: AuthUserAddRequest.make({ name: "eve" }) }, permissionDenied],
  [
    "to delete one",
    { _tag: "UserDelete", request: AuthUserDeleteRequest.make({ name: "ann" }) },
    permissionDenied
  ],
  ["to switch it off", { _tag: "AuthDisable", request: {} }, permissionDenied],
  [
    "a branch",
    { _tag: "Txn", request: txn({ requestPut: put("w") }, { requestRange: range("r") }) },
    undefined
  ],
  ["the wrong read", { _tag: "Txn", request: txn({ requestRange: range("w") }) }, permissionDenied],
  ["the wrong write", { _tag: "Txn", request: txn({ requestPut: put("r") }) }, permissionDenied],
  ["the wrong delete", { _tag: "Txn", request: txn({ requestDeleteRange: remove("r") }) }, permissionDenied],
  [
    "what is not taken",
    {
      _tag: "Txn",
      request: { ...txn({ requestPut: put("w") }), failure: [{ ...none, requestPut: put("r") }] }
    },
    permissionDenied
  ],
  [
    "to compare",
    {
      _tag: "Txn",
      request: { ...txn({ requestPut: put("w") }), compare: [Compare.make({ key: bytes("w") })] }
    },
    permissionDenied
  ],
  [
    "a transaction within",
    { _tag: "Txn", request: txn({ requestTxn: txn({ requestPut: put("r") }) }) },
    permissionDenied
  ],
  [
    "to see within one",
    { _tag: "Txn", request: txn({ requestPut: put("w", { prevKv: true }) }) },
    permissionDenied
  ],
  [
    "another's lease within one",
    { _tag: "Txn", request: txn({ requestPut: put("w", { lease: shared }) }) },
    permissionDenied
  ]
]

for (const [what, command, expected] of commands) {
  test(`${command._tag}, ${what}: ${expected === undefined ? "she may" : "she may not"}; root may, nobody may not`, (t) => {
    t.is(prepared().refused({ ...command, asker: prepared().ann }), expected)
    t.is(prepared().refused(command), userEmpty)
    t.is(prepared().refused({ ...command, asker: prepared().root }), undefined)
  })
}

test("what a leader notes down about members, and a token for a password, need nobody who asks", (t) => {
  const { ann, refused } = prepared()
  t.is(refused({ _tag: "SetReplacement", request: begin(1, 2, "http://new:1", 0) }), undefined)
  t.is(refused({ _tag: "SetMember", request: MemberRecord.make({ ID: 7n }) }), undefined)
  t.is(refused({ _tag: "DropMember", request: MemberRemoveRequest.make({ ID: 7n }) }), undefined)
  const request = AuthenticateCommand.make({ name: "ann", tokenPrefix: "x", authRevision: ann.revision })
  t.is(refused({ _tag: "Authenticate", request }), undefined)
})

test("a command that was allowed when it was proposed is refused once she has lost what allowed it", (t) => {
  const { ann, machine, refused, root } = prepared()
  t.is(
    refused({ _tag: "RoleAdd", request: AuthRoleAddRequest.make({ name: "other" }), asker: root }),
    undefined
  )
  const asker: Asker = ann
  t.is(refused({ _tag: "Put", request: put("w"), asker }), etcdErrors.authOldRevision)
  t.is(machine.mvcc.get(bytes("w")), undefined)
  t.is(
    refused({ _tag: "Put", request: put("w"), asker: { ...ann, revision: machine.auth.revision } }),
    undefined
  )
})

test("a token is assigned only if nothing has changed since the password was compared", (t) => {
  const { ann, machine, refused } = prepared()
  const command = (authRevision: number): Command => ({
    _tag: "Authenticate",
    request: AuthenticateCommand.make({ name: "ann", tokenPrefix: "letters", authRevision })
  })
  t.is(refused(command(ann.revision - 1)), etcdErrors.authOldRevision)
  t.is(machine.tokens.count, 0)
  t.is(refused(command(ann.revision)), undefined)
  t.is(machine.tokens.show(`letters.${machine.appliedIndex}`, 0), "ann")
})

test("a transaction that only compares and reads is checked like any other", (t) => {
  const { ann, machine } = prepared()
  t.is(refusesTxn(machine, ann, txn({ requestRange: range("r") })), undefined)
  t.is(refusesTxn(machine, ann, txn({ requestRange: range("w") })), permissionDenied)
})
