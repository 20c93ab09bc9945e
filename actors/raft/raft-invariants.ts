/**
 * What must hold of a whole group, judged from outside by somebody who sees all members at once: the
 * simulator and the exhaustive exploration call it after every step. What one member can see of itself is
 * asserted in the core, always.
 *
 *   election safety       a term has at most one leader, and a member votes once in it
 *   leader append-only    a leader never cuts off its log
 *   log matching          an index and a term name one entry, and one history before it
 *   leader completeness   a leader has all that was committed in the terms before
 *   state machine safety  all members commit the same at an index, and never take it back
 *   durability            what is committed, or acknowledged, is on the disks that make it so
 *   fresh reads           a read sees at least what was committed when it began
 */

import type { Raft } from "./raft.ts"
import type { Batch } from "./raft-batch.ts"
import { check } from "./raft-check.ts"
import type { Membership } from "./raft-membership.ts"
import type { Entry, Message, NodeId } from "./raft-messages.ts"

/** What is on the disk of a member. */
export interface DiskView {
  readonly lastIndex: number
  readonly termOf: (index: number) => number | undefined
}

interface Written {
  readonly prevTerm: number
  readonly entry: Entry
}

interface Seen {
  readonly term: number
  readonly role: string
  readonly lastIndex: number
  readonly commit: number
  readonly membership: Membership
}

export class RaftInvariants {
  readonly #diskOf: (node: NodeId) => DiskView
  readonly #leaders = new Map<number, NodeId>()
  readonly #votes = new Map<string, NodeId>()
  readonly #written = new Map<string, Written>()
  /** The term of each committed entry; the place is its index. */
  readonly #committed: Array<number> = [0]
  /** The term of the leader that committed it. */
  readonly #committedIn: Array<number> = [0]
  readonly #leading = new Map<NodeId, Raft>()
  readonly #seen = new Map<NodeId, Seen>()

  constructor(diskOf: (node: NodeId) => DiskView) {
    this.#diskOf = diskOf
  }

  /** The last index that anybody has committed. */
  get committed(): number {
    return this.#committed.length - 1
  }

  committedTerm(index: number): number | undefined {
    return this.#committed[index]
  }

  /** A member has begun a new life. */
  restarted(node: NodeId): void {
    this.#seen.delete(node)
    this.#leading.delete(node)
  }

  /** After each step of it, and, with the batch of its turn, before that is carried out. */
  observe(raft: Raft, batch: Batch | undefined): void {
    const { commit, id, role, status, term } = raft
    for (const entry of batch?.entries ?? []) this.#wrote(raft, entry)
    const before = this.#seen.get(id)
    if (before !== undefined) {
      check(term >= before.term, `the term of ${id} does not go back from ${before.term} to ${term}`)
      check(commit >= before.commit, `the commit of ${id} does not go back from ${before.commit}`)
      const stillLeads = before.role === "leader" && role === "leader" && before.term === term
      const first = batch?.entries[0]?.index ?? Number.POSITIVE_INFINITY
      if (stillLeads) check(first > before.lastIndex, `leader ${id} of term ${term} only appends`)
    }
    const { membership } = status
    // What a turn has appended so far is judged when it is handed out.
    const lastIndex = batch === undefined ? (before?.lastIndex ?? 0) : status.lastIndex
    this.#seen.set(id, { term, role, lastIndex, commit, membership })
    if (role === "leader") this.#leads(raft)
    else this.#leading.delete(id)
    // A leader that has just left a joint phase has counted with that.
    this.#commits(raft, before?.commit ?? 0, before?.membership ?? membership)
    for (const { index, term: entryTerm } of batch?.committed ?? []) {
      check(
        this.#committed[index] === entryTerm,
        `${id} applies at ${index} the committed entry, not one of ${entryTerm}`
      )
    }
  }

  /** When a message leaves. */
  sent(message: Message): void {
    const { from, term } = message
    if (message._tag === "VoteReply" && message.granted && !message.pre) {
      const key = `${from} ${term}`
      const candidate = this.#votes.get(key) ?? message.to
      check(
        candidate === message.to,
        `${from} votes once in term ${term}: for ${candidate} and ${message.to}`
      )
      this.#votes.set(key, candidate)
    } else if (message._tag === "AppendReply" && !message.rejected) {
      const { lastIndex } = this.#diskOf(from)
      check(message.index <= lastIndex, `${from} acknowledges ${message.index}, and has ${lastIndex}`)
    }
  }

  /** `began`: what was committed when it was asked. */
  read(index: number, began: number): void {
    check(index >= began, `a read that began at ${began} is not answered from ${index}`)
  }

  #wrote(raft: Raft, entry: Entry): void {
    const { index, term } = entry
    const prevTerm = raft.termOf(index - 1)
    const key = `${index} ${term}`
    const known = this.#written.get(key)
    if (known === undefined) {
      if (prevTerm !== undefined) this.#written.set(key, { prevTerm, entry })
      return
    }
    check(prevTerm === undefined || known.prevTerm === prevTerm, `${key} has one history`)
    const isSame =
      known.entry.kind === entry.kind &&
      known.entry.data.length === entry.data.length &&
      known.entry.data.every((byte, at) => byte === entry.data[at])
    check(isSame, `there is one entry of index ${index} and term ${term}`)
  }

  #leads(raft: Raft): void {
    const { id, term } = raft
    const other = this.#leaders.get(term) ?? id
    check(other === id, `term ${term} has one leader, not ${other} and ${id}`)
    if (this.#leading.get(id) === raft && this.#leaders.has(term)) return
    this.#leaders.set(term, id)
    this.#leading.set(id, raft)
    this.#hasCommitted(raft, 1)
  }

  #hasCommitted(raft: Raft, from: number): void {
    const { compactedIndex } = raft.status
    for (let index = Math.max(from, compactedIndex + 1); index < this.#committed.length; index++) {
      const term = this.#committed[index] as number
      // A leader of old that has not noticed yet need not have what newer ones commit.
      if ((this.#committedIn[index] as number) >= raft.term) continue
      check(
        raft.termOf(index) === term,
        `leader ${raft.id} of term ${raft.term} has ${index} of term ${term}, which is committed`
      )
    }
  }

  #commits(raft: Raft, before: number, counted: Membership): void {
    const { commit, id, status } = raft
    for (let index = Math.max(before, status.compactedIndex) + 1; index <= commit; index++) {
      const term = raft.termOf(index)
      check(term !== undefined, `${id} has what it commits`)
      const known = this.#committed[index]
      check(known === undefined || known === term, `${id} commits ${term} at ${index}, where ${known} is`)
      if (known !== undefined) continue
      check(index === this.#committed.length, "commits leave no gaps")
      this.#isOnQuorum(counted, index, term)
      this.#committed.push(term)
      this.#committedIn.push(raft.term)
      for (const leader of this.#leading.values()) this.#hasCommitted(leader, index)
    }
  }

  /** Counted anew from the disks, with no help from the core. */
  #isOnQuorum({ outgoing, voters }: Membership, index: number, term: number): void {
    for (const side of [voters, outgoing]) {
      const holders = side.filter((node) => {
        const disk = this.#diskOf(node)
        return disk.lastIndex >= index && (disk.termOf(index) ?? term) === term
      })
      check(
        side.length === 0 || holders.length * 2 > side.length,
        `${index} of term ${term} is durable at a majority of ${side}, not only at ${holders}`
      )
    }
  }
}
