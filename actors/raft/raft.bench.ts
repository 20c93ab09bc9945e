/**
 * What does the core cost: proposals through three members, a group that is idle, and the codec?
 *
 *   npm run bench raft            about ten seconds
 *   npm run bench raft 0.05       a quick look
 *
 * Expected: with a hundred proposals a turn more than 300,000 a second are committed through three members
 * that share one thread, since a turn costs some messages and an entry some pushes; a group that is asleep takes
 * no CPU, and one that is awake a heartbeat's; the codec is as fast as memory copies the entries. Nothing is
 * written: each batch counts as durable in the turn that took it.
 */
import { Prng } from "#chaos/sim/prng.ts"
import { Raft } from "./raft.ts"
import type { Batch } from "./raft-batch.ts"
import { decodePacket, encodePacket } from "./raft-codec.ts"
import { defaultConfig, type RaftConfig } from "./raft-config.ts"
import { RaftGroups } from "./raft-groups.ts"
import { Membership } from "./raft-membership.ts"
import type { Append, Entry, Message } from "./raft-messages.ts"

const scale = Number(process.argv[2] ?? 1)
const times = (count: number): number => Math.max(1, Math.round(count * scale))
const ids = [1, 2, 3]

const table = (head: ReadonlyArray<string>, rows: ReadonlyArray<ReadonlyArray<string | number>>): void => {
  const line = (cells: ReadonlyArray<string | number>) => `| ${cells.join(" | ")} |`
  console.log([line(head), line(head.map(() => "---")), ...rows.map(line), ""].join("\n"))
}

const seconds = (act: () => void): number => {
  const start = process.hrtime.bigint()
  act()
  return Number(process.hrtime.bigint() - start) / 1e9
}

const member = (id: number, config: RaftConfig, prng: Prng): Raft => {
  const snapshot = { index: 0, term: 0, membership: new Membership(ids), id: 0, bytes: 0 }
  return new Raft(id, config, { snapshot, entries: [] }, 0, () => prng.next())
}

/** Three members and no network: what one sends the others get in the same turn. */
const trio = () => {
  const prng = new Prng(1)
  const members = ids.map((id) => member(id, defaultConfig, prng))
  let committed = 0
  let messages = 0
  const settle = (nowMillis: number): void => {
    for (let busy = true; busy; ) {
      busy = false
      for (const raft of members) {
        const batch = raft.take(nowMillis)
        if (batch === undefined) continue
        busy = true
        carryOut(raft, batch, nowMillis)
      }
    }
  }
  const deliver = (message: Message, nowMillis: number): void => {
    messages++
    members[message.to - 1]?.step({ _tag: "Received", message }, nowMillis)
  }
  const carryOut = (raft: Raft, batch: Batch, nowMillis: number): void => {
    for (const message of batch.messages) deliver(message, nowMillis)
    if (batch.writes) raft.step({ _tag: "Persisted", seq: batch.seq }, nowMillis)
    for (const message of batch.persistedMessages) deliver(message, nowMillis)
    const last = batch.committed.at(-1)
    if (last === undefined) return
    raft.step({ _tag: "Applied", index: last.index }, nowMillis)
    if (raft.id === 1) committed += batch.committed.length
  }
  const first = members[0]
  if (first === undefined) throw new Error("nobody is there")
  first.step({ _tag: "Campaign" }, 1_500)
  settle(1_500)
  if (first.role !== "leader") throw new Error(`the first is ${first.role}`)
  return { first, members, settle, count: () => ({ committed, messages }) }
}

const throughput = (perTurn: number, count: number): ReadonlyArray<string | number> => {
  const data = new Uint8Array(256)
  const { count: counts, first, members, settle } = trio()
  let nowMillis = 1_500
  const round = (turns: number) => {
    for (let turn = 0; turn < turns; turn++) {
      nowMillis += 0.05
      for (let at = 0; at < perTurn; at++) first.propose(data, nowMillis)
      settle(nowMillis)
      for (const raft of members) if (raft.wakeMillis <= nowMillis) raft.step({ _tag: "Tick" }, nowMillis)
    }
  }
  round(Math.ceil(times(count / 4) / perTurn))
  const before = counts()
  const taken = seconds(() => round(Math.ceil(times(count) / perTurn)))
  const after = counts()
  const committed = after.committed - before.committed
  return [
    perTurn,
    committed,
    Math.round(committed / taken).toLocaleString("en"),
    ((after.messages - before.messages) / committed).toFixed(2),
    ((taken * 1e6) / committed).toFixed(2)
  ]
}

