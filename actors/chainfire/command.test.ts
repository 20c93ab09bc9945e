import test from "ava"
import { PutRequest } from "#protocols/wire/etcd/kv-fast.ts"
import { decodeCommand, encodeCommand, UnknownCommand } from "./command.ts"

test("a command is the request as its client sent it, and which it is", (t) => {
  const request = PutRequest.make({ key: Uint8Array.of(1), value: Uint8Array.of(2), lease: 7n })
  t.deepEqual(decodeCommand(encodeCommand("Put", PutRequest.encode(request))), { _tag: "Put", request })
})

test("each kind of command comes back as what it was", (t) => {
  for (const kind of ["Put", "DeleteRange", "Txn", "Compact", "LeaseGrant", "LeaseRevoke"] as const) {
    t.is(decodeCommand(encodeCommand(kind, new Uint8Array(0)))._tag, kind)
  }
})

test("a command of a later release is not guessed at", (t) => {
  t.throws(() => decodeCommand(Uint8Array.of(200, 1)), { instanceOf: UnknownCommand })
  t.throws(() => decodeCommand(new Uint8Array(0)), { instanceOf: UnknownCommand })
})
