import test from "ava"
import fc from "fast-check"
import { MemoryTable } from "./fixtures/memory-table.ts"
import { Lessor, ttlSecondsMax } from "./lessor.ts"

const bytes = (text: string): Uint8Array => new TextEncoder().encode(text)
const texts = (keys: unknown) =>
  Array.isArray(keys) ? keys.map((key: Uint8Array) => new TextDecoder().decode(key)) : keys
const tables = () => ({ leases: new MemoryTable(), attachments: new MemoryTable() })
const lessor = (own = tables()) => new Lessor(own, 2)

test("a lease is granted once, for no less than the shortest time, and no longer than the longest", (t) => {
  const leases = lessor()
  t.is(leases.grant(1n, 10, 0), 10)
  t.is(leases.grant(1n, 20, 0), "exists")
  t.is(leases.grant(2n, 1, 0), 2)
  t.is(leases.grant(3n, ttlSecondsMax + 1, 0), "ttl too large")
  t.deepEqual(leases.ids, [1n, 2n])
})

test("keys hang on their lease until they move, and go with it", (t) => {
  const leases = lessor()
  leases.grant(1n, 10, 0)
  leases.grant(-5n, 10, 0)
  for (const key of ["b", "a", "c"]) leases.move(bytes(key), 0n, 1n)
  leases.move(bytes("c"), 1n, -5n)
  leases.move(bytes("b"), 1n, 0n)
  t.deepEqual(texts(leases.keys(1n)), ["a"])
  t.deepEqual(texts(leases.keys(-5n)), ["c"])
  t.deepEqual(texts(leases.revoke(-5n)), ["c"])
  t.is(leases.revoke(-5n), "not found")
  t.deepEqual(leases.keys(-5n), [])
})

test("who does not lead counts nothing; who leads from now on gives each its full time", (t) => {
  const own = tables()
  const before = lessor(own)
  before.grant(1n, 10, 0)
  t.is(before.renew(1n, 0), undefined)
  t.deepEqual(before.expired(1e9, 10, 1_000), [])

  const leader = lessor(own)
  leader.promote(50_000, 1_500)
  t.is(leader.remainingMillis(1n, 50_000), 11_500)
  t.deepEqual(leader.expired(61_499, 10, 1_000), [])
  t.deepEqual(leader.expired(61_500, 10, 1_000), [1n])
  leader.demote()
  t.is(leader.remainingMillis(1n, 61_500), undefined)
})

test("a lease that is kept alive does not expire, and one that has expired cannot be kept alive", (t) => {
  const leases = lessor()
  leases.promote(0, 0)
  leases.grant(1n, 10, 0)
  for (let nowMillis = 0; nowMillis <= 100_000; nowMillis += 5_000) {
    t.is(leases.renew(1n, nowMillis), 10)
    t.deepEqual(leases.expired(nowMillis, 10, 1_000), [])
  }
  t.is(leases.renew(1n, 110_000), undefined)
})

test("what has expired is told again until it is revoked, since a proposal may be lost", (t) => {
  const leases = lessor()
  leases.promote(0, 0)
  leases.grant(1n, 2, 0)
  t.deepEqual(leases.expired(2_000, 10, 1_000), [1n])
  t.deepEqual(leases.expired(2_999, 10, 1_000), [])
  t.deepEqual(leases.expired(3_000, 10, 1_000), [1n])
  leases.revoke(1n)
  t.deepEqual(leases.expired(9_000, 10, 1_000), [])
  t.is(leases.wakeMillis, Number.POSITIVE_INFINITY)
})

test("whatever is granted, renewed and revoked when, a lease is told to have expired exactly when its time is over", (t) => {
  const step = fc.record({
    what: fc.constantFrom("grant", "renew", "revoke", "look"),
    id: fc.bigInt({ min: 1n, max: 6n }),
    seconds: fc.integer({ min: 2, max: 9 }),
    afterMillis: fc.nat({ max: 3_000 })
  })
  fc.assert(
    fc.property(fc.array(step, { maxLength: 80 }), (steps) => {
      const leases = lessor()
      leases.promote(0, 0)
      const model = new Map<bigint, { ttl: number; until: number }>()
      let nowMillis = 0
      for (const { afterMillis, id, seconds, what } of steps) {
        nowMillis += afterMillis
        const known = model.get(id)
        if (what === "grant" && leases.grant(id, seconds, nowMillis) === seconds)
          model.set(id, { ttl: seconds * 1_000, until: nowMillis + seconds * 1_000 })
        if (what === "renew") {
          const alive = known !== undefined && known.until > nowMillis
          t.is(leases.renew(id, nowMillis) !== undefined, alive)
          if (alive) known.until = nowMillis + known.ttl
        }
        if (what === "revoke") {
          leases.revoke(id)
          model.delete(id)
        }
        if (what === "look") {
          const over = [...model].filter(([, { until }]) => until <= nowMillis).map(([lease]) => lease)
          t.deepEqual([...leases.expired(nowMillis, 100, 0)].toSorted(), over.toSorted())
        }
        t.deepEqual([...leases.ids], [...model.keys()].toSorted())
      }
    }),
    { numRuns: 3_000 }
  )
})
