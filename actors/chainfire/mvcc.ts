/**
 * Multi-version key-values, with etcd's semantics: every write transaction is one revision; reads are of
 * now or of any revision that was not compacted; versions, tombstones, and what changed when.
 *
 * Latest versions lie in one table as they are, so a read of now is one lookup or one walk. What a write
 * replaces moves to the history, and stays until compaction. The list of changes has the revisions of all
 * versions in these two, and no others: so what there is can be had in the order in which it came, as etcd's
 * files have it. All three are ordered tables on a store that applies a batch whole or not at all; this file is
 * told what to write where, and holds no state but three numbers.
 *
 * What follows etcd is the API reference of v3, KV and Watch.
 */
import {
  afterKey,
  afterPrefix,
  compareBytes,
  decodeRecord,
  decodeRevision,
  encodeRecord,
  encodeRevision,
  headOf,
  historyKey,
  historyPrefix,
  isTombstone,
  type KeyValue,
  keyOfHistory,
  modRevisionOf,
  type Revision
} from "./record.ts"

/** An ordered table. What was put is there for the next read. */
export interface Table {
  readonly get: (key: Uint8Array) => Uint8Array | undefined
  /** From `start` on, up to but not including `end`, or to the end of the table. */
  readonly range: (
    start: Uint8Array,
    end: Uint8Array | undefined,
    options?: { readonly reverse?: boolean; readonly limit?: number }
  ) => Iterable<readonly [key: Uint8Array, value: Uint8Array]>
  readonly put: (key: Uint8Array, value: Uint8Array) => void
  readonly delete: (key: Uint8Array) => void
}

export interface Tables {
  readonly current: Table
  readonly history: Table
  readonly changes: Table
}

/** Which keys: one, those from `key` up to `end`, or all from `key` on. */
export interface KeyRange {
  readonly key: Uint8Array
  /** Empty: the key alone. One zero byte: to the end. Otherwise the first key that is not in it. */
  readonly rangeEnd: Uint8Array
}

/** One key that a transaction changed. */
export interface Change {
  readonly type: "put" | "delete"
  readonly revision: Revision
  /** For a deletion: the key, the revision, and nothing else. */
  readonly kv: KeyValue
  readonly prevKv: KeyValue | undefined
}

export class Compacted extends Error {
  override readonly name = "Compacted"
  readonly compactRevision: number

  constructor(compactRevision: number) {
    super(`revisions before ${compactRevision} were compacted; read a later one`)
    this.compactRevision = compactRevision
  }
}

export class FutureRevision extends Error {
  override readonly name = "FutureRevision"

  constructor(revision: number, current: number) {
    super(`revision ${revision} is still to come, the latest is ${current}; read that one, or wait`)
  }
}

const nothing = new Uint8Array(0)
const noLease = 0n

export interface MvccState {
  /** The latest transaction; 1 for an empty store. */
  readonly revision: number
  /** Reads of revisions before it fail; -1 before the first compaction. */
  readonly compactRevision: number
}

export class Mvcc {
  readonly #tables: Tables
  #revision: number
  #compactRevision: number
  /** Of the transaction that is open. */
  #changes: Array<Change> | undefined

  constructor(
    tables: Tables,
    { compactRevision, revision }: MvccState = { revision: 1, compactRevision: -1 }
  ) {
    this.#tables = tables
    this.#revision = revision
    this.#compactRevision = compactRevision
  }

  /** Its tables have been given another content. */
  reload({ compactRevision, revision }: MvccState): void {
    this.#revision = revision
    this.#compactRevision = compactRevision
    this.#changes = undefined
  }

  get revision(): number {
    return this.#revision
  }

  get compactRevision(): number {
    return this.#compactRevision
  }

  // Writing

