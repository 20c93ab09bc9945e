/**
 * Stores: ordered maps from bytes to bytes, several by name in one environment, one environment on a node.
 *
 * Promised: a batch is applied as a whole, over all stores it names, and is visible to every read as soon as
 * `write` returns. `flushed` succeeds once all batches before it are durable. After a crash the environment is
 * at a boundary between two batches: all before are there, none after, and none that was flushed is missing.
 * A snapshot, and every iteration, sees the batches before it and none that follow. A value comes back as it
 * was written or as `StorageCorrupt`, thrown. After a fault of the disk `write` throws that fault and `flushed`
 * fails with it, and reads go on, until somebody opens a store: from then on the environment is what had become
 * durable, and stores that were opened before take no writes any more. A full store refuses puts with a definite
 * `StorageFull` and still takes deletes.
 *
 * Not promised: durability of what was not flushed, though it is on its way within `flushMillisMax`; where somebody
 * else has opened a store after a fault, `flushed` says nothing of what was written before. That
 * `write` waits: with more than `pendingBytesMax` to flush it throws `StorageBusy` and has changed nothing.
 * That a snapshot lives for longer than `snapshotMillisMax`: reading from it then throws `SnapshotRefused`.
 *
 * Keys have 1 to `keyBytesMax` bytes and are ordered as bytes are, shorter first. Arrays in a batch belong to
 * the environment from then on, and arrays that reads return are shared: change neither.
 */
import { Context, type Effect, type Scope } from "effect"
import type { SnapshotRefused, StorageFault } from "./storage-faults.ts"

export const keyBytesMax = 1_024
export const valueBytesMax = 64 * 1024 * 1024
export const storesMax = 64

export interface Entry {
  readonly key: Uint8Array
  readonly value: Uint8Array
}

export interface Range {
  /** Without it from the first key. */
  readonly start?: Uint8Array
  /** Not in the range itself. Without it up to the last key. */
  readonly end?: Uint8Array
  /** From the last key of the range down to its first. */
  readonly reverse?: boolean
  readonly limit?: number
}

export interface Reads {
  readonly get: (key: Uint8Array) => Uint8Array | undefined
  /** Lazy. Whoever does not go to the end leaves with `break` or `return`, so that what it holds is let go. */
  readonly range: (range?: Range) => Iterable<Entry>
}

export interface Store extends Reads {
  readonly name: string
  /** Of the format of what is in it. */
  readonly version: number
  /**
   * Hands the value to `use` without a copy where that is possible. The array is good until `use` returns.
   */
  readonly peek: <A>(key: Uint8Array, use: (value: Uint8Array) => A) => A | undefined
  /** What its entries take up on the disk, as of the last commit. Room that deletes have left is not in it. */
  readonly usedBytes: () => number
}

export type Write =
  | { readonly op: "put"; readonly store: Store; readonly key: Uint8Array; readonly value: Uint8Array }
  | { readonly op: "delete"; readonly store: Store; readonly key: Uint8Array }
  /** As expensive as deleting each key in it. */
  | {
      readonly op: "deleteRange"
      readonly store: Store
      readonly start?: Uint8Array
      readonly end?: Uint8Array
    }

export interface Snapshot {
  readonly of: (store: Store) => Reads
  readonly stores: ReadonlyArray<Store>
}

export interface StoreUsage {
  /** Of the file, its free pages included. */
  readonly bytes: number
  readonly bytesMax: number
  readonly pendingBytes: number
}

export interface StoreFormat {
  /** What this release writes; a store of a later one is `StorageNewer`. */
  readonly version: number
  /** Brings a store of an earlier version to the next one. Its batches are flushed before the version is. */
  readonly migrate?: (store: Store, from: number) => Effect.Effect<void, StorageFault>
}

export interface StoreEnvironment {
  /** The store of that name, made if it is not there. The same one each time, whatever the format says then. */
  readonly open: (name: string, format?: StoreFormat) => Effect.Effect<Store, StorageFault>
  /** Throws a `StorageFault`, with nothing changed if it is definite. */
  readonly write: (batch: ReadonlyArray<Write>) => void
  readonly flushed: Effect.Effect<void, StorageFault>
  /** The same, for callers without a fiber. Never called back inside the call. */
  readonly onFlushed: (done: (fault: StorageFault | undefined) => void) => void
  readonly snapshot: Effect.Effect<Snapshot, SnapshotRefused, Scope.Scope>
  readonly usage: () => StoreUsage
}

export interface StoreLimits {
  /** Of the file on disk; reached, puts are refused. */
  readonly bytesMax: number
  readonly pendingBytesMax: number
  /** How long a batch waits at most before it is on its way to the disk. */
  readonly flushMillisMax: number
  readonly snapshotMillisMax: number
  readonly snapshotsMax: number
}

export const storeLimits: StoreLimits = {
  bytesMax: 16 * 1024 * 1024 * 1024,
  pendingBytesMax: 256 * 1024 * 1024,
  // As etcd's backend: most keys of a busy tenth of a second share their upper pages, and one sync.
  flushMillisMax: 100,
  snapshotMillisMax: 60_000,
  snapshotsMax: 32
}

export class Stores extends Context.Tag("kernel/Stores")<Stores, StoreEnvironment>() {}
