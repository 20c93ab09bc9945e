import test from "ava"
import { Either } from "effect"
import { CompactionRequest } from "#protocols/wire/etcd/kv.ts"
import { PutRequest, RangeRequest } from "#protocols/wire/etcd/kv-fast.ts"
import { LeaseGrantRequest, LeaseRevokeRequest } from "#protocols/wire/etcd/lease.ts"
import { Local, memoryState } from "./fixtures/local.ts"
import { StateMachine } from "./state-machine.ts"

const bytes = (text: string): Uint8Array => new TextEncoder().encode(text)
const put = (key: string, lease = 0n) => PutRequest.make({ key: bytes(key), value: bytes("v"), lease })
const silent = { changed: () => {} }

test("after a restart it goes on at the index that the tables hold, with all that was applied", (t) => {
  const tables = memoryState()
  const before = new StateMachine(tables, 2, () => 0, silent)
  before.apply(1, 1, undefined)
  before.apply(2, 1, { _tag: "Put", request: put("a") })
  before.apply(3, 2, { _tag: "Compact", request: CompactionRequest.make({ revision: 2 }) })

  const after = new StateMachine(tables, 2, () => 0, silent)
  t.deepEqual([after.appliedIndex, after.appliedTerm], [3, 2])
  t.deepEqual([after.mvcc.revision, after.mvcc.compactRevision], [2, 2])
  t.is(after.mvcc.get(bytes("a"))?.version, 1)
  t.throws(() => after.apply(3, 2, undefined), { message: /entry 3 cannot be applied after entry 3/ })
  t.throws(() => after.apply(5, 2, undefined), { message: /entry 5 cannot be applied after entry 3/ })
})

test("what is refused changes nothing but how far it was applied", (t) => {
  const ours = new Local()
  const outcome = ours.put(put("a", 9n))
  t.true(Either.isLeft(outcome))
  t.is(ours.machine.mvcc.revision, 1)
  t.is(ours.machine.appliedIndex, 1)
  t.true(Either.isRight(ours.put(put("a"))), "and leaves no transaction open")
})

test("a lease that is revoked takes its keys along, in one transaction that watchers see", (t) => {
  const ours = new Local()
  ours.grant(LeaseGrantRequest.make({ ID: 5n, TTL: 10 }))
  for (const key of ["b", "a", "c"]) ours.put(put(key, 5n))
  ours.put(put("c"))
  ours.changes.length = 0
  t.true(Either.isRight(ours.revoke(LeaseRevokeRequest.make({ ID: 5n }))))
  t.deepEqual(
    ours.changes.map(({ kv, revision, type }) => [
      type,
      String.fromCharCode(...kv.key),
      revision.main,
      revision.sub
    ]),
    [
      ["delete", "a", 6, 0],
      ["delete", "b", 6, 1]
    ]
  )
  const left = ours.range(RangeRequest.make({ key: bytes("a"), rangeEnd: bytes("z") }))
  t.is(Either.getOrThrow(left).count, 1)
})

test("the same commands leave the same bytes on every replica", (t) => {
  const [one, other] = [new Local(), new Local()]
  for (const ours of [one, other]) {
    ours.grant(LeaseGrantRequest.make({ ID: 5n, TTL: 10 }))
    for (const key of ["b", "a", "b"]) ours.put(put(key, 5n))
    ours.compact(CompactionRequest.make({ revision: 2 }))
    ours.revoke(LeaseRevokeRequest.make({ ID: 5n }))
  }
  const all = ({ tables }: Local) =>
    Object.values(tables).map((table) => [...table.range(new Uint8Array(0), undefined)])
  t.deepEqual(all(one), all(other))
})
