import test from "ava"
import fc from "fast-check"
import { memoryTables } from "./fixtures/memory-table.ts"
import { type KeyRange, Mvcc, prefixed } from "./mvcc.ts"
import { type WatchEvent, WatchHub, type WatchOptions } from "./watch-hub.ts"

const bytes = (text: string): Uint8Array => new TextEncoder().encode(text)
const text = (data: Uint8Array): string => new TextDecoder().decode(data)
const one = (key: string): KeyRange => ({ key: bytes(key), rangeEnd: new Uint8Array(0) })

class Store {
  readonly mvcc = new Mvcc(memoryTables())
  readonly hub = new WatchHub(this.mvcc)

  put(...keys: ReadonlyArray<string>): void {
    this.mvcc.begin()
    for (const key of keys) this.mvcc.put(bytes(key), bytes(`${this.mvcc.revision + 1}`))
    this.#commit()
  }

  delete(key: string): void {
    this.mvcc.begin()
    this.mvcc.delete(one(key))
    this.#commit()
  }

  #commit(): void {
    const changes = this.mvcc.commit()
    if (changes.length > 0) this.hub.publish(this.mvcc.revision, changes)
  }

  watch(id: number, options: Partial<WatchOptions>, room = () => true): ReadonlyArray<string> {
    const heard: Array<string> = []
    const all = { range: prefixed(bytes("")), startRevision: 0, prevKv: false, noPut: false, noDelete: false }
    this.hub.add(
      id,
      { ...all, ...options },
      {
        deliver: (_watch, revision, events) => {
          heard.push(`${revision}: ${events.map(shown).join(" ")}`)
          return room()
        },
        behind: (watch) => void heard.push(`behind ${watch}`),
        compacted: (_watch, revision) => void heard.push(`compacted ${revision}`)
      }
    )
    return heard
  }
}

const shown = ({ kv, prevKv, type }: WatchEvent): string =>
  `${type === "put" ? "" : "-"}${text(kv.key)}${prevKv === undefined ? "" : `<${text(prevKv.value)}`}`

test("a watcher of a key, of a prefix and of everything see what is theirs, a transaction at once", (t) => {
  const store = new Store()
  const key = store.watch(1, { range: one("a") })
  const prefix = store.watch(2, { range: prefixed(bytes("b/")) })
  const all = store.watch(3, {})
  store.put("a", "b/1", "c")
  store.put("b/2")
  store.delete("a")
  t.deepEqual(key, ["2: a", "4: -a"])
  t.deepEqual(prefix, ["2: b/1", "3: b/2"])
  t.deepEqual(all, ["2: a b/1 c", "3: b/2", "4: -a"])
})

test("filters leave out puts or deletions, and previous values come where they were asked for", (t) => {
  const store = new Store()
  const deletions = store.watch(1, { noPut: true, prevKv: true })
  const puts = store.watch(2, { noDelete: true, prevKv: true })
  store.put("a")
  store.put("a")
  store.delete("a")
  t.deepEqual(deletions, ["4: -a<3"])
  t.deepEqual(puts, ["2: a", "3: a<2"])
})

test("a watcher from an earlier revision sees all since, in order, and then goes on live", (t) => {
  const store = new Store()
  store.put("a")
  store.put("b")
  store.put("a")
  const heard = store.watch(1, { range: one("a"), startRevision: 2, prevKv: true })
  store.put("a")
  while (store.hub.resume(1)) {}
  store.put("a")
  t.deepEqual(heard, ["2: a", "4: a<2", "5: a<4", "6: a<5"])
})

test("a watcher from a revision to come sees nothing before it", (t) => {
  const store = new Store()
  const heard = store.watch(1, { startRevision: 4 })
  for (const key of ["a", "b", "c"]) store.put(key)
  t.deepEqual(heard, ["4: c"])
})

test("one that has no room is parked, costs nothing meanwhile, and misses nothing", (t) => {
  const store = new Store()
  let room = false
  const heard = store.watch(1, {}, () => room)
  for (let count = 0; count < 5_000; count++) store.put(`k${count % 7}`)
  t.is(heard.length, 1)
  t.deepEqual(store.hub.statuses, [{ id: 1, state: "parked", lag: 4_999 }])
  room = true
  while (store.hub.resume(1)) {}
  store.put("z")
  t.is(heard.length, 5_001)
  t.deepEqual(
    heard.map((line) => Number.parseInt(line, 10)),
    Array.from({ length: 5_001 }, (_, index) => index + 2)
  )
})

