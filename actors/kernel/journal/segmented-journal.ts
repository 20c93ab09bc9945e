/**
 * The journal itself, over whatever keeps block files.
 *
 *   append ──► batch that gathers ──write, fsync──► file 7   (one batch at a time is under way)
 *                     │
 *                     └─ where each entry is: group-log.ts
 *
 * A batch leaves at the end of the turn in which the first sync was asked for, or when the batch before it
 * has landed, whichever is later: the busier the disk, the more share one fsync. Places in the file are known
 * while a batch gathers, so reads find an entry at once, in memory until it has landed and in the file then.
 *
 * A file goes when nothing in it counts any more. Only the oldest ever goes, so that recovery always sees a
 * suffix of the history. What little still counts there (the log of a group that sleeps, states, compactions)
 * is written once more at the end, and the file goes when that has landed.
 */
import { Effect, type Scope } from "effect"
import type { BlockDirectory, BlockFile, FileFault } from "../ports/block-files.ts"
import type { GroupSummary, Journal, JournalEntry, JournalLimits, JournalUsage } from "../ports/journal.ts"
import type { StorageFault } from "../ports/storage-faults.ts"
import { isStorageFault, StorageBusy, StorageCorrupt } from "../ports/storage-faults.ts"
import type { RecordKind } from "./batch-format.ts"
import { BatchWriter, decodeRecord, encodeHead, headBytes, recordBytes, segmentName } from "./batch-format.ts"
import { GroupLog } from "./group-log.ts"
import type { Recovered } from "./journal-recovery.ts"
import { recover } from "./journal-recovery.ts"

export interface JournalWorld {
  readonly directory: BlockDirectory
  readonly limits: JournalLimits
  /** Later, but before the process waits for I/O. */
  readonly soon: (task: () => void) => void
  /** A number in [0, 2^32), another one each time. */
  readonly salt: () => number
}

interface Segment {
  readonly sequence: number
  readonly salt: number
  /** Not there while it is being made. */
  file: BlockFile | undefined
  /** Where the next batch goes. */
  end: number
  liveBytes: number
  /** How many entries of each group. */
  readonly live: Map<number, number>
}

interface Group {
  readonly log: GroupLog
  state: Uint8Array
  /** Where the last state and the last compaction were written; 0 is nowhere. */
  stateIn: number
  compactedIn: number
}

type Waiter = (fault: StorageFault | undefined) => void

interface Batch {
  readonly segment: Segment
  readonly writer: BatchWriter
  readonly waiters: Array<Waiter>
  /** The oldest file goes when this batch has landed. */
  emptied: Segment | undefined
}

/** From the oldest file to the end. */
interface Moving {
  readonly number: number
  readonly index: number
  readonly entry: JournalEntry
}

const none = new Uint8Array(0)
/** Of the oldest file this share may still count when it is emptied. */
const rewriteShareMax = 1 / 16
const windowBytes = 64 * 1024

export const openJournal = (world: JournalWorld): Effect.Effect<Journal, StorageFault, Scope.Scope> =>
  Effect.acquireRelease(
    Effect.gen(function* () {
      const recovered = yield* recover(world.directory)
      const journal = new SegmentedJournal(world, recovered)
      yield* Effect.tapErrorCause(journal.prepare(recovered), () => Effect.sync(() => journal.closeFiles()))
      return journal
    }),
    (journal) => journal.close
  )

class SegmentedJournal implements Journal {
  readonly #world: JournalWorld
  readonly #groups = new Map<number, Group>()
  /** Oldest first. The last one may be ahead of its use. */
  #segments: Array<Segment>
  #tail: Segment | undefined
  #next: Segment | undefined
  #batchNext: number
  #gathering: Batch | undefined
  #flying: Batch | undefined
  #spareBuffer: Uint8Array | undefined
  #departureAsked = false
  #removing = false
  #aheadRefused = false
  #creating = false
  #fault: StorageFault | undefined
  #closed = false

