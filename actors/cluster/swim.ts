/**
 * SWIM (Das, Gupta, Motivala 2002) with Lifeguard's refinements (Dadgar, Phillips, Currey 2018).
 *
 * Each node probes one member per interval, in a shuffled round. If all of a probe's attempts fail it
 * gossips a suspicion, and only when nobody refutes that in time does it declare the member failed. News
 * rides on every packet, each item a bounded number of times.
 *
 * Lifeguard: a node that hears little doubts itself first (`awareness` stretches its own timeouts; relays
 * send a nack so that silence can be told from a dead relay); a suspicion starts patient and shortens as
 * others confirm it; a member learns what is held against it with the very next packet. Beyond the paper:
 * time that a node has slept through counts for nothing; a probe repeats itself; whoever leaves makes
 * sure that it was heard. The bounds that follow are in swim-config.ts.
 *
 * Pure: packets and ticks in, packets and events out, time and dice as arguments. A class and not a
 * fold, because a hundred members at five packets a second are not worth copying.
 */
import type { MemberRecord, MembershipEvent, Metadata, News, Packet } from "#protocols/membership.ts"
import { GossipQueue } from "./gossip-queue.ts"
import { type SwimConfig, syncEveryMillis } from "./swim-config.ts"
import { SwimMembers } from "./swim-members.ts"
import { SwimProbe } from "./swim-probe.ts"
import { SwimRelays } from "./swim-relays.ts"
import { SwimRound } from "./swim-round.ts"

/** With what is said about the receiver and the target on top, below what a packet may hold. */
const newsPerPacketMax = 12
/** Members in one sync packet; more go in several. */
const recordsPerSyncMax = 40
const seedsMax = 16
/** Gossip rounds after which a leaving node has tried enough. */
const goodbyeRoundsMax = 20

export type SwimEvent =
  | { readonly _tag: "Tick" }
  /** `from`: the address of the sender. */
  | { readonly _tag: "Received"; readonly from: string; readonly packet: Packet }
  | { readonly _tag: "Join"; readonly addresses: ReadonlyArray<string> }
  | { readonly _tag: "Describe"; readonly metadata: Metadata }
  | { readonly _tag: "Leave" }

export type SwimEffect =
  | { readonly _tag: "Send"; readonly to: string; readonly packet: Packet }
  | { readonly _tag: "Publish"; readonly event: MembershipEvent }
  /** Enough members have heard the goodbye. */
  | { readonly _tag: "Left" }

/** The members that are to hear a goodbye, pinged until they answer. */
interface Goodbye {
  readonly seq: number
  readonly unheard: Set<string>
  /** So many may stay unheard: the others tell them. */
  readonly enough: number
  readonly endMillis: number
}

type Unsent = DistributiveOmit<Exclude<Packet, { readonly kind: "sync" }>, "news">
type DistributiveOmit<Kind, Key extends PropertyKey> = Kind extends unknown ? Omit<Kind, Key> : never

export class Swim {
  readonly #config: SwimConfig
  readonly #dice: () => number
  #self: MemberRecord
  readonly #others: SwimMembers
  readonly #gossip = new GossipQueue()
  readonly #round: SwimRound
  readonly #relays = new SwimRelays()
  #awareness = 0
  /** Not from 0: an answer to a former life must not pass for one to this. */
  #seq: number
  #probe: SwimProbe | undefined
  #seeds: ReadonlyArray<string> = []
  #goodbye: Goodbye | undefined
  #nextProbeMillis: number
  #nextGossipMillis: number
  #nextSyncMillis: number
  #nextReconnectMillis: number
  #nextJoinMillis = Number.POSITIVE_INFINITY
  #joinPauseMillis: number
  #nextIntroductionMillis = Number.NEGATIVE_INFINITY
  #wakeMillis: number
  #effects: Array<SwimEffect> = []

