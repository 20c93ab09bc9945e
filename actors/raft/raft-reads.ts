/**
 * Linearizable reads without an entry in the log.
 *
 * A leader that is still the leader may answer from its own state; the question is whether it is. So it
 * notes its commit index, asks everybody, and once a quorum has obeyed a round that began after the read did,
 * no newer leader can have committed anything before that read began. Reads that come while a round is under way
 * share the next one; each message and heartbeat carries the last round, so under load it costs nothing.
 *
 * A new leader does not know what is committed until its own first entry is, so reads wait for that.
 *
 *   lease reads: while a quorum has confirmed a round that began less than a lease ago, no other leader can
 *   have been elected, because followers stick to a leader for T. See raft-config.ts for what that assumes.
 */
import type { ReadOutcome, ReadRefusal } from "./raft-batch.ts"
import { type NodeId, nobody } from "./raft-messages.ts"

export interface Read {
  /** Who asked: `nobody` is our own shell. */
  readonly from: NodeId
  readonly request: number
}

interface Asked extends Read {
  readonly round: number
  readonly index: number
}

/** Of a leader. */
export class ReadRounds {
  #round = 0
  #confirmed = 0
  /** When the rounds began that are newer than the confirmed one. */
  #begun: Array<{ readonly round: number; readonly atMillis: number }> = []
  #confirmedMillis = Number.NEGATIVE_INFINITY
  #waiting: Array<Read> = []
  #asked: Array<Asked> = []

  get round(): number {
    return this.#round
  }

  /** When the newest round that a quorum has obeyed began. */
  get confirmedMillis(): number {
    return this.#confirmedMillis
  }

  get size(): number {
    return this.#waiting.length + this.#asked.length
  }

  add(read: Read): void {
    this.#waiting.push(read)
  }

  /** Whether reads wait for a round and none is on its way for others. */
  get wantsRound(): boolean {
    return this.#waiting.length > 0 && this.#asked.length === 0
  }

  /** What is committed now will be there when the round is confirmed. Without `commit` reads go on waiting. */
  begin(nowMillis: number, commit: number | undefined): void {
    this.#round++
    this.#begun.push({ round: this.#round, atMillis: nowMillis })
    // Never confirmed while there is no quorum: the oldest says least.
    if (this.#begun.length > 256) this.#begun.shift()
    if (commit === undefined) return
    for (const read of this.#waiting) this.#asked.push({ ...read, round: this.#round, index: commit })
    this.#waiting = []
  }

  /** A quorum has obeyed this round; returns the reads that may go ahead. */
  confirm(round: number): ReadonlyArray<Asked> {
    if (round <= this.#confirmed) return []
    this.#confirmed = round
    for (let first = this.#begun[0]; first !== undefined && first.round <= round; first = this.#begun[0]) {
      this.#confirmedMillis = first.atMillis
      this.#begun.shift()
    }
    const count = this.#asked.findIndex((read) => read.round > round)
    return this.#asked.splice(0, count < 0 ? this.#asked.length : count)
  }

  /** All that wait: they can be answered at once, or nevermore. */
  takeWaiting(): ReadonlyArray<Read> {
    const waiting = this.#waiting
    this.#waiting = []
    return waiting
  }

  takeAll(): ReadonlyArray<Read> {
    return [...this.#asked.splice(0), ...this.takeWaiting()]
  }
}

interface Forwarded {
  readonly reads: ReadonlyArray<number>
  readonly endMillis: number
}

/** Of a follower: reads that the leader is asked about, those of one turn together. */
export class ForwardedReads {
  #collected: Array<number> = []
  readonly #pending = new Map<number, Forwarded>()
  #size = 0
  #request: number

  /** Not from 0: an answer to a former life must not pass for one to this. */
  constructor(firstRequest: number) {
    this.#request = firstRequest
  }

  get size(): number {
    return this.#size
  }

  get wakeMillis(): number {
    for (const { endMillis } of this.#pending.values()) return endMillis
    return Number.POSITIVE_INFINITY
  }

  add(read: number): void {
    this.#collected.push(read)
    this.#size++
  }

  /** The number of a request for what has been collected. */
  send(endMillis: number): number | undefined {
    if (this.#collected.length === 0) return undefined
    const request = this.#request++
    this.#pending.set(request, { reads: this.#collected, endMillis })
    this.#collected = []
    return request
  }

  answered(request: number, index: number, refused: boolean): ReadonlyArray<ReadOutcome> {
    const forwarded = this.#pending.get(request)
    if (forwarded === undefined) return []
    this.#pending.delete(request)
    this.#size -= forwarded.reads.length
    return refused
      ? refuse(forwarded.reads, "LeaderLost")
      : forwarded.reads.map((read) => ({ _tag: "Readable", read, index }))
  }

  overdue(nowMillis: number): ReadonlyArray<ReadOutcome> {
    const late: Array<number> = []
    for (const [request, { endMillis, reads }] of this.#pending) {
      if (nowMillis < endMillis) break
      this.#pending.delete(request)
      late.push(...reads)
    }
    this.#size -= late.length
    return refuse(late, "TimedOut")
  }

  takeAll(reason: ReadRefusal): ReadonlyArray<ReadOutcome> {
    if (this.#size === 0) return []
    const all = [...[...this.#pending.values()].flatMap(({ reads }) => reads), ...this.#collected]
    this.#pending.clear()
    this.#collected = []
    this.#size = 0
    return refuse(all, reason)
  }
}

export const isOwn = ({ from }: Read): boolean => from === nobody

const refuse = (reads: ReadonlyArray<number>, reason: ReadRefusal): ReadonlyArray<ReadOutcome> =>
  reads.map((read) => ({ _tag: "Refused", read, reason }))