console.log("Proposals of 256 bytes, committed and applied by three members in one thread\n")
table(
  ["proposals a turn", "committed", "per second", "messages each", "CPU µs each"],
  [1, 10, 100, 1_000].map((perTurn) => throughput(perTurn, 1_000_000))
)

const idle = (groups: number, quiesceMillis: number): ReadonlyArray<string | number> => {
  const prng = new Prng(1)
  const config = { ...defaultConfig, quiesceMillis }
  globalThis.gc?.()
  const heapBefore = process.memoryUsage().heapUsed
  const nodes = ids.map((id) => new RaftGroups(id))
  for (const node of nodes)
    for (let group = 1; group <= groups; group++) node.add(group, member(node.id, config, prng))
  let packets = 0
  let bytes = 0
  const turn = (nowMillis: number): boolean => {
    let busy = false
    for (const node of nodes) {
      node.tick(nowMillis)
      const { batches, packets: outgoing } = node.take(nowMillis)
      busy ||= batches.length > 0 || outgoing.length > 0
      for (const { batch, group } of batches) {
        if (batch.writes) node.step(group, { _tag: "Persisted", seq: batch.seq }, nowMillis)
        const last = batch.committed.at(-1)
        if (last !== undefined) node.step(group, { _tag: "Applied", index: last.index }, nowMillis)
      }
      for (const packet of outgoing) {
        packets++
        const encoded = encodePacket(packet)
        bytes += encoded.length
        nodes[packet.to - 1]?.receive(decodePacket(encoded), nowMillis)
      }
    }
    return busy
  }
  let nowMillis = 0
  const pass = (millis: number) => {
    const endMillis = nowMillis + millis
    for (;;) {
      while (turn(nowMillis)) {}
      const next = Math.min(...nodes.map((node) => node.wakeMillis))
      if (next > endMillis) break
      nowMillis = Math.max(next, nowMillis)
    }
    nowMillis = endMillis
  }
  pass(10_000)
  globalThis.gc?.()
  const heap = process.memoryUsage().heapUsed - heapBefore
  packets = 0
  bytes = 0
  const cpuBefore = process.cpuUsage()
  pass(10_000)
  const { system, user } = process.cpuUsage(cpuBefore)
  return [
    groups,
    quiesceMillis === Number.POSITIVE_INFINITY ? "awake" : "asleep",
    globalThis.gc === undefined ? "–" : Math.round(heap / groups / 3),
    ((user + system) / 10 / 3 / groups).toFixed(2),
    (packets / 10 / 3).toFixed(1),
    (bytes / 10 / 3 / groups).toFixed(0)
  ]
}

console.log("Idle groups on three nodes, per node, codec included\n")
table(
  [
    "groups",
    "",
    "heap bytes a member",
    "CPU µs a group and second",
    "packets a second",
    "bytes a group and second"
  ],
  [100, 1_000].flatMap((groups) => [idle(groups, Number.POSITIVE_INFINITY), idle(groups, 1_000)])
)

const codec = (size: number): ReadonlyArray<string | number> => {
  const entries = Array.from(
    { length: 256 },
    (_, at): Entry => ({
      index: 1_000_001 + at,
      term: 7,
      kind: "normal",
      data: new Uint8Array(size).fill(at)
    })
  )
  const message: Append = {
    _tag: "Append",
    from: 1,
    to: 2,
    term: 7,
    prevIndex: 1_000_000,
    prevTerm: 7,
    commit: 999_900,
    round: 12_345,
    entries
  }
  const packet = { from: 1, to: 2, messages: [{ group: 1, message }] }
  const bytes = encodePacket(packet)
  const count = times(Math.round(2e9 / bytes.length / 10))
  let checksum = 0
  const write = () => {
    for (let at = 0; at < count; at++) checksum += encodePacket(packet).length
  }
  const read = () => {
    for (let at = 0; at < count; at++) checksum += decodePacket(bytes).messages.length
  }
  const rate = (taken: number) => Math.round((bytes.length * count) / taken / 1e6).toLocaleString("en")
  return [size, bytes.length, rate(seconds(write)), rate(seconds(read)), checksum]
}

console.log("Append of 256 entries\n")
table(["entry bytes", "packet bytes", "encode MB/s", "decode MB/s", "checksum"], [16, 256, 4_096].map(codec))
