import test from "ava"
import type { GrpcStatus, UnaryCall } from "#actors/kernel/ports/grpc.ts"
import { etcdErrors, GrpcCode } from "#protocols/wire/etcd/errors.ts"
import { KV } from "#protocols/wire/etcd/methods.ts"
import { unary } from "./etcd-calls.ts"

/** A call that remembers how it failed. */
const callOf = (failures: Array<GrpcStatus>): UnaryCall => ({
  path: KV.put.path,
  peer: { address: "here:1", identity: undefined, commonName: undefined, encrypted: false },
  header: () => undefined,
  deadlineMillis: undefined,
  ended: false,
  onCancel: undefined,
  fail: (status) => void failures.push(status),
  reply: () => {}
})

test("what does not decode, or is too large, is refused before anybody looks at it", (t) => {
  const failures: Array<GrpcStatus> = []
  const put = unary(KV.put, () => t.fail("it was looked at"))
  put(Uint8Array.of(0x0a, 0x7f), callOf(failures))
  put(new Uint8Array(2 * 1024 * 1024), callOf(failures))
  t.deepEqual(failures, [
    { code: GrpcCode.internal, message: "grpc: error while marshaling" },
    etcdErrors.requestTooLarge
  ])
})
