/**
 * Who can have a role: the members that a failover coordinator counts with, by what membership tells it.
 *
 * One that has failed is remembered for its grace. So long it counts as suspect: it may be back, nothing
 * is given to it, and nothing is taken from it. One that has left is gone at once. Pure.
 */
import type { MemberRecord, MembershipEvent } from "#protocols/membership.ts"
import type { SituationMember } from "./failover-policy.ts"

interface Member {
  record: MemberRecord
  suspected: boolean
  goneAtMillis: number
}

export class FailoverMembers {
  readonly #graceMillis: number
  readonly #members = new Map<string, Member>()

  constructor(graceMillis: number) {
    this.#graceMillis = graceMillis
  }

  begin(records: ReadonlyArray<MemberRecord>): void {
    for (const record of records) {
      if (record.status === "alive" || record.status === "suspect")
        this.#see(record, record.status === "suspect")
    }
  }

  /** False for what is older than what it knows: it was queued already when `begin` heard something newer. */
  observe({ _tag, member }: MembershipEvent, nowMillis: number): boolean {
    const known = this.#members.get(member.name)
    if (known !== undefined && member.incarnation < known.record.incarnation) return false
    switch (_tag) {
      case "MemberJoined":
      case "MemberRecovered":
        this.#see(member, false)
        break
      case "MemberSuspected":
        if (known !== undefined) known.suspected = true
        break
      case "MemberUpdated":
        if (known !== undefined) known.record = member
        break
      case "MemberLeft":
        this.#members.delete(member.name)
        break
      case "MemberFailed":
        if (known !== undefined)
          known.goneAtMillis = Math.min(known.goneAtMillis, nowMillis + this.#graceMillis)
        this.expire(nowMillis)
        break
    }
    return true
  }

  /** Forgets those whose grace is over. */
  expire(nowMillis: number): void {
    for (const [name, { goneAtMillis }] of this.#members)
      if (nowMillis >= goneAtMillis) this.#members.delete(name)
  }

  get wakeMillis(): number {
    let wake = Number.POSITIVE_INFINITY
    for (const { goneAtMillis } of this.#members.values()) wake = Math.min(wake, goneAtMillis)
    return wake
  }

  get liveNames(): ReadonlyArray<string> {
    return [...this.#members.keys()].filter((name) => this.isLive(name))
  }

  has(name: string): boolean {
    return this.#members.has(name)
  }

  /** It may be asked and given something. */
  isLive(name: string): boolean {
    return this.#members.get(name)?.goneAtMillis === Number.POSITIVE_INFINITY
  }

  inGrace(name: string): boolean {
    return this.has(name) && !this.isLive(name)
  }

  zoneOf(name: string): string | undefined {
    return this.#members.get(name)?.record.metadata.zone
  }

  /** Empty for whom it does not know. */
  bootIdOf(name: string): string {
    return this.#members.get(name)?.record.bootId ?? ""
  }

  get situation(): ReadonlyMap<string, SituationMember> {
    const situation = new Map<string, SituationMember>()
    for (const [name, { record, suspected }] of this.#members) {
      const { metadata } = record
      const status = suspected || !this.isLive(name) ? "suspect" : "alive"
      situation.set(name, { name, zone: metadata.zone, status, metadata })
    }
    return situation
  }

  #see(record: MemberRecord, suspected: boolean): void {
    this.#members.set(record.name, { record, suspected, goneAtMillis: Number.POSITIVE_INFINITY })
  }
}
