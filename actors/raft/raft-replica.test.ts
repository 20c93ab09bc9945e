import test from "ava"
import { RaftBug } from "./raft-check.ts"
import { defaultConfig } from "./raft-config.ts"
import { Membership } from "./raft-membership.ts"
import { Replica } from "./raft-replica.ts"

const snapshot = { index: 0, term: 0, membership: new Membership([1, 2, 3]), id: 0, bytes: 0 }
const entry = (index: number, term: number) =>
  ({ index, term, kind: "normal", data: new Uint8Array(36) }) as const
const replica = (config = defaultConfig) => new Replica(1, config, { snapshot, entries: [] })

test("a batch has what is new since the last, and its term and vote", (t) => {
  const one = replica()
  one.setTerm(1, 1)
  one.append("noop", new Uint8Array(0))
  t.like(one.take(undefined), { seq: 1, writes: true, hardState: { term: 1, vote: 1, commit: 0 } })
  t.is(one.take(undefined), undefined)
  one.append("normal", new Uint8Array(1))
  t.deepEqual(
    one.take(undefined)?.entries.map(({ index }) => index),
    [2]
  )
})

test("a second vote in a term, a term that goes back, a commit that is cut off are bugs", (t) => {
  const one = replica()
  one.setTerm(2, 3)
  t.throws(() => one.setTerm(2, 1), { instanceOf: RaftBug })
  t.throws(() => one.setTerm(1, 0), { instanceOf: RaftBug })
  one.accept([entry(1, 1), entry(2, 1)])
  one.commitTo(2)
  t.throws(() => one.accept([entry(2, 2)]), { instanceOf: RaftBug })
  t.throws(() => one.commitTo(3), { instanceOf: RaftBug })
})

test("what is committed is handed out once it is durable, as much as may be under way", (t) => {
  const one = replica({ ...defaultConfig, applyBytesMax: 200 })
  one.setTerm(1, 0)
  one.accept([1, 2, 3, 4, 5].map((index) => entry(index, 1)))
  one.commitTo(5)
  t.is(one.take(undefined)?.committed.length, 0)
  one.persisted(1)
  t.is(one.take(undefined)?.committed.length, 2)
  t.is(one.take(undefined), undefined)
  one.applied(2)
  t.deepEqual(
    one.take(undefined)?.committed.map(({ index }) => index),
    [3, 4]
  )
})

test("what it has to apply and memory has no more is read from the journal", (t) => {
  const one = replica({ ...defaultConfig, applyBytesMax: 100, memoryEntriesMax: 4 })
  one.setTerm(1, 0)
  const all = Array.from({ length: 20 }, (_, at) => entry(at + 1, 1))
  one.accept(all)
  one.commitTo(20)
  one.take(undefined)
  one.persisted(1)
  const applied: Array<number> = []
  for (let turn = 0; turn < 60 && applied.length < 20; turn++) {
    const batch = one.take(undefined)
    for (const { index } of batch?.committed ?? []) applied.push(index)
    for (const { from, to } of batch?.entriesWanted ?? []) one.entriesRead(from, all.slice(from - 1, to))
    one.applied(applied.length)
  }
  t.deepEqual(
    applied,
    all.map(({ index }) => index)
  )
})

test("a snapshot takes the place of the log, and is durable with its own write", (t) => {
  const one = replica()
  one.setTerm(3, 0)
  one.accept([entry(1, 1)])
  one.take(undefined)
  one.install({ index: 9, term: 3, membership: new Membership([1, 4]), id: 5, bytes: 1 })
  t.is(one.take(undefined)?.install?.index, 9)
  one.persisted(1)
  t.true(one.durableIndex < 9)
  one.persisted(2)
  t.is(one.durableIndex, 9)
  t.is(`${one.membership}`, "voters 1,4")
})

test("the journal drops nothing that no snapshot has", (t) => {
  const one = replica()
  one.setTerm(1, 0)
  one.accept([entry(1, 1), entry(2, 1)])
  one.commitTo(2)
  one.take(undefined)
  one.persisted(1)
  one.take(undefined)
  t.throws(() => one.compact(1), { instanceOf: RaftBug })
  one.snapshotted(2, 7, 100)
  one.compact(1)
  t.is(one.log.baseIndex, 1)
  t.like(one.snapshot, { index: 2, term: 1, id: 7 })
})
