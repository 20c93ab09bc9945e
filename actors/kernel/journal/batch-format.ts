/**
 * What a journal file looks like. All numbers are little-endian, all records begin at a multiple of eight.
 *
 *   file     head (512 bytes)  batch  batch  …  zeros
 *   head     "UCJOURNL"  version u32  sequence u32  salt u32  crc u32
 *   batch    magic u32  crc u32  number f64  length u32  records u32  oldest u32  position u32   records…
 *   record   crc u32  length u32  kind u32  group u32  index f64  term f64                       bytes, padding
 *
 * Checksums are seeded with the file's salt and, for a record, with its position, so nothing verifies in
 * another place or file than it was written to, be it left over from before or copied there by somebody who
 * stores journals in a journal. Batches are numbered without a gap through all files, each begins where the
 * one before ends, and the next is written only after the one before is synced. So a batch that verifies
 * proves that all before it were acknowledged, and whatever is missing there is damage, not a torn write.
 */
import { crc32c } from "./crc32c.ts"

export const formatVersion = 1
export const headBytes = 512
export const batchHeadBytes = 32
export const recordHeadBytes = 32

const headMagic = "UCJOURNL"
const batchMagic = 0x48435442

export type RecordKind = "entry" | "moved" | "state" | "truncate" | "compact" | "drop"

/** The order is on disk: new kinds go to the end. */
const kinds: ReadonlyArray<RecordKind> = ["entry", "moved", "state", "truncate", "compact", "drop"]
const kindNumbers = new Map(kinds.map((kind, number) => [kind, number + 1]))

export interface JournalRecord {
  readonly kind: RecordKind
  readonly group: number
  readonly index: number
  readonly term: number
  /** A view of what was read. */
  readonly bytes: Uint8Array
  readonly position: number
}

export interface BatchHead {
  readonly number: number
  /** With this head. */
  readonly length: number
  readonly records: number
  /** The first file that was needed when this was written. */
  readonly oldest: number
}

const viewOf = (bytes: Uint8Array) => new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength)

const padded = (length: number) => (length + 7) & ~7

/** What a record takes in a file. */
export const recordBytes = (payloadBytes: number): number => recordHeadBytes + padded(payloadBytes)

export const segmentName = (sequence: number): string => `${sequence.toString(16).padStart(8, "0")}.journal`

export const sequenceOf = (name: string): number | undefined =>
  /^[0-9a-f]{8}\.journal$/.test(name) ? Number.parseInt(name, 16) : undefined

// Heads of files

export interface SegmentHead {
  readonly sequence: number
  readonly salt: number
}

export const encodeHead = ({ salt, sequence }: SegmentHead): Uint8Array => {
  const bytes = new Uint8Array(headBytes)
  const view = viewOf(bytes)
  bytes.set(new TextEncoder().encode(headMagic))
  view.setUint32(8, formatVersion, true)
  view.setUint32(12, sequence, true)
  view.setUint32(16, salt, true)
  view.setUint32(20, crc32c(bytes, 0, 20), true)
  return bytes
}

/** The version alone where it is not ours to read on; nothing where this is no head. */
export const decodeHead = (bytes: Uint8Array): SegmentHead | { readonly version: number } | undefined => {
  if (bytes.length < headBytes) return undefined
  const view = viewOf(bytes)
  const magic = new TextDecoder("latin1").decode(bytes.subarray(0, 8))
  if (magic !== headMagic || view.getUint32(20, true) !== crc32c(bytes, 0, 20)) return undefined
  const version = view.getUint32(8, true)
  return version === formatVersion
    ? { sequence: view.getUint32(12, true), salt: view.getUint32(16, true) }
    : { version }
}

// Batches

const bufferBytesMin = 64 * 1024

/** A batch that gathers, at the place in the file where it will be. */
export class BatchWriter {
  readonly position: number
  readonly salt: number
  length = batchHeadBytes
  records = 0
  #bytes: Uint8Array
  #view: DataView

  constructor(position: number, salt: number, buffer: Uint8Array | undefined) {
    this.position = position
    this.salt = salt
    this.#bytes = buffer ?? new Uint8Array(bufferBytesMin)
    this.#view = viewOf(this.#bytes)
  }

  /** To be used again once the batch is no more. */
  get buffer(): Uint8Array {
    return this.#bytes
  }

