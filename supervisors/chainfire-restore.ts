/**
 * Fills a new member of chainfire from a snapshot in a file, of etcd or of chainfire, before the member first
 * starts. The stores and the journal are those of the node that it will run on, which must not be running.
 *
 * Every member of the group is filled from the same file. It succeeds when everything is on the disk; after a
 * failure it may be tried again, and no member starts on what there is meanwhile.
 */
import { closeSync, fstatSync, openSync, readSync } from "node:fs"
import { Effect, type Scope } from "effect"
import {
  type Restored,
  type RestoreOptions,
  RestoreRefused,
  restoring
} from "#actors/chainfire/etcd-restore.ts"
import { group } from "#actors/chainfire/member-log.ts"
import { StoreTables, storeNames, storesOf } from "#actors/chainfire/store-tables.ts"
import { Journals } from "#actors/kernel/ports/journal.ts"
import { isStorageFault, StorageBroken, type StorageFault } from "#actors/kernel/ports/storage-faults.ts"
import { Stores } from "#actors/kernel/ports/store.ts"
import { BboltCorrupt } from "#protocols/wire/bbolt/bbolt-format.ts"
import type { ByteSource } from "#protocols/wire/bbolt/bbolt-reader.ts"

type RestoreFault = RestoreRefused | BboltCorrupt | StorageFault

/** What is none of these is a bug, and dies. */
const faultOf = (problem: unknown): RestoreFault => {
  if (problem instanceof RestoreRefused || problem instanceof BboltCorrupt || isStorageFault(problem))
    return problem
  throw problem
}

/** Closed with the scope. */
const sourceOf = (path: string): Effect.Effect<ByteSource, StorageFault, Scope.Scope> => {
  const attempt = <A>(operation: string, run: () => A): A => {
    try {
      return run()
    } catch (cause) {
      throw new StorageBroken({
        path,
        operation,
        reason: cause instanceof Error ? cause.message : String(cause)
      })
    }
  }
  const opened = Effect.acquireRelease(
    Effect.try({ try: () => attempt("open", () => openSync(path, "r")), catch: storageFaultOf }),
    (file) => Effect.sync(() => closeSync(file))
  )
  return Effect.flatMap(opened, (file) =>
    Effect.try({
      try: () => ({
        bytes: attempt("look at it", () => fstatSync(file).size),
        read: (offset, length) => {
          const bytes = new Uint8Array(length)
          const read = attempt("read", () => readSync(file, bytes, 0, length, offset))
          return bytes.subarray(0, read)
        }
      }),
      catch: storageFaultOf
    })
  )
}

const storageFaultOf = (problem: unknown): StorageFault => {
  if (isStorageFault(problem)) return problem
  throw problem
}

export const restoreChainfire = (
  path: string,
  options: RestoreOptions = {}
): Effect.Effect<Restored, RestoreFault, Stores | Journals | Scope.Scope> =>
  Effect.gen(function* () {
    const environment = yield* Stores
    const journal = yield* (yield* Journals).open()
    if (journal.group(group) !== undefined)
      return yield* new RestoreRefused({
        reason: "this node has been a member already; use a new data directory"
      })
    const opened = yield* Effect.forEach(storeNames, (name) => environment.open(`chainfire-${name}`))
    const tables = new StoreTables({ environment, stores: storesOf(opened) })
    const steps = restoring(yield* sourceOf(path), tables, () => tables.write(), options)
    for (;;) {
      const step = yield* Effect.try({ try: () => steps.next(), catch: faultOf })
      yield* environment.flushed
      if (step.done === true) return step.value
    }
  })
