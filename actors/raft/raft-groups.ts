/**
 * Many groups on one node, of which most are idle most of the time.
 *
 * Three things make that cheap. A group that is asleep has no alarm and is not looked at. Those that are awake
 * wait in one heap, so a turn costs what is due and not what there is. And heartbeats of all groups fall on
 * the same instants (multiples of the interval), so what one node says to another in a turn goes
 * into one packet, whose size raft-codec.ts keeps at some eight bytes a group.
 *
 * It also holds back what has to wait for the disk: packets may leave as soon as they are handed out. The
 * rest of what raft.ts asks of its shell stays with the shell, per group.
 */

import type { Raft, RaftEvent } from "./raft.ts"
import type { Batch } from "./raft-batch.ts"
import { check } from "./raft-check.ts"
import type { GroupMessage, Packet } from "./raft-codec.ts"
import type { Message, NodeId } from "./raft-messages.ts"

export interface GroupBatch {
  readonly group: number
  /** Its messages are in the packets, or will be once they may leave. */
  readonly batch: Batch
}

export interface GroupsTurn {
  readonly batches: ReadonlyArray<GroupBatch>
  readonly packets: ReadonlyArray<Packet>
}

interface Held {
  readonly seq: number
  readonly messages: ReadonlyArray<Message>
}

interface Group {
  readonly id: number
  readonly raft: Raft
  held: Array<Held> | undefined
  isDirty: boolean
  /** For when it is in the heap. */
  alarmMillis: number
}

interface Alarm {
  readonly atMillis: number
  readonly group: Group
}

export class RaftGroups {
  readonly id: NodeId
  readonly #groups = new Map<number, Group>()
  #dirty: Array<Group> = []
  readonly #heap: Array<Alarm> = []
  #outgoing = new Map<NodeId, Array<GroupMessage>>()

  constructor(id: NodeId) {
    this.id = id
  }

  get size(): number {
    return this.#groups.size
  }

  /** When it wants its next `tick`. */
  get wakeMillis(): number {
    return this.#heap[0]?.atMillis ?? Number.POSITIVE_INFINITY
  }

  raft(group: number): Raft | undefined {
    return this.#groups.get(group)?.raft
  }

  add(id: number, raft: Raft): void {
    check(raft.id === this.id && !this.#groups.has(id), "a node has one member of a group")
    const group: Group = { id, raft, held: undefined, isDirty: false, alarmMillis: Number.POSITIVE_INFINITY }
    this.#groups.set(id, group)
    this.#touch(group)
  }

  remove(id: number): void {
    this.#groups.delete(id)
  }

  /** Not known: the shell decides whether it should be. */
  step(id: number, event: RaftEvent, nowMillis: number): boolean {
    const group = this.#groups.get(id)
    if (group === undefined) return false
    group.raft.step(event, nowMillis)
    if (event._tag === "Persisted") this.#release(group, event.seq)
    this.#touch(group)
    return true
  }

  /** For requests: what it makes of the group is in the next turn. */
  ask<Answer>(id: number, request: (raft: Raft) => Answer): Answer | undefined {
    const group = this.#groups.get(id)
    if (group === undefined) return undefined
    const answer = request(group.raft)
    this.#touch(group)
    return answer
  }

  /** Returns groups that are not known here. */
  receive({ messages }: Packet, nowMillis: number): ReadonlyArray<number> {
    const unknown: Array<number> = []
    for (const { group, message } of messages)
      if (!this.step(group, { _tag: "Received", message }, nowMillis)) unknown.push(group)
    return unknown
  }

  tick(nowMillis: number): void {
    for (let next = this.#heap[0]; next !== undefined && next.atMillis <= nowMillis; next = this.#heap[0]) {
      this.#pop()
      const { atMillis, group } = next
      // An alarm that was set anew, or of a group that is gone.
      if (group.alarmMillis !== atMillis || this.#groups.get(group.id) !== group) continue
      group.alarmMillis = Number.POSITIVE_INFINITY
      if (group.raft.wakeMillis <= nowMillis) group.raft.step({ _tag: "Tick" }, nowMillis)
      this.#touch(group)
    }
  }

  /** What the node-level membership says, to all groups that have a member there. */
  peerChanged(node: NodeId, isDown: boolean, nowMillis: number): void {
    for (const group of this.#groups.values()) {
      if (!group.raft.membership.has(node)) continue
      group.raft.step({ _tag: isDown ? "PeerDown" : "PeerUp", node }, nowMillis)
      this.#touch(group)
    }
  }

  /** Everything to be done since the last turn. */
  take(nowMillis: number): GroupsTurn {
    const dirty = this.#dirty
    this.#dirty = []
    const batches: Array<GroupBatch> = []
    for (const group of dirty) {
      group.isDirty = false
      if (this.#groups.get(group.id) !== group) continue
      const batch = group.raft.take(nowMillis)
      this.#schedule(group)
      if (batch === undefined) continue
      for (const message of batch.messages) this.#send(group, message)
      if (batch.persistedMessages.length > 0) {
        group.held ??= []
        group.held.push({ seq: batch.seq, messages: batch.persistedMessages })
      }
      if (hasWork(batch)) batches.push({ group: group.id, batch })
    }
    const packets: Array<Packet> = []
    for (const [to, messages] of this.#outgoing) packets.push({ from: this.id, to, messages })
    this.#outgoing = new Map()
    return { batches, packets }
  }

  #touch(group: Group): void {
    if (group.isDirty) return
    group.isDirty = true
    this.#dirty.push(group)
  }

  #release(group: Group, seq: number): void {
    while (group.held?.[0] !== undefined && group.held[0].seq <= seq)
      for (const message of group.held.shift()?.messages ?? []) this.#send(group, message)
    if (group.held?.length === 0) group.held = undefined
  }

  #send({ id }: Group, message: Message): void {
    const messages = this.#outgoing.get(message.to)
    if (messages === undefined) this.#outgoing.set(message.to, [{ group: id, message }])
    else messages.push({ group: id, message })
  }

  /** Later alarms are found out when the earlier one rings. */
  #schedule(group: Group): void {
    const { wakeMillis } = group.raft
    if (wakeMillis >= group.alarmMillis) return
    group.alarmMillis = wakeMillis
    this.#push({ atMillis: wakeMillis, group })
  }

  #push(alarm: Alarm): void {
    const heap = this.#heap
    let at = heap.length
    heap.push(alarm)
    for (; at > 0; ) {
      const parent = (at - 1) >> 1
      const above = heap[parent] as Alarm
      if (above.atMillis <= alarm.atMillis) break
      heap[at] = above
      at = parent
    }
    heap[at] = alarm
  }

  #pop(): void {
    const heap = this.#heap
    const last = heap.pop()
    if (last === undefined || heap.length === 0) return
    let at = 0
    for (;;) {
      let child = at * 2 + 1
      const [left, right] = [heap[child], heap[child + 1]]
      if (left === undefined) break
      if (right !== undefined && right.atMillis < left.atMillis) child++
      const smaller = heap[child] as Alarm
      if (smaller.atMillis >= last.atMillis) break
      heap[at] = smaller
      at = child
    }
    heap[at] = last
  }
}

const hasWork = ({ committed, entriesWanted, reads, role, writes, ...rest }: Batch): boolean =>
  writes ||
  committed.length > 0 ||
  reads.length > 0 ||
  role !== undefined ||
  entriesWanted.length > 0 ||
  rest.chunks.length > 0 ||
  rest.chunksWanted.length > 0