test("one that ends itself by what it reads on the way hears nothing more", (t) => {
  const store = new Store()
  store.watch(2, {})
  store.put("a")
  const heard = store.watch(1, { startRevision: 2 }, () => {
    store.hub.remove(1)
    return true
  })
  t.false(store.hub.resume(1))
  store.put("a")
  t.deepEqual(heard, ["2: a"])
})

test("one that is so late that compaction was there before it is cancelled, and told from where there is more", (t) => {
  const store = new Store()
  for (const key of ["a", "b", "c", "d"]) store.put(key)
  store.mvcc.compact(4)
  const late = store.watch(1, { startRevision: 3 })
  const inTime = store.watch(2, { startRevision: 4 })
  for (const id of [1, 2]) store.hub.resume(id)
  t.deepEqual(late, ["compacted 4"])
  t.deepEqual(inTime, ["4: c", "5: d"])
  t.is(store.hub.size, 1)
})

test("whatever is written, and whenever watchers have room, each sees every change of its keys once and in order", (t) => {
  const keys = ["a", "b", "ba"]
  const steps = fc.array(
    fc.oneof(
      fc.record({
        what: fc.constant("put" as const),
        keys: fc.uniqueArray(fc.constantFrom(...keys), { minLength: 1 })
      }),
      fc.record({
        what: fc.constant("delete" as const),
        keys: fc.uniqueArray(fc.constantFrom(...keys), { minLength: 1, maxLength: 1 })
      }),
      fc.record({ what: fc.constant("resume" as const), keys: fc.constant<Array<string>>([]) })
    ),
    { maxLength: 60 }
  )
  fc.assert(
    fc.property(steps, fc.infiniteStream(fc.boolean()), fc.nat({ max: 20 }), (all, rooms, startRevision) => {
      const store = new Store()
      const watched = prefixed(bytes("b"))
      const eager = store.watch(1, { range: watched, startRevision })
      const lazy = store.watch(2, { range: watched, startRevision }, () => rooms.next().value ?? true)
      for (const { keys: touched, what } of all) {
        if (what === "put") store.put(...touched)
        else if (what === "delete") store.delete(touched[0] ?? "")
        else for (const id of [1, 2]) store.hub.resume(id)
      }
      for (let round = 0; round < 200; round++) for (const id of [1, 2]) store.hub.resume(id)
      const from = startRevision === 0 ? 2 : startRevision
      const truth = new Map<number, Array<string>>()
      for (const { kv, revision, type } of store.mvcc.changes(from, store.mvcc.revision, false)) {
        if (!text(kv.key).startsWith("b")) continue
        const line = truth.get(revision.main) ?? []
        truth.set(revision.main, line)
        line.push(`${type === "put" ? "" : "-"}${text(kv.key)}`)
      }
      const lines = [...truth].map(([revision, events]) => `${revision}: ${events.join(" ")}`)
      t.deepEqual(eager, lines)
      t.deepEqual(lazy, lines)
    }),
    { numRuns: 500 }
  )
})

test("those who get the same events get the same array, so that it is encoded once", (t) => {
  const { mvcc, hub } = new Store()
  const heard: Array<ReadonlyArray<WatchEvent>> = []
  const sink = {
    deliver: (_id: number, _at: number, events: ReadonlyArray<WatchEvent>) => heard.push(events) > 0,
    behind: () => t.fail()
  }
  const options = { range: one("a"), startRevision: 0, prevKv: false, noPut: false, noDelete: false }
  for (const id of [1, 2]) hub.add(id, options, { ...sink, compacted: () => t.fail() })
  for (const id of [3, 4]) hub.add(id, { ...options, prevKv: true }, { ...sink, compacted: () => t.fail() })
  mvcc.begin()
  mvcc.put(bytes("a"), bytes("1"))
  hub.publish(mvcc.revision + 1, mvcc.commit())
  t.is(heard.length, 4)
  t.is(heard[0], heard[1])
  t.is(heard[2], heard[3])
  t.not(heard[0], heard[2])
  t.true(hub.isSynced(1))
})
