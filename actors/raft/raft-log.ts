/**
 * The log of a group: all of its terms, and of its entries the newest.
 *
 *        baseIndex        memoryFirst                lastIndex
 *   ─ gone ──┼── evicted ──────┼────── in memory ────────┤
 *            │  in the journal, and the shell is asked for them
 *
 * Most of what Raft asks a log is "which term has index i", and a log of a million entries has a handful of
 * terms. They are kept as runs, so every such question is answered from memory, and only a follower that is
 * far behind makes us read. What is not committed is never evicted, since it may still be cut off.
 */
import { check } from "./raft-check.ts"
import { type Entry, entryBytes } from "./raft-messages.ts"

export class RaftLog {
  #baseIndex: number
  #baseTerm: number
  /** Where runs of one term begin, and which term that is. */
  readonly #runFirsts: Array<number> = []
  readonly #runTerms: Array<number> = []
  #entries: Array<Entry> = []
  #memoryFirst: number
  #lastIndex: number
  #lastTerm: number
  #bytes = 0
  /** Followers mostly want the same: the last answer. */
  #sliceFirst = 0
  #sliceBytes = 0
  #slice: ReadonlyArray<Entry> | undefined

  constructor(baseIndex = 0, baseTerm = 0) {
    this.#baseIndex = baseIndex
    this.#baseTerm = baseTerm
    this.#memoryFirst = baseIndex + 1
    this.#lastIndex = baseIndex
    this.#lastTerm = baseTerm
  }

  /** Compacted up to here; the term of this index is still known. */
  get baseIndex(): number {
    return this.#baseIndex
  }

  get lastIndex(): number {
    return this.#lastIndex
  }

  get lastTerm(): number {
    return this.#lastTerm
  }

  get memoryFirst(): number {
    return this.#memoryFirst
  }

  get memoryEntries(): number {
    return this.#entries.length
  }

  get memoryBytes(): number {
    return this.#bytes
  }

  /** Of what is compacted or not yet there, nothing is known. */
  termOf(index: number): number | undefined {
    if (index > this.#lastIndex || index < this.#baseIndex) return undefined
    if (index === this.#baseIndex) return this.#baseTerm
    let run = this.#runFirsts.length - 1
    while ((this.#runFirsts[run] as number) > index) run--
    return this.#runTerms[run]
  }

  matches(index: number, term: number): boolean {
    return this.termOf(index) === term
  }

  /** Is a log that ends like this at least as good as ours? */
  isUpToDate(lastIndex: number, lastTerm: number): boolean {
    return lastTerm > this.#lastTerm || (lastTerm === this.#lastTerm && lastIndex >= this.#lastIndex)
  }

  append(entry: Entry): void {
    check(entry.index === this.#lastIndex + 1, "the log has no gaps")
    check(entry.term >= this.#lastTerm, "terms in the log do not go back")
    if (entry.term !== this.#lastTerm || this.#runFirsts.length === 0) {
      this.#runFirsts.push(entry.index)
      this.#runTerms.push(entry.term)
    }
    this.#entries.push(entry)
    this.#bytes += entryBytes(entry)
    this.#lastIndex = entry.index
    this.#lastTerm = entry.term
    this.#slice = undefined
  }

  truncateFrom(index: number): void {
    if (index > this.#lastIndex) return
    check(index >= this.#memoryFirst, "only what is in memory is cut off")
    for (const entry of this.#entries.splice(index - this.#memoryFirst)) this.#bytes -= entryBytes(entry)
    while ((this.#runFirsts.at(-1) ?? 0) >= index) {
      this.#runFirsts.pop()
      this.#runTerms.pop()
    }
    this.#lastIndex = index - 1
    this.#lastTerm = this.#runTerms.at(-1) ?? this.#baseTerm
    this.#slice = undefined
  }

  entry(index: number): Entry | undefined {
    return this.#entries[index - this.#memoryFirst]
  }

  /** From `first` at most to `last`, at least one entry and no more bytes; nothing if the first is evicted. */
  slice(first: number, last: number, entriesMax: number, bytesMax: number): ReadonlyArray<Entry> | undefined {
    if (first < this.#memoryFirst) return undefined
    const held = this.#slice
    const countMax = Math.min(last - first + 1, entriesMax)
    const isHeld = held !== undefined && this.#sliceFirst === first && this.#sliceBytes <= bytesMax
    if (isHeld && held.length === countMax) return held
    const start = first - this.#memoryFirst
    let end = start
    let bytes = 0
    for (; end < start + countMax; end++) {
      const entry = this.#entries[end]
      if (entry === undefined) break
      if (bytes + entryBytes(entry) > bytesMax && end > start) break
      bytes += entryBytes(entry)
    }
    this.#sliceFirst = first
    this.#sliceBytes = bytes
    this.#slice = this.#entries.slice(start, end)
    return this.#slice
  }

  /** The last index up to `index` whose term is at most `term`: below it the logs may agree. */
  hint(index: number, term: number): number {
    if (index < this.#baseIndex) return index
    let hint = Math.min(index, this.#lastIndex)
    for (let run = this.#runFirsts.length - 1; run >= 0; run--) {
      const first = this.#runFirsts[run] as number
      if (first > hint) continue
      if ((this.#runTerms[run] as number) <= term) return hint
      hint = first - 1
    }
    return hint
  }

  /** Lets the oldest go from memory, up to `last`, once there are too many: a quarter, so that it is rare. */
  evict(last: number, entriesMax: number, bytesMax: number): void {
    if (this.#entries.length <= entriesMax && this.#bytes <= bytesMax) return
    let count = 0
    for (const entry of this.#entries) {
      const isLittle = this.#entries.length - count <= entriesMax * 0.75 && this.#bytes <= bytesMax * 0.75
      if (isLittle || entry.index > last) break
      this.#bytes -= entryBytes(entry)
      count++
    }
    this.#forget(count)
  }

  compact(index: number): void {
    const term = this.termOf(index)
    if (term === undefined || index <= this.#baseIndex) return
    const count = Math.min(Math.max(0, index - this.#memoryFirst + 1), this.#entries.length)
    for (let at = 0; at < count; at++) this.#bytes -= entryBytes(this.#entries[at] as Entry)
    this.#forget(count)
    this.#memoryFirst = Math.max(this.#memoryFirst, index + 1)
    while ((this.#runFirsts[1] ?? Number.POSITIVE_INFINITY) <= index + 1) {
      this.#runFirsts.shift()
      this.#runTerms.shift()
    }
    if (index === this.#lastIndex) {
      this.#runFirsts.length = 0
      this.#runTerms.length = 0
    } else this.#runFirsts[0] = index + 1
    this.#baseIndex = index
    this.#baseTerm = term
  }

  /** A snapshot takes the place of everything. */
  restore(index: number, term: number): void {
    this.#runFirsts.length = 0
    this.#runTerms.length = 0
    this.#entries = []
    this.#bytes = 0
    this.#slice = undefined
    this.#memoryFirst = index + 1
    this.#baseIndex = index
    this.#baseTerm = term
    this.#lastIndex = index
    this.#lastTerm = term
  }

  #forget(count: number): void {
    if (count === 0) return
    this.#entries.splice(0, count)
    this.#memoryFirst += count
    this.#slice = undefined
  }
}
