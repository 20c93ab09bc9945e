/**
 * What a member is whatever its role: term, vote, log and memberships, what of them is durable, how far the
 * log is committed and applied.
 *
 * Writes are numbered. A batch that writes gets the next number, and Persisted(n) makes durable what the
 * batches up to n wrote: not an index and a term, since the same entry may be written, cut off and written
 * again while the disk is still at the first of the three.
 */
import { type Batch, type HardState, Outbox, type RoleChange } from "./raft-batch.ts"
import { check } from "./raft-check.ts"
import type { RaftConfig } from "./raft-config.ts"
import { RaftLog } from "./raft-log.ts"
import { type Membership, Memberships } from "./raft-membership.ts"
import {
  type Entry,
  type EntryKind,
  entryBytes,
  type NodeId,
  nobody,
  type Snapshot
} from "./raft-messages.ts"

/** What a member finds on its disk. */
export interface Remembered {
  readonly hardState?: HardState
  /** The newest durable snapshot. A group begins with one of index 0 and term 0 that names its members. */
  readonly snapshot: Snapshot
  /** What the journal has after `compacted`. */
  readonly entries: Iterable<Entry>
  /** Where the journal begins, if it keeps entries that the snapshot has; from there on it has all. */
  readonly compacted?: {
    readonly index: number
    readonly term: number
    readonly membership: Membership
  }
  /** The state machine has this index: of the snapshot, or later. */
  readonly applied?: number
  /** Of a snapshot from a leader that was under way, so much is on the disk. */
  readonly staged?: { readonly snapshot: Snapshot; readonly offset: number }
}

interface Write {
  readonly seq: number
  /** Less than it was, once a later one cuts it back. */
  lastIndex: number
  readonly term: number
  readonly vote: NodeId
}

interface Page {
  readonly lastIndex: number
  readonly bytes: number
}

const none: ReadonlyArray<never> = []

export class Replica {
  readonly id: NodeId
  readonly config: RaftConfig
  readonly log: RaftLog
  readonly memberships: Memberships
  readonly out = new Outbox()
  term: number
  vote: NodeId
  snapshot: Snapshot
  #commit: number
  #durableIndex: number
  #durableTerm: number
  #durableVote: NodeId
  #writes: Array<Write> = []
  #seq = 0
  /** Given away to be written. */
  #handedIndex: number
  /** Given away to be applied. */
  #applyingIndex: number
  #pages: Array<Page> = []
  #applyingBytes = 0
  #readingFrom = 0
  #read: ReadonlyArray<Entry> | undefined

