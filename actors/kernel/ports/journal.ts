/**
 * Journal: append-only logs of many groups in one sequence of files, with one fsync for all that gathered.
 *
 * Promised: once `sync` calls back without a fault, everything that was appended, stated, truncated, compacted
 * or dropped before it survives kill -9 and power cuts. After a crash each group's log is what it was at some
 * moment at or after its last sync: what came later is lost from the end, in the order it was written over all
 * groups, and never torn. Reads see at once what was appended. Bytes are returned as they were written: a
 * record that does not match its checksum is `StorageCorrupt`, as is a file with damage in front of a batch
 * that was written after it; nothing is dropped in silence. After a write or fsync went wrong, `append` and
 * its like throw that fault, and syncs fail with it, until the journal is opened again.
 *
 * Not promised: that damage to the very last batch, after a crash, can be told from a torn write: it is cut. A
 * journal that was closed in order has no such batch. Nor that `append` keeps a copy of what it cannot take:
 * it throws `StorageBusy` when more waits for the disk than is allowed, and then nothing has changed.
 */
import { Context, type Effect, type Scope } from "effect"
import type { StorageFault } from "./storage-faults.ts"

export interface JournalEntry {
  /** Below 2^32. */
  readonly group: number
  /** Follows the group's last one. A smaller one, above the compacted, first truncates the log from there. */
  readonly index: number
  readonly term: number
  readonly bytes: Uint8Array
}

export interface GroupSummary {
  /** Entries up to this one are gone, and are what a snapshot holds. */
  readonly compactedIndex: number
  readonly compactedTerm: number
  /** Equal to `compactedIndex` where the log has no entry. */
  readonly lastIndex: number
  readonly lastTerm: number
  /** As it was last stated; empty if never. */
  readonly state: Uint8Array
}

export interface JournalUsage {
  readonly segments: number
  readonly bytes: number
  readonly liveBytes: number
  readonly pendingBytes: number
  readonly batches: number
}

export interface Journal {
  /** Copies the bytes. */
  readonly append: (entries: ReadonlyArray<JournalEntry>) => void
  /** The group's small state: term, vote, commit. The last one counts. */
  readonly state: (group: number, bytes: Uint8Array) => void
  /** Entries at and above the index are gone. */
  readonly truncate: (group: number, fromIndex: number) => void
  /**
   * Entries up to and with the index are gone. Where the log has no entry with that index and term, all of it
   * is, and the next one follows the index: what the install of a snapshot needs.
   */
  readonly compact: (group: number, index: number, term: number) => void
  /** The group as if it had never been. */
  readonly drop: (group: number) => void

  /** Never called back inside the call. */
  readonly sync: (done: (fault: StorageFault | undefined) => void) => void
  readonly synced: Effect.Effect<void, StorageFault>

  readonly groups: () => ReadonlyArray<number>
  readonly group: (group: number) => GroupSummary | undefined
  /** Also of the compacted index itself. */
  readonly term: (group: number, index: number) => number | undefined
  /**
   * From one index up to, and without, another; at least one entry, then no more than `bytesMax`. Stops at
   * the end of the log. Throws `StorageCorrupt` or `StorageBroken`. The bytes are yours.
   */
  readonly read: (group: number, from: number, to: number, bytesMax: number) => ReadonlyArray<JournalEntry>
  readonly usage: () => JournalUsage
}

export interface JournalLimits {
  /** A file this long is followed by another. */
  readonly segmentBytes: number
  /** What may wait for the disk. */
  readonly pendingBytesMax: number
  /**
   * The oldest file is emptied by writing its live records again when they are few. With more files than this
   * also when they are many, if half of `pendingBytesMax` holds them.
   */
  readonly segmentsMax: number
}

export const journalLimits: JournalLimits = {
  segmentBytes: 64 * 1024 * 1024,
  pendingBytesMax: 64 * 1024 * 1024,
  segmentsMax: 64
}

export class Journals extends Context.Tag("kernel/Journals")<
  Journals,
  {
    /** One at a time. Closing the scope writes and syncs what waits. */
    readonly open: (limits?: Partial<JournalLimits>) => Effect.Effect<Journal, StorageFault, Scope.Scope>
  }
>() {}
