import test from "ava"
import { Schema } from "effect"
import { GrantLease, KeysFault, PutKey, RangeKeys, TxnKeys } from "../../chainfire-keys.ts"
import { etcdErrors } from "./errors.ts"
import {
  grantRequest,
  keysFault,
  leaseName,
  leaseNumber,
  putRequest,
  rangeRequest,
  txnRequest
} from "./typed-keys.ts"

const key = Uint8Array.of(97)

test("leases are written as etcdctl writes them, whatever their sign", (t) => {
  for (const lease of [1n, 0x694d_7a1cn, 2n ** 63n - 1n, -1n]) t.is(leaseNumber(leaseName(lease)), lease)
  t.is(leaseName(0x694dn), "694d")
  t.is(leaseNumber(undefined), 0n)
  t.is(grantRequest(new GrantLease({ ttlSeconds: 5 })).ID, 0n)
})

test("what is left out is zero, false or empty for etcd", (t) => {
  t.like(putRequest(new PutKey({ key, value: key })), { lease: 0n, prevKv: false, ignoreValue: false })
  t.like(rangeRequest(new RangeKeys({ key })), { limit: 0, revision: 0, sortOrder: 0, serializable: false })
  t.is(rangeRequest(new RangeKeys({ key })).rangeEnd.length, 0)
  t.like(rangeRequest(new RangeKeys({ key, sortBy: "modRevision" })), { sortOrder: 1, sortTarget: 3 })
})

test("a transaction keeps its comparisons and operations in order", (t) => {
  const request = txnRequest(
    new TxnKeys({
      compare: [
        { key, target: "version", result: "greater", operand: 3 },
        { key, target: "lease", result: "equal" }
      ],
      onSuccess: [
        { op: "put", key, value: key },
        { op: "delete", key }
      ],
      onFailure: [{ op: "read", key }]
    })
  )
  t.deepEqual(
    request.compare.map(({ lease, result, target, version }) => [target, result, version, lease]),
    [
      [0, 1, 3, undefined],
      [4, 0, undefined, 0n]
    ]
  )
  t.truthy(request.success[0]?.requestPut)
  t.truthy(request.success[1]?.requestDeleteRange)
  t.truthy(request.failure[0]?.requestRange)
})

test("each error of etcd becomes a fault that says whether anything may have happened", (t) => {
  const expected = {
    compacted: "Compacted true",
    futureRevision: "FutureRevision true",
    leaseNotFound: "LeaseNotFound true",
    noLeader: "StoreUnavailable true",
    timeout: "StoreUnavailable false",
    leaderChanged: "StoreUnavailable false",
    tooManyRequests: "StoreUnavailable true",
    duplicateKey: "EtcdRefusal true",
    noSpace: "EtcdRefusal true"
  } as const
  for (const [name, [tag, definite]] of Object.entries(expected).map(
    ([error, words]) => [error as keyof typeof expected, words.split(" ")] as const
  )) {
    const fault = keysFault(etcdErrors[name])
    t.deepEqual([fault._tag, String(fault.definite)], [tag, definite], name)
    t.true(Schema.is(KeysFault)(fault))
  }
})
