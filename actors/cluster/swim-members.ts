/**
 * What a node believes about the others, and how statements about them change that.
 *
 * The higher incarnation wins; of two statements with one incarnation the worse one:
 * alive < suspect < failed < left. A statement about another boot id is about another life.
 *
 *   alive ──suspected──► suspect ──time is up──► failed ──► forgotten after a day
 *     ▲                     │                      │
 *     └── refuted: alive with a higher incarnation, which only the member itself can claim
 *
 * A failure that arrives in a full state is not believed: it may be as old as the partition that has just
 * healed. It is held against the member, which is told so and probed next. And what is out of date is
 * answered with what is known, so that nobody judges a member that has left or refuted. Pure.
 */
import {
  type Evidence,
  MemberFailed,
  MemberJoined,
  MemberLeft,
  type MemberRecord,
  MemberRecovered,
  type MemberStatus,
  MemberSuspected,
  type MembershipEvent,
  MemberUpdated,
  type Metadata,
  type News
} from "#protocols/membership.ts"
import { confirmationsMax, patienceMillis, type SwimConfig } from "./swim-config.ts"

export interface Member {
  record: MemberRecord
  changedMillis: number
  suspicion: Suspicion | undefined
  /** Somebody holds it failed; it has not answered to that yet. */
  charge: News | undefined
}

interface Suspicion {
  startedMillis: number
  /** Who holds it, independently of each other; never more than count. */
  readonly by: Set<string>
  /** Its time was up, and it was asked so many times since. */
  asked: number
  askedMillis: number
}

/** Questions before a verdict. */
const lastChances = 3

/** What follows from a change. */
export interface Consequences {
  readonly publish: (event: MembershipEvent) => void
  /** Tells others. */
  readonly spread: (news: News) => void
  /** Tells others unless that is under way. */
  readonly repeat: (news: News) => void
  readonly met: (name: string) => void
  /** It should be probed next. */
  readonly charged: (name: string) => void
  readonly forgot: (name: string) => void
}

export class SwimMembers {
  readonly #selfName: string
  readonly #config: SwimConfig
  readonly #dice: () => number
  readonly #then: Consequences
  readonly #members = new Map<string, Member>()
  readonly #namesByAddress = new Map<string, string>()
  readonly #suspects = new Set<Member>()
  #peersCached: ReadonlyArray<Member> | undefined

  constructor(selfName: string, config: SwimConfig, dice: () => number, consequences: Consequences) {
    this.#selfName = selfName
    this.#config = config
    this.#dice = dice
    this.#then = consequences
  }

  get size(): number {
    return this.#members.size
  }

