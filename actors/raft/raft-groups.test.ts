import test from "ava"
import { Raft } from "./raft.ts"
import { decodePacket, encodePacket, type Packet } from "./raft-codec.ts"
import { defaultConfig, type RaftConfig } from "./raft-config.ts"
import { RaftGroups } from "./raft-groups.ts"
import { Membership } from "./raft-membership.ts"

const ids = [1, 2, 3]

class Nodes {
  nowMillis = 0
  readonly nodes = ids.map((id) => new RaftGroups(id))
  readonly packets: Array<Packet> = []
  committed = 0
  isDown = (_id: number): boolean => false

  constructor(groups: number, config: Partial<RaftConfig> = {}) {
    for (const node of this.nodes) {
      for (let group = 1; group <= groups; group++) {
        const snapshot = { index: 0, term: 0, membership: new Membership(ids), id: 0, bytes: 0 }
        const dice = () => ((node.id * 7 + group * 3) % 10) / 10
        node.add(
          group,
          new Raft(node.id, { ...defaultConfig, ...config }, { snapshot, entries: [] }, 0, dice)
        )
      }
    }
  }

  node(id: number): RaftGroups {
    return this.nodes[id - 1] as RaftGroups
  }

  leaderOf(group: number): RaftGroups | undefined {
    return this.nodes.find((node) => !this.isDown(node.id) && node.raft(group)?.role === "leader")
  }

  turn(): boolean {
    let busy = false
    for (const node of this.nodes) {
      if (this.isDown(node.id)) continue
      node.tick(this.nowMillis)
      const { batches, packets } = node.take(this.nowMillis)
      busy ||= batches.length > 0 || packets.length > 0
      for (const { batch, group } of batches) {
        if (batch.writes) node.step(group, { _tag: "Persisted", seq: batch.seq }, this.nowMillis)
        this.committed += batch.committed.length
        const last = batch.committed.at(-1)
        if (last !== undefined) node.step(group, { _tag: "Applied", index: last.index }, this.nowMillis)
      }
      for (const packet of packets) {
        this.packets.push(packet)
        if (!this.isDown(packet.to))
          this.node(packet.to).receive(decodePacket(encodePacket(packet)), this.nowMillis)
      }
    }
    return busy
  }

  pass(millis: number): void {
    const endMillis = this.nowMillis + millis
    for (;;) {
      while (this.turn()) {}
      const live = this.nodes.filter((node) => !this.isDown(node.id))
      const next = Math.min(...live.map((node) => node.wakeMillis))
      if (next > endMillis) break
      this.nowMillis = Math.max(this.nowMillis, next)
    }
    this.nowMillis = endMillis
  }
}

test("each group elects its own leader, and heartbeats of all to a node share a packet", (t) => {
  const nodes = new Nodes(50)
  nodes.pass(3_000)
  for (let group = 1; group <= 50; group++) t.not(nodes.leaderOf(group), undefined)
  nodes.packets.length = 0
  nodes.pass(1_000)
  // Ten beats, each from three nodes to two, and the answers.
  t.true(nodes.packets.length <= 10 * 6 * 2 + 12, `${nodes.packets.length} packets`)
})

test("groups that are asleep have no alarm, and wake by themselves for a proposal", (t) => {
  const nodes = new Nodes(20, { quiesceMillis: 300 })
  nodes.pass(5_000)
  t.deepEqual(
    nodes.nodes.map((node) => node.wakeMillis),
    [Infinity, Infinity, Infinity]
  )
  nodes.packets.length = 0
  nodes.pass(1e6)
  t.is(nodes.packets.length, 0)
  nodes.committed = 0
  const result = nodes.leaderOf(7)?.ask(7, (raft) => raft.propose(new Uint8Array(1), nodes.nowMillis))
  t.is(result?._tag, "Proposed")
  nodes.pass(100)
  t.is(nodes.committed, 3)
})

test("when a node is gone its sleeping groups find new leaders", (t) => {
  const nodes = new Nodes(20, { quiesceMillis: 300 })
  nodes.pass(5_000)
  const gone = nodes.leaderOf(1)?.id ?? 0
  nodes.isDown = (id) => id === gone
  for (const node of nodes.nodes) if (node.id !== gone) node.peerChanged(gone, true, nodes.nowMillis)
  nodes.pass(5_000)
  for (let group = 1; group <= 20; group++) t.not(nodes.leaderOf(group), undefined)
})

test("what waits for the disk is in no packet before", (t) => {
  const node = new RaftGroups(2)
  const snapshot = { index: 0, term: 0, membership: new Membership(ids), id: 0, bytes: 0 }
  node.add(1, new Raft(2, defaultConfig, { snapshot, entries: [] }, 0, () => 0.5))
  node.take(0)
  const vote = {
    _tag: "Vote",
    from: 1,
    to: 2,
    term: 1,
    pre: false,
    transfer: false,
    lastIndex: 0,
    lastTerm: 0
  } as const
  node.receive({ from: 1, to: 2, messages: [{ group: 1, message: vote }] }, 5_000)
  const { batches, packets } = node.take(5_000)
  t.deepEqual(packets, [])
  node.step(1, { _tag: "Persisted", seq: batches[0]?.batch.seq ?? 0 }, 5_000)
  t.is(node.take(5_000).packets[0]?.messages[0]?.message._tag, "VoteReply")
})

test("messages for groups that are not here are reported", (t) => {
  const node = new RaftGroups(2)
  const message = { _tag: "TimeoutNow", from: 1, to: 2, term: 1 } as const
  t.deepEqual(node.receive({ from: 1, to: 2, messages: [{ group: 9, message }] }, 0), [9])
})
