/**
 * Recovery: from the files of a journal to where each group's entries are.
 *
 * Files are read in order, batch by batch. The first place at which no batch verifies is the end of the
 * journal, unless there is proof that there was more: a later batch in this file, or any in a later one. Only
 * the last batch can be torn, since each is synced before the next is written. Where there is proof this stops
 * with `StorageCorrupt`, and touches nothing.
 */
import { Effect } from "effect"
import type { BlockDirectory, BlockFile } from "../ports/block-files.ts"
import type { StorageFault } from "../ports/storage-faults.ts"
import { StorageBroken, StorageCorrupt, StorageNewer } from "../ports/storage-faults.ts"
import type { JournalRecord, SegmentHead } from "./batch-format.ts"
import {
  decodeBatch,
  decodeBatchHead,
  decodeHead,
  findBatchAfter,
  formatVersion,
  headBytes,
  recordBytes,
  sequenceOf,
  zerosEnd
} from "./batch-format.ts"

export interface RecoveredEntry {
  readonly term: number
  readonly sequence: number
  readonly position: number
  readonly length: number
}

export interface RecoveredGroup {
  compactedIndex: number
  compactedTerm: number
  /** Where the record is that says so; 0 is nowhere. */
  compactedIn: number
  lastIndex: number
  readonly entries: Map<number, RecoveredEntry>
  state: Uint8Array
  stateIn: number
}

export interface RecoveredSegment extends SegmentHead {
  readonly file: BlockFile
  /** Behind its last batch. */
  readonly end: number
  /** There are only zeros behind that. */
  readonly clean: boolean
}

export interface Recovered {
  readonly segments: ReadonlyArray<RecoveredSegment>
  readonly groups: ReadonlyMap<number, RecoveredGroup>
  readonly batchNext: number
  /** Files without a batch, made ahead of their use or never finished. */
  readonly blank: ReadonlyArray<string>
}

interface Scan {
  readonly directory: BlockDirectory
  readonly groups: Map<number, RecoveredGroup>
  readonly segments: Array<RecoveredSegment>
  readonly opened: Array<BlockFile>
  readonly blank: Array<string>
  batchNext: number | undefined
  oldest: number
  /** Where the last file ended: what goes on in the next one has the next number, or is proof of damage. */
  stopped: { readonly path: string; readonly offset: number } | undefined
}

export const recover = (directory: BlockDirectory): Effect.Effect<Recovered, StorageFault> =>
  Effect.gen(function* () {
    const scan: Scan = {
      directory,
      groups: new Map(),
      segments: [],
      opened: [],
      blank: [],
      batchNext: undefined,
      oldest: 0,
      stopped: undefined
    }
    const names = yield* reading(() => directory.list())
    return yield* Effect.gen(function* () {
      for (const name of names.filter((found) => sequenceOf(found) !== undefined)) {
        yield* scanSegment(scan, name)
        yield* Effect.yieldNow()
      }
      yield* checkWhole(scan)
      return {
        segments: scan.segments,
        groups: scan.groups,
        batchNext: scan.batchNext ?? 1,
        blank: scan.blank
      }
    }).pipe(
      Effect.tapErrorCause(() =>
        Effect.sync(() => {
          for (const file of scan.opened) file.close()
        })
      )
    )
  })

/** What a synchronous call of the port throws, as a failure. */
const reading = <A>(read: () => A): Effect.Effect<A, StorageFault> =>
  Effect.suspend(() => {
    try {
      return Effect.succeed(read())
    } catch (cause) {
      return cause instanceof StorageBroken ? Effect.fail(cause) : Effect.die(cause)
    }
  })

const scanSegment = (scan: Scan, name: string): Effect.Effect<void, StorageFault> =>
  Effect.gen(function* () {
    const path = `${scan.directory.path}/${name}`
    const file = yield* reading(() => scan.directory.open(name))
    scan.opened.push(file)
    const bytes = yield* reading(() => file.read(0, file.size()))
    const head = decodeHead(bytes)
    if (head !== undefined && "version" in head)
      return yield* new StorageNewer({ path, found: head.version, supported: formatVersion })
    const corrupt = (offset: number, reason: string) => new StorageCorrupt({ path, offset, reason })
    if (head === undefined || head.sequence !== sequenceOf(name)) {
      // It was being made when the power went: then it holds nothing yet.
      if (zerosEnd(bytes, Math.min(headBytes, bytes.length)) === bytes.length) return blank(scan, file)
      return yield* corrupt(0, "its head does not verify")
    }
    const { salt, sequence } = head
    const first = decodeBatchHead(bytes, headBytes, salt)
    if (scan.stopped !== undefined && first?.number !== scan.batchNext) {
      const proof = findBatchAfter(bytes, headBytes, 0, salt)
      if (proof === undefined) return blank(scan, file)
      const { offset, path: stoppedPath } = scan.stopped
      const reason = `no batch verifies here, though ${name} goes on with batch ${proof.number}`
      return yield* new StorageCorrupt({ path: stoppedPath, offset, reason })
    }
    const end = yield* scanBatches(scan, bytes, sequence, salt, corrupt)
    if (end === headBytes) return blank(scan, file)
    scan.stopped = { path, offset: end }
    const previous = scan.segments.at(-1)
    if (previous !== undefined && previous.sequence + 1 !== sequence)
      return yield* corrupt(0, `file ${previous.sequence + 1} of the journal is missing in front of it`)
    scan.segments.push({ sequence, salt, file, end, clean: zerosEnd(bytes, end) === bytes.length })
  })

