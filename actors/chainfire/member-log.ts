/**
 * What a member of chainfire keeps in its journal, and what raft is told of it after a start.
 *
 *   entry   kind u8, data
 *   state   term, vote, commit, and where the log begins: index, term, membership
 *
 * The state says where the log begins before the journal is compacted there, so it is never the other way
 * round. The state machine is ahead of the journal in one case only: the member died between the install of a
 * snapshot and what follows it here.
 */
import type { Journal, JournalEntry } from "#actors/kernel/ports/journal.ts"
import type { HardState } from "#actors/raft/raft-batch.ts"
import { ByteReader, ByteWriter } from "#actors/raft/raft-bytes.ts"
import {
  type Membership,
  membershipBytes,
  readMembership,
  writeMembership
} from "#actors/raft/raft-membership.ts"
import type { Entry, EntryKind } from "#actors/raft/raft-messages.ts"
import type { Remembered } from "#actors/raft/raft-replica.ts"

/** Where a log begins: what came before is in the state machine, and in no log. */
export interface LogBase {
  readonly index: number
  readonly term: number
  readonly membership: Membership
}

/** The journal has room for many groups; chainfire is one. */
export const group = 1
const kinds: ReadonlyArray<EntryKind> = ["normal", "change", "noop"]
const readBytesMax = 8 * 1024 * 1024

export class MemberLog {
  readonly #journal: Journal
  #base: LogBase
  #hardState: HardState

  /** `applied`: what the state machine says of itself; `genesis`: of a group that begins. */
  constructor(journal: Journal, applied: LogBase, genesis: Membership) {
    this.#journal = journal
    const found = journal.group(group)
    const stated = found === undefined || found.state.length === 0 ? undefined : decodeState(found.state)
    this.#base = stated?.base ?? { index: 0, term: 0, membership: genesis }
    this.#hardState = stated?.hardState ?? { term: 0, vote: 0, commit: 0 }
    // It was stated, and what follows from it may have been lost.
    if (found !== undefined && this.#base.index > found.compactedIndex)
      journal.compact(group, this.#base.index, this.#base.term)
    if (applied.index > this.#base.index && journal.term(group, applied.index) !== applied.term)
      this.restart(applied)
  }

  get base(): LogBase {
    return this.#base
  }

  get bytes(): number {
    return this.#journal.usage().liveBytes
  }

  /** What raft is to know after a start. */
  get remembered(): Remembered {
    const { index, membership, term } = this.#base
    return {
      hardState: this.#hardState,
      snapshot: { index, term, membership, id: 0, bytes: 0 },
      entries: this.#entries(index + 1, this.#journal.group(group)?.lastIndex ?? index)
    }
  }

  append(entries: ReadonlyArray<Entry>): void {
    if (entries.length > 0) this.#journal.append(entries.map(toJournal))
  }

  state(hardState: HardState): void {
    this.#hardState = hardState
    this.#journal.state(group, encodeState(hardState, this.#base))
  }

  /** Up to here it is in the state machine, durable. */
  compact(base: LogBase): void {
    this.#base = base
    this.state(this.#hardState)
    this.#journal.compact(group, base.index, base.term)
  }

  /** A snapshot has taken the place of all that was. Its leader had at least its term. */
  restart(base: LogBase): void {
    const { commit, term, vote } = this.#hardState
    const isOld = term < base.term
    this.#hardState = {
      term: isOld ? base.term : term,
      vote: isOld ? 0 : vote,
      commit: Math.max(commit, base.index)
    }
    this.compact(base)
  }

  read(from: number, to: number, bytesMax: number): ReadonlyArray<Entry> {
    return this.#journal.read(group, from, to, bytesMax).map(fromJournal)
  }

  *#entries(from: number, last: number): Iterable<Entry> {
    for (let next = from; next <= last; ) {
      const read = this.read(next, last + 1, readBytesMax)
      if (read.length === 0) throw new Error(`the journal has no entry ${next}, and should`)
      yield* read
      next += read.length
    }
  }
}

const toJournal = ({ data, index, kind, term }: Entry): JournalEntry => {
  const bytes = new Uint8Array(1 + data.length)
  bytes[0] = kinds.indexOf(kind)
  bytes.set(data, 1)
  return { group, index, term, bytes }
}

const fromJournal = ({ bytes, index, term }: JournalEntry): Entry => ({
  index,
  term,
  kind: kinds[bytes[0] ?? 0] ?? "normal",
  data: bytes.subarray(1)
})

const encodeState = ({ commit, term, vote }: HardState, base: LogBase): Uint8Array => {
  const writer = new ByteWriter(5 * 8 + membershipBytes(base.membership))
  for (const number of [term, vote, commit, base.index, base.term]) writer.number(number)
  writeMembership(writer, base.membership)
  return writer.bytes.subarray(0, writer.at)
}

const decodeState = (bytes: Uint8Array): { readonly hardState: HardState; readonly base: LogBase } => {
  const reader = new ByteReader(bytes)
  const hardState = { term: reader.number(), vote: reader.number(), commit: reader.number() }
  const [index, term] = [reader.number(), reader.number()]
  return { hardState, base: { index, term, membership: readMembership(reader) } }
}
