/**
 * When a member compacts its log, makes a snapshot for another one, or puts one in the place of its state: at
 * most one of the latter two at a time, a slice in each turn.
 *
 *   tend   the log is long ──► the store has flushed ──► its beginning is compacted away, but for a tail
 *   read   a piece is wanted that is not there ──► make ──► the leader's core begins with that snapshot
 */
import { SnapshotRefused, type StorageFault } from "#actors/kernel/ports/storage-faults.ts"
import type { Raft, RaftEvent } from "#actors/raft/raft.ts"
import type { ChunkWanted } from "#actors/raft/raft-batch.ts"
import type { MemberLog } from "./member-log.ts"
import type { Slices, SnapshotShelf } from "./snapshot-shelf.ts"

/** How much of the log is kept of what the state machine has already. */
export interface LogLimits {
  /** So many entries, or bytes, and it is compacted. */
  readonly entriesMax: number
  readonly bytesMax: number
  /** What is left then, for members that are a little behind. */
  readonly tailEntries: number
}

export const logLimits: LogLimits = { entriesMax: 10_000, bytesMax: 256 * 1024 * 1024, tailEntries: 5_000 }
/** A log this long is compacted even if a snapshot that is on its way is worth nothing then. */
const streamingShareMax = 4

export interface SnapshotHost {
  readonly raft: Raft
  readonly log: MemberLog
  readonly shelf: SnapshotShelf
  readonly limits: LogLimits
  readonly onFlushed: (done: (fault: StorageFault | undefined) => void) => void
  readonly appliedIndex: () => number
  readonly hasFailed: () => boolean
  readonly fail: (problem: unknown) => void
  readonly wake: () => void
  readonly nowMillis: () => number
  readonly random: () => number
}

/** What takes many turns. */
interface Job {
  readonly kind: "make" | "install" | "discard"
  readonly slices: Slices
  /** For the disk. */
  waits: boolean
}

export class MemberSnapshots {
  readonly #host: SnapshotHost
  #isCompacting = false
  #job: Job | undefined
  #installs = 0
  /** Pieces of a snapshot that is being made. */
  #chunksWanted: Array<ChunkWanted> = []

  constructor(host: SnapshotHost) {
    this.#host = host
  }

  get isInstalling(): boolean {
    return this.#job?.kind === "install"
  }

  get installs(): number {
    return this.#installs
  }

  install(slices: Slices): void {
    this.#begin("install", slices)
  }

  /** The last slice of an install. */
  installed(): void {
    this.#job = undefined
    this.#installs++
  }

  /** Called now and then: lets go of entries that the state machine has, and of snapshots that nobody needs. */
  tend(): void {
    if (this.#host.hasFailed() || this.#isCompacting || this.#job !== undefined) return
    const { outgoing } = this.#host.shelf
    const { progress, snapshotIndex } = this.#host.raft.status
    const streams = [...(progress?.values() ?? [])].flatMap(({ stream }) => stream?.snapshot ?? [])
    const isNeeded = streams.some(({ id }) => id === outgoing?.id) || outgoing?.index === snapshotIndex
    if (outgoing !== undefined && !isNeeded) return this.#begin("discard", this.#host.shelf.discard())
    const { bytesMax, entriesMax, tailEntries } = this.#host.limits
    const appliedIndex = this.#host.appliedIndex()
    const { index: first } = this.#host.log.base
    const length = appliedIndex - first
    const isFull = this.#host.log.bytes > bytesMax && length > 1
    if (length < entriesMax && !isFull) return
    const index = appliedIndex - Math.min(tailEntries, length >> 1)
    const isStreaming = streams.some((snapshot) => snapshot.id !== 0 && snapshot.index < index)
    if (!isStreaming || this.#host.log.bytes > streamingShareMax * bytesMax) this.#compact(index)
  }

  /** Once the store has flushed what the entries did. */
  #compact(index: number): void {
    const term = this.#host.raft.termOf(index)
    if (term === undefined) return
    const base = { index, term, membership: this.#host.raft.membershipAt(index) }
    this.#isCompacting = true
    this.#host.onFlushed((fault) => {
      this.#isCompacting = false
      if (this.#host.hasFailed()) return
      if (fault !== undefined) return this.#host.fail(fault)
      if (this.isInstalling || this.#host.log.base.index >= index) return
      // The state itself is the snapshot. Pieces are made of it when somebody wants them, of a later index then.
      this.#step({ _tag: "Snapshotted", index, id: 0, bytes: 0 })
      this.#step({ _tag: "Compact", index })
      try {
        this.#host.log.compact(base)
      } catch (problem) {
        this.#host.fail(problem)
      }
      this.#host.wake()
    })
  }

  /** A piece of a snapshot, for a member that is too far behind. */
  read(wanted: ChunkWanted): void {
    const { shelf } = this.#host
    const { bytesMax, offset, snapshot, to } = wanted
    const data = shelf.read(snapshot, offset, bytesMax)
    if (data !== undefined || (shelf.outgoing?.index ?? 0) > snapshot.index)
      return this.#step({ _tag: "SnapshotRead", to, snapshot, offset, data })
    this.#chunksWanted.push(wanted)
    if (this.#job === undefined) this.#begin("make", this.#make())
  }

  /** Whoever waits for a piece of an earlier one is told that it is no more, and begins with this one. */
  *#make(): Slices {
    const index = this.#host.appliedIndex()
    const id = 1 + Math.floor(this.#host.random() * 2 ** 47)
    let bytes = 0
    yield* this.#host.shelf.make((made) => {
      bytes = made
    })
    const term = this.#host.raft.termOf(index)
    if (term === undefined) throw new Error(`entry ${index} was compacted while a snapshot of it was made`)
    this.#step({ _tag: "Snapshotted", index, id, bytes })
    this.#host.shelf.name({ index, term, membership: this.#host.raft.membershipAt(index), id, bytes })
    this.#forgetChunks()
  }

  #forgetChunks(): void {
    const wanted = this.#chunksWanted
    this.#chunksWanted = []
    for (const { offset, snapshot, to } of wanted)
      this.#step({ _tag: "SnapshotRead", to, snapshot, offset, data: undefined })
  }

  #begin(kind: Job["kind"], slices: Slices): void {
    // What it takes the place of was for others, who ask again.
    this.#job?.slices.return()
    this.#chunksWanted = kind === "install" ? [] : this.#chunksWanted
    this.#job = { kind, slices, waits: false }
    this.#host.wake()
  }

  /** One slice of what takes many turns. */
  work(): void {
    const job = this.#job
    if (job === undefined || job.waits) return
    let slice: ReturnType<Slices["next"]>
    try {
      slice = job.slices.next()
    } catch (problem) {
      if (!(problem instanceof SnapshotRefused)) throw problem
      // It took longer than a view of the store may live.
      this.#job = undefined
      return this.#forgetChunks()
    }
    if (slice.done === true) {
      if (this.#job === job) this.#job = undefined
      return
    }
    if (slice.value === "soon") return this.#host.wake()
    job.waits = true
    this.#host.onFlushed((fault) => {
      if (this.#host.hasFailed()) return
      if (fault !== undefined) return this.#host.fail(fault)
      job.waits = false
      this.#host.wake()
    })
  }

  #step(event: RaftEvent): void {
    this.#host.raft.step(event, this.#host.nowMillis())
  }
}

/** Of one that is all there, and was not installed, raft asks again. */
export const stagedOn = (shelf: SnapshotShelf) => {
  const found = shelf.staged
  return found === undefined || found.offset >= found.snapshot.bytes ? {} : { staged: found }
}
