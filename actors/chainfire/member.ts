/**
 * One member of chainfire: a raft core, the journal that makes its log durable, and the state machine that the
 * log drives. Callers hold this object and call it directly; nothing on the way of a write is a promise or an
 * Effect.
 *
 *   propose ─► raft ─► take ─► journal ─ sync ─► Persisted ─┐
 *                        ├──► other members ─► their answers ┴─► committed ─► state machine ─► answers
 *   read ────► raft ─► a round to a quorum, or a lease ─► Readable ─► once applied that far: now
 *
 * Everything that happened since the last turn is carried out in one: one batch for the journal and its
 * one fsync, one packet for each member. The shell calls `turn` soon after `wake` was called, and when
 * `wakeMillis` has come.
 *
 * The store is written without waiting for the disk. The journal keeps every entry until the store has
 * flushed what the entry did, so after a crash the rest is applied again.
 */
import type { Either } from "effect"
import type { Journal } from "#actors/kernel/ports/journal.ts"
import { isStorageFault, type StorageFault } from "#actors/kernel/ports/storage-faults.ts"
import { Raft } from "#actors/raft/raft.ts"
import type { Batch, HardState, ReadRefusal, RoleChange } from "#actors/raft/raft-batch.ts"
import type { RaftConfig } from "#actors/raft/raft-config.ts"
import type { Membership } from "#actors/raft/raft-membership.ts"
import type { Entry, EntryKind, Message, NodeId } from "#actors/raft/raft-messages.ts"
import type { Refusal } from "#actors/raft/raft-proposals.ts"
import type { EtcdError } from "#protocols/wire/etcd/errors.ts"
import { decodeCommand } from "./command.ts"
import { type Response, StateMachine } from "./state-machine.ts"
import type { StoreTables } from "./store-tables.ts"
import { WatchHub } from "./watch-hub.ts"

export interface MemberPorts {
  readonly journal: Journal
  readonly tables: StoreTables
  /** May lose it. */
  readonly send: (to: NodeId, messages: ReadonlyArray<Message>) => void
  /** There is something to do: call `turn` soon. */
  readonly wake: () => void
  /** The disk has failed this member: it takes part no longer. */
  readonly failed: (fault: StorageFault) => void
  /** Monotonic. */
  readonly nowMillis: () => number
  readonly random: () => number
}

export interface MemberOptions {
  readonly id: NodeId
  /** Of a group that begins; later ones are in the log. */
  readonly membership: Membership
  readonly config: RaftConfig
}

/** The command was not proposed, or it is not known whether it was carried out. */
export type ProposalRefusal =
  | { readonly _tag: "Refused"; readonly refusal: Refusal }
  /** Another leader's entry took its place: nothing happened. */
  | { readonly _tag: "Superseded" }
  /** No quorum has it yet; it may be carried out still. */
  | { readonly _tag: "TimedOut" }
  | { readonly _tag: "Failed"; readonly fault: StorageFault }

export type Proposed =
  | { readonly _tag: "Applied"; readonly outcome: Either.Either<Response, EtcdError> }
  | ProposalRefusal

interface Waiting {
  readonly term: number
  readonly untilMillis: number
  readonly done: (proposed: Proposed) => void
}

/** The journal has room for many groups; chainfire is one. */
const group = 1
const kinds: ReadonlyArray<EntryKind> = ["normal", "change", "noop"]
const leaseSecondsMin = 2
/** How long a command may take, besides two elections; as etcd has it. */
const proposalMillis = 5_000
/** Commands of which the answer is awaited, and reads. */
const waitingMax = 65_536

