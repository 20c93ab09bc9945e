/**
 * The clock of a member that does not lead, and the votes of one that would like to.
 *
 * Whoever has heard of its leader within T sticks to it: it grants no vote, so neither a member that
 * comes back from a partition nor one that was removed disturbs the others, and a leader may trust a quorum's
 * answer for nearly T. After a start it sticks to whomever it may have heard before it crashed; a member that is new
 * has heard nobody.
 */
import type { RaftConfig } from "./raft-config.ts"
import type { Membership, Verdict } from "./raft-membership.ts"
import type { NodeId } from "./raft-messages.ts"

export class ElectionClock {
  readonly #config: RaftConfig
  readonly #random: () => number
  #heardMillis: number
  #deadlineMillis = 0
  #isStopped = false

  constructor(config: RaftConfig, random: () => number, nowMillis: number, isNew = false) {
    this.#config = config
    this.#random = random
    this.#heardMillis = isNew ? Number.NEGATIVE_INFINITY : nowMillis
    this.restart(nowMillis)
  }

  get isStopped(): boolean {
    return this.#isStopped
  }

  /** When it asks for votes, unless it hears of a leader. */
  get deadlineMillis(): number {
    return this.#isStopped ? Number.POSITIVE_INFINITY : this.#deadlineMillis
  }

  /** While its clock is stopped, the shell watches the leader for it. */
  sticks(nowMillis: number): boolean {
    return this.#isStopped || nowMillis < this.#heardMillis + this.#config.electionMillis
  }

  /** From the leader itself. */
  heard(nowMillis: number): void {
    this.#heardMillis = nowMillis
    this.restart(nowMillis)
  }

  restart(nowMillis: number): void {
    this.#isStopped = false
    this.#deadlineMillis = nowMillis + this.#config.electionMillis * (1 + this.#random())
  }

  /** Nobody else can lead. */
  ring(nowMillis: number): void {
    this.#isStopped = false
    this.#deadlineMillis = nowMillis
  }

  /** Nobody has led yet, and it asks until the others are there. */
  askAgainSoon(nowMillis: number): void {
    this.#deadlineMillis = nowMillis + this.#config.electionMillis / 4
  }

  /**
   * Its leader is down, or looks so from here. It sticks to it no longer and asks for votes soon: others that hear
   * of the leader refuse. Where leases rest on waiting, it waits.
   */
  lost(nowMillis: number): void {
    const { clockDriftMax, heartbeatMillis } = this.#config
    if (clockDriftMax !== undefined) {
      if (this.#isStopped) this.restart(nowMillis)
      return
    }
    this.#isStopped = false
    this.#heardMillis = Number.NEGATIVE_INFINITY
    this.#deadlineMillis = nowMillis + heartbeatMillis * this.#random()
  }

  stop(): void {
    this.#isStopped = true
  }
}

export class Votes {
  readonly #votes = new Map<NodeId, boolean>()

  /** The first answer of each counts. */
  add(from: NodeId, granted: boolean): void {
    if (!this.#votes.has(from)) this.#votes.set(from, granted)
  }

  verdict(membership: Membership): Verdict {
    return membership.verdict(this.#votes)
  }
}
