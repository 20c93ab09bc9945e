import test from "ava"
import { Either } from "effect"
import { etcdErrors } from "#protocols/wire/etcd/errors.ts"
import { SortOrder, SortTarget } from "#protocols/wire/etcd/kv.ts"
import { PutRequest, RangeRequest } from "#protocols/wire/etcd/kv-fast.ts"
import { Local } from "./fixtures/local.ts"

const bytes = (text: string): Uint8Array => new TextEncoder().encode(text)
const text = (data: Uint8Array): string => new TextDecoder().decode(data)
const all = { key: new Uint8Array(1), rangeEnd: new Uint8Array(1) }

/** a=3 (written once), b=2 (twice), c=1 (once). */
const filled = (): Local => {
  const ours = new Local()
  for (const [key, value] of [
    ["b", "9"],
    ["a", "3"],
    ["b", "2"],
    ["c", "1"]
  ] as const)
    ours.put(PutRequest.make({ key: bytes(key), value: bytes(value) }))
  return ours
}

const keys = (request: Partial<RangeRequest>) =>
  Either.match(filled().range(RangeRequest.make({ ...all, ...request })), {
    onLeft: ({ message }) => message,
    onRight: ({ count, kvs, more }) =>
      `${kvs.map(({ key }) => text(key)).join("")} of ${count}${more ? ", more" : ""}`
  })

test("a limit leaves out the rest and says so, and still counts all", (t) => {
  t.is(keys({ limit: 2 }), "ab of 3, more")
  t.is(keys({ limit: 3 }), "abc of 3")
  t.is(keys({ countOnly: true }), " of 3")
})

test("it sorts by what was asked for, ascending unless told otherwise, before the limit takes effect", (t) => {
  t.is(keys({ sortTarget: SortTarget.value }), "cba of 3")
  t.is(keys({ sortTarget: SortTarget.value, sortOrder: SortOrder.descend, limit: 1 }), "a of 3, more")
  t.is(keys({ sortTarget: SortTarget.mod }), "abc of 3")
  t.is(keys({ sortTarget: SortTarget.create }), "bac of 3")
  t.is(keys({ sortOrder: SortOrder.descend }), "cba of 3")
  t.is(keys({ sortTarget: SortTarget.version, sortOrder: SortOrder.descend, limit: 1 }), "b of 3, more")
})

test("filters by revision leave out, and the count does not", (t) => {
  t.is(keys({ minModRevision: 4 }), "bc of 3")
  t.is(keys({ maxCreateRevision: 2 }), "b of 3")
  t.is(keys({ minCreateRevision: 3, maxModRevision: 3 }), "a of 3")
})

test("what cannot be read is refused in etcd's words", (t) => {
  t.is(keys({ key: new Uint8Array(0) }), etcdErrors.emptyKey.message)
  t.is(keys({ revision: 99 }), etcdErrors.futureRevision.message)
  t.is(keys({ sortOrder: 9 }), etcdErrors.invalidSortOption.message)
})

test("of keys only there are no values, and the store keeps them", (t) => {
  const ours = filled()
  const found = Either.getOrThrow(ours.range(RangeRequest.make({ ...all, keysOnly: true })))
  t.true(found.kvs.every(({ value }) => value.length === 0))
  t.is(text(ours.machine.mvcc.get(bytes("a"))?.value ?? new Uint8Array(0)), "3")
})