  get records(): ReadonlyArray<MemberRecord> {
    return [...this.#members.values()].map(({ record }) => record)
  }

  /** The members that are not known to be gone. Asked at every packet, changed rarely. */
  get peers(): ReadonlyArray<Member> {
    this.#peersCached ??= [...this.#members.values()].filter(isReachable)
    return this.#peersCached
  }

  get(name: string): Member | undefined {
    return this.#members.get(name)
  }

  /** Who is, or was last, at an address. */
  at(address: string): Member | undefined {
    return this.#members.get(this.#namesByAddress.get(address) ?? "")
  }

  isPeer(name: string): boolean {
    const member = this.#members.get(name)
    return member !== undefined && isReachable(member)
  }

  /** Some of the peers, by chance. */
  pick(count: number, except?: string): ReadonlyArray<MemberRecord> {
    const { peers } = this
    const picked: Array<MemberRecord> = []
    const start = Math.floor(this.#dice() * peers.length)
    const stride = this.#stride(peers.length)
    for (let step = 0; step < peers.length && picked.length < count; step++) {
      const peer = peers[(start + step * stride) % peers.length]
      if (peer !== undefined && peer.record.name !== except) picked.push(peer.record)
    }
    return picked
  }

  /** A stride that shares no factor with the number of peers visits each of them once. */
  #stride(count: number): number {
    for (;;) {
      const stride = 1 + Math.floor(this.#dice() * count)
      if (gcd(stride, count) <= 1) return stride
    }
  }

  /**
   * What a full state holds. Those long gone are left out: else two nodes would remind each other of
   * them for ever.
   */
  worthTelling(nowMillis: number): ReadonlyArray<MemberRecord> {
    const sinceMillis = nowMillis - this.#config.forgetAfterMillis / 2
    return [...this.#members.values()]
      .filter((member) => isReachable(member) || member.changedMillis > sinceMillis)
      .map(({ record }) => record)
  }

  /** What to tell whoever deals with a member that is not simply alive. */
  reservations(name: string): News | undefined {
    const member = this.#members.get(name)
    if (member === undefined || member.record.status === "alive") return undefined
    const [by = this.#selfName] = member.suspicion?.by ?? []
    return { record: member.record, by }
  }

  /** What to tell the member itself. */
  heldAgainst(address: string): News | undefined {
    const member = this.at(address)
    return member?.charge ?? (member && this.reservations(member.record.name))
  }

  /** What `by` says about a member other than ourselves, against what is known. */
  learn(heard: MemberRecord, by: string, what: Evidence["what"], nowMillis: number): void {
    const member = this.#members.get(heard.name)
    if (member === undefined) return this.#meet(heard, by, what, nowMillis)
    const known = member.record
    const isSameLife = heard.bootId === known.bootId
    if (heard.incarnation < known.incarnation) return this.#correct(heard, member)
    if (what === "sync" && heard.status === "failed" && isSameLife && isReachable(member))
      return this.#charge(member, heard, by, what, nowMillis)
    if (heard.incarnation === known.incarnation && rank[heard.status] <= rank[known.status]) {
      if (heard.status === "suspect" && known.status === "suspect") this.suspect(member, by, what, nowMillis)
      else if (rank[heard.status] < rank[known.status]) this.#correct(heard, member)
      return
    }
    if (!isSameLife) return this.#replace(member, heard, by, what, nowMillis)
    if (heard.status === "alive") return this.#revive(member, heard, by, what, nowMillis)
    if (heard.status === "suspect") {
      // It must have been alive with this incarnation, even if that news never came here.
      if (heard.incarnation > known.incarnation)
        this.#revive(member, { ...heard, status: "alive" }, by, what, nowMillis)
      return this.suspect(member, by, what, nowMillis)
    }
    const wasReachable = isReachable(member)
    this.#change(member, heard, nowMillis, by)
    if (!wasReachable) return
    if (heard.status === "left")
      this.#publish(MemberLeft, member, { source: by, what: "leave", confirmations: 0 })
    else this.#publish(MemberFailed, member, { source: by, what, confirmations: 0 })
  }

  suspect(member: Member, by: string, what: Evidence["what"], nowMillis: number): void {
    const { record, suspicion } = member
    if (suspicion !== undefined) {
      const enough = confirmationsMax(this.#config, this.peers.length - 1)
      if (suspicion.by.has(by) || suspicion.by.size > enough) return
      suspicion.by.add(by)
      return this.#then.spread({ record, by })
    }
    if (record.status !== "alive") return
    member.suspicion = { startedMillis: nowMillis, by: new Set([by]), asked: 0, askedMillis: 0 }
    this.#suspects.add(member)
    this.#change(member, { ...record, status: "suspect" }, nowMillis, by)
    this.#publish(MemberSuspected, member, { source: by, what, confirmations: 0 })
  }

  /**
   * The suspicions whose time is up. Each member is asked again, directly and through others, before the
   * verdict falls: its answer brings along the refutation that may have been missed.
   */
  judge(nowMillis: number, askAgain: (record: MemberRecord) => void): void {
    for (const member of this.#suspects) {
      const { record, suspicion } = member
      if (suspicion === undefined || nowMillis < this.#judgementMillis(suspicion)) continue
      if (suspicion.asked < lastChances) {
        suspicion.asked++
        suspicion.askedMillis = nowMillis
        askAgain(record)
        continue
      }
      const evidence: Evidence = {
        source: this.#selfName,
        what: "suspicion timeout",
        confirmations: suspicion.by.size - 1
      }
      this.#change(member, { ...record, status: "failed" }, nowMillis, this.#selfName)
      this.#publish(MemberFailed, member, evidence)
    }
  }

  /** When `judge` has something to do. */
  get nextMillis(): number {
    let next = Number.POSITIVE_INFINITY
    for (const { suspicion } of this.#suspects) {
      if (suspicion !== undefined) next = Math.min(next, this.#judgementMillis(suspicion))
    }
    return next
  }

  #judgementMillis({ asked, askedMillis, by, startedMillis }: Suspicion): number {
    if (asked > 0) return askedMillis + this.#config.probeTimeoutMillis
    const { length } = this.peers
    return startedMillis + patienceMillis(this.#config, length + 1, length - 1, by.size - 1)
  }

  /** We slept for that long, so nobody could refute: suspicions last that much longer. */
  delaySuspicions(millis: number, nowMillis: number): void {
    for (const { suspicion } of this.#suspects) {
      if (suspicion === undefined) continue
      suspicion.startedMillis = Math.min(nowMillis, suspicion.startedMillis + millis)
      suspicion.asked = 0
    }
  }

  forget(nowMillis: number): void {
    for (const member of this.#members.values()) {
      if (isReachable(member) || nowMillis - member.changedMillis <= this.#config.forgetAfterMillis) continue
      this.#remove(member)
    }
  }

  #meet(heard: MemberRecord, by: string, what: Evidence["what"], nowMillis: number): void {
    const isGone = !reachable[heard.status]
    if (this.#members.size >= this.#config.membersMax && (isGone || !this.#makeRoom())) return
    const suspected = heard.status === "suspect"
    const record: MemberRecord = suspected ? { ...heard, status: "alive" } : heard
    const changedMillis = isGone ? nowMillis - this.#config.forgetAfterMillis / 2 : nowMillis
    const member: Member = { record, changedMillis, suspicion: undefined, charge: undefined }
    this.#members.set(heard.name, member)
    this.#namesByAddress.set(heard.address, heard.name)
    this.#peersCached = undefined
    // A stranger that is gone is remembered, so that older news cannot bring it back, and not announced.
    if (isGone) return
    this.#then.met(heard.name)
    this.#then.spread({ record, by })
    this.#publish(MemberJoined, member, { source: by, what, confirmations: 0 })
    if (suspected) this.suspect(member, by, what, nowMillis)
  }

  #charge(member: Member, heard: MemberRecord, by: string, what: Evidence["what"], nowMillis: number): void {
    if (heard.incarnation > member.record.incarnation)
      this.#revive(member, { ...heard, status: "alive" }, by, what, nowMillis)
    if (member.charge === undefined) this.#then.charged(heard.name)
    member.charge = { record: heard, by }
  }

  #revive(member: Member, heard: MemberRecord, by: string, what: Evidence["what"], nowMillis: number): void {
    const { metadata, status } = member.record
    this.#change(member, heard, nowMillis, by)
    const told: Evidence = { source: by, what, confirmations: 0 }
    const refuted: Evidence = { ...told, what: "refutation" }
    if (status === "suspect") this.#publish(MemberRecovered, member, refuted)
    if (!reachable[status]) {
      this.#then.met(heard.name)
      this.#publish(MemberJoined, member, status === "failed" ? refuted : told)
    } else if (!sameMetadata(metadata, heard.metadata)) this.#publish(MemberUpdated, member, told)
  }

  /** Another life under the same name: the one we knew is over, whatever we thought of it. */
  #replace(member: Member, heard: MemberRecord, by: string, what: Evidence["what"], nowMillis: number): void {
    if (isReachable(member)) {
      member.record = { ...member.record, status: "failed" }
      this.#publish(MemberFailed, member, { source: by, what: "new boot id", confirmations: 0 })
    }
    this.#remove(member)
    this.#meet(heard, by, what, nowMillis)
  }

  /** Somebody is about to judge, or has judged, a member that has left or refuted. */
  #correct(heard: MemberRecord, { record }: Member): void {
    const isJudged = heard.status === "suspect" || heard.status === "failed"
    if (isJudged && (record.status === "left" || record.status === "alive"))
      this.#then.repeat({ record, by: this.#selfName })
  }

  #change(member: Member, record: MemberRecord, nowMillis: number, by: string): void {
    if (record.status !== "suspect") {
      member.charge = undefined
      member.suspicion = undefined
      this.#suspects.delete(member)
    }
    if (record.address !== member.record.address) this.#namesByAddress.delete(member.record.address)
    this.#namesByAddress.set(record.address, record.name)
    member.record = record
    member.changedMillis = nowMillis
    this.#peersCached = undefined
    this.#then.spread({ record, by })
  }

  #remove(member: Member): void {
    const { address, name } = member.record
    this.#members.delete(name)
    this.#suspects.delete(member)
    if (this.#namesByAddress.get(address) === name) this.#namesByAddress.delete(address)
    this.#peersCached = undefined
    this.#then.forgot(name)
  }

  /** Forgets whoever is gone longest. */
  #makeRoom(): boolean {
    let oldest: Member | undefined
    for (const member of this.#members.values()) {
      if (isReachable(member)) continue
      if (oldest === undefined || member.changedMillis < oldest.changedMillis) oldest = member
    }
    if (oldest !== undefined) this.#remove(oldest)
    return oldest !== undefined
  }

  #publish(
    Event: new (
      fields: { readonly member: MemberRecord; readonly evidence: Evidence },
      isValid: boolean
    ) => MembershipEvent,
    { record }: Member,
    evidence: Evidence
  ): void {
    this.#then.publish(new Event({ member: record, evidence }, true))
  }
}

/** Of two statements with one incarnation the worse one wins. */
const rank: Record<MemberStatus, number> = { alive: 0, suspect: 1, failed: 2, left: 3 }

const reachable: Record<MemberStatus, boolean> = { alive: true, suspect: true, failed: false, left: false }

const isReachable = ({ record }: Member): boolean => reachable[record.status]

/** Small and made of plain values; it comes anew with each packet. */
const sameMetadata = (left: Metadata, right: Metadata): boolean =>
  left === right || JSON.stringify(left) === JSON.stringify(right)

const gcd = (one: number, other: number): number => (other === 0 ? one : gcd(other, one % other))
