import test from "ava"
import fc from "fast-check"
import { memoryTables } from "./fixtures/memory-table.ts"
import { type Change, Compacted, FutureRevision, type KeyRange, Mvcc, prefixed } from "./mvcc.ts"
import type { KeyValue } from "./record.ts"

const bytes = (text: string): Uint8Array => new TextEncoder().encode(text)
const text = (data: Uint8Array): string => new TextDecoder().decode(data)
const one = (key: string): KeyRange => ({ key: bytes(key), rangeEnd: new Uint8Array(0) })
const between = (key: string, end: string): KeyRange => ({ key: bytes(key), rangeEnd: bytes(end) })
const all = prefixed(bytes(""))

const write = (mvcc: Mvcc, ...steps: ReadonlyArray<(mvcc: Mvcc) => unknown>): ReadonlyArray<Change> => {
  mvcc.begin()
  for (const step of steps) step(mvcc)
  return mvcc.commit()
}
const put = (key: string, value: string, lease?: bigint) => (mvcc: Mvcc) =>
  mvcc.put(bytes(key), bytes(value), lease)
const remove = (range: KeyRange) => (mvcc: Mvcc) => mvcc.delete(range)
const shown = (kvs: Iterable<KeyValue>) => [...kvs].map(({ key, value }) => `${text(key)}=${text(value)}`)

test("an empty store is at revision 1, and each transaction that changes something is one more", (t) => {
  const mvcc = new Mvcc(memoryTables())
  t.is(mvcc.revision, 1)
  write(mvcc, put("a", "1"), put("b", "1"))
  t.is(mvcc.revision, 2)
  write(mvcc, remove(one("nobody")))
  t.is(mvcc.revision, 2)
})

test("a key counts its versions from its creation, and begins anew after a deletion", (t) => {
  const mvcc = new Mvcc(memoryTables())
  write(mvcc, put("a", "1"))
  write(mvcc, put("a", "2"))
  t.like(mvcc.get(bytes("a")), { createRevision: 2, modRevision: 3, version: 2 })
  write(mvcc, remove(one("a")))
  t.is(mvcc.get(bytes("a")), undefined)
  write(mvcc, put("a", "3"))
  t.like(mvcc.get(bytes("a")), { createRevision: 5, modRevision: 5, version: 1 })
})

test("any revision is read as it was", (t) => {
  const mvcc = new Mvcc(memoryTables())
  write(mvcc, put("a", "1"), put("c", "1"))
  write(mvcc, put("b", "2"), remove(one("c")))
  write(mvcc, put("a", "3"), put("c", "3"))
  t.deepEqual(shown(mvcc.range(all, 2)), ["a=1", "c=1"])
  t.deepEqual(shown(mvcc.range(all, 3)), ["a=1", "b=2"])
  t.deepEqual(shown(mvcc.range(all)), ["a=3", "b=2", "c=3"])
  t.deepEqual(shown(mvcc.range(one("c"), 3)), [])
  t.deepEqual(shown(mvcc.range(between("a", "b"), 2)), ["a=1"])
  t.throws(() => mvcc.range(all, 5), { instanceOf: FutureRevision })
})

test("reads within a transaction see what it has written", (t) => {
  const mvcc = new Mvcc(memoryTables())
  mvcc.begin()
  mvcc.put(bytes("a"), bytes("1"))
  t.deepEqual(shown(mvcc.range(all)), ["a=1"])
  t.is(mvcc.revisionInside, 2)
  mvcc.commit()
})

test("changes are told with what was there before, from any revision on", (t) => {
  const mvcc = new Mvcc(memoryTables())
  write(mvcc, put("a", "1", 7n))
  write(mvcc, put("a", "2"), put("b", "2"))
  write(mvcc, remove(all))
  const story = [...mvcc.changes(2, 4, true)].map(({ kv, prevKv, revision, type }) =>
    [type, text(kv.key), text(kv.value), prevKv && text(prevKv.value), revision.main, revision.sub].join(" ")
  )
  t.deepEqual(story, ["put a 1  2 0", "put a 2 1 3 0", "put b 2  3 1", "delete a  2 4 0", "delete b  2 4 1"])
  t.deepEqual(
    [...mvcc.changes(3, 3, false)].map(({ prevKv }) => prevKv),
    [undefined, undefined]
  )
})

test("compaction makes older revisions unreadable, keeps all later ones, and frees what nobody can read", (t) => {
  const tables = memoryTables()
  const mvcc = new Mvcc(tables)
  for (let round = 0; round < 10; round++) write(mvcc, put("a", `${round}`))
  write(mvcc, put("b", "1"))
  write(mvcc, remove(one("b")))
  mvcc.compact(12)
  t.throws(() => mvcc.range(all, 11), { instanceOf: Compacted })
  t.throws(() => mvcc.compact(12), { instanceOf: Compacted })
  t.throws(() => mvcc.compact(99), { instanceOf: FutureRevision })
  sweepAll(mvcc, 3)
  t.deepEqual(shown(mvcc.range(all, 12)), ["a=9", "b=1"])
  mvcc.compact(13)
  sweepAll(mvcc, 1)
  t.deepEqual(
    [...mvcc.changes(13, 13, false)].map(({ type }) => type),
    ["delete"],
    "whoever watches from the revision of the compaction on sees the deletion"
  )
  t.is(tables.history.size, 1)
  t.is(tables.changes.size, 2)
  write(mvcc, put("c", "1"))
  mvcc.compact(14)
  sweepAll(mvcc, 1)
  t.is(tables.history.size, 0)
  t.is(tables.changes.size, 2)
  t.deepEqual(shown(mvcc.range(all)), ["a=9", "c=1"])
})

