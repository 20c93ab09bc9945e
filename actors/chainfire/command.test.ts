import test from "ava"
import { PutRequest } from "#protocols/wire/etcd/kv-fast.ts"
import { ProtobufMalformed } from "#protocols/wire/protobuf.ts"
import { decodeCommand, encodeCommand, UnknownCommand } from "./command.ts"

const kinds = [
  ...([
    "Put",
    "DeleteRange",
    "Txn",
    "Compact",
    "LeaseGrant",
    "LeaseRevoke",
    "SetMember",
    "DropMember"
  ] as const),
  ...(["Authenticate", "AuthEnable", "AuthDisable", "UserAdd", "UserDelete", "UserChangePassword"] as const),
  ...(["UserGrantRole", "UserRevokeRole", "RoleAdd", "RoleDelete"] as const),
  ...(["RoleGrantPermission", "RoleRevokePermission"] as const)
]

test("a command is the request as its client sent it, and which it is", (t) => {
  const request = PutRequest.make({ key: Uint8Array.of(1), value: Uint8Array.of(2), lease: 7n })
  t.deepEqual(decodeCommand(encodeCommand("Put", PutRequest.encode(request))), { _tag: "Put", request })
})

test("each kind of command comes back as what it was", (t) => {
  for (const kind of kinds) {
    t.is(decodeCommand(encodeCommand(kind, new Uint8Array(0)))._tag, kind)
    t.is(decodeCommand(encodeCommand(kind, new Uint8Array(0), { user: "u", revision: 1 }))._tag, kind)
  }
})

test("while authentication is on a command says who asks, and as of when", (t) => {
  const request = PutRequest.make({ key: Uint8Array.of(1), value: Uint8Array.of(2), lease: 7n })
  for (const user of ["ann", "ünï", "n".repeat(255)]) {
    const asker = { user, revision: 2 ** 40 }
    const encoded = encodeCommand("Put", PutRequest.encode(request), asker)
    t.deepEqual(decodeCommand(encoded), { _tag: "Put", request, asker })
  }
})

test("a command of a later release is not guessed at", (t) => {
  t.throws(() => decodeCommand(Uint8Array.of(100, 1)), { instanceOf: UnknownCommand })
  t.throws(() => decodeCommand(Uint8Array.of(255, 1)), { instanceOf: UnknownCommand })
  t.throws(() => decodeCommand(new Uint8Array(0)), { instanceOf: UnknownCommand })
})

test("a command that ends before it has said who asks is refused", (t) => {
  const whole = encodeCommand("Put", new Uint8Array(0), { user: "ann", revision: 7 })
  for (let length = 1; length < whole.length; length++)
    t.throws(() => decodeCommand(whole.subarray(0, length)), { instanceOf: ProtobufMalformed })
})
