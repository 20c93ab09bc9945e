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
 * flushed what the entry did, so after a crash the rest is applied again. What is flushed is compacted away
 * now and then, but for a tail that lets others catch up; who is further behind gets a snapshot.
 *
 * While the snapshot of a leader takes the place of the state, nothing else is carried out.
 */
import { Either } from "effect"
import type { Journal } from "#actors/kernel/ports/journal.ts"
import { isStorageFault, type StorageFault } from "#actors/kernel/ports/storage-faults.ts"
import type { Spans } from "#actors/kernel/tracing.ts"
import { Raft } from "#actors/raft/raft.ts"
import type { Batch, ReadRefusal, RoleChange } from "#actors/raft/raft-batch.ts"
import type { RaftConfig } from "#actors/raft/raft-config.ts"
import {
  decodeMembership,
  encodeMembership,
  type MemberChange,
  type Membership
} from "#actors/raft/raft-membership.ts"
import type { Entry, Message, NodeId, Snapshot } from "#actors/raft/raft-messages.ts"
import type { Proposed as ProposedEntry, Refusal } from "#actors/raft/raft-proposals.ts"
import type { EtcdError } from "#protocols/wire/etcd/errors.ts"
import { decodeCommand } from "./command.ts"
import { MemberCounts } from "./member-counts.ts"
import { MemberLog } from "./member-log.ts"
import { type LogLimits, logLimits, MemberSnapshots, stagedOn } from "./member-snapshots.ts"
import type { Slices, SnapshotShelf } from "./snapshot-shelf.ts"
import { type Response, StateMachine } from "./state-machine.ts"
import type { StoreTables } from "./store-tables.ts"
import { Sweeper } from "./sweeper.ts"
import { noteApplied } from "./traced-command.ts"
import { WatchHub } from "./watch-hub.ts"

export interface MemberPorts {
  readonly journal: Journal
  readonly tables: StoreTables
  readonly shelf: SnapshotShelf
  /** May lose it. */
  readonly send: (to: NodeId, messages: ReadonlyArray<Message>) => void
  /** There is something to do: call `turn` soon. */
  readonly wake: () => void
  /** The disk has failed this member: it takes part no longer. */
  readonly failed: (fault: StorageFault) => void
  /** Where spans begin, if anything is traced. */
  readonly spans?: Spans | undefined
  /** Monotonic. */
  readonly nowMillis: () => number
  readonly random: () => number
}

export interface MemberOptions {
  readonly id: NodeId
  /** Of a group that begins; later ones are in the log. */
  readonly membership: Membership
  readonly config: RaftConfig
  readonly log?: Partial<LogLimits>
}

const changed = Either.right({ header: undefined, members: [] })
/** The command was not proposed, or it is not known whether it was carried out. */
export type ProposalRefusal =
  | { readonly _tag: "Refused"; readonly refusal: Refusal }
  /** Another leader's entry took its place: nothing happened. */
  | { readonly _tag: "Superseded" }
  /** No quorum has it yet; it may be carried out still. */
  | { readonly _tag: "TimedOut" }
  | { readonly _tag: "Failed"; readonly fault: StorageFault }

export type Proposed =
  /** Of a change of the members there is nothing more to tell. */
  { readonly _tag: "Applied"; readonly outcome: Either.Either<Response, EtcdError> } | ProposalRefusal

interface Waiting {
  readonly term: number
  readonly untilMillis: number
  readonly done: (proposed: Proposed) => void
}

interface LedWaiter {
  readonly untilMillis: number
  readonly wanted: NodeId | undefined
  readonly done: (led: boolean) => void
}

const leaseSecondsMin = 2
/** How long a command may take, besides two elections; as etcd has it. */
const proposalMillis = 5_000
/** Commands of which the answer is awaited, and reads. */
const waitingMax = 65_536
/**
 * On its way to the own disk, above which nothing more is taken to propose. Far below what journals and stores can
 * hold: what they cannot hold looks like a disk that has failed.
 */
const pendingBytesMax = 32 * 1024 * 1024

export class Member {
  readonly #ports: MemberPorts
  readonly #config: RaftConfig
  readonly #raft: Raft
  readonly machine: StateMachine
  readonly hub: WatchHub
  readonly counts = new MemberCounts()
  readonly sweeper: Sweeper
  /** By the index of their entry. */
  readonly #waiting = new Map<number, Waiting>()
  readonly #reads = new Map<number, (refused: ReadRefusal | undefined) => void>()
  /** Readable once the state machine has come so far. */
  #readable: Array<{ readonly index: number; readonly done: (refused: ReadRefusal | undefined) => void }> = []
  #readIds = 0
  /** Callers that came while there was no leader. */
  #ledWaiters: Array<LedWaiter> = []
  #failed: StorageFault | undefined
  readonly #log: MemberLog
  readonly #snapshots: MemberSnapshots
  #isExpelled = false
  /** When the shell calls the next turn, as far as the last one told it. */
  #armedMillis = Number.POSITIVE_INFINITY

