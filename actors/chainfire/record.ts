/**
 * How chainfire's key-values look in its tables: keys whose order is that of what they stand for, and
 * records of fixed head and variable tail.
 *
 *   current   key                      → the latest version of each key that exists
 *   history   escaped key, revision    → versions that were replaced, and tombstones
 *   changes   revision                 → the key that it changed
 *
 * In a history key the bytes of the key are escaped (0 becomes 0 255, the end is 0 0), so that no key is
 * a prefix of another with its revision behind it, and all versions of a key lie together in order.
 */
import { keyBytesMax } from "#actors/kernel/ports/store.ts"

/** Main is the transaction, sub its place within. */
export interface Revision {
  readonly main: number
  readonly sub: number
}

export interface KeyValue {
  readonly key: Uint8Array
  readonly createRevision: number
  readonly modRevision: number
  /** Its place within that transaction. */
  readonly sub: number
  /** How often it was written since it was created; 0 for a tombstone. */
  readonly version: number
  readonly value: Uint8Array
  /** 0 for none. */
  readonly lease: bigint
}

const revisionBytes = 12
const headBytes = 36
const high = 2 ** 32

const putNumber = (view: DataView, at: number, value: number): void => {
  view.setUint32(at, Math.floor(value / high))
  view.setUint32(at + 4, value >>> 0)
}

const getNumber = (view: DataView, at: number): number => view.getUint32(at) * high + view.getUint32(at + 4)

const viewOf = (bytes: Uint8Array): DataView => new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength)

export const encodeRevision = ({ main, sub }: Revision): Uint8Array => {
  const bytes = new Uint8Array(revisionBytes)
  const view = viewOf(bytes)
  putNumber(view, 0, main)
  view.setUint32(8, sub)
  return bytes
}

export const decodeRevision = (bytes: Uint8Array): Revision => {
  const view = viewOf(bytes)
  return { main: getNumber(view, bytes.length - revisionBytes), sub: view.getUint32(bytes.length - 4) }
}

/** Whether a key is one that the tables can hold: in the history each zero in it is doubled, and more is added. */
export const fits = (key: Uint8Array): boolean => {
  const spare = keyBytesMax - revisionBytes - 2 - key.length
  if (spare >= key.length) return true
  let zeros = 0
  for (const byte of key) if (byte === 0) zeros++
  return zeros <= spare
}

/** Where the versions of a key begin in the history. */
const escaped = (key: Uint8Array, tailBytes: number): Uint8Array => {
  let zeros = 0
  for (const byte of key) if (byte === 0) zeros++
  const bytes = new Uint8Array(key.length + zeros + 2 + tailBytes)
  if (zeros === 0) {
    bytes.set(key)
    return bytes
  }
  let at = 0
  for (const byte of key) {
    bytes[at++] = byte
    if (byte === 0) bytes[at++] = 255
  }
  return bytes
}

export const historyPrefix = (key: Uint8Array): Uint8Array => escaped(key, 0)

export const historyKey = (key: Uint8Array, revision: Revision): Uint8Array => {
  const bytes = escaped(key, revisionBytes)
  const view = viewOf(bytes)
  putNumber(view, bytes.length - revisionBytes, revision.main)
  view.setUint32(bytes.length - 4, revision.sub)
  return bytes
}

/** The key that a key of the history is about. */
export const keyOfHistory = (bytes: Uint8Array): Uint8Array => {
  const end = bytes.length - revisionBytes - 2
  const key = new Uint8Array(end)
  let length = 0
  for (let at = 0; at < end; at++) {
    const byte = bytes[at] ?? 0
    key[length++] = byte
    if (byte === 0) at++
  }
  return key.subarray(0, length)
}

/** Everything of a version but its key. */
export const encodeRecord = ({
  createRevision,
  lease,
  modRevision,
  sub,
  value,
  version
}: KeyValue): Uint8Array => {
  const bytes = new Uint8Array(headBytes + value.length)
  const view = viewOf(bytes)
  putNumber(view, 0, createRevision)
  putNumber(view, 8, modRevision)
  putNumber(view, 16, version)
  view.setBigInt64(24, lease)
  view.setUint32(32, sub)
  bytes.set(value, headBytes)
  return bytes
}

/** The value is a view into the record. */
export const decodeRecord = (key: Uint8Array, record: Uint8Array): KeyValue => {
  const view = viewOf(record)
  return {
    key,
    createRevision: getNumber(view, 0),
    modRevision: getNumber(view, 8),
    version: getNumber(view, 16),
    lease: view.getBigInt64(24),
    sub: view.getUint32(32),
    value: record.subarray(headBytes)
  }
}

/** What there is besides the value, of which the rest of this file can tell as much. */
export const headOf = (record: Uint8Array): Uint8Array => record.slice(0, headBytes)

/** Of a record alone: whether it is a tombstone, and of which revision. */
export const modRevisionOf = (record: Uint8Array): number => getNumber(viewOf(record), 8)

export const isTombstone = (record: Uint8Array): boolean => getNumber(viewOf(record), 16) === 0

export const compareBytes = (left: Uint8Array, right: Uint8Array): number => {
  const length = Math.min(left.length, right.length)
  for (let at = 0; at < length; at++) {
    const difference = (left[at] ?? 0) - (right[at] ?? 0)
    if (difference !== 0) return difference
  }
  return left.length - right.length
}

export const equalBytes = (left: Uint8Array, right: Uint8Array): boolean =>
  left.length === right.length && compareBytes(left, right) === 0

/** The least key that is greater than all that begin with these bytes; undefined where there is none. */
export const afterPrefix = (prefix: Uint8Array): Uint8Array | undefined => {
  for (let length = prefix.length; length > 0; length--) {
    const last = prefix[length - 1] ?? 255
    if (last === 255) continue
    const end = prefix.slice(0, length)
    end[length - 1] = last + 1
    return end
  }
  return undefined
}

/** The least key that is greater than this one. */
export const afterKey = (key: Uint8Array): Uint8Array => {
  const next = new Uint8Array(key.length + 1)
  next.set(key)
  return next
}