  /** Opens a transaction: what is put and deleted until it is committed has one revision. */
  begin(): void {
    if (this.#changes !== undefined) throw new Error("a transaction is open already")
    this.#changes = []
  }

  /** Ends it. Without a change the revision stays as it is. */
  commit(): ReadonlyArray<Change> {
    const changes = this.#open()
    this.#changes = undefined
    if (changes.length > 0) this.#revision++
    return changes
  }

  /** What reads within the transaction see as the latest revision. */
  get revisionInside(): number {
    return this.#changes !== undefined && this.#changes.length > 0 ? this.#revision + 1 : this.#revision
  }

  /** Returns what it replaced. */
  put(key: Uint8Array, value: Uint8Array, lease: bigint = noLease): KeyValue | undefined {
    const changes = this.#open()
    const revision = { main: this.#revision + 1, sub: changes.length }
    const prevKv = this.#replace(key)
    const kv: KeyValue = {
      key,
      value,
      lease,
      createRevision: prevKv?.createRevision ?? revision.main,
      modRevision: revision.main,
      sub: revision.sub,
      version: (prevKv?.version ?? 0) + 1
    }
    this.#tables.current.put(key, encodeRecord(kv))
    this.#tables.changes.put(encodeRevision(revision), key)
    changes.push({ type: "put", revision, kv, prevKv })
    return prevKv
  }

  /** Returns what it deleted. */
  delete(range: KeyRange): ReadonlyArray<KeyValue> {
    const found = [...this.#latest(range)]
    for (const prevKv of found) this.#deleteOne(prevKv)
    return found
  }

  #deleteOne(prevKv: KeyValue): void {
    const { key } = prevKv
    const changes = this.#open()
    const revision = { main: this.#revision + 1, sub: changes.length }
    const { main, sub } = revision
    const kv = { key, value: nothing, lease: noLease, createRevision: 0, modRevision: main, sub, version: 0 }
    this.#replace(key)
    this.#tables.current.delete(key)
    this.#tables.history.put(historyKey(key, revision), encodeRecord(kv))
    this.#tables.changes.put(encodeRevision(revision), key)
    changes.push({ type: "delete", revision, kv, prevKv })
  }

  #open(): Array<Change> {
    if (this.#changes === undefined) throw new Error("no transaction is open")
    return this.#changes
  }

  /** Moves the latest version of a key to the history. */
  #replace(key: Uint8Array): KeyValue | undefined {
    const record = this.#tables.current.get(key)
    if (record === undefined) return undefined
    const kv = decodeRecord(key, record)
    this.#tables.history.put(historyKey(key, { main: kv.modRevision, sub: kv.sub }), record)
    return kv
  }

  // Reading

  /** The latest version of one key. */
  get(key: Uint8Array): KeyValue | undefined {
    const record = this.#tables.current.get(key)
    return record === undefined ? undefined : decodeRecord(key, record)
  }

  /**
   * Key-values in order of their keys, as they were at a revision; 0 is now. Throws `Compacted` and
   * `FutureRevision`. To be used up before the next write.
   */
  range(range: KeyRange, revision = 0): Iterable<KeyValue> {
    const now = this.revisionInside
    if (revision > now) throw new FutureRevision(revision, now)
    if (revision > 0 && revision < this.#compactRevision) throw new Compacted(this.#compactRevision)
    return revision === 0 || revision === now ? this.#latest(range) : this.#asOf(range, revision)
  }

  *#latest(range: KeyRange): Iterable<KeyValue> {
    if (range.rangeEnd.length === 0) {
      const found = this.get(range.key)
      if (found !== undefined) yield found
      return
    }
    const [start, end] = bounds(range)
    for (const [key, record] of this.#tables.current.range(start, end)) yield decodeRecord(key, record)
  }

  /** Merges what has not changed since with what has, both in order of their keys. */
  *#asOf(range: KeyRange, revision: number): Iterable<KeyValue> {
    const unchanged = this.#latest(range)[Symbol.iterator]()
    const changed = this.#changedSince(range, revision)[Symbol.iterator]()
    let left = unchanged.next()
    let right = changed.next()
    while (left.done !== true || right.done !== true) {
      const order =
        left.done === true ? 1 : right.done === true ? -1 : compareBytes(left.value.key, right.value.key)
      if (order <= 0 && left.done !== true) {
        if (left.value.modRevision <= revision) yield left.value
        left = unchanged.next()
      } else if (right.done !== true) {
        yield right.value
        right = changed.next()
      }
    }
  }

  /** Of keys that were written or deleted after a revision: the version that they had then, if any. */
  *#changedSince(range: KeyRange, revision: number): Iterable<KeyValue> {
    const [start, end] = bounds(range)
    const from = historyPrefix(start)
    const to = end === undefined ? undefined : historyPrefix(end)
    let key: Uint8Array | undefined
    let best: Uint8Array | undefined
    const finished = (): KeyValue | undefined =>
      key === undefined || best === undefined || isTombstone(best) || this.#isLatest(key, revision)
        ? undefined
        : decodeRecord(key, best)
    for (const [place, record] of this.#tables.history.range(from, to)) {
      const about = keyOfHistory(place)
      if (key === undefined || compareBytes(about, key) !== 0) {
        const before = finished()
        if (before !== undefined) yield before
        key = about
        best = undefined
      }
      if (modRevisionOf(record) <= revision) best = record
    }
    const last = finished()
    if (last !== undefined) yield last
  }

  #isLatest(key: Uint8Array, revision: number): boolean {
    const record = this.#tables.current.get(key)
    return record !== undefined && modRevisionOf(record) <= revision
  }