test("whatever is written, deleted, compacted and swept, every readable revision reads as a copy taken then", (t) => {
  const keys = fc.constantFrom("a", "a\0", "a\0b", "b", "\0", "\xff\xff")
  const step = fc.oneof(
    fc.record({ what: fc.constant("put" as const), key: keys, value: fc.string({ maxLength: 3 }) }),
    fc.record({ what: fc.constant("delete" as const), key: keys, value: keys }),
    fc.record({ what: fc.constant("clear" as const), key: keys, value: fc.constant("") })
  )
  const transactions = fc.array(fc.array(step, { minLength: 1, maxLength: 4 }), { maxLength: 25 })
  fc.assert(
    fc.property(
      transactions,
      fc.array(fc.nat({ max: 30 }), { maxLength: 3 }),
      fc.integer({ min: 1, max: 5 }),
      (all, compactions, batch) => {
        const tables = memoryTables()
        const mvcc = new Mvcc(tables)
        const copies = new Map<number, ReadonlyArray<unknown>>([[1, []]])
        const told: Array<ReturnType<typeof plainChange>> = []
        for (const steps of all) {
          mvcc.begin()
          const touched = new Set<string>()
          for (const { key, value, what } of steps) {
            // One write per key and transaction, as etcd has it.
            if (what === "put" && !touched.has(key)) mvcc.put(bytes(key), bytes(value))
            if (what === "delete" && touched.size === 0) mvcc.delete(between(key, value))
            if (what === "clear" && touched.size === 0) mvcc.delete(one(key))
            touched.add(key)
            if (what !== "put") break
          }
          told.push(...mvcc.commit().map(plainChange))
          copies.set(mvcc.revision, [...mvcc.range(everything)].map(plain))
        }
        const check = () => {
          for (const [revision, copy] of copies) {
            if (revision < mvcc.compactRevision) t.throws(() => mvcc.range(everything, revision))
            else t.deepEqual([...mvcc.range(everything, revision)].map(plain), copy, `revision ${revision}`)
          }
          const from = Math.max(2, mvcc.compactRevision + 1)
          const later = told.filter(({ main }) => main >= from)
          t.deepEqual([...mvcc.changes(from, mvcc.revision, true)].map(plainChange), later)
          // Of the revision of the compaction itself everything is told but what was there before.
          const since = told.filter(({ main }) => main >= mvcc.compactRevision)
          t.deepEqual(
            [...mvcc.changes(Math.max(2, mvcc.compactRevision), mvcc.revision, false)].map(plainChange),
            since.map((change) => ({ ...change, prevKv: undefined }))
          )
          const versions = inPieces(mvcc, batch)
          t.is(versions.length, tables.current.size + tables.history.size)
          t.is(versions.length, tables.changes.size)
          for (const [revision, copy] of copies) {
            if (revision < mvcc.compactRevision) continue
            const read = versions.filter(
              (each) => each.modRevision <= revision && each.version > 0 && mvcc.isLast(each, revision)
            )
            t.deepEqual(read.map(plain).toSorted(), [...copy].toSorted())
          }
        }
        check()
        for (const compaction of compactions) {
          if (compaction <= mvcc.compactRevision || compaction > mvcc.revision) continue
          mvcc.compact(compaction)
          check()
          sweepAll(mvcc, batch)
          check()
        }
      }
    ),
    { numRuns: 400 }
  )
})

const everything: KeyRange = { key: new Uint8Array(1), rangeEnd: new Uint8Array(1) }

const plain = ({ createRevision, key, modRevision, value, version }: KeyValue) =>
  [text(key), text(value), createRevision, modRevision, version].join(" ")

const plainChange = ({ kv, prevKv, revision, type }: Change) => ({
  type,
  main: revision.main,
  sub: revision.sub,
  kv: plain(kv),
  prevKv: prevKv && plain(prevKv)
})

/** All versions, so many at a time. */
const inPieces = (mvcc: Mvcc, count: number): ReadonlyArray<KeyValue> => {
  const all: Array<KeyValue> = []
  for (;;) {
    const last = all.at(-1)
    const from = last === undefined ? { main: 0, sub: 0 } : { main: last.modRevision, sub: last.sub + 1 }
    const found = mvcc.versions(from, mvcc.revision, count, 1_000)
    if (found.length === 0) return all
    all.push(...found)
  }
}

const sweepAll = (mvcc: Mvcc, batch: number): void => {
  let from: Uint8Array | undefined = new Uint8Array(0)
  while (from !== undefined) from = mvcc.sweep(from, batch)
}