const blank = (scan: Scan, file: BlockFile): void => {
  file.close()
  scan.opened.splice(scan.opened.indexOf(file), 1)
  scan.blank.push(file.name)
}

const scanBatches = (
  scan: Scan,
  bytes: Uint8Array,
  sequence: number,
  salt: number,
  corrupt: (offset: number, reason: string) => StorageCorrupt
): Effect.Effect<number, StorageCorrupt> =>
  Effect.suspend(() => {
    let at = headBytes
    for (;;) {
      const head = decodeBatchHead(bytes, at, salt)
      const expected = scan.batchNext
      const records =
        head !== undefined && (expected === undefined || head.number === expected)
          ? decodeBatch(bytes, at, head, salt)
          : undefined
      if (head === undefined || records === undefined) {
        const reason =
          head !== undefined && expected !== undefined && head.number !== expected
            ? `batch ${expected} was expected and this is ${head.number}`
            : "the batch here does not verify"
        // Where nothing has verified yet, this file's first batch may be any: two prove that one is missing.
        const proof = findBatchAfter(bytes, at, expected === undefined ? 0 : expected + 1, salt)
        const torn = expected === undefined && head !== undefined && proof?.number === head.number
        if (proof !== undefined && !torn)
          return Effect.fail(corrupt(at, `${reason}, though batch ${proof.number} behind it does`))
        if (torn && findBatchAfter(bytes, at, head.number + 1, salt) !== undefined)
          return Effect.fail(corrupt(at, `${reason}, though there are batches behind it`))
        return Effect.succeed(at)
      }
      for (const record of records) apply(scan.groups, record, sequence)
      scan.batchNext = head.number + 1
      scan.oldest = head.oldest
      at += head.length
    }
  })

const groupOf = (groups: Map<number, RecoveredGroup>, group: number): RecoveredGroup => {
  const found = groups.get(group)
  if (found !== undefined) return found
  const made: RecoveredGroup = {
    compactedIndex: 0,
    compactedTerm: 0,
    compactedIn: 0,
    lastIndex: 0,
    entries: new Map(),
    state: new Uint8Array(0),
    stateIn: 0
  }
  groups.set(group, made)
  return made
}

const apply = (groups: Map<number, RecoveredGroup>, record: JournalRecord, sequence: number): void => {
  const { bytes, index, kind, position, term } = record
  if (kind === "drop") return void groups.delete(record.group)
  const group = groupOf(groups, record.group)
  const place = () => ({ term, sequence, position, length: recordBytes(bytes.length) })
  switch (kind) {
    case "entry":
      truncate(group, index)
      group.entries.set(index, place())
      group.lastIndex = index
      break
    case "moved":
      // It was live when it was written again, and may be older than entries that came before it.
      group.entries.set(index, place())
      group.lastIndex = Math.max(group.lastIndex, index)
      break
    case "state":
      group.state = bytes.slice()
      group.stateIn = sequence
      break
    case "truncate":
      truncate(group, index)
      break
    case "compact":
      compact(group, index, term)
      group.compactedIn = sequence
  }
}

const truncate = (group: RecoveredGroup, fromIndex: number): void => {
  remove(group.entries, fromIndex, group.lastIndex)
  group.lastIndex = Math.min(group.lastIndex, Math.max(fromIndex - 1, group.compactedIndex))
}

const compact = (group: RecoveredGroup, index: number, term: number): void => {
  remove(group.entries, group.compactedIndex + 1, index)
  group.compactedIndex = index
  group.compactedTerm = term
  group.lastIndex = Math.max(index, group.lastIndex)
}

/** From one index to another, both included: along the shorter of the range and the entries there are. */
const remove = (entries: Map<number, RecoveredEntry>, from: number, to: number): void => {
  if (to - from < entries.size) for (let index = from; index <= to; index++) entries.delete(index)
  else for (const index of entries.keys()) if (index >= from && index <= to) entries.delete(index)
}

/** Each group without a gap, and no file missing that the last batch needed. */
const checkWhole = (scan: Scan): Effect.Effect<void, StorageCorrupt> =>
  Effect.suspend(() => {
    const { blank: blankNames, directory, groups, oldest, segments } = scan
    const [first] = segments
    const corrupt = (reason: string) =>
      Effect.fail(new StorageCorrupt({ path: directory.path, offset: -1, reason }))
    if (first !== undefined && first.sequence > oldest)
      return corrupt(`file ${oldest} of the journal is missing`)
    // Files go only once what they held is synced in a later one, so the first of all never went alone.
    const [firstBlank] = blankNames
    if (first === undefined && firstBlank !== undefined && sequenceOf(firstBlank) !== 1)
      return corrupt(`${firstBlank} is the first file that is there, and has no batch that verifies`)
    for (const [number, group] of groups) {
      for (let index = group.compactedIndex + 1; index <= group.lastIndex; index++) {
        if (!group.entries.has(index))
          return corrupt(`entry ${index} of group ${number} is missing, ${group.lastIndex} is there`)
      }
    }
    return Effect.void
  })