  /**
   * What changed from one revision up to and including another, oldest first. Throws `Compacted` where the
   * first is older than what is left. Previous versions are looked up only when asked for.
   */
  *changes(from: number, to: number, withPrevious: boolean): Iterable<Change> {
    if (from < this.#compactRevision) throw new Compacted(this.#compactRevision)
    const start = encodeRevision({ main: from, sub: 0 })
    const end = encodeRevision({ main: to + 1, sub: 0 })
    for (const [place, changedKey] of this.#tables.changes.range(start, end)) {
      // The table may reuse what it yields.
      const key = changedKey.slice()
      const revision = decodeRevision(place)
      const kv = this.#versionAt(key, revision)
      if (kv === undefined) continue
      const prevKv = withPrevious ? this.#versionBefore(key, revision) : undefined
      yield { type: kv.version === 0 ? "delete" : "put", revision, kv, prevKv }
    }
  }

  #versionAt(key: Uint8Array, revision: Revision): KeyValue | undefined {
    const latest = this.get(key)
    if (latest?.modRevision === revision.main && latest.sub === revision.sub) return latest
    const record = this.#tables.history.get(historyKey(key, revision))
    return record === undefined ? undefined : decodeRecord(key, record)
  }

  /** As it was before a revision; undefined when it did not exist or was compacted. */
  #versionBefore(key: Uint8Array, revision: Revision): KeyValue | undefined {
    const end = historyKey(key, revision)
    const versions = this.#tables.history.range(historyPrefix(key), end, { reverse: true, limit: 1 })
    for (const [, record] of versions) return isTombstone(record) ? undefined : decodeRecord(key, record)
    return undefined
  }

  /**
   * Versions that there are, in order of their revisions, from one up to and with the transaction `to`: those
   * that compaction has left, tombstones among them. At most so many, and no more once they have so many bytes.
   */
  versions(from: Revision, to: number, countMax: number, bytesMax: number): ReadonlyArray<KeyValue> {
    const start = encodeRevision(from)
    const end = encodeRevision({ main: to + 1, sub: 0 })
    const found: Array<KeyValue> = []
    let bytes = 0
    for (const [place, changedKey] of this.#tables.changes.range(start, end, { limit: countMax })) {
      const revision = decodeRevision(place)
      const kv = this.#versionAt(changedKey.slice(), revision)
      if (kv === undefined)
        throw new Error(
          `revision ${revision.main}, ${revision.sub} is listed and not there: the store is damaged`
        )
      found.push(kv)
      bytes += kv.key.length + kv.value.length
      if (bytes >= bytesMax) break
    }
    return found
  }

  /** Whether a version is the last one of its key up to a transaction. */
  isLast({ key, modRevision, sub }: KeyValue, revision: number): boolean {
    const after = historyKey(key, { main: modRevision, sub: sub + 1 })
    const end = historyKey(key, { main: revision + 1, sub: 0 })
    for (const _ of this.#tables.history.range(after, end, { limit: 1 })) return false
    const latest = this.#tables.current.get(key)
    if (latest === undefined) return true
    const { modRevision: main, sub: place } = decodeRecord(key, latest)
    return main > revision || main < modRevision || (main === modRevision && place <= sub)
  }

  // Compaction

  /** From now on reads of earlier revisions fail. Throws `Compacted` and `FutureRevision`. */
  compact(revision: number): void {
    if (revision <= this.#compactRevision) throw new Compacted(this.#compactRevision)
    if (revision > this.#revision) throw new FutureRevision(revision, this.#revision)
    this.#compactRevision = revision
  }

  /**
   * Removes what compaction has made unreachable, after looking at so many versions from a place on. Returns
   * the place to go on from, or undefined when it is through.
   */
  sweep(from: Uint8Array, versionsMax: number): Uint8Array | undefined {
    const obsolete: Array<Uint8Array> = []
    let looked = 0
    let kept: Kept | undefined
    let key: Uint8Array | undefined
    let next: Uint8Array | undefined
    for (const [place, record] of this.#tables.history.range(from, undefined)) {
      if (looked >= versionsMax) {
        // What was kept may still turn out to be replaced: the next sweep looks at it again.
        next = kept?.place ?? place.slice()
        kept = undefined
        break
      }
      const about = keyOfHistory(place)
      if (key === undefined || compareBytes(about, key) !== 0) {
        this.#settleSweep(key, kept, obsolete)
        key = about
        kept = undefined
      }
      if (compareBytes(place, from) !== 0) looked++
      if (modRevisionOf(record) > this.#compactRevision) {
        this.#settleSweep(key, kept, obsolete)
        kept = undefined
        continue
      }
      // A later version that is old enough, too, makes this one unreachable.
      if (kept !== undefined) obsolete.push(kept.place)
      kept = { place: place.slice(), record: headOf(record) }
    }
    this.#settleSweep(key, kept, obsolete)
    for (const place of obsolete) {
      this.#tables.history.delete(place)
      this.#tables.changes.delete(encodeRevision(decodeRevision(place)))
    }
    return next
  }

  /**
   * The last version that is old enough is still read, unless it is a tombstone or was replaced in time. A tombstone
   * of the very revision of the compaction stays: whoever watches from there on is served, and has to see it
   * (etcd keeps it, too, since its pull request 18274).
   */
  #settleSweep(key: Uint8Array | undefined, kept: Kept | undefined, obsolete: Array<Uint8Array>): void {
    if (key === undefined || kept === undefined) return
    const isGone = isTombstone(kept.record) && modRevisionOf(kept.record) < this.#compactRevision
    if (isGone || this.#isLatest(key, this.#compactRevision)) obsolete.push(kept.place)
  }
}

interface Kept {
  readonly place: Uint8Array
  readonly record: Uint8Array
}

const bounds = ({ key, rangeEnd }: KeyRange): readonly [start: Uint8Array, end: Uint8Array | undefined] => {
  if (rangeEnd.length === 0) return [key, afterKey(key)]
  if (rangeEnd.length === 1 && rangeEnd[0] === 0) return [key, undefined]
  return [key, rangeEnd]
}

/** The range of all keys with a prefix; of the empty one all keys. */
export const prefixed = (prefix: Uint8Array): KeyRange => {
  const rangeEnd = prefix.length === 0 ? undefined : afterPrefix(prefix)
  return { key: prefix.length === 0 ? zero : prefix, rangeEnd: rangeEnd ?? zero }
}

const zero = new Uint8Array(1)
