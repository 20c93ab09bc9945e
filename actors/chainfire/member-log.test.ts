import test from "ava"
import { Context, Effect, Layer } from "effect"
import { type Journal, Journals } from "#actors/kernel/ports/journal.ts"
import { Membership } from "#actors/raft/raft-membership.ts"
import type { Entry } from "#actors/raft/raft-messages.ts"
import { Compartment } from "#chaos/sim/compartment.ts"
import { SimDisk } from "#chaos/sim/sim-disk.ts"
import { SimWorld } from "#chaos/sim/world.ts"
import { type LogBase, MemberLog } from "./member-log.ts"

const genesis = new Membership([1, 2, 3])
const fresh: LogBase = { index: 0, term: 0, membership: genesis }

const entries = (from: number, to: number, term: number): ReadonlyArray<Entry> =>
  Array.from({ length: to - from + 1 }, (_, at) => ({
    index: from + at,
    term,
    kind: at % 2 === 0 ? ("normal" as const) : ("noop" as const),
    data: Uint8Array.of(from + at)
  }))

const withJournal = (body: (journal: Journal) => void): void => {
  const world = new SimWorld(3)
  world.run(
    Effect.gen(function* () {
      const journals = Context.get(yield* Layer.build(new SimDisk(world).layer()), Journals)
      body(yield* journals.open())
    }).pipe(Effect.provide(new Compartment(world).layer), Effect.scoped)
  )
}

test("a log comes back as it was written: entries of each kind, term, vote and commit", (t) => {
  withJournal((journal) => {
    const log = new MemberLog(journal, fresh, genesis)
    log.append(entries(1, 10, 2))
    log.state({ term: 2, vote: 3, commit: 7 })
    const { entries: remembered, hardState, snapshot } = new MemberLog(journal, fresh, genesis).remembered
    t.deepEqual([...remembered], entries(1, 10, 2))
    t.deepEqual(hardState, { term: 2, vote: 3, commit: 7 })
    t.deepEqual(snapshot, { index: 0, term: 0, membership: genesis, id: 0, bytes: 0 })
  })
})

test("a log that was compacted begins where it was, with the members of that time", (t) => {
  withJournal((journal) => {
    const log = new MemberLog(journal, fresh, genesis)
    log.append(entries(1, 10, 2))
    log.state({ term: 2, vote: 0, commit: 10 })
    const membership = new Membership([1, 2, 4], [5])
    log.compact({ index: 6, term: 2, membership })
    const applied = { index: 10, term: 2, membership: new Membership([1, 2]) }
    const { entries: remembered, snapshot } = new MemberLog(journal, applied, genesis).remembered
    t.deepEqual([...remembered], entries(7, 10, 2))
    t.deepEqual(snapshot, { index: 6, term: 2, membership, id: 0, bytes: 0 })
  })
})

test("a state that is ahead of its log, since a crash came between the two, begins a new log", (t) => {
  withJournal((journal) => {
    const log = new MemberLog(journal, fresh, genesis)
    log.append(entries(1, 4, 2))
    log.state({ term: 2, vote: 1, commit: 4 })
    const applied = { index: 900, term: 8, membership: new Membership([7]) }
    const risen = new MemberLog(journal, applied, genesis)
    t.deepEqual([...risen.remembered.entries], [])
    // A vote of an earlier term says nothing about the later one.
    t.deepEqual(risen.remembered.hardState, { term: 8, vote: 0, commit: 900 })
    risen.append(entries(901, 903, 9))
    t.deepEqual([...new MemberLog(journal, applied, genesis).remembered.entries], entries(901, 903, 9))
  })
})
