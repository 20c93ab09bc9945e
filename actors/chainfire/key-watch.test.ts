import test from "ava"
import fc from "fast-check"
import { memoryTables } from "./fixtures/memory-table.ts"
import { KeyWatch } from "./key-watch.ts"
import { Mvcc, prefixed } from "./mvcc.ts"
import { WatchHub } from "./watch-hub.ts"

const bytes = (text: string): Uint8Array => new TextEncoder().encode(text)

/** A store, and one watch of all of it from its first revision on. */
class Watched {
  readonly mvcc = new Mvcc(memoryTables())
  readonly hub = new WatchHub(this.mvcc)
  readonly heard: Array<number> = []
  compacted = 0
  #woken = false
  readonly watch: KeyWatch

  constructor(credit: number) {
    const all = { range: prefixed(bytes("")), startRevision: 2, prevKv: false, noPut: false, noDelete: false }
    this.watch = new KeyWatch(-1, this.hub, all, credit, {
      tell: (revision) => void this.heard.push(revision),
      wake: () => {
        this.#woken = true
      },
      compacted: (revision) => {
        this.compacted = revision
      },
      isInstalling: () => false,
      revision: () => this.mvcc.revision
    })
  }

  put(): void {
    this.mvcc.begin()
    this.mvcc.put(bytes("k"), bytes("v"), 0n)
    this.hub.publish(this.mvcc.revisionInside, this.mvcc.commit())
  }

  /** As its actor would, when it has time. */
  turn(): void {
    while (this.#woken) {
      this.#woken = false
      this.watch.resume()
    }
  }
}

test("without credit nothing is told and nothing is queued; with credit it goes on where it was", (t) => {
  const watched = new Watched(2)
  watched.turn()
  for (let turn = 0; turn < 5; turn++) watched.put()
  t.deepEqual(watched.heard, [2, 3])
  t.deepEqual(watched.watch.status, { credit: 0, parked: true, queueDepth: 3, oldestUndelivered: 4 })
  watched.watch.grant(2)
  watched.turn()
  t.deepEqual(watched.heard, [2, 3, 4, 5])
  watched.watch.grant(10)
  watched.turn()
  watched.put()
  t.deepEqual(watched.heard, [2, 3, 4, 5, 6, 7])
  t.deepEqual(watched.watch.status, { credit: 8, parked: false, queueDepth: 0, oldestUndelivered: 0 })
})

test("a watch that has missed more than it reads in one turn goes on until it has all, and hears what follows", (t) => {
  const watched = new Watched(0)
  for (let put = 0; put < 2_500; put++) watched.put()
  watched.watch.grant(10_000)
  watched.turn()
  watched.put()
  t.deepEqual(
    watched.heard,
    Array.from({ length: 2_501 }, (_, index) => index + 2)
  )
  t.like(watched.watch.status, { parked: false, queueDepth: 0 })
})

test("what is compacted before it could be told ends the watch, which says so", (t) => {
  const watched = new Watched(1)
  watched.turn()
  for (let turn = 0; turn < 5; turn++) watched.put()
  watched.mvcc.compact(5)
  watched.watch.grant(5)
  watched.turn()
  t.deepEqual(watched.heard, [2])
  t.is(watched.compacted, 5)
})

test("whatever the order of writes, credits and turns, each revision is told once, in order, within credit", (t) => {
  fc.assert(
    fc.property(
      fc.array(fc.oneof(fc.constant("put"), fc.constant("turn"), fc.integer({ min: 1, max: 4 }))),
      (steps) => {
        const watched = new Watched(1)
        let credit = 1
        for (const step of steps) {
          if (step === "put") watched.put()
          else if (step === "turn") watched.turn()
          else if (typeof step === "number") {
            credit += step
            watched.watch.grant(step)
          }
          t.true(watched.heard.length <= credit)
        }
        watched.watch.grant(steps.length)
        watched.turn()
        const all = Array.from({ length: watched.mvcc.revision - 1 }, (_, index) => index + 2)
        t.deepEqual(watched.heard, all)
      }
    )
  )
})