  /** Where in the file the record is. */
  record(kind: RecordKind, group: number, index: number, term: number, payload: Uint8Array): number {
    const at = this.length
    const end = at + recordHeadBytes + payload.length
    const next = padded(end)
    if (next > this.#bytes.length) this.#grow(next)
    const view = this.#view
    view.setUint32(at + 4, payload.length, true)
    view.setUint32(at + 8, kindNumbers.get(kind)!, true)
    view.setUint32(at + 12, group, true)
    view.setFloat64(at + 16, index, true)
    view.setFloat64(at + 24, term, true)
    this.#bytes.set(payload, at + recordHeadBytes)
    if (next > end) this.#bytes.fill(0, end, next)
    const position = this.position + at
    view.setUint32(at, crc32c(this.#bytes, at + 4, end, seedOf(this.salt, position)), true)
    this.length = next
    this.records++
    return position
  }

  seal(number: number, oldest: number): Uint8Array {
    const view = this.#view
    view.setUint32(0, batchMagic, true)
    view.setFloat64(8, number, true)
    view.setUint32(16, this.length, true)
    view.setUint32(20, this.records, true)
    view.setUint32(24, oldest, true)
    view.setUint32(28, this.position, true)
    view.setUint32(4, crc32c(this.#bytes, 8, batchHeadBytes, this.salt), true)
    return this.#bytes.subarray(0, this.length)
  }

  /** What a read of the file would give, were this written. */
  slice(position: number, length: number): Uint8Array {
    const at = position - this.position
    return this.#bytes.slice(at, Math.min(at + length, this.length))
  }

  #grow(needed: number): void {
    const bytes = new Uint8Array(2 ** Math.ceil(Math.log2(needed)))
    bytes.set(this.#bytes.subarray(0, this.length))
    this.#bytes = bytes
    this.#view = viewOf(bytes)
  }
}

const seedOf = (salt: number, position: number) => (salt ^ position) >>> 0

/** The bytes are those of the file from `base` on; `position` is one of the file. */
export const decodeRecord = (
  bytes: Uint8Array,
  base: number,
  position: number,
  salt: number
): JournalRecord | undefined => {
  const at = position - base
  if (at < 0 || at + recordHeadBytes > bytes.length) return undefined
  const view = viewOf(bytes)
  const length = view.getUint32(at + 4, true)
  const end = at + recordHeadBytes + length
  if (end > bytes.length) return undefined
  if (view.getUint32(at, true) !== crc32c(bytes, at + 4, end, seedOf(salt, position))) return undefined
  const kind = kinds[view.getUint32(at + 8, true) - 1]
  return kind === undefined
    ? undefined
    : {
        kind,
        group: view.getUint32(at + 12, true),
        index: view.getFloat64(at + 16, true),
        term: view.getFloat64(at + 24, true),
        bytes: bytes.subarray(at + recordHeadBytes, end),
        position
      }
}

/** The bytes are those of the whole file. */
export const decodeBatchHead = (bytes: Uint8Array, at: number, salt: number): BatchHead | undefined => {
  if (at + batchHeadBytes > bytes.length) return undefined
  const view = viewOf(bytes)
  if (view.getUint32(at, true) !== batchMagic || view.getUint32(at + 28, true) !== at) return undefined
  if (view.getUint32(at + 4, true) !== crc32c(bytes, at + 8, at + batchHeadBytes, salt)) return undefined
  return {
    number: view.getFloat64(at + 8, true),
    length: view.getUint32(at + 16, true),
    records: view.getUint32(at + 20, true),
    oldest: view.getUint32(at + 24, true)
  }
}

/** All its records, or nothing if any of them does not verify. */
export const decodeBatch = (
  bytes: Uint8Array,
  at: number,
  head: BatchHead,
  salt: number
): ReadonlyArray<JournalRecord> | undefined => {
  const end = at + head.length
  if (end > bytes.length) return undefined
  const records: Array<JournalRecord> = []
  let next = at + batchHeadBytes
  while (next < end) {
    const record = decodeRecord(bytes, 0, next, salt)
    if (record === undefined) return undefined
    records.push(record)
    next += recordBytes(record.bytes.length)
  }
  return next === end && records.length === head.records ? records : undefined
}

/** A batch behind that place with at least this number: the proof that what is missing there was synced. */
export const findBatchAfter = (
  bytes: Uint8Array,
  from: number,
  numberMin: number,
  salt: number
): BatchHead | undefined => {
  const view = viewOf(bytes)
  for (let at = padded(from); at + batchHeadBytes <= bytes.length; at += 8) {
    at = zerosEnd(bytes, at) & ~7
    if (at + batchHeadBytes > bytes.length) return undefined
    if (view.getUint32(at, true) !== batchMagic) continue
    const head = decodeBatchHead(bytes, at, salt)
    if (head !== undefined && head.number >= numberMin) return head
  }
  return undefined
}

const zeros = Buffer.alloc(64 * 1024)

/**
 * The first byte from there on that is not zero, or the end. Most of a new file is zeros, so they are compared in
 * large pieces, and only the one in which another byte is, is searched.
 */
export const zerosEnd = (bytes: Uint8Array, from: number): number => {
  if (bytes[from] !== 0) return from
  const buffer = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length)
  let at = from
  for (let piece = smallestPiece; at < bytes.length; piece = Math.min(2 * piece, zeros.length)) {
    const end = Math.min(at + piece, bytes.length)
    if (buffer.compare(zeros, 0, end - at, at, end) !== 0) break
    at = end
  }
  while (at < bytes.length && bytes[at] === 0) at++
  return at
}

/** Often there is something soon. */
const smallestPiece = 64
