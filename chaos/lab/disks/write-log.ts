/**
 * The log of a disk's writes as QEMU's `blklogwrites` and the kernel's dm-log-writes make it: what the guest
 * wrote, in the order in which it completed, with the flushes in between.
 *
 *   superblock   magic u64, version u64, entries u64, sector size u32      one sector
 *   entry        sector u64, sectors u64, flags u64, length of a mark u64  one sector, a mark's text included
 *   data         its sectors; none for a flush, a discard and a mark
 *
 * An entry is appended before the guest is told that the write or flush is complete. So whatever a client was
 * told because of it, at that moment the log is at least as long as the entry is deep in it.
 *
 * The superblock's count is brought up to date at flushes only; what follows is found by reading on. Entries
 * refer to their data in the log and do not hold it: a log may be larger than memory.
 */
import { Data } from "effect"

/** Bytes that are somewhere else: a file, or what a test has made. */
export interface LogSource {
  readonly bytes: number
  /** May return less than asked for at the end only. */
  readonly read: (offset: number, length: number) => Uint8Array
}

export type EntryKind = "write" | "flush" | "discard" | "mark"

export interface LogEntry {
  readonly kind: EntryKind
  /** All that completed before it is durable: so it is for a flush, and for a write that asks for one first. */
  readonly flushesBefore: boolean
  /** A write that is durable itself when it completes. */
  readonly durable: boolean
  /** On the disk. */
  readonly offset: number
  /** On the disk; 0 for a flush and a mark. */
  readonly bytes: number
  /** Where its data begins in the log. */
  readonly dataOffset: number
  /** How long the log is once it has the entry. */
  readonly endOffset: number
}

export interface WriteLog {
  /** The smallest piece that the disk writes as a whole. */
  readonly sectorBytes: number
  readonly entries: ReadonlyArray<LogEntry>
}

/** What of a log is no longer there, from its first entry on; the places of what follows stay what they were. */
export interface Trimmed {
  readonly bytes: number
  readonly entries: number
}

export interface LogLimits {
  /** Of the disk: what is beyond was never written. */
  readonly diskBytes: number
  readonly entriesMax: number
  readonly trimmed?: Trimmed | undefined
}

export class WriteLogRefused extends Data.TaggedError("WriteLogRefused")<{ readonly reason: string }> {
  override get message() {
    return `this is no whole log of a disk's writes: ${this.reason}; record the run again`
  }
}

export const logMagic = 0x6a736677736872n
export const logFlags = { flush: 1n, fua: 2n, discard: 4n, mark: 8n } as const
const headerBytes = 32
const knownFlags = logFlags.flush | logFlags.fua | logFlags.discard | logFlags.mark
const sectorBytesMin = 512
const sectorBytesMax = 4_096
export const logEntriesMax = 2_000_000

/** Throws `WriteLogRefused`. An entry that was cut off at the end was never told to the guest, and is left out. */
export const readWriteLog = (source: LogSource, { diskBytes, entriesMax, trimmed }: LogLimits): WriteLog => {
  const superblock = source.read(0, headerBytes)
  // Nothing was flushed yet, so nobody has written it.
  const isFresh = superblock.every((byte) => byte === 0)
  const view = new DataView(superblock.buffer, superblock.byteOffset, superblock.byteLength)
  if (!isFresh && superblock.length < headerBytes) throw refused("it ends in its superblock")
  if (!isFresh && view.getBigUint64(0, true) !== logMagic)
    throw refused("it begins with another magic number")
  const sectorBytes = isFresh ? sectorBytesMin : view.getUint32(24, true)
  if (![sectorBytesMin, 1_024, 2_048, sectorBytesMax].includes(sectorBytes))
    throw refused(`its sectors have ${sectorBytes} bytes`)
  const entries: Array<LogEntry> = []
  for (const entry of entriesOf(source, trimmed?.bytes ?? sectorBytes, sectorBytes, diskBytes)) {
    if (entries.length >= entriesMax) throw refused(`it has more than ${entriesMax} entries`)
    entries.push(entry)
  }
  const promised = isFresh ? 0 : Number(view.getBigUint64(16, true)) - (trimmed?.entries ?? 0)
  // Two were being appended when the machine was cut off, and the second one was faster.
  if (promised > entries.length)
    throw refused(`it has ${entries.length} entries in front of a hole, and its superblock says ${promised}`)
  return { sectorBytes, entries }
}

function* entriesOf(
  source: LogSource,
  from: number,
  sectorBytes: number,
  diskBytes: number
): Iterable<LogEntry> {
  for (let at = from; at + headerBytes <= source.bytes; ) {
    const header = source.read(at, headerBytes)
    if (header.length < headerBytes) return
    const view = new DataView(header.buffer, header.byteOffset, header.byteLength)
    const [sector, sectors, flags] = [0, 8, 16].map((place) => view.getBigUint64(place, true))
    if (sector === undefined || sectors === undefined || flags === undefined) return
    const kind = kindOf(flags, sectors)
    // Zeros, where the log ends or has a hole.
    if (kind === undefined) return
    if ((sector + sectors) * BigInt(sectorBytes) > BigInt(diskBytes)) return
    const bytes = kind === "mark" ? 0 : Number(sectors) * sectorBytes
    const dataOffset = at + sectorBytes
    const endOffset = dataOffset + (kind === "discard" ? 0 : bytes)
    if (endOffset > source.bytes) return
    yield {
      kind,
      flushesBefore: (flags & logFlags.flush) !== 0n,
      durable: (flags & logFlags.fua) !== 0n,
      offset: Number(sector) * sectorBytes,
      bytes,
      dataOffset,
      endOffset
    }
    at = endOffset
  }
}

/** Undefined for what is no entry. */
const kindOf = (flags: bigint, sectors: bigint): EntryKind | undefined => {
  if ((flags & ~knownFlags) !== 0n) return undefined
  if ((flags & logFlags.mark) !== 0n) return "mark"
  if (sectors === 0n) return (flags & logFlags.flush) === 0n ? undefined : "flush"
  return (flags & logFlags.discard) === 0n ? "write" : "discard"
}

const refused = (reason: string): WriteLogRefused => new WriteLogRefused({ reason })
