/**
 * Which keys somebody may read, and which write: the ranges that roles name, put together.
 *
 * A range is permitted if the ranges of the roles cover it, several side by side as well as one alone. So they
 * are merged once, and a question is one search among ranges that do not touch. A range that ends before it
 * begins has no key in it and permits nothing.
 */
import { type Permission, PermissionType } from "#protocols/wire/etcd/auth.ts"
import { compareBytes } from "./record.ts"

interface Span {
  readonly start: Uint8Array
  /** The first key that is not in it; undefined: there is none. */
  readonly end: Uint8Array | undefined
}

export interface KeyPermissions {
  readonly read: KeySet
  readonly write: KeySet
}

export class KeySet {
  /** In order, with a gap between any two. */
  readonly #spans: ReadonlyArray<Span>

  constructor(spans: ReadonlyArray<Span>) {
    const merged: Array<Span> = []
    for (const span of spans.toSorted((one, other) => compareBytes(one.start, other.start))) {
      const last = merged.at(-1)
      if (last === undefined || isBefore(last.end, span.start)) merged.push(span)
      else merged[merged.length - 1] = { start: last.start, end: later(last.end, span.end) }
    }
    this.#spans = merged
  }

  /** A range as in a request: no end is the key alone, one zero byte is all from there on. */
  covers(key: Uint8Array, rangeEnd: Uint8Array): boolean {
    const span = this.#from(key)
    if (span === undefined) return false
    if (span.end === undefined) return true
    if (compareBytes(key, span.end) >= 0 || endless(rangeEnd)) return false
    return rangeEnd.length === 0 || compareBytes(rangeEnd, span.end) <= 0
  }

  /** The last that does not begin behind a key. */
  #from(key: Uint8Array): Span | undefined {
    let low = 0
    let high = this.#spans.length
    while (low < high) {
      const middle = (low + high) >> 1
      const span = this.#spans[middle]
      if (span !== undefined && compareBytes(span.start, key) <= 0) low = middle + 1
      else high = middle
    }
    return this.#spans[low - 1]
  }
}

export const keyPermissions = (permissions: ReadonlyArray<Permission>): KeyPermissions => {
  const of = (...types: ReadonlyArray<number>) =>
    new KeySet(permissions.flatMap((given) => (types.includes(given.permType) ? spanOf(given) : [])))
  return {
    read: of(PermissionType.read, PermissionType.readWrite),
    write: of(PermissionType.write, PermissionType.readWrite)
  }
}

/** To etcd an empty key is behind all others, so nothing begins there. */
const spanOf = ({ key, rangeEnd }: Permission): ReadonlyArray<Span> => {
  if (key.length === 0) return []
  if (endless(rangeEnd)) return [{ start: key, end: undefined }]
  if (rangeEnd.length > 0) return compareBytes(key, rangeEnd) < 0 ? [{ start: key, end: rangeEnd }] : []
  const next = new Uint8Array(key.length + 1)
  next.set(key)
  return [{ start: key, end: next }]
}

const endless = (rangeEnd: Uint8Array): boolean => rangeEnd.length === 1 && rangeEnd[0] === 0

const isBefore = (end: Uint8Array | undefined, key: Uint8Array): boolean =>
  end !== undefined && compareBytes(end, key) < 0

const later = (one: Uint8Array | undefined, other: Uint8Array | undefined): Uint8Array | undefined =>
  one === undefined || other === undefined ? undefined : compareBytes(one, other) < 0 ? other : one
