/**
 * Block files: a directory of files that are written in place, for journals.
 *
 * Promised: what was written before a `sync` that succeeded survives a power cut, and the result of `create`
 * and `remove` survives it once `done` was called without a fault. A write is visible to `read` once it is done.
 * Calls on one file take effect in the order they were made. `done` is never called inside the call.
 *
 * Not promised: what `read` finds where a write is under way; anything about what was written and not synced. A
 * power cut may keep any part of it, sector by sector and in any order, and a fault any part as well.
 */
import { Context } from "effect"
import type { StorageBroken, StorageFull } from "./storage-faults.ts"

export type FileFault = StorageBroken | StorageFull

export type Done = (fault: FileFault | undefined) => void

export const sectorBytes = 512

export interface BlockFile {
  readonly name: string
  readonly size: () => number
  /** Fewer bytes than asked for at the end of the file. Throws `StorageBroken`. */
  readonly read: (position: number, length: number) => Uint8Array
  /** The bytes belong to the file until `done`. A file grows as it is written. */
  readonly write: (position: number, bytes: Uint8Array, done: Done) => void
  readonly sync: (done: Done) => void
  /** What lies behind is gone; then the file is as long as `size`, with zeros. Durable with the next sync. */
  readonly cut: (position: number, size: number, done: Done) => void
  readonly close: () => void
}

export interface BlockDirectory {
  readonly path: string
  /** Sorted. Throws `StorageBroken`. */
  readonly list: () => ReadonlyArray<string>
  /** One that is there. Throws `StorageBroken`. */
  readonly open: (name: string) => BlockFile
  /** A new one that begins with `head`, and has zeros up to `size`, where the disk has that room. */
  readonly create: (
    name: string,
    head: Uint8Array,
    size: number,
    done: (created: BlockFile | FileFault) => void
  ) => void
  readonly remove: (names: ReadonlyArray<string>, done: Done) => void
}

export class BlockFiles extends Context.Tag("kernel/BlockFiles")<BlockFiles, BlockDirectory>() {}
