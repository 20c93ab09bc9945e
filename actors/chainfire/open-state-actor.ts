/**
 * What the actor of a member opens before it takes part: its journal, its stores, and the shelf for snapshots. What
 * a crash has left in the middle is brought to its end.
 */
import { Effect } from "effect"
import { type JournalLimits, Journals } from "#actors/kernel/ports/journal.ts"
import { Stores } from "#actors/kernel/ports/store.ts"
import { encodeMembership } from "#actors/raft/raft-membership.ts"
import { SnapshotShelf } from "./snapshot-shelf.ts"
import { putMembership } from "./state-machine.ts"
import { StoreTables, storeNames, storesOf } from "./store-tables.ts"

/** Opens what a member remembers, and brings it to an end where a crash has left it in the middle. */
export const openState = (journalLimits: Partial<JournalLimits>) =>
  Effect.gen(function* () {
    const environment = yield* Stores
    const journal = yield* (yield* Journals).open(journalLimits)
    const open = (name: string) => environment.open(`chainfire-${name}`)
    const stores = storesOf(yield* Effect.forEach(storeNames, open))
    const tables = new StoreTables({ environment, stores })
    // Beside them, and no part of a snapshot.
    const shelf = new SnapshotShelf(environment, Object.values(stores), yield* open("snapshots"))
    const slices = shelf.recover(({ membership }) => {
      putMembership(tables.meta, encodeMembership(membership))
      tables.write()
    })
    for (let slice = slices.next(); slice.done !== true; slice = slices.next())
      yield* slice.value === "flushed" ? environment.flushed : Effect.yieldNow()
    // Who this member is, which no snapshot may change.
    const self = yield* open("self")
    return { environment, journal, self, shelf, stores, tables }
  })
