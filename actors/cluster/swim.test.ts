import test from "ava"
import { Prng } from "#chaos/sim/prng.ts"
import {
  type MemberRecord,
  type MemberStatus,
  Metadata,
  type News,
  type Packet
} from "#protocols/membership.ts"
import { Swim, type SwimEffect } from "./swim.ts"
import { defaultConfig } from "./swim-config.ts"

test("a suspected node refutes with a higher incarnation, and says so in the very ack", (t) => {
  const node = new Node()
  node.hears("a", ping(1, "me", [about("me", { status: "suspect", incarnation: 5 })]))
  t.is(node.swim.self.incarnation, 6)
  const [ack] = node.sent("ack")
  t.deepEqual(ack?.packet.news[0], { record: node.swim.self, by: "me" })
})

test("a refutation that was missed is said again without another incarnation", (t) => {
  const node = new Node()
  const accusing = ping(1, "me", [about("me", { status: "suspect", incarnation: 5 })])
  node.hears("a", accusing)
  for (let round = 0; round < 20; round++) node.hears("b", accusing)
  t.is(node.swim.self.incarnation, 6)
  t.true(node.sent("ack").every(({ packet }) => packet.news[0]?.record.incarnation === 6))
})

test("a node that is called failed comes back by itself", (t) => {
  const node = new Node()
  node.hears("a", gossip([about("me", { status: "failed", incarnation: 9 })]))
  t.like(node.swim.self, { status: "alive", incarnation: 10 })
})

test("a new life outbids what is said of the former one, even if its clock runs behind", (t) => {
  const node = new Node()
  node.hears("a", sync([about("me", { bootId: "old", incarnation: 1_000 }).record]))
  t.like(node.swim.self, { bootId: "me#1", incarnation: 1_001 })
  t.is(node.swim.awareness, 0, "that is no fault of this life")
})

test("what is said of a node's own past is ignored", (t) => {
  const node = new Node()
  node.hears("a", gossip([about("me", { status: "failed", incarnation: 4 })]))
  t.is(node.swim.self.incarnation, 5)
})

test("its own record, repeated by others with the same incarnation, changes nothing", (t) => {
  const node = new Node()
  node.hears("a", sync([node.swim.self]))
  t.is(node.swim.self.incarnation, 5)
})

test("a ping that is meant for another name gets no answer", (t) => {
  const node = new Node()
  node.hears("a", ping(1, "someone else"))
  t.deepEqual(node.sent("ack"), [])
})

test("a member that is suspected hears of it with the next packet, whatever that is", (t) => {
  const node = new Node().knows("a", "b", "c")
  node.hears("c", gossip([about("a", { status: "suspect" })]))
  for (let round = 0; round < 20; round++) node.tick(200)
  node.forget()
  node.hears("a", ping(1, "me"))
  t.like(node.sent("ack")[0]?.packet.news[0]?.record, { name: "a", status: "suspect" })
})

test("a member that was given up hears of it as soon as it speaks, so that it can come back", (t) => {
  const node = new Node().knows("a", "b")
  node.hears("b", gossip([about("a", { status: "failed" })]))
  for (let round = 0; round < 20; round++) node.tick(200)
  node.forget()
  node.hears("a", ping(1, "me"))
  t.like(node.sent("ack")[0]?.packet.news[0]?.record, { name: "a", status: "failed" })
})

test("a relay pings the target, passes on its ack, and says that it knows it alive", (t) => {
  const node = new Node().knows("a", "b")
  node.hears("a", pingRequest(7, "b"))
  const [forwarded] = node.sent("ping", "b")
  node.hears("b", ack(forwarded?.packet.seq ?? -1))
  const [passedOn] = node.sent("ack")
  t.is(passedOn?.to, "a")
  t.is(passedOn?.packet.seq, 7)
  t.like(passedOn?.packet.news[0]?.record, { name: "b", status: "alive" })
})

test("a relay whose target is silent says so, in time for the asker", (t) => {
  const node = new Node().knows("a", "b")
  node.hears("a", pingRequest(7, "b"))
  node.passes(defaultConfig.probeTimeoutMillis - 1)
  t.like(node.sent("nack")[0], { to: "a", packet: { seq: 7 } })
})

test("a relay that knows the target to have left says that along with its nack", (t) => {
  const node = new Node().knows("a", "b")
  node.hears("b", gossip([about("b", { status: "left" })]))
  node.answering = (to, packet) => (packet.kind === "ping" && to === "a" ? ack(packet.seq) : undefined)
  for (let round = 0; round < 20; round++) node.tick(200)
  node.forget()
  node.hears("a", pingRequest(7, "b"))
  node.passes(500)
  t.like(node.sent("nack")[0]?.packet.news[0]?.record, { name: "b", status: "left" })
})

test("no ack at all leads to a suspicion after one interval, and with silent relays to doubt in oneself", (t) => {
  const node = new Node().knows("a", "b", "c")
  node.passes(2_500)
  t.true(node.published.some((event) => event.startsWith("Suspected")))
  t.true(node.swim.awareness > 0)
})