  constructor(id: NodeId, config: RaftConfig, remembered: Remembered) {
    const { entries, hardState, snapshot } = remembered
    const base = remembered.compacted ?? snapshot
    this.id = id
    this.config = config
    this.log = new RaftLog(base.index, base.term)
    this.memberships = new Memberships(base.index, base.membership)
    this.term = hardState?.term ?? snapshot.term
    this.vote = hardState?.vote ?? nobody
    this.snapshot = snapshot
    this.#applyingIndex = Math.max(remembered.applied ?? 0, snapshot.index)
    this.#commit = Math.max(hardState?.commit ?? 0, this.#applyingIndex)
    for (const entry of entries) {
      this.#push(entry)
      this.log.evict(this.#commit, config.memoryEntriesMax, config.memoryBytesMax)
    }
    check(this.log.lastIndex >= this.#applyingIndex, "the journal reaches as far as the state machine")
    this.#commit = Math.min(this.#commit, this.log.lastIndex)
    check(this.term >= this.log.lastTerm, "the journal has no entry of a term that it does not know")
    this.#durableIndex = this.log.lastIndex
    this.#handedIndex = this.log.lastIndex
    this.#durableTerm = this.term
    this.#durableVote = this.vote
  }

  get membership(): Membership {
    return this.memberships.current
  }

  get commit(): number {
    return this.#commit
  }

  get durableIndex(): number {
    return this.#durableIndex
  }

  /** Nothing is being written or applied, or waits for it. */
  get isSettled(): boolean {
    return this.#writes.length === 0 && this.#pages.length === 0 && this.#applyingIndex === this.log.lastIndex
  }

  /** There is nothing to take. */
  get isAtRest(): boolean {
    const isApplied = this.#applyingIndex >= Math.min(this.#commit, this.#durableIndex)
    return isApplied && this.#handedIndex === this.log.lastIndex && this.out.isEmpty
  }

  get isVoter(): boolean {
    return this.membership.isVoter(this.id)
  }

  /** Who is voted out may be needed until that is committed: nobody else may have what it has. */
  get mayCampaign(): boolean {
    const { index } = this.memberships
    return this.isVoter || (index > this.#commit && this.memberships.at(index - 1).isVoter(this.id))
  }

  /**
   * In a group in which nobody has ever led, as far as it knows, one member does not wait until all others have
   * been silent. If they know more, they refuse.
   */
  get isFirstOfAll(): boolean {
    const { id, membership, term } = this
    return term === 0 && membership.isVoter(id) && membership.voters.every((voter) => id <= voter)
  }

  get hasDurableTerm(): boolean {
    return this.#durableTerm === this.term
  }

  /** Its vote for itself counts once it cannot be forgotten. */
  get hasDurableVote(): boolean {
    return this.#durableTerm === this.term && this.#durableVote === this.id
  }

  setTerm(term: number, vote: NodeId): void {
    check(term >= this.term, "terms do not go back")
    check(term > this.term || this.mayVoteFor(vote), "a member votes once in a term")
    if (term === this.term && vote === this.vote) return
    this.term = term
    this.vote = vote
    this.out.isHardStateChanged = true
  }

  mayVoteFor(candidate: NodeId): boolean {
    return this.vote === nobody || this.vote === candidate
  }

  append(kind: EntryKind, data: Uint8Array): Entry {
    const entry: Entry = { index: this.log.lastIndex + 1, term: this.term, kind, data }
    this.#push(entry)
    return entry
  }

  /** Entries of the leader, of which the first continues what we have. True: they changed the membership. */
  accept(entries: ReadonlyArray<Entry>): boolean {
    const fresh = this.firstFresh(entries)
    const first = entries[fresh]
    if (first === undefined) return false
    let isChanged = false
    if (first.index <= this.log.lastIndex) isChanged = this.#truncateFrom(first.index)
    for (let at = fresh; at < entries.length; at++) {
      const entry = entries[at] as Entry
      this.#push(entry)
      if (entry.kind === "change") isChanged = true
    }
    return isChanged
  }

  /** The first of them that is not in the log: not just behind its end, or a late message would cut it back. */
  firstFresh(entries: ReadonlyArray<Entry>): number {
    let at = Math.max(0, Math.min(entries.length, this.log.baseIndex + 1 - (entries[0]?.index ?? 0)))
    for (; at < entries.length; at++) {
      const { index, term } = entries[at] as Entry
      if (index > this.log.lastIndex || this.log.termOf(index) !== term) return at
    }
    return at
  }

  /** Returns whether that is news. */
  commitTo(index: number): boolean {
    if (index <= this.#commit) return false
    check(index <= this.log.lastIndex, "only what is in the log is committed")
    this.#commit = index
    return true
  }

  /** A whole snapshot has come from the leader, and goes beyond what is committed here. */
  install(snapshot: Snapshot): void {
    check(snapshot.index > this.#commit, "a snapshot takes nothing back that is committed")
    this.log.restore(snapshot.index, snapshot.term)
    this.memberships.restore(snapshot.index, snapshot.membership)
    this.snapshot = snapshot
    this.out.install = snapshot
    this.#commit = snapshot.index
    this.#handedIndex = snapshot.index
    this.#applyingIndex = snapshot.index
    this.#pages = []
    this.#applyingBytes = 0
    this.#read = undefined
    this.#readingFrom = 0
    this.#durableIndex = Math.min(this.#durableIndex, snapshot.index - 1)
    for (const write of this.#writes) write.lastIndex = Math.min(write.lastIndex, snapshot.index - 1)
  }

  /** The shell has a durable snapshot at this index; id 0: none yet that could be sent. */
  snapshotted(index: number, id: number, bytes: number): void {
    const { snapshot } = this
    // Made anew at the same index it takes the place of one that is no more.
    if (index < snapshot.index || (index === snapshot.index && id === 0)) return
    const term = this.log.termOf(index)
    check(term !== undefined && index <= this.#applyingIndex, "a snapshot holds what has been applied")
    this.snapshot = { index, term, membership: this.memberships.at(index), id, bytes }
  }

  /** The journal drops its entries up to here. */
  compact(index: number): void {
    check(index <= this.snapshot.index, "what the journal drops is in a snapshot")
    this.log.compact(index)
    this.memberships.compact(index)
  }

  persisted(seq: number): void {
    check(seq <= this.#seq, "only what was handed out is persisted")
    let count = 0
    for (const write of this.#writes) {
      if (write.seq > seq) break
      this.#durableIndex = Math.max(this.#durableIndex, write.lastIndex)
      this.#durableTerm = write.term
      this.#durableVote = write.vote
      count++
    }
    this.#writes.splice(0, count)
    this.#evict()
  }

  applied(index: number): void {
    for (let page = this.#pages[0]; page !== undefined && page.lastIndex <= index; page = this.#pages[0]) {
      this.#applyingBytes -= page.bytes
      this.#pages.shift()
    }
    this.#evict()
  }

  /** Entries that were evicted, read from the journal to be applied. */
  entriesRead(from: number, entries: ReadonlyArray<Entry>): void {
    if (from !== this.#readingFrom) return
    this.#readingFrom = 0
    if (from === this.#applyingIndex + 1 && entries.length > 0) this.#read = entries
  }

  /** Whether `entries` are what the log has from `from` on: it may have been cut back since they were read. */
  isOurs(from: number, entries: ReadonlyArray<Entry>): boolean {
    return entries.every(({ index, term }, at) => index === from + at && this.log.termOf(index) === term)
  }

  take(role: RoleChange | undefined): Batch | undefined {
    const { log, out } = this
    const committed = this.#page()
    const entries =
      this.#handedIndex < log.lastIndex
        ? (log.slice(
            this.#handedIndex + 1,
            log.lastIndex,
            Number.MAX_SAFE_INTEGER,
            Number.MAX_SAFE_INTEGER
          ) ?? none)
        : none
    if (entries.length === 0 && committed.length === 0 && role === undefined && out.isEmpty) return undefined
    const writes = entries.length > 0 || out.isHardStateChanged || out.install !== undefined
    if (writes) {
      this.#writes.push({ seq: ++this.#seq, lastIndex: log.lastIndex, term: this.term, vote: this.vote })
      this.#handedIndex = log.lastIndex
    }
    const hardState = writes ? { term: this.term, vote: this.vote, commit: this.#commit } : undefined
    return out.take(this.#seq, this.#writes.length === 0, entries, hardState, committed, role)
  }

  #push(entry: Entry): void {
    this.log.append(entry)
    if (entry.kind === "change") this.memberships.add(entry)
  }

  #truncateFrom(index: number): boolean {
    check(index > this.#commit, "what is committed is not cut off")
    this.log.truncateFrom(index)
    this.#handedIndex = Math.min(this.#handedIndex, index - 1)
    this.#durableIndex = Math.min(this.#durableIndex, index - 1)
    for (const write of this.#writes) write.lastIndex = Math.min(write.lastIndex, index - 1)
    return this.memberships.truncateFrom(index)
  }

  /** What is to be applied next. */
  #page(): ReadonlyArray<Entry> {
    const lastIndex = Math.min(this.#commit, this.#durableIndex)
    const first = this.#applyingIndex + 1
    const bytesMax = this.config.applyBytesMax - this.#applyingBytes
    if (first > lastIndex || bytesMax <= 0 || this.#readingFrom === first) return none
    const read = this.#read
    this.#read = undefined
    const isRead = read !== undefined && this.isOurs(first, read)
    const page = isRead
      ? read.slice(0, lastIndex - first + 1)
      : this.log.slice(first, lastIndex, this.config.memoryEntriesMax, bytesMax)
    if (page === undefined) {
      const to = Math.min(lastIndex, this.log.memoryFirst - 1, first + this.config.appendEntriesMax - 1)
      this.#readingFrom = first
      this.out.want({ from: first, to, bytesMax: Math.min(bytesMax, this.config.appendBytesMax) })
      return none
    }
    const bytes = page.reduce((sum, entry) => sum + entryBytes(entry), 0)
    this.#applyingIndex = first + page.length - 1
    this.#pages.push({ lastIndex: this.#applyingIndex, bytes })
    this.#applyingBytes += bytes
    return page
  }

  #evict(): void {
    const { memoryBytesMax, memoryEntriesMax } = this.config
    this.log.evict(Math.min(this.#commit, this.#durableIndex), memoryEntriesMax, memoryBytesMax)
  }
}