  constructor(self: Omit<MemberRecord, "status">, config: SwimConfig, nowMillis: number, dice: () => number) {
    this.#config = config
    this.#dice = dice
    this.#self = { ...self, status: "alive" }
    this.#round = new SwimRound(dice)
    this.#others = new SwimMembers(self.name, config, dice, {
      publish: (event) => void this.#effects.push({ _tag: "Publish", event }),
      spread: (news) => this.#gossip.add(news),
      repeat: (news) => {
        if (!this.#gossip.has(news.record.name)) this.#gossip.add(news)
      },
      met: (name) => this.#round.add(name),
      charged: (name) => this.#round.addNext(name),
      forgot: (name) => this.#gossip.remove(name)
    })
    this.#seq = Math.floor(dice() * 2 ** 32)
    this.#joinPauseMillis = config.probeIntervalMillis
    // Nodes that start together should not probe together.
    this.#nextProbeMillis = nowMillis + dice() * config.probeIntervalMillis
    this.#nextGossipMillis = nowMillis + dice() * config.gossipIntervalMillis
    this.#nextSyncMillis = nowMillis + dice() * config.syncIntervalMillis
    this.#nextReconnectMillis = nowMillis + dice() * config.reconnectIntervalMillis
    this.#wakeMillis = this.#nextGossipMillis
  }

  get self(): MemberRecord {
    return this.#self
  }

  /** 0: healthy; each step stretches its own timeouts by as much again. */
  get awareness(): number {
    return this.#awareness
  }

  /** Itself included. */
  get members(): ReadonlyArray<MemberRecord> {
    return [this.#self, ...this.#others.records]
  }

  /** When it wants its next tick. */
  get wakeMillis(): number {
    return this.#wakeMillis
  }

  step(event: SwimEvent, nowMillis: number): ReadonlyArray<SwimEffect> {
    this.#effects = []
    this.#wakeUp(nowMillis)
    switch (event._tag) {
      case "Tick":
        this.#tick(nowMillis)
        break
      case "Received":
        this.#receive(event.from, event.packet, nowMillis)
        break
      case "Join":
        this.#seeds = event.addresses.filter((address) => address !== this.#self.address).slice(0, seedsMax)
        this.#nextJoinMillis = nowMillis
        break
      case "Describe":
        this.#claim(this.#self.incarnation + 1, { metadata: event.metadata })
        break
      case "Leave":
        this.#leave(nowMillis)
        break
    }
    // What is overdue now is not slept through twice.
    this.#wakeMillis = Math.max(nowMillis, this.#earliest())
    return this.#effects
  }

  // Time

  /**
   * It slept through its own deadlines: what went unanswered meanwhile says nothing about others. Their
   * answers may be waiting behind this very event.
   */
  #wakeUp(nowMillis: number): void {
    const sleptMillis = nowMillis - this.#wakeMillis
    if (sleptMillis < this.#config.gossipIntervalMillis) return
    this.#wakeMillis = nowMillis
    if (sleptMillis >= this.#config.probeIntervalMillis) this.#doubt(1)
    this.#probe?.delay(sleptMillis)
    this.#nextProbeMillis += sleptMillis
    this.#others.delaySuspicions(sleptMillis, nowMillis)
  }

  #tick(nowMillis: number): void {
    const { gossipIntervalMillis } = this.#config
    if (nowMillis >= this.#nextGossipMillis) {
      this.#nextGossipMillis = nowMillis + gossipIntervalMillis
      this.#spread()
      if (this.#goodbye !== undefined) this.#sayGoodbye(this.#goodbye, nowMillis)
    }
    for (const { askerAddress, askerSeq, target } of this.#relays.overdue(nowMillis)) {
      this.#send(askerAddress, { kind: "nack", seq: askerSeq }, [this.#others.reservations(target)])
    }
    if (this.#self.status === "left") return
    if (this.#probe !== undefined) this.#advanceProbe(this.#probe, nowMillis)
    if (nowMillis >= this.#nextProbeMillis) this.#startProbe(nowMillis)
    this.#others.judge(nowMillis, (record) => void this.#pingTogether(record, this.#seq++))
    if (nowMillis >= this.#nextJoinMillis) this.#join(nowMillis)
    if (nowMillis >= this.#nextSyncMillis) this.#syncByTurn(nowMillis)
    if (nowMillis >= this.#nextReconnectMillis) this.#reconnect(nowMillis)
  }

  #earliest(): number {
    const { nextMillis } = this.#relays
    if (this.#self.status === "left") return Math.min(this.#nextGossipMillis, nextMillis)
    return Math.min(
      // While there is nothing to tell nobody wakes for it.
      this.#gossip.size > 0 ? this.#nextGossipMillis : Number.POSITIVE_INFINITY,
      nextMillis,
      this.#nextProbeMillis,
      this.#probe?.nextMillis ?? Number.POSITIVE_INFINITY,
      this.#others.nextMillis,
      this.#nextSyncMillis,
      this.#nextReconnectMillis,
      this.#nextJoinMillis
    )
  }

  // Probing

  #startProbe(nowMillis: number): void {
    this.#nextProbeMillis = nowMillis + this.#config.probeIntervalMillis * (this.#awareness + 1)
    this.#probe = undefined
    const target = this.#round.next(
      () => this.#others.peers.map(({ record }) => record.name),
      (name) => this.#others.isPeer(name)
    )
    if (target === undefined) return
    this.#probe = new SwimProbe(target, this.#seq++, this.#config, this.#awareness, nowMillis)
    this.#advanceProbe(this.#probe, nowMillis)
  }

  #advanceProbe(probe: SwimProbe, nowMillis: number): void {
    const member = this.#others.get(probe.target)
    if (member === undefined || !this.#others.isPeer(probe.target)) {
      this.#probe = undefined
      return
    }
    const { address, name } = member.record
    switch (probe.advance(nowMillis)) {
      case "ping":
        return this.#send(address, { kind: "ping", seq: probe.seq, target: name })
      case "ask relays":
        return probe.askedRelays(this.#pingTogether(member.record, probe.seq))
      case "failed":
        this.#probe = undefined
        if (probe.blamesItself) this.#doubt(1)
        return this.#others.suspect(member, this.#self.name, "probe", nowMillis)
    }
  }

  /** Pings a member and has others ping it too; returns how many. */
  #pingTogether({ address, name }: MemberRecord, seq: number): number {
    this.#send(address, { kind: "ping", seq, target: name })
    const relays = this.#others.pick(this.#config.indirectProbes, name)
    const told = [this.#others.reservations(name)]
    for (const relay of relays)
      this.#send(relay.address, { kind: "ping-req", seq, target: name, address }, told)
    return relays.length
  }

  #doubt(by: number): void {
    this.#awareness = Math.max(0, Math.min(this.#config.awarenessMax - 1, this.#awareness + by))
  }

  // Receiving

  #receive(from: string, packet: Packet, nowMillis: number): void {
    if (packet.kind === "sync") return this.#merge(from, packet.reply, packet.records, nowMillis)
    const { incarnation } = this.#self
    for (const { by, record } of packet.news) this.#learn(record, by, "gossip", nowMillis)
    if (this.#others.at(from) === undefined) this.#introduce(from, nowMillis)
    switch (packet.kind) {
      case "ping": {
        // Meant for whoever had this address before.
        if (packet.target !== this.#self.name) return
        // Whoever doubts us may have missed what was said to refute.
        const isDoubted = packet.news.some(({ record }) => record.name === this.#self.name)
        if (isDoubted && incarnation === this.#self.incarnation) this.#claim(incarnation, {})
        return this.#send(from, { kind: "ack", seq: packet.seq }, isDoubted ? [this.#news] : [])
      }
      case "ping-req": {
        const { probeTimeoutMillis } = this.#config
        const { address, target } = packet
        const seq = this.#seq++
        const isTaken = this.#relays.add(seq, {
          askerAddress: from,
          askerSeq: packet.seq,
          target,
          nackMillis: nowMillis + probeTimeoutMillis * 0.8,
          endMillis: nowMillis + probeTimeoutMillis * 4
        })
        if (isTaken) this.#send(address, { kind: "ping", seq, target }, [this.#others.reservations(target)])
        return
      }
      case "ack":
        return this.#acked(from, packet.seq)
      case "nack":
        return this.#probe?.nack(packet.seq)
    }
  }

  #acked(from: string, seq: number): void {
    const relay = this.#relays.take(seq)
    if (relay !== undefined) {
      // The asker may hold against it what it has refuted.
      const record = this.#others.get(relay.target)?.record
      const known = record?.status === "alive" ? { record, by: this.#self.name } : undefined
      return this.#send(relay.askerAddress, { kind: "ack", seq: relay.askerSeq }, [known])
    }
    if (this.#probe?.ack(seq)) this.#doubt(-1)
    if (this.#goodbye?.seq === seq) this.#goodbye.unheard.delete(this.#others.at(from)?.record.name ?? "")
  }

  #merge(from: string, reply: boolean, records: ReadonlyArray<MemberRecord>, nowMillis: number): void {
    const by = this.#others.at(from)?.record.name ?? from
    for (const record of records) this.#learn(record, by, "sync", nowMillis)
    if (reply) this.#syncWith(from, false, nowMillis)
    else if (this.#others.peers.length > 0) this.#nextJoinMillis = Number.POSITIVE_INFINITY
  }

  #learn(heard: MemberRecord, by: string, what: "gossip" | "sync", nowMillis: number): void {
    if (heard.name === this.#self.name) this.#learnOfSelf(heard)
    else this.#others.learn(heard, by, what, nowMillis)
  }

  /** Somebody thinks us gone, or means a former life of ours: say otherwise, louder. */
  #learnOfSelf(heard: MemberRecord): void {
    const { bootId, incarnation, status } = this.#self
    if (status === "left" || heard.incarnation < incarnation) return
    const isThisLife = heard.bootId === bootId
    if (isThisLife && heard.status === "alive" && heard.incarnation === incarnation) return
    if (isThisLife && heard.status !== "alive") this.#doubt(1)
    this.#claim(heard.incarnation + 1, {})
  }

  #claim(incarnation: number, changes: Partial<MemberRecord>): void {
    this.#self = { ...this.#self, ...changes, incarnation }
    this.#gossip.add(this.#news)
  }

  get #news(): News {
    return { record: this.#self, by: this.#self.name }
  }

  // Spreading

  #spread(): void {
    // Alone there is nobody to tell, and by the time somebody comes the news is old.
    if (this.#others.peers.length === 0) return this.#gossip.clear()
    for (const { address } of this.#others.pick(this.#config.gossipFanout)) {
      // What one packet takes may have been the last of it.
      if (this.#gossip.size > 0) this.#send(address, { kind: "gossip" })
    }
  }

  /** The buddy system, and more: what is held against the receiver goes first, then what the packet is about. */
  #send(to: string, packet: Unsent, about: ReadonlyArray<News | undefined> = []): void {
    const first: Array<News> = []
    for (const news of [this.#others.heldAgainst(to), ...about]) {
      if (news !== undefined && !has(first, news.record.name)) first.push(news)
    }
    const more = this.#gossip.take(newsPerPacketMax, this.#others.size + 1)
    const news =
      first.length === 0 ? more : [...first, ...more.filter(({ record }) => !has(first, record.name))]
    this.#effects.push({ _tag: "Send", to, packet: { ...packet, news } })
  }

  #syncWith(address: string, reply: boolean, nowMillis: number): void {
    const members = [this.#self, ...this.#others.worthTelling(nowMillis)]
    for (let first = 0; first < members.length; first += recordsPerSyncMax) {
      const records = members.slice(first, first + recordsPerSyncMax)
      const isLast = first + recordsPerSyncMax >= members.length
      this.#effects.push({
        _tag: "Send",
        to: address,
        packet: { kind: "sync", reply: reply && isLast, records }
      })
    }
  }

  #syncByTurn(nowMillis: number): void {
    this.#nextSyncMillis = nowMillis + syncEveryMillis(this.#config, this.#others.peers.length + 1)
    this.#others.forget(nowMillis)
    const [partner] = this.#others.pick(1)
    if (partner !== undefined) this.#syncWith(partner.address, true, nowMillis)
    else if (this.#nextJoinMillis === Number.POSITIVE_INFINITY) this.#nextJoinMillis = nowMillis
  }

  /** All seeds at once, until one has told what it knows. */
  #join(nowMillis: number): void {
    this.#nextJoinMillis =
      this.#seeds.length === 0 ? Number.POSITIVE_INFINITY : nowMillis + this.#joinPauseMillis
    this.#joinPauseMillis = Math.min(this.#joinPauseMillis * 2, this.#config.reconnectIntervalMillis)
    for (const seed of this.#seeds) this.#syncWith(seed, true, nowMillis)
  }

  /** Somebody knows us whom we do not know: after a restart, say, or because this node has forgotten it. */
  #introduce(address: string, nowMillis: number): void {
    if (nowMillis < this.#nextIntroductionMillis || this.#self.status === "left") return
    const { probeIntervalMillis, reconnectIntervalMillis } = this.#config
    const isAlone = this.#others.peers.length === 0
    this.#nextIntroductionMillis = nowMillis + (isAlone ? probeIntervalMillis : reconnectIntervalMillis)
    this.#syncWith(address, true, nowMillis)
  }

  /** One of those who are gone, or one of the seeds that are not here: it may only have been cut off. */
  #reconnect(nowMillis: number): void {
    this.#nextReconnectMillis = nowMillis + this.#config.reconnectIntervalMillis * (0.5 + this.#dice())
    const failed = this.#others.records.filter(({ status }) => status === "failed")
    // A seed that has left is tried too: back again, it may know nobody to turn to.
    const absent = this.#seeds.filter(
      (seed) => !this.#others.isPeer(this.#others.at(seed)?.record.name ?? "")
    )
    const candidates = [...failed.map(({ address }) => address), ...absent]
    const address = candidates[Math.floor(this.#dice() * candidates.length)]
    if (address !== undefined) this.#syncWith(address, true, nowMillis)
  }

  // Leaving

  #leave(nowMillis: number): void {
    if (this.#self.status === "left") return
    this.#claim(this.#self.incarnation, { status: "left" })
    this.#probe = undefined
    const unheard = new Set(this.#others.peers.map(({ record }) => record.name))
    this.#goodbye = {
      seq: this.#seq++,
      unheard,
      enough: Math.max(0, unheard.size - 2 * Math.ceil(Math.log2(unheard.size + 1))),
      endMillis: nowMillis + goodbyeRoundsMax * this.#config.gossipIntervalMillis
    }
    this.#nextGossipMillis = nowMillis
  }

  #sayGoodbye({ endMillis, enough, seq, unheard }: Goodbye, nowMillis: number): void {
    if (unheard.size <= enough || nowMillis >= endMillis) {
      this.#goodbye = undefined
      this.#effects.push({ _tag: "Left" })
      return
    }
    const waiting = this.#others.peers.filter(({ record }) => unheard.has(record.name))
    const first = Math.floor(this.#dice() * waiting.length)
    for (let count = 0; count < Math.min(2 * this.#config.gossipFanout, waiting.length); count++) {
      const member = waiting[(first + count) % waiting.length]
      if (member === undefined) continue
      const { address, name } = member.record
      this.#send(address, { kind: "ping", seq, target: name }, [this.#news])
    }
  }
}

const has = (news: ReadonlyArray<News>, name: string): boolean =>
  news.some(({ record }) => record.name === name)
