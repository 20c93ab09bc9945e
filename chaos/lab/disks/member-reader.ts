/**
 * Opens a data directory that a power cut has left as the node's member would, with the same code, and goes
 * through its journal to the end: what the member remembers.
 *
 * It writes to the directory, as the member would: give it a copy. Damaged pages of lmdb may end the process.
 */
import { Effect, Layer, type Scope } from "effect"
import { decodeCommand } from "#actors/chainfire/command.ts"
import { MemberLog } from "#actors/chainfire/member-log.ts"
import { openState } from "#actors/chainfire/open-state-actor.ts"
import { StateMachine } from "#actors/chainfire/state-machine.ts"
import type { Journals } from "#actors/kernel/ports/journal.ts"
import { isStorageFault, StorageCorrupt, type StorageFault } from "#actors/kernel/ports/storage-faults.ts"
import type { Stores } from "#actors/kernel/ports/store.ts"
import { fileJournals } from "#actors/platform/file-journal.ts"
import { LiveWorld } from "#actors/platform/live-world.ts"
import { lmdbStores } from "#actors/platform/lmdb-stores.ts"
import { verifyEntries } from "#actors/platform/lmdb-verify.ts"
import { decodeMembership, Membership } from "#actors/raft/raft-membership.ts"
import { brief, type Remembered, type RememberedChange } from "./remembered.ts"

/** Here: this process may die of it. */
const verifyHere = (path: string): Effect.Effect<void, StorageFault> =>
  Effect.asVoid(
    Effect.tryPromise({
      try: () => verifyEntries(path),
      catch: (cause) =>
        isStorageFault(cause)
          ? cause
          : new StorageCorrupt({
              path,
              offset: -1,
              reason: cause instanceof Error ? cause.message : String(cause)
            })
    })
  )

export const rememberedIn = (dataDirectory: string): Effect.Effect<Remembered, StorageFault> => {
  const storage = Layer.merge(fileJournals(dataDirectory), lmdbStores(dataDirectory, {}, verifyHere))
  return remembered.pipe(Effect.scoped, Effect.provide(Layer.provide(storage, LiveWorld)))
}

const remembered: Effect.Effect<Remembered, StorageFault, Journals | Stores | Scope.Scope> = Effect.gen(
  function* () {
    const { journal, tables } = yield* openState({})
    const machine = new StateMachine(tables, 0, () => 0, { changed: () => {} })
    const { appliedIndex: storedIndex, appliedTerm, membership } = machine
    const members = membership === undefined ? new Membership([]) : decodeMembership(membership)
    const log = new MemberLog(
      journal,
      { index: storedIndex, term: appliedTerm, membership: members },
      members
    )
    let lastIndex = storedIndex
    for (const { data, index, kind, term } of log.remembered.entries) {
      lastIndex = index
      if (index <= storedIndex) continue
      if (kind === "change") machine.membership = data
      machine.apply(index, term, kind === "normal" ? decodeCommand(data) : undefined)
      tables.write()
    }
    return { ...contentsOf(machine), storedIndex, lastIndex }
  }
)

const all = { key: new Uint8Array(1), rangeEnd: new Uint8Array(1) }
const decoder = new TextDecoder()
const textOf = (value: Uint8Array): string => brief(decoder.decode(value))

const contentsOf = ({ mvcc }: StateMachine) => {
  const { compactRevision, revision } = mvcc
  const changes: Array<RememberedChange> = []
  const latest = new Map<string, string>()
  for (const { kv, revision: of, type } of mvcc.changes(Math.max(1, compactRevision), revision, false)) {
    const [key, value] = [decoder.decode(kv.key), type === "delete" ? null : textOf(kv.value)]
    changes.push({ revision: of.main, key, value })
    if (value === null) latest.delete(key)
    else latest.set(key, value)
  }
  const contradictions: Array<string> = []
  for (const kv of mvcc.range(all)) {
    const [key, value] = [decoder.decode(kv.key), textOf(kv.value)]
    const known = latest.get(key)
    latest.delete(key)
    // What has not changed since a compaction is in the current table alone.
    if (known === undefined && kv.modRevision < compactRevision) continue
    if (known !== value) contradictions.push(`${key} is ${value} now, and ${known} by its history`)
  }
  for (const key of latest.keys()) contradictions.push(`${key} is not there, and by its history it is`)
  return { revision, compactRevision, changes, contradictions }
}