  constructor(world: JournalWorld, recovered: Recovered) {
    this.#world = world
    this.#batchNext = recovered.batchNext
    this.#segments = recovered.segments.map(({ end, file, salt, sequence }) => ({
      sequence,
      salt,
      file,
      end,
      liveBytes: 0,
      live: new Map<number, number>()
    }))
    this.#tail = this.#segments.at(-1)
    for (const [number, group] of recovered.groups) {
      const log = new GroupLog()
      log.compact(group.compactedIndex, group.compactedTerm, () => {})
      for (let index = log.compactedIndex + 1; index <= group.lastIndex; index++) {
        const { length, position, sequence, term } = group.entries.get(index)!
        log.push(term, sequence, position, length)
        this.#count(number, sequence, length)
      }
      const { compactedIn, state, stateIn } = group
      this.#groups.set(number, { log, state, stateIn, compactedIn })
    }
  }

  /**
   * Removes what never came to be, cuts what was torn, and syncs what was found: a process that was killed has
   * written its last batch and removed a file, and perhaps synced neither. Whoever reads it takes it for durable.
   */
  prepare({ blank, segments }: Recovered): Effect.Effect<void, StorageFault> {
    const last = segments.at(-1)
    return Effect.gen(this, function* () {
      yield* settled((done) => this.#world.directory.remove(blank, done))
      if (last === undefined) return
      const size = Math.max(last.end, this.#world.limits.segmentBytes)
      if (!last.clean) yield* settled((done) => last.file.cut(last.end, size, done))
      yield* settled((done) => last.file.sync(done))
    })
  }

  // Writing

  readonly append = (entries: ReadonlyArray<JournalEntry>): void => {
    let bytes = 0
    for (const entry of entries) bytes += recordBytes(entry.bytes.length)
    const batch = this.#batch(bytes)
    for (const entry of entries) {
      const { group: number, index, term } = entry
      const { log } = this.#group(number)
      if (index > log.lastIndex + 1 || index <= log.compactedIndex)
        throw new RangeError(
          `entry ${index} of group ${number} does not follow its log of ${log.compactedIndex + 1} to ${log.lastIndex}`
        )
      log.truncate(index, this.#released(number))
      const position = batch.writer.record("entry", number, index, term, entry.bytes)
      const length = recordBytes(entry.bytes.length)
      log.push(term, batch.segment.sequence, position, length)
      this.#count(number, batch.segment.sequence, length)
    }
  }

  readonly state = (number: number, bytes: Uint8Array): void => {
    const batch = this.#batch(recordBytes(bytes.length))
    this.#writeState(batch, number, bytes.slice())
  }

  readonly truncate = (number: number, fromIndex: number): void => {
    this.#record("truncate", number, fromIndex, 0)
    this.#group(number).log.truncate(fromIndex, this.#released(number))
  }

  readonly compact = (number: number, index: number, term: number): void => {
    const group = this.#group(number)
    if (index <= group.log.compactedIndex) return
    // What the compaction takes along shall not depend on entries that recovery may no longer see.
    if (group.log.term(index) !== term) this.truncate(number, group.log.compactedIndex + 1)
    const batch = this.#record("compact", number, index, term)
    group.log.compact(index, term, this.#released(number))
    group.compactedIn = batch.segment.sequence
    this.#reclaim()
  }

  readonly drop = (number: number): void => {
    this.#record("drop", number, 0, 0)
    this.#groups.get(number)?.log.truncate(0, this.#released(number))
    this.#groups.delete(number)
    this.#reclaim()
  }

  #record(kind: RecordKind, number: number, index: number, term: number): Batch {
    const batch = this.#batch(recordBytes(0))
    batch.writer.record(kind, number, index, term, none)
    return batch
  }

  #writeState(batch: Batch, number: number, bytes: Uint8Array): void {
    const group = this.#group(number)
    batch.writer.record("state", number, 0, 0, bytes)
    group.state = bytes
    group.stateIn = batch.segment.sequence
  }

  #group(number: number): Group {
    const found = this.#groups.get(number)
    if (found !== undefined) return found
    const made: Group = { log: new GroupLog(), state: none, stateIn: 0, compactedIn: 0 }
    this.#groups.set(number, made)
    return made
  }

  #count(number: number, sequence: number, length: number): void {
    const segment = this.#segment(sequence)
    segment.liveBytes += length
    segment.live.set(number, (segment.live.get(number) ?? 0) + 1)
  }

  #released(number: number) {
    return (sequence: number, length: number): void => {
      const segment = this.#segment(sequence)
      segment.liveBytes -= length
      const left = segment.live.get(number)! - 1
      if (left === 0) segment.live.delete(number)
      else segment.live.set(number, left)
    }
  }

  #segment(sequence: number): Segment {
    return this.#segments[sequence - this.#segments[0]!.sequence]!
  }

  // Batches

  /** The one that gathers, with room for that much. */
  #batch(bytes: number): Batch {
    if (this.#closed) throw new Error("the journal is closed")
    if (this.#fault !== undefined) throw this.#fault
    const { directory, limits } = this.#world
    const pendingBytes = this.#pendingBytes() + bytes
    if (pendingBytes > limits.pendingBytesMax)
      throw new StorageBusy({ path: directory.path, pendingBytes, pendingBytesMax: limits.pendingBytesMax })
    this.#gathering ??= this.#newBatch()
    return this.#gathering
  }

  #newBatch(): Batch {
    const { segmentBytes } = this.#world.limits
    if (this.#tail === undefined || this.#tail.end >= segmentBytes) {
      this.#tail = this.#next ?? this.#newSegment()
      this.#next = undefined
      this.#aheadRefused = false
    } else if (this.#tail.end > segmentBytes / 2 && !this.#aheadRefused) {
      this.#next ??= this.#newSegment()
    }
    const segment = this.#tail
    const writer = new BatchWriter(segment.end, segment.salt, this.#spareBuffer)
    this.#spareBuffer = undefined
    return { segment, writer, waiters: [], emptied: undefined }
  }

  /** Made while the one before it is still in use, so that nobody waits for it. */
  #newSegment(): Segment {
    const segment: Segment = {
      sequence: (this.#segments.at(-1)?.sequence ?? 0) + 1,
      salt: this.#world.salt(),
      file: undefined,
      end: headBytes,
      liveBytes: 0,
      live: new Map()
    }
    this.#segments.push(segment)
    this.#createFiles()
    return segment
  }

  /** One after the other: where a file is, all before it have been. */
  #createFiles(): void {
    const segment = this.#segments.find(({ file }) => file === undefined)
    if (segment === undefined || this.#creating || this.#closed || this.#fault !== undefined) return
    const { directory, limits } = this.#world
    this.#creating = true
    directory.create(segmentName(segment.sequence), encodeHead(segment), limits.segmentBytes, (created) => {
      this.#creating = false
      if ("_tag" in created) return this.#notCreated(segment, created)
      if (this.#closed) return created.close()
      segment.file = created
      if (this.#flying?.segment === segment) this.#write(this.#flying)
      this.#createFiles()
    })
  }

  #notCreated(segment: Segment, fault: FileFault): void {
    if (segment !== this.#next) return this.#fail(fault)
    // Nobody needs it yet, and by then there may be room.
    this.#segments.pop()
    this.#next = undefined
    this.#aheadRefused = true
  }

  readonly sync = (done: Waiter): void => {
    const { soon } = this.#world
    if (this.#fault !== undefined) return soon(() => done(this.#fault))
    const batch = this.#gathering ?? this.#flying
    if (batch === undefined) return soon(() => done(this.#fault))
    batch.waiters.push(done)
    if (this.#flying === undefined) this.#askDeparture()
  }

  /** At the end of the turn, so that what others append in it comes along. */
  #askDeparture(): void {
    if (this.#departureAsked) return
    this.#departureAsked = true
    this.#world.soon(() => {
      this.#departureAsked = false
      this.#depart()
    })
  }

  readonly synced: Effect.Effect<void, StorageFault> = Effect.async((resume) =>
    this.sync((fault) => resume(fault === undefined ? Effect.void : Effect.fail(fault)))
  )

  #depart(): void {
    if (this.#flying !== undefined || this.#gathering === undefined || this.#fault !== undefined) return
    const batch = this.#gathering
    this.#gathering = undefined
    this.#flying = batch
    batch.segment.end += batch.writer.length
    if (batch.segment.file !== undefined) this.#write(batch)
  }

  #write(batch: Batch): void {
    const { segment, writer } = batch
    const file = segment.file!
    const oldest = this.#segments[0]!.sequence + (batch.emptied === undefined ? 0 : 1)
    const batchBytes = writer.seal(this.#batchNext++, oldest)
    file.write(writer.position, batchBytes, (unwritten) => {
      if (unwritten !== undefined) return this.#fail(unwritten)
      file.sync((unsynced) => {
        if (unsynced !== undefined) return this.#fail(unsynced)
        this.#landed(batch)
      })
    })
  }

  #landed(batch: Batch): void {
    this.#flying = undefined
    // A batch of unusual size shall not stay in memory.
    if (batch.writer.buffer.length <= 4 * 1024 * 1024) this.#spareBuffer = batch.writer.buffer
    if (batch.emptied !== undefined) this.#removeOldest(batch.emptied)
    for (const waiter of batch.waiters) waiter(undefined)
    this.#reclaim()
    if (this.#gathering !== undefined && this.#gathering.waiters.length > 0) this.#askDeparture()
  }

  #fail(fault: StorageFault): void {
    if (this.#fault !== undefined) return
    this.#fault = fault
    const waiters = [...(this.#flying?.waiters ?? []), ...(this.#gathering?.waiters ?? [])]
    for (const waiter of waiters) waiter(fault)
  }

  // Old files

  /** Writes what still counts in the oldest file once more, if that is little, and lets the file go. */
  #reclaim(): void {
    const { limits } = this.#world
    const [oldest] = this.#segments
    const idle = this.#removing || this.#closed || this.#fault !== undefined
    if (oldest === undefined || oldest === this.#tail || idle) return
    const rewriteBytesMax = Math.min(limits.segmentBytes * rewriteShareMax, limits.pendingBytesMax / 4)
    if (oldest.liveBytes > rewriteBytesMax && this.#segments.length <= limits.segmentsMax) return
    if (this.#pendingBytes() + oldest.liveBytes > limits.pendingBytesMax / 2) return
    const moving = this.#liveIn(oldest)
    if (moving === undefined) return
    this.#removing = true
    const batch = this.#batch(0)
    batch.emptied = oldest
    for (const { entry, index, number } of moving) {
      const { log } = this.#groups.get(number)!
      const length = recordBytes(entry.bytes.length)
      const position = batch.writer.record("moved", number, index, entry.term, entry.bytes)
      this.#released(number)(oldest.sequence, length)
      log.move(index, batch.segment.sequence, position)
      this.#count(number, batch.segment.sequence, length)
    }
    for (const [number, group] of this.#groups) {
      if (group.stateIn === oldest.sequence) this.#writeState(batch, number, group.state)
      if (group.compactedIn !== oldest.sequence) continue
      const { compactedIndex, compactedTerm } = group.log
      batch.writer.record("compact", number, compactedIndex, compactedTerm, none)
      group.compactedIn = batch.segment.sequence
    }
  }

  /** Read before anything is written: damage fails the journal here, with the file in place. */
  #liveIn(oldest: Segment): ReadonlyArray<Moving> | undefined {
    try {
      return [...oldest.live.keys()].flatMap((number) => {
        const { log } = this.#groups.get(number)!
        const indexes: Array<number> = []
        for (let index = log.compactedIndex + 1; index <= log.lastIndex; index++)
          if (log.sequence(index) === oldest.sequence) indexes.push(index)
        return indexes.map((index) => ({ number, index, entry: this.#entry(number, log, index) }))
      })
    } catch (cause) {
      // Also in the turn of a disk that has answered, where nobody could catch it.
      if (!isStorageFault(cause)) throw cause
      this.#fail(cause)
      return undefined
    }
  }

  #removeOldest(emptied: Segment): void {
    const { directory } = this.#world
    this.#segments.shift()
    emptied.file?.close()
    directory.remove([segmentName(emptied.sequence)], (fault) => {
      this.#removing = false
      if (fault !== undefined) this.#fail(fault)
    })
  }

  // Reading

  readonly groups = (): ReadonlyArray<number> => [...this.#groups.keys()]

  readonly group = (number: number): GroupSummary | undefined => {
    const group = this.#groups.get(number)
    if (group === undefined) return undefined
    const { compactedIndex, compactedTerm, lastIndex, lastTerm } = group.log
    return { compactedIndex, compactedTerm, lastIndex, lastTerm, state: group.state }
  }

  readonly term = (number: number, index: number): number | undefined =>
    this.#groups.get(number)?.log.term(index)

  readonly read = (
    number: number,
    from: number,
    to: number,
    bytesMax: number
  ): ReadonlyArray<JournalEntry> => {
    const log = this.#groups.get(number)?.log
    if (log === undefined || !log.has(from)) return []
    const entries: Array<JournalEntry> = []
    let bytes = 0
    this.#window = none
    for (let index = from; index < to && index <= log.lastIndex; index++) {
      if (entries.length > 0 && bytes + log.length(index) > bytesMax) break
      bytes += log.length(index)
      entries.push(this.#entry(number, log, index))
    }
    this.#window = none
    return entries
  }

  /** A stretch of a file: neighbours are mostly read together. */
  #window: Uint8Array = none
  #windowStart = 0
  #windowSequence = 0

  #entry(group: number, log: GroupLog, index: number): JournalEntry {
    const [length, position, sequence] = [log.length(index), log.position(index), log.sequence(index)]
    const segment = this.#segment(sequence)
    const inWindow =
      this.#windowSequence === sequence &&
      position >= this.#windowStart &&
      position + length <= this.#windowStart + this.#window.length
    if (!inWindow) {
      this.#window = this.#bytes(segment, position, length)
      this.#windowStart = position
      this.#windowSequence = sequence
    }
    const record = decodeRecord(this.#window, this.#windowStart, position, segment.salt)
    const right = record !== undefined && record.group === group && record.index === index
    if (!right || record.term !== log.term(index)) {
      const path = `${this.#world.directory.path}/${segmentName(sequence)}`
      const reason = `entry ${index} of group ${group} does not verify`
      throw new StorageCorrupt({ path, offset: position, reason })
    }
    return { group, index, term: record.term, bytes: record.bytes }
  }

  #bytes(segment: Segment, position: number, length: number): Uint8Array {
    for (const batch of [this.#gathering, this.#flying]) {
      if (batch === undefined || batch.segment !== segment || position < batch.writer.position) continue
      return batch.writer.slice(position, length)
    }
    // What is on its way is counted in the segment's end, and need not be in the file.
    const end = this.#flying?.segment === segment ? this.#flying.writer.position : segment.end
    const until = Math.min(end, position + Math.max(length, windowBytes))
    return segment.file!.read(position, until - position)
  }

  #pendingBytes(): number {
    return (this.#gathering?.writer.length ?? 0) + (this.#flying?.writer.length ?? 0)
  }

  readonly usage = (): JournalUsage => ({
    segments: this.#segments.length,
    bytes: this.#segments.reduce((sum, { file }) => sum + (file?.size() ?? 0), 0),
    liveBytes: this.#segments.reduce((sum, { liveBytes }) => sum + liveBytes, 0),
    pendingBytes: this.#pendingBytes(),
    batches: this.#batchNext - 1
  })

  // The end

  /** An empty batch at the end seals the one before: damage to that is no torn write then. */
  readonly close: Effect.Effect<void> = Effect.gen(this, function* () {
    const sealed = Effect.gen(this, function* () {
      if (this.#gathering !== undefined || this.#flying !== undefined) yield* this.synced
      if (this.#tail === undefined) return
      this.#gathering ??= this.#newBatch()
      yield* this.synced
    })
    if (this.#fault === undefined)
      yield* Effect.catchAll(sealed, ({ message }) => Effect.logError(`closed without a seal: ${message}`))
    this.#closed = true
    this.closeFiles()
  })

  closeFiles(): void {
    for (const { file } of this.#segments) file?.close()
  }
}

const settled = (
  start: (done: (fault: FileFault | undefined) => void) => void
): Effect.Effect<void, FileFault> =>
  Effect.async((resume) => start((fault) => resume(fault === undefined ? Effect.void : Effect.fail(fault))))
