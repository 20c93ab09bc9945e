/**
 * What a group wants done: everything since the last time, in one batch. raft.ts says in which order.
 */
import type { Entry, Message, NodeId, Snapshot } from "./raft-messages.ts"

export interface HardState {
  readonly term: number
  readonly vote: NodeId
  /** As it was when something else had to be written; it may be lost, and is then learned again. */
  readonly commit: number
}

export type Role = "follower" | "pre-candidate" | "candidate" | "leader"

export interface RoleChange {
  readonly role: Role
  readonly term: number
  /** As far as it is known, else `nobody`. */
  readonly leader: NodeId
}

/** Definite: nothing was read. `NoLeader`: ask again, or another member. */
export type ReadRefusal = "NoLeader" | "LeaderLost" | "Overloaded" | "TimedOut"

export type ReadOutcome =
  /** The read is linearizable on a state that has applied this index, or any later one. */
  | { readonly _tag: "Readable"; readonly read: number; readonly index: number }
  | { readonly _tag: "Refused"; readonly read: number; readonly reason: ReadRefusal }

/** A piece of a snapshot from the leader, to be kept aside until `install` names it. */
export interface IncomingChunk {
  readonly snapshot: Snapshot
  /** 0 begins anew: whatever was kept aside of another snapshot is worthless. */
  readonly offset: number
  readonly data: Uint8Array
}

/** Entries that are in the journal and no longer in memory. The answer is `Entries` from the same index. */
export interface EntriesWanted {
  readonly from: number
  readonly to: number
  readonly bytesMax: number
}

/** A piece of an own snapshot, for `to`. The answer is `SnapshotRead`. */
export interface ChunkWanted {
  readonly to: NodeId
  readonly snapshot: Snapshot
  readonly offset: number
  readonly bytesMax: number
}

export interface Batch {
  /** Persisted(seq) says that this batch and all before it are durable. */
  readonly seq: number
  /** Whether there is anything to be made durable, and a Persisted is due. */
  readonly writes: boolean
  readonly chunks: ReadonlyArray<IncomingChunk>
  /** Takes the place of the state machine and of the whole journal; goes before `entries`. */
  readonly install: Snapshot | undefined
  /** What the journal has from the first one's index on is cut off before they are appended. */
  readonly entries: ReadonlyArray<Entry>
  readonly hardState: HardState | undefined
  /** May leave at once. */
  readonly messages: ReadonlyArray<Message>
  /** Must not leave before this batch, and all before it, are durable. */
  readonly persistedMessages: ReadonlyArray<Message>
  /** In order, durable here, and after what `install` brought. Changes and no-ops included. */
  readonly committed: ReadonlyArray<Entry>
  readonly reads: ReadonlyArray<ReadOutcome>
  readonly entriesWanted: ReadonlyArray<EntriesWanted>
  readonly chunksWanted: ReadonlyArray<ChunkWanted>
  readonly role: RoleChange | undefined
}

const none: ReadonlyArray<never> = []

/** A batch in the making. What is empty, most of the time, is not allocated. */
export class Outbox {
  #messages: Array<Message> = []
  #persistedMessages: Array<Message> = []
  #reads: Array<ReadOutcome> | undefined
  #chunks: Array<IncomingChunk> | undefined
  #entriesWanted: Array<EntriesWanted> | undefined
  #chunksWanted: Array<ChunkWanted> | undefined
  install: Snapshot | undefined
  isHardStateChanged = false

  get isEmpty(): boolean {
    return (
      this.#messages.length === 0 &&
      this.#persistedMessages.length === 0 &&
      this.#reads === undefined &&
      this.#chunks === undefined &&
      this.#entriesWanted === undefined &&
      this.#chunksWanted === undefined &&
      this.install === undefined &&
      !this.isHardStateChanged
    )
  }

  send(message: Message): void {
    this.#messages.push(message)
  }

  sendPersisted(message: Message): void {
    this.#persistedMessages.push(message)
  }

  read(outcome: ReadOutcome): void {
    this.#reads ??= []
    this.#reads.push(outcome)
  }

  stage(chunk: IncomingChunk): void {
    this.#chunks ??= []
    this.#chunks.push(chunk)
  }

  want(entries: EntriesWanted): void {
    this.#entriesWanted ??= []
    if (!this.#entriesWanted.some(({ from }) => from === entries.from)) this.#entriesWanted.push(entries)
  }

  wantChunk(chunk: ChunkWanted): void {
    this.#chunksWanted ??= []
    this.#chunksWanted.push(chunk)
  }

  take(
    seq: number,
    isDurable: boolean,
    entries: ReadonlyArray<Entry>,
    hardState: HardState | undefined,
    committed: ReadonlyArray<Entry>,
    role: RoleChange | undefined
  ): Batch {
    const waiting = this.#persistedMessages
    const batch: Batch = {
      seq,
      writes: entries.length > 0 || hardState !== undefined || this.install !== undefined,
      chunks: this.#chunks ?? none,
      install: this.install,
      entries,
      hardState,
      messages: isDurable && waiting.length > 0 ? [...this.#messages, ...waiting] : this.#messages,
      persistedMessages: isDurable ? none : waiting,
      committed,
      reads: this.#reads ?? none,
      entriesWanted: this.#entriesWanted ?? none,
      chunksWanted: this.#chunksWanted ?? none,
      role
    }
    this.#messages = []
    this.#persistedMessages = []
    this.#reads = undefined
    this.#chunks = undefined
    this.#entriesWanted = undefined
    this.#chunksWanted = undefined
    this.install = undefined
    this.isHardStateChanged = false
    return batch
  }
}