  constructor(options: MemberOptions, ports: MemberPorts) {
    this.#ports = ports
    this.#config = options.config
    this.machine = new StateMachine(ports.tables, leaseSecondsMin, ports.nowMillis, {
      changed: (revision, changes) => {
        this.counts.changed(changes)
        this.hub.publish(revision, changes)
      }
    })
    this.hub = new WatchHub(this.machine.mvcc)
    this.sweeper = new Sweeper(this.machine.mvcc)
    if (this.machine.membership === undefined) {
      this.machine.membership = encodeMembership(options.membership)
      ports.tables.write()
    }
    const { appliedIndex: index, appliedTerm: term, membership } = this.machine
    const applied = {
      index,
      term,
      membership: membership === undefined ? options.membership : decodeMembership(membership)
    }
    this.#log = new MemberLog(ports.journal, applied, options.membership)
    const remembered = { ...this.#log.remembered, applied: index, ...stagedOn(ports.shelf) }
    this.#raft = new Raft(options.id, options.config, remembered, ports.nowMillis(), ports.random)
    this.#snapshots = new MemberSnapshots({
      raft: this.#raft,
      log: this.#log,
      shelf: ports.shelf,
      limits: { ...logLimits, ...options.log },
      onFlushed: (done) => ports.tables.onFlushed(done),
      appliedIndex: () => this.machine.appliedIndex,
      hasFailed: () => this.#failed !== undefined,
      fail: (problem) => this.#fail(problem),
      wake: ports.wake,
      nowMillis: ports.nowMillis,
      random: ports.random
    })
  }

  get id(): NodeId {
    return this.#raft.id
  }

  get status() {
    return this.#raft.status
  }

  get membership(): Membership {
    return this.#raft.membership
  }

  /** It gets the log, and has no vote. */
  get isLearner(): boolean {
    return this.#raft.membership.learners.includes(this.#raft.id)
  }

  /** It was one, and is not any more. */
  get isRemoved(): boolean {
    const { membership } = this.#raft
    return this.#isExpelled || (membership.members.length > 0 && !membership.has(this.#raft.id))
  }

  /** The leader says that it was removed. It takes part no longer. */
  expel(): void {
    this.#isExpelled = true
    // What it has proposed may have come to the others before it was removed.
    this.#letGo({ _tag: "TimedOut" })
  }

  get leads(): boolean {
    return this.#raft.role === "leader"
  }

  /** Of another member, while this one leads. */
  followed(id: NodeId): { readonly isAlive: boolean; readonly match: number } | undefined {
    const progress = this.#raft.status.progress?.get(id)
    if (progress === undefined) return undefined
    const silentMillis = this.#ports.nowMillis() - progress.heardMillis
    return { isAlive: silentMillis < this.#config.electionMillis, match: progress.match }
  }

  get leader(): NodeId {
    return this.#raft.leader
  }

  get term(): number {
    return this.#raft.term
  }

  /** How often a snapshot of a leader has taken the place of the state, since this member was opened. */
  get installs(): number {
    return this.#snapshots.installs
  }

  /** Where the log begins: what came before is in the state alone. */
  get firstIndex(): number {
    return this.#log.base.index
  }

  /** The state is being replaced: it is not to be read. */
  get isInstalling(): boolean {
    return this.#snapshots.isInstalling
  }

  get failed(): StorageFault | undefined {
    return this.#failed
  }

  /** Commands whose answer is awaited. */
  get pending(): number {
    return this.#waiting.size
  }

  /** The same, and reads that have begun. */
  get load(): number {
    return this.#waiting.size + this.#reads.size
  }

  get wakeMillis(): number {
    return this.#failed === undefined && !this.#isExpelled ? this.#raft.wakeMillis : Number.POSITIVE_INFINITY
  }

  /** Calls back once a leader is known, or the one that is wanted; with false after five elections' time without. */
  whenLed(done: (led: boolean) => void, wanted?: NodeId): void {
    if (this.#isLedBy(wanted)) return done(true)
    if (this.#failed !== undefined || this.#isExpelled || this.#ledWaiters.length >= waitingMax)
      return done(false)
    const untilMillis = this.#ports.nowMillis() + 5 * this.#config.electionMillis
    this.#ledWaiters.push({ untilMillis, wanted, done })
  }

  #isLedBy(wanted: NodeId | undefined): boolean {
    return wanted === undefined ? this.leader !== 0 : this.leader === wanted
  }

  #answerLed(nowMillis: number): void {
    if (this.#ledWaiters.length === 0) return
    const isOver = ({ untilMillis, wanted }: LedWaiter) => this.#isLedBy(wanted) || untilMillis <= nowMillis
    const over = this.#ledWaiters.filter(isOver)
    if (over.length === 0) return
    this.#ledWaiters = this.#ledWaiters.filter((waiter) => !isOver(waiter))
    for (const { done, wanted } of over) done(this.#isLedBy(wanted))
  }

  /** Hands the leadership to another member. Who leads in the end `whenLed` tells. */
  transfer(to: NodeId): ReturnType<Raft["transfer"]> {
    const begun = this.#raft.transfer(to, this.#ports.nowMillis())
    this.#ports.wake()
    return begun
  }

  /** A command as `encodeCommand` makes it. `done` is called once, unless this member stops before. */
  propose(command: Uint8Array, done: (proposed: Proposed) => void): void {
    if (this.#failed !== undefined) return this.#fails(done, { _tag: "Failed", fault: this.#failed })
    if (this.#isExpelled) return this.#fails(done, { _tag: "TimedOut" })
    if (this.#waiting.size >= waitingMax || this.#isBehind) {
      const uncommittedBytes = this.#raft.status.uncommittedBytes
      return this.#fails(done, { _tag: "Refused", refusal: { _tag: "Overloaded", uncommittedBytes } })
    }
    const nowMillis = this.#ports.nowMillis()
    this.#await(this.#raft.propose(command, nowMillis), nowMillis, done)
  }

  get #isBehind(): boolean {
    const { journal, tables } = this.#ports
    return tables.pendingBytes > pendingBytesMax || journal.usage().pendingBytes > pendingBytesMax
  }

  /** Refused unless this member leads, and it is safe: see raft-leader.ts. */
  change(changes: ReadonlyArray<MemberChange>, done: (proposed: Proposed) => void): void {
    if (this.#failed !== undefined) return done({ _tag: "Failed", fault: this.#failed })
    const nowMillis = this.#ports.nowMillis()
    this.#await(this.#raft.change(changes, nowMillis), nowMillis, done)
  }

  #await(proposed: ProposedEntry | Refusal, nowMillis: number, done: (proposed: Proposed) => void): void {
    // One that is for another member to propose has not failed yet.
    if (proposed._tag === "NotLeader") return done({ _tag: "Refused", refusal: proposed })
    if (proposed._tag !== "Proposed") return this.#fails(done, { _tag: "Refused", refusal: proposed })
    const untilMillis = nowMillis + proposalMillis + 2 * this.#config.electionMillis
    this.#giveUp(proposed.index)
    this.#waiting.set(proposed.index, { term: proposed.term, untilMillis, done })
    this.#ports.wake()
  }

  #fails(done: (proposed: Proposed) => void, refused: ProposalRefusal): void {
    this.counts.proposalsFailed.add()
    done(refused)
  }

  /** Calls back when the state machine has all that was acknowledged to anybody before this was called. */
  read(done: (refused: ReadRefusal | undefined) => void): void {
    if (this.#failed !== undefined || this.#isExpelled) return done("NoLeader")
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
    if (waiting !== undefined) this.#fails(waiting.done, { _tag: "TimedOut" })
  }

  /** In the order of their proposals, which is that of their deadlines. */
  #expire(nowMillis: number): void {
    for (const [index, { done, untilMillis }] of this.#waiting) {
      if (untilMillis > nowMillis) return
      this.#waiting.delete(index)
      this.#fails(done, { _tag: "TimedOut" })
    }
  }

  /** The links to it broke: it may have died. If others hear of it, nothing comes of that. */
  lost(node: NodeId): void {
    if (this.#failed !== undefined || this.#isExpelled) return
    this.#step({ _tag: "PeerDown", node })
    this.#step({ _tag: "PeerUp", node })
    this.#ports.wake()
  }

  receive(messages: ReadonlyArray<Message>): void {
    if (this.#failed !== undefined || this.#isExpelled) return
    const nowMillis = this.#ports.nowMillis()
    for (const message of messages) this.#raft.step({ _tag: "Received", message }, nowMillis)
    const isAwaited = this.load > 0 || this.#ledWaiters.length > 0
    // A heartbeat draws the time of the next election anew; a clock that stood still has no alarm at all.
    const isEarlier = this.wakeMillis < this.#armedMillis
    if (isAwaited || isEarlier || !this.#raft.isAtRest) this.#ports.wake()
  }

  /** Removes some of what compaction has made unreachable. Every member does so for itself. */
  sweep(versionsMax: number): void {
    if (this.#failed !== undefined || this.isInstalling) return
    try {
      this.sweeper.step(versionsMax)
      this.#ports.tables.write()
    } catch (problem) {
      this.#fail(problem)
    }
  }

  /** Counts some more of the keys that were there when this member began. */
  countKeys(keysMax: number): void {
    if (this.#failed === undefined) this.counts.keys.walk(this.machine.mvcc, keysMax)
  }

  turn(): void {
    if (this.#failed !== undefined) return
    const nowMillis = this.#ports.nowMillis()
    if (this.wakeMillis <= nowMillis) this.#raft.step({ _tag: "Tick" }, nowMillis)
    try {
      this.#snapshots.work()
      for (let batch = this.#take(); batch !== undefined; batch = this.#take()) this.#carryOut(batch)
      this.counts.led(this.leader)
      this.#answerLed(nowMillis)
      this.#expire(nowMillis)
    } catch (problem) {
      this.#fail(problem)
    }
    this.#armedMillis = this.wakeMillis
  }

  #take(): Batch | undefined {
    return this.isInstalling ? undefined : this.#raft.take(this.#ports.nowMillis())
  }

  #carryOut(batch: Batch): void {
    for (const { data, offset, snapshot } of batch.chunks) this.#ports.shelf.stage(snapshot, offset, data)
    if (batch.install === undefined) this.#carryOutRest(batch)
    else this.#snapshots.install(this.#install(batch, batch.install))
  }

  #carryOutRest(batch: Batch): void {
    const { journal } = this.#ports
    this.#log.append(batch.entries)
    if (batch.hardState !== undefined) this.#log.state(batch.hardState)
    this.#send(batch.messages)
    if (batch.writes || batch.persistedMessages.length > 0) {
      const sinceMillis = this.#ports.nowMillis()
      journal.sync((fault) => {
        this.counts.syncSeconds.observe((this.#ports.nowMillis() - sinceMillis) / 1_000)
        this.#persisted(batch, fault)
      })
    }
    if (batch.role !== undefined) this.#roleChanged(batch.role)
    for (const entry of batch.committed) this.#apply(entry)
    const last = batch.committed.at(-1)
    if (last !== undefined) this.#step({ _tag: "Applied", index: last.index })
    for (const outcome of batch.reads) {
      const done = this.#reads.get(outcome.read)
      this.#reads.delete(outcome.read)
      if (done === undefined) continue
      if (outcome._tag === "Refused") {
        this.counts.readsFailed.add()
        done(outcome.reason)
      } else this.#readable.push({ index: outcome.index, done })
    }
    this.#answerReads()
    for (const { bytesMax, from, to } of batch.entriesWanted) {
      // The core names the last one that it wants, and the journal the first that it need not read.
      this.#step({ _tag: "Entries", from, entries: this.#log.read(from, to + 1, bytesMax) })
    }
    for (const wanted of batch.chunksWanted) this.#snapshots.read(wanted)
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
    if (kind === "change") this.machine.membership = data
    const applied = this.machine.apply(index, term, command)
    noteApplied(this.#ports.spans, data, index)
    const outcome = kind === "change" ? changed : applied
    if (outcome !== undefined) this.counts.carriedOut(command?._tag, Either.isLeft(outcome))
    this.#ports.tables.write()
    const waiting = this.#waiting.get(index)
    if (waiting === undefined) return
    this.#waiting.delete(index)
    if (waiting.term !== term || outcome === undefined) this.#fails(waiting.done, { _tag: "Superseded" })
    else waiting.done({ _tag: "Applied", outcome })
  }

  /** Called now and then: lets go of entries that the state machine has, and of snapshots that nobody needs. */
  tend(): void {
    this.#snapshots.tend()
  }

  *#install(batch: Batch, snapshot: Snapshot): Slices {
    const { shelf, tables } = this.#ports
    const { mvcc } = this.machine
    const { revision } = mvcc
    // Whoever reads the state at length is told that it goes.
    this.sweeper.restart()
    yield* shelf.install(snapshot, () => {
      this.machine.reload()
      this.machine.membership = encodeMembership(snapshot.membership)
      tables.write()
    })
    this.#snapshots.installed()
    this.sweeper.restart()
    this.counts.keys.again()
    for (const index of [...this.#waiting.keys()]) if (index <= snapshot.index) this.#giveUp(index)
    this.#log.restart(snapshot)
    this.hub.skipped(revision)
    this.#carryOutRest(batch)
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
    this.#letGo({ _tag: "Failed", fault: problem })
    this.#ports.failed(problem)
  }

  /** Answers everybody who waits. */
  #letGo(refusal: ProposalRefusal): void {
    const waiting = [...this.#waiting.values()]
    this.#waiting.clear()
    const reads = [...this.#reads.values(), ...this.#readable.map(({ done }) => done)]
    this.#reads.clear()
    this.#readable = []
    for (const { done } of waiting) this.#fails(done, refusal)
    const led = this.#ledWaiters
    this.#ledWaiters = []
    for (const { done } of led) done(false)
    for (const done of reads) done("NoLeader")
  }
}
