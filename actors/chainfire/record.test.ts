import test from "ava"
import fc from "fast-check"
import { keyBytesMax } from "#actors/kernel/ports/store.ts"
import {
  afterKey,
  afterPrefix,
  compareBytes,
  decodeRecord,
  decodeRevision,
  encodeRecord,
  encodeRevision,
  equalBytes,
  fits,
  historyKey,
  historyPrefix,
  isTombstone,
  keyOfHistory,
  modRevisionOf
} from "./record.ts"

const bytes = fc.uint8Array({ maxLength: 6 })
const zeroes = fc
  .array(fc.constantFrom(0, 1, 254, 255), { maxLength: 5 })
  .map((values) => Uint8Array.from(values))
const keys = fc.oneof(bytes, zeroes)
const main = fc.integer({ min: 0, max: Number.MAX_SAFE_INTEGER })
const revisions = fc.record({ main, sub: fc.nat() })

test("a revision comes back as it was, and sorts as it counts", (t) => {
  fc.assert(
    fc.property(revisions, revisions, (one, other) => {
      t.deepEqual(decodeRevision(encodeRevision(one)), one)
      const order = one.main - other.main || one.sub - other.sub
      return Math.sign(compareBytes(encodeRevision(one), encodeRevision(other))) === Math.sign(order)
    })
  )
})

test("a key-value comes back as it was", (t) => {
  const kvs = fc.record({
    key: keys,
    createRevision: main,
    modRevision: main,
    sub: fc.nat(),
    version: main,
    value: bytes,
    lease: fc.bigInt({ min: -(2n ** 63n), max: 2n ** 63n - 1n })
  })
  fc.assert(
    fc.property(kvs, (kv) => {
      const record = encodeRecord(kv)
      t.deepEqual(decodeRecord(kv.key, record), kv)
      t.is(modRevisionOf(record), kv.modRevision)
      t.is(isTombstone(record), kv.version === 0)
    })
  )
})

test("the history sorts by key, then by revision, whatever bytes the keys are made of", (t) => {
  fc.assert(
    fc.property(keys, revisions, keys, revisions, (key, revision, otherKey, otherRevision) => {
      const [place, other] = [historyKey(key, revision), historyKey(otherKey, otherRevision)]
      t.deepEqual(keyOfHistory(place), key)
      t.deepEqual(decodeRevision(place), revision)
      const byKey = compareBytes(key, otherKey)
      const order = byKey || revision.main - otherRevision.main || revision.sub - otherRevision.sub
      return Math.sign(compareBytes(place, other)) === Math.sign(order)
    }),
    { numRuns: 2_000 }
  )
})

test("all versions of a key, and of no other, begin with its prefix", (t) => {
  fc.assert(
    fc.property(keys, keys, revisions, (key, otherKey, revision) => {
      const prefix = historyPrefix(key)
      const begins = equalBytes(historyKey(otherKey, revision).subarray(0, prefix.length), prefix)
      return begins === equalBytes(key, otherKey)
    }),
    { numRuns: 2_000 }
  )
  t.pass()
})

test("the end of a prefix is the first that does not begin with it, the one after a key the next there is", (t) => {
  t.deepEqual(afterPrefix(Uint8Array.of(1, 255, 255)), Uint8Array.of(2))
  t.is(afterPrefix(Uint8Array.of(255, 255)), undefined)
  fc.assert(
    fc.property(keys, keys, (prefix, key) => {
      const end = afterPrefix(prefix)
      const inside = compareBytes(key, prefix) >= 0 && (end === undefined || compareBytes(key, end) < 0)
      const begins = equalBytes(key.subarray(0, prefix.length), prefix)
      const next = afterKey(prefix)
      return (
        (prefix.length === 0 || inside === begins) &&
        compareBytes(next, prefix) > 0 &&
        (compareBytes(key, prefix) <= 0 || compareBytes(key, next) >= 0)
      )
    }),
    { numRuns: 2_000 }
  )
})

test("a key that fits has room in every table, and one byte more has not", (t) => {
  const revision = { main: 1, sub: 1 }
  for (const fill of [0, 7]) {
    let length = 1
    while (fits(new Uint8Array(length).fill(fill))) length++
    t.true(historyKey(new Uint8Array(length - 1).fill(fill), revision).length <= keyBytesMax)
    t.true(historyKey(new Uint8Array(length).fill(fill), revision).length > keyBytesMax)
  }
})