export class Member {
  readonly #ports: MemberPorts
  readonly #config: RaftConfig
  readonly #raft: Raft
  readonly machine: StateMachine
  readonly hub: WatchHub
  /** By the index of their entry. */
  readonly #waiting = new Map<number, Waiting>()
  readonly #reads = new Map<number, (refused: ReadRefusal | undefined) => void>()
  /** Readable once the state machine has come so far. */
  #readable: Array<{ readonly index: number; readonly done: (refused: ReadRefusal | undefined) => void }> = []
  #readIds = 0
  /** Callers that came while there was no leader. */
  #ledWaiters: Array<{ readonly untilMillis: number; readonly done: (led: boolean) => void }> = []
  #failed: StorageFault | undefined
  /** Up to which compaction was swept, and where the sweep goes on. */
  #swept = -1
  #sweepFrom: Uint8Array | undefined

  constructor(options: MemberOptions, ports: MemberPorts) {
    this.#ports = ports
    this.#config = options.config
    this.machine = new StateMachine(ports.tables, leaseSecondsMin, ports.nowMillis, {
      changed: (revision, changes) => this.hub.publish(revision, changes)
    })
    this.hub = new WatchHub(this.machine.mvcc)
    this.#raft = new Raft(
      options.id,
      options.config,
      { ...remembered(ports.journal, options.membership), applied: this.machine.appliedIndex },
      ports.nowMillis(),
      ports.random
    )
  }

  get id(): NodeId {
    return this.#raft.id
  }

  get status() {
    return this.#raft.status
  }

  get leader(): NodeId {
    return this.#raft.leader
  }

  get term(): number {
    return this.#raft.term
  }

  get failed(): StorageFault | undefined {
    return this.#failed
  }

  get wakeMillis(): number {
    return this.#failed === undefined ? this.#raft.wakeMillis : Number.POSITIVE_INFINITY
  }

  /** Calls back once a leader is known, or with false after five elections' time without one. */
  whenLed(done: (led: boolean) => void): void {
    if (this.leader !== 0) return done(true)
    if (this.#failed !== undefined || this.#ledWaiters.length >= waitingMax) return done(false)
    const untilMillis = this.#ports.nowMillis() + 5 * this.#config.electionMillis
    this.#ledWaiters.push({ untilMillis, done })
  }

  #answerLed(nowMillis: number): void {
    if (this.#ledWaiters.length === 0) return
    const led = this.leader !== 0
    const over = this.#ledWaiters.filter(({ untilMillis }) => led || untilMillis <= nowMillis)
    if (over.length === 0) return
    this.#ledWaiters = led ? [] : this.#ledWaiters.filter(({ untilMillis }) => untilMillis > nowMillis)
    for (const { done } of over) done(led)
  }

  /** A command as `encodeCommand` makes it. `done` is called once, unless this member stops before. */
  propose(command: Uint8Array, done: (proposed: Proposed) => void): void {
    if (this.#failed !== undefined) return done({ _tag: "Failed", fault: this.#failed })
    if (this.#waiting.size >= waitingMax) {
      const uncommittedBytes = this.#raft.status.uncommittedBytes
      return done({ _tag: "Refused", refusal: { _tag: "Overloaded", uncommittedBytes } })
    }
    const nowMillis = this.#ports.nowMillis()
    const proposed = this.#raft.propose(command, nowMillis)
    if (proposed._tag !== "Proposed") return done({ _tag: "Refused", refusal: proposed })
    const untilMillis = nowMillis + proposalMillis + 2 * this.#config.electionMillis
    this.#giveUp(proposed.index)
    this.#waiting.set(proposed.index, { term: proposed.term, untilMillis, done })
    this.#ports.wake()
  }

  /** Calls back when the state machine has all that was acknowledged to anybody before this was called. */
  read(done: (refused: ReadRefusal | undefined) => void): void {
    if (this.#failed !== undefined) return done("NoLeader")
    if (this.#reads.size + this.#readable.length >= waitingMax) return done("Overloaded")
    const id = ++this.#readIds
    this.#reads.set(id, done)
    this.#raft.read(id, this.#ports.nowMillis())
    this.#ports.wake()
  }

  /** An entry that was cut off this log has left its index to another one; some other log may have it still. */
  #giveUp(index: number): void {
    const waiting = this.#waiting.get(index)
    this.#waiting.delete(index)
    waiting?.done({ _tag: "TimedOut" })
  }

  /** In the order of their proposals, which is that of their deadlines. */
  #expire(nowMillis: number): void {
    for (const [index, { done, untilMillis }] of this.#waiting) {
      if (untilMillis > nowMillis) return
      this.#waiting.delete(index)
      done({ _tag: "TimedOut" })
    }
  }

  receive(messages: ReadonlyArray<Message>): void {
    if (this.#failed !== undefined) return
    const nowMillis = this.#ports.nowMillis()
    for (const message of messages) this.#raft.step({ _tag: "Received", message }, nowMillis)
    this.#ports.wake()
  }

  /** Removes some of what compaction has made unreachable. Every member does so for itself. */
  sweep(versionsMax: number): void {
    const { mvcc } = this.machine
    if (this.#failed !== undefined) return
    if (this.#sweepFrom === undefined && this.#swept === mvcc.compactRevision) return
    this.#swept = mvcc.compactRevision
    try {
      this.#sweepFrom = mvcc.sweep(this.#sweepFrom ?? new Uint8Array(0), versionsMax)
      const more = mvcc.sweepChanges(versionsMax)
      if (more) this.#swept = -1
      this.#ports.tables.write()
    } catch (problem) {
      this.#fail(problem)
    }
  }

  turn(): void {
    if (this.#failed !== undefined) return
    const nowMillis = this.#ports.nowMillis()
    if (this.#raft.wakeMillis <= nowMillis) this.#raft.step({ _tag: "Tick" }, nowMillis)
    try {
      for (let batch = this.#take(); batch !== undefined; batch = this.#take()) this.#carryOut(batch)
      this.#answerLed(nowMillis)
      this.#expire(nowMillis)
    } catch (problem) {
      this.#fail(problem)
    }
  }

  #take(): Batch | undefined {
    return this.#raft.take(this.#ports.nowMillis())
  }

  #carryOut(batch: Batch): void {
    const { journal } = this.#ports
    if (batch.entries.length > 0) journal.append(batch.entries.map(toJournal))
    if (batch.hardState !== undefined) journal.state(group, encodeHardState(batch.hardState))
    this.#send(batch.messages)
    if (batch.writes || batch.persistedMessages.length > 0) {
      journal.sync((fault) => this.#persisted(batch, fault))
    }
    if (batch.role !== undefined) this.#roleChanged(batch.role)
    for (const entry of batch.committed) this.#apply(entry)
    const last = batch.committed.at(-1)
    if (last !== undefined) this.#step({ _tag: "Applied", index: last.index })
    for (const outcome of batch.reads) {
      const done = this.#reads.get(outcome.read)
      this.#reads.delete(outcome.read)
      if (done === undefined) continue
      if (outcome._tag === "Refused") done(outcome.reason)
      else this.#readable.push({ index: outcome.index, done })
    }
    this.#answerReads()
    for (const { bytesMax, from, to } of batch.entriesWanted) {
      const entries = journal.read(group, from, to, bytesMax).map(fromJournal)
      this.#step({ _tag: "Entries", from, entries })
    }
  }

  #persisted(batch: Batch, fault: StorageFault | undefined): void {
    if (this.#failed !== undefined) return
    if (fault !== undefined) return this.#fail(fault)
    this.#send(batch.persistedMessages)
    if (batch.writes) this.#step({ _tag: "Persisted", seq: batch.seq })
    this.#ports.wake()
  }

  #step(event: Parameters<Raft["step"]>[0]): void {
    this.#raft.step(event, this.#ports.nowMillis())
  }

  #send(messages: ReadonlyArray<Message>): void {
    if (messages.length === 0) return
    const byMember = new Map<NodeId, Array<Message>>()
    for (const message of messages) {
      const known = byMember.get(message.to)
      if (known === undefined) byMember.set(message.to, [message])
      else known.push(message)
    }
    for (const [to, all] of byMember) this.#ports.send(to, all)
  }

  #apply({ data, index, kind, term }: Entry): void {
    const command = kind === "normal" ? decodeCommand(data) : undefined
    const outcome = this.machine.apply(index, term, command)
    this.#ports.tables.write()
    const waiting = this.#waiting.get(index)
    if (waiting === undefined) return
    this.#waiting.delete(index)
    if (waiting.term !== term || outcome === undefined) waiting.done({ _tag: "Superseded" })
    else waiting.done({ _tag: "Applied", outcome })
  }

  #answerReads(): void {
    const { appliedIndex } = this.machine
    const due = this.#readable.filter(({ index }) => index <= appliedIndex)
    if (due.length === 0) return
    this.#readable = this.#readable.filter(({ index }) => index > appliedIndex)
    for (const { done } of due) done(undefined)
  }

  #roleChanged(change: RoleChange): void {
    const { lessor } = this.machine
    const leads = change.role === "leader"
    // Nobody may have counted for as long as an election takes.
    if (leads && !lessor.counts) lessor.promote(this.#ports.nowMillis(), this.#config.electionMillis)
    if (!leads && lessor.counts) lessor.demote()
  }

  /** What the disk did not take is not acknowledged, and nothing is any more. */
  #fail(problem: unknown): void {
    if (!isStorageFault(problem)) throw problem
    this.#failed = problem
    const waiting = [...this.#waiting.values()]
    this.#waiting.clear()
    const reads = [...this.#reads.values(), ...this.#readable.map(({ done }) => done)]
    this.#reads.clear()
    this.#readable = []
    for (const { done } of waiting) done({ _tag: "Failed", fault: problem })
    const led = this.#ledWaiters
    this.#ledWaiters = []
    for (const { done } of led) done(false)
    for (const done of reads) done("NoLeader")
    this.#ports.failed(problem)
  }
}

const remembered = (journal: Journal, membership: Membership) => {
  const found = journal.group(group)
  const snapshot = { index: 0, term: 0, membership, id: 0, bytes: 0 }
  if (found === undefined) return { snapshot, entries: [] }
  return {
    snapshot,
    entries: entriesOf(journal, found.compactedIndex + 1, found.lastIndex),
    ...(found.state.length > 0 && { hardState: decodeHardState(found.state) })
  }
}

const readBytesMax = 8 * 1024 * 1024

function* entriesOf(journal: Journal, from: number, last: number): Iterable<Entry> {
  for (let next = from; next <= last; ) {
    const read = journal.read(group, next, last + 1, readBytesMax)
    if (read.length === 0) throw new Error(`the journal has no entry ${next}, and should`)
    for (const entry of read) yield fromJournal(entry)
    next += read.length
  }
}

const toJournal = ({ data, index, kind, term }: Entry) => {
  const bytes = new Uint8Array(1 + data.length)
  bytes[0] = kinds.indexOf(kind)
  bytes.set(data, 1)
  return { group, index, term, bytes }
}

const fromJournal = ({
  bytes,
  index,
  term
}: {
  readonly bytes: Uint8Array
  readonly index: number
  readonly term: number
}): Entry => ({ index, term, kind: kinds[bytes[0] ?? 0] ?? "normal", data: bytes.subarray(1) })

const encodeHardState = ({ commit, term, vote }: HardState): Uint8Array => {
  const bytes = new Uint8Array(24)
  const view = new DataView(bytes.buffer)
  view.setFloat64(0, term)
  view.setFloat64(8, vote)
  view.setFloat64(16, commit)
  return bytes
}

const decodeHardState = (bytes: Uint8Array): HardState => {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength)
  return { term: view.getFloat64(0), vote: view.getFloat64(8), commit: view.getFloat64(16) }
}