test("with relays that answer, the silent one is suspected and nobody else", (t) => {
  const node = new Node().knows("a", "b", "c", "d", "e", "f")
  node.answering = (to, packet) => {
    if (packet.kind === "ping") return to === "a" ? undefined : ack(packet.seq)
    if (packet.kind === "ping-req") return packet.target === "a" ? nack(packet.seq) : ack(packet.seq)
    return undefined
  }
  node.passes(8_000)
  t.deepEqual(
    node.published.filter((event) => !event.startsWith("Joined")),
    ["Suspected a"]
  )
  t.is(node.swim.awareness, 0)
})

test("doubt stretches the next probes, and answers take it away again", (t) => {
  const node = new Node().knows("a", "b", "c")
  node.passes(20_000)
  t.true(node.swim.awareness >= 3)
  node.answering = (_to, packet) => (packet.kind === "ping" ? ack(packet.seq) : undefined)
  for (const name of ["a", "b", "c"]) node.hears(name, gossip([about(name, { incarnation: 50 })]))
  node.passes(120_000)
  t.is(node.swim.awareness, 0)
})

test("doubt is bounded", (t) => {
  const node = new Node().knows("a", "b", "c")
  for (let round = 0; round < 100; round++)
    node.hears("a", gossip([about("me", { status: "suspect", incarnation: 5 + round })]))
  t.is(node.swim.awareness, defaultConfig.awarenessMax - 1)
})

test("a node that was paused accuses nobody of its own silence", (t) => {
  const node = new Node().knows("a", "b", "c")
  node.tick(1_000)
  node.forget()
  node.nowMillis += 3_600_000
  node.tick(0)
  t.deepEqual(node.published, [])
  t.is(node.swim.awareness, 1)
})

test("a node that was paused while it suspected somebody leaves it the time that was left", (t) => {
  const node = new Node().knows("a", "b", "c")
  node.hears("c", gossip([about("a", { status: "suspect" })]))
  node.nowMillis += 3_600_000
  node.tick(0)
  node.tick(0)
  t.false(node.published.includes("Failed a"))
})

test("a leaving node pings until it was heard, and answers from then on without taking part", (t) => {
  const node = new Node().knows("a", "b")
  node.step({ _tag: "Leave" })
  t.is(node.swim.self.status, "left")
  node.passes(600)
  t.false(node.left)
  t.true(node.sent("ping").every(({ packet }) => packet.news[0]?.record.status === "left"))
  node.answering = (_to, packet) => (packet.kind === "ping" ? ack(packet.seq) : undefined)
  node.passes(600)
  t.true(node.left)
  node.forget()
  node.passes(60_000)
  t.deepEqual(node.sent("ping"), [])
  t.deepEqual(node.published, [])
  node.hears("a", ping(3, "me"))
  t.is(node.sent("ack").length, 1)
})

test("a goodbye that nobody hears ends after four seconds", (t) => {
  const node = new Node().knows("a", "b")
  node.step({ _tag: "Leave" })
  node.passes(4_400)
  t.true(node.left)
})

test("a node that has left does not refute", (t) => {
  const node = new Node().knows("a", "b")
  node.step({ _tag: "Leave" })
  node.hears("a", gossip([about("me", { status: "failed", incarnation: 5 })]))
  t.like(node.swim.self, { status: "left", incarnation: 5 })
})

test("new metadata goes out with a higher incarnation", (t) => {
  const node = new Node().knows("a", "b")
  node.forget()
  const metadata = new Metadata({ roles: ["db"], zone: "z", version: "2", ports: {} })
  node.step({ _tag: "Describe", metadata })
  node.tick(200)
  t.like(node.sent("gossip")[0]?.packet.news.find(({ record }) => record.name === "me")?.record, {
    incarnation: 6,
    metadata: { roles: ["db"] }
  })
})

test("a joining node offers its state to all seeds until one tells what it knows", (t) => {
  const node = new Node()
  node.step({ _tag: "Join", addresses: ["me", "s1", "s2"] })
  node.passes(4_000)
  const asked = node.syncs.map(({ to }) => to)
  t.true(asked.filter((to) => to === "s1").length >= 2)
  t.false(asked.includes("me"))
  node.hears("s1", sync([about("s1").record]))
  node.forget()
  node.answering = (_to, packet) => (packet.kind === "ping" ? ack(packet.seq) : undefined)
  node.passes(4_000)
  t.deepEqual(
    node.syncs.filter(({ to }) => to === "s1"),
    []
  )
})

test("a node whose whole view is gone turns to its seeds again", (t) => {
  const node = new Node()
  node.step({ _tag: "Join", addresses: ["s1"] })
  node.tick(200)
  node.hears("s1", sync([about("s1").record]))
  node.hears("s1", gossip([about("s1", { status: "left" })]))
  node.forget()
  node.passes(60_000)
  t.true(node.syncs.some(({ to }) => to === "s1"))
})

