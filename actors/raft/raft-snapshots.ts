/**
 * A snapshot on its way, as both ends see it. Neither touches its bytes.
 *
 *   sender     acked ≤ asked: a window of chunks that the shell was asked to read and that are on their way
 *   receiver   offset: it has all before. A chunk that begins elsewhere is rejected with that offset
 *
 * So a lost chunk rewinds the window, a lost answer costs a rewind, a receiver that restarted goes on from
 * what its shell has kept, and a new leader with the same snapshot goes on where the old one was cut off.
 */
import type { RaftConfig } from "./raft-config.ts"
import { type Chunk, isSameSnapshot, type Snapshot } from "./raft-messages.ts"

export class SnapshotStream {
  readonly snapshot: Snapshot
  #acked = 0
  #asked = 0
  #isBegun = false
  #movedMillis: number

  constructor(snapshot: Snapshot, nowMillis: number) {
    this.snapshot = snapshot
    this.#movedMillis = nowMillis
  }

  get acked(): number {
    return this.#acked
  }

  /** Everything has arrived; it is being installed. */
  get isSent(): boolean {
    return this.#isBegun && this.#acked >= this.snapshot.bytes
  }

  /** Where the chunks begin that may be read and sent now. */
  next({ chunkBytes, chunksInflightMax }: RaftConfig): ReadonlyArray<number> {
    const offsets: Array<number> = []
    const end = Math.min(this.snapshot.bytes, this.#acked + chunkBytes * chunksInflightMax)
    if (!this.#isBegun && this.snapshot.bytes === 0) offsets.push(0)
    for (; this.#asked < end; this.#asked = Math.min(this.snapshot.bytes, this.#asked + chunkBytes))
      offsets.push(this.#asked)
    this.#isBegun ||= offsets.length > 0
    return offsets
  }

  answered(offset: number, rejected: boolean, nowMillis: number): void {
    if (rejected) {
      this.#acked = Math.min(offset, this.snapshot.bytes)
      this.#asked = this.#acked
      this.#movedMillis = nowMillis
    } else if (offset > this.#acked) {
      this.#acked = Math.min(offset, this.snapshot.bytes)
      this.#asked = Math.max(this.#asked, this.#acked)
      this.#movedMillis = nowMillis
    }
  }

  /** Nothing moved for a while: what is on its way is lost. */
  isStuck(nowMillis: number, patienceMillis: number): boolean {
    if (nowMillis < this.#movedMillis + patienceMillis) return false
    this.#movedMillis = nowMillis
    this.#asked = this.#acked
    if (this.snapshot.bytes === 0) this.#isBegun = false
    return true
  }

  restart(): void {
    this.#acked = 0
    this.#asked = 0
    this.#isBegun = false
  }
}

export type Reception = "rejected" | "taken" | "complete"

export class SnapshotReceiver {
  #snapshot: Snapshot | undefined
  #offset = 0

  constructor(staged?: { readonly snapshot: Snapshot; readonly offset: number }) {
    this.#snapshot = staged?.snapshot
    this.#offset = staged?.offset ?? 0
  }

  get offset(): number {
    return this.#offset
  }

  receive({ data, offset, snapshot }: Chunk): Reception {
    if (this.#snapshot === undefined || !isSameSnapshot(this.#snapshot, snapshot)) {
      this.#snapshot = snapshot
      this.#offset = 0
    }
    const isExpected = offset === this.#offset && (data.length > 0 || snapshot.bytes === 0)
    if (!isExpected || offset + data.length > snapshot.bytes) return "rejected"
    this.#offset += data.length
    return this.#offset === snapshot.bytes ? "complete" : "taken"
  }

  /** It has been installed, or is of no use any more. */
  clear(): void {
    this.#snapshot = undefined
    this.#offset = 0
  }
}
