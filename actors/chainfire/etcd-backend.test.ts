/** Our state in etcd's buckets: what is where, and in which order. */
import test from "ava"
import { decodeRevisionKey, Lease } from "#protocols/wire/etcd/backend.ts"
import { AlarmMember, AlarmType } from "#protocols/wire/etcd/cluster.ts"
import { CompactionRequest } from "#protocols/wire/etcd/kv.ts"
import { DeleteRangeRequest, KeyValue, PutRequest } from "#protocols/wire/etcd/kv-fast.ts"
import { LeaseGrantRequest } from "#protocols/wire/etcd/lease.ts"
import { Alarms } from "./alarms.ts"
import { backendBuckets, gatherBackend } from "./etcd-backend.ts"
import { Local } from "./fixtures/local.ts"
import { drive, readsOf } from "./fixtures/snapshot-file.ts"
import { compareBytes } from "./record.ts"

const utf8 = (text: string): Uint8Array => new TextEncoder().encode(text)
const members = [
  { id: 255n, name: "b", peerUrls: [], clientUrls: [] },
  { id: 16n, name: "a", peerUrls: [], clientUrls: [] }
]

const bucketsOf = ({ machine, tables }: Local, sweptRevision = -1) => {
  const reads = {
    meta: readsOf(tables.meta),
    leases: readsOf(tables.leases),
    users: readsOf(tables.users),
    roles: readsOf(tables.roles)
  }
  const backend = drive(gatherBackend(reads, sweptRevision, members))
  const all = backendBuckets(backend, machine.mvcc).map(({ name, pairs }) => {
    const found = [...pairs()].filter((pair) => pair !== undefined)
    return { name, pairs: found.map(({ key, value }) => ({ key: key.slice(), value: value.slice() })) }
  })
  return (name: string) => all.find((bucket) => bucket.name === name)?.pairs ?? []
}

test("every bucket is in order of its keys, also with leases of negative numbers", (t) => {
  const local = new Local()
  for (let ID = -3_000n; ID < 6_000n; ID += 1n)
    if (ID !== 0n) local.grant(LeaseGrantRequest.make({ ID, TTL: 60 + Math.abs(Number(ID)) }))
  for (let number = 0; number < 500; number++)
    local.put(PutRequest.make({ key: utf8(`k${number % 9}`), value: utf8(`${number}`) }))
  const bucket = bucketsOf(local)
  for (const name of ["key", "lease", "members", "meta", "alarm"]) {
    const pairs = bucket(name)
    t.deepEqual(
      pairs,
      pairs.toSorted((one, other) => compareBytes(one.key, other.key)),
      name
    )
  }
  const leases = bucket("lease").map(({ value }) => Lease.decode(value))
  t.is(leases.length, 8_999)
  t.true(leases.every(({ ID, TTL }) => TTL === 60 + Math.abs(Number(ID))))
})

test("a tombstone has a mark in its key, and no more than the key as its value", (t) => {
  const local = new Local()
  local.put(PutRequest.make({ key: utf8("a"), value: utf8("1") }))
  local.deleteRange(DeleteRangeRequest.make({ key: utf8("a") }))
  const versions = bucketsOf(local)("key")
  t.deepEqual(
    versions.map(({ key }) => decodeRevisionKey(key)),
    [
      { main: 2, sub: 0, isTombstone: false },
      { main: 3, sub: 0, isTombstone: true }
    ]
  )
  t.deepEqual(KeyValue.decode(versions[1]?.value ?? utf8("")), KeyValue.make({ key: utf8("a") }))
})

test("what is compacted and not swept yet is left for etcd to sweep", (t) => {
  const local = new Local()
  for (let number = 0; number < 9; number++) local.put(PutRequest.make({ key: utf8("a"), value: utf8("1") }))
  const names = (swept: number) =>
    bucketsOf(local, swept)("meta").map(({ key }) => new TextDecoder().decode(key))
  t.deepEqual(names(-1), ["consistent_index"])
  local.compact(CompactionRequest.make({ revision: 5 }))
  t.deepEqual(names(-1), ["consistent_index", "scheduledCompactRev"])
  t.deepEqual(names(5), ["consistent_index", "finishedCompactRev", "scheduledCompactRev"])
})

test("alarms are there, as keys without values", (t) => {
  const local = new Local()
  new Alarms(local.tables.meta).activate({ memberID: 9n, alarm: AlarmType.noSpace })
  t.deepEqual(
    bucketsOf(local)("alarm").map(({ key, value }) => [AlarmMember.decode(key), value.length]),
    [[{ memberID: 9n, alarm: AlarmType.noSpace }, 0]]
  )
})