test("a stranger that pings is asked who it is, once in a while and not every time", (t) => {
  const node = new Node()
  for (let round = 0; round < 10; round++) node.hears("stranger", ping(round, "me"))
  t.is(node.syncs.filter(({ to, reply }) => to === "stranger" && reply).length, 1)
})

test("no packet holds more than sixteen news or forty records", (t) => {
  const node = new Node().knows(...Array.from({ length: 100 }, (_, index) => `n${index}`))
  node.passes(5_000)
  node.hears("n1", { kind: "sync", reply: true, records: [about("n1").record] })
  const answers = node.syncs.filter(({ to }) => to === "n1")
  t.true(answers.length >= 3)
  t.true(node.syncs.every(({ records }) => records <= 40))
  t.true(node.all.every((packet) => packet.kind === "sync" || packet.news.length <= 16))
})

test("an answer to a former life does not pass for one to this", (t) => {
  const sequences = [1, 2, 3, 4, 5].map((seed) => {
    const node = new Node(seed).knows("a", "b", "c")
    node.passes(1_100)
    return node.sent("ping")[0]?.packet.seq
  })
  t.is(new Set(sequences).size, 5)
})

type Newsy = Extract<Packet, { readonly news: ReadonlyArray<News> }>

/** One core called "me", and what it does. */
class Node {
  readonly swim: Swim
  nowMillis = 0
  published: Array<string> = []
  left = false
  all: Array<Packet> = []
  answering: (to: string, packet: Packet) => Packet | undefined = () => undefined
  #sent: Array<{ readonly to: string; readonly packet: Packet }> = []

  constructor(seed = 1) {
    const dice = new Prng(seed)
    this.swim = new Swim(about("me", { bootId: "me#1" }).record, defaultConfig, 0, () => dice.next())
  }

  knows(...names: ReadonlyArray<string>): this {
    for (const name of names) this.hears(name, gossip([about(name)]))
    return this
  }

  hears(from: string, packet: Packet): void {
    this.step({ _tag: "Received", from, packet })
  }

  step(event: Parameters<Swim["step"]>[0]): void {
    const answers: Array<readonly [from: string, packet: Packet]> = []
    for (const effect of this.swim.step(event, this.nowMillis)) {
      this.#note(effect)
      if (effect._tag !== "Send") continue
      const answer = this.answering(effect.to, effect.packet)
      if (answer !== undefined) answers.push([effect.to, answer])
    }
    for (const [from, packet] of answers) this.hears(from, packet)
  }

  tick(millis: number): void {
    this.nowMillis += millis
    this.step({ _tag: "Tick" })
  }

  /** Time passes, with a tick whenever it wants one. */
  passes(millis: number): void {
    const endMillis = this.nowMillis + millis
    while (this.swim.wakeMillis <= endMillis) {
      this.nowMillis = Math.max(this.nowMillis, this.swim.wakeMillis)
      this.step({ _tag: "Tick" })
    }
    this.nowMillis = endMillis
  }

  forget(): void {
    this.#sent = []
    this.published = []
  }

  sent<Kind extends Newsy["kind"]>(kind: Kind, to?: string) {
    return this.#sent.flatMap((sent) =>
      isKind(sent.packet, kind) && (to === undefined || to === sent.to)
        ? [{ to: sent.to, packet: sent.packet }]
        : []
    )
  }

  get syncs() {
    return this.#sent.flatMap(({ packet, to }) =>
      packet.kind === "sync" ? [{ to, reply: packet.reply, records: packet.records.length }] : []
    )
  }

  #note(effect: SwimEffect): void {
    if (effect._tag === "Send") {
      this.#sent.push(effect)
      this.all.push(effect.packet)
    } else if (effect._tag === "Publish") {
      const { _tag, member } = effect.event
      this.published.push(`${_tag.replace("Member", "")} ${member.name}`)
    } else this.left = true
  }
}

const isKind = <Kind extends Packet["kind"]>(
  packet: Packet,
  kind: Kind
): packet is Extract<Packet, { readonly kind: Kind }> => packet.kind === kind

const ping = (seq: number, target: string, news: ReadonlyArray<News> = []): Packet => ({
  kind: "ping",
  seq,
  target,
  news
})
const ack = (seq: number): Packet => ({ kind: "ack", seq, news: [] })
const nack = (seq: number): Packet => ({ kind: "nack", seq, news: [] })
const pingRequest = (seq: number, target: string): Packet => ({
  kind: "ping-req",
  seq,
  target,
  address: target,
  news: []
})
const gossip = (news: ReadonlyArray<News>): Packet => ({ kind: "gossip", news })
const sync = (records: ReadonlyArray<MemberRecord>): Packet => ({ kind: "sync", reply: false, records })

interface Changes {
  readonly status?: MemberStatus
  readonly incarnation?: number
  readonly bootId?: string
}

const about = (name: string, changes: Changes = {}): News => ({
  by: name,
  record: {
    name,
    address: name,
    bootId: `${name}#1`,
    incarnation: 5,
    status: "alive",
    metadata: new Metadata({ roles: [], zone: "a", version: "1", ports: {} }),
    ...changes
  }
})
