/**
 * What a leader knows of one follower, and how much it may send.
 *
 *            accepted                 log compacted away
 *   probe ───────────────► replicate ───────────────────► snapshot
 *     ▲  ◄─────────────────    │                              │
 *     │   rejected, lost       │         installed            │
 *     └────────────────────────┴──────────────────────────────┘
 *
 * Probe: where the logs part is not known, so one Append at a time, and the next one after an answer or a
 * heartbeat's. Replicate: entries are sent ahead of their answers, within a window of messages and bytes.
 * Always match < next, and what is in flight lies between.
 */
import type { RaftConfig } from "./raft-config.ts"
import type { Snapshot } from "./raft-messages.ts"
import { SnapshotStream } from "./raft-snapshots.ts"

export class Progress {
  state: "probe" | "replicate" | "snapshot" = "probe"
  /** It has all of our log up to here, durable. */
  match = 0
  next: number
  /** In probe: an Append is on its way. */
  isProbing = false
  heardMillis: number
  /** The last heartbeat round that it has answered. */
  round = 0
  quiesced = false
  /** Says the shell. */
  isDown = false
  /** The commit index that it was last told. */
  commitSent = 0
  /** The shell reads entries for it, from this index on. */
  readingFrom = 0
  stream: SnapshotStream | undefined
  #lastIndexes: Array<number> = []
  #bytes: Array<number> = []
  #inflightBytes = 0
  /** `match` when it last answered a heartbeat: the same again means that something got lost. */
  #matchAtBeat = 0

  constructor(next: number, nowMillis: number) {
    this.next = next
    this.heardMillis = nowMillis
  }

  get inflight(): number {
    return this.#lastIndexes.length
  }

  canTake({ inflightBytesMax, inflightMessagesMax }: RaftConfig): boolean {
    if (this.readingFrom > 0) return false
    if (this.state === "probe") return !this.isProbing
    return (
      this.state === "replicate" &&
      this.#lastIndexes.length < inflightMessagesMax &&
      this.#inflightBytes < inflightBytesMax
    )
  }

  sent(lastIndex: number, bytes: number): void {
    if (this.state === "probe") this.isProbing = true
    else {
      this.next = lastIndex + 1
      this.#lastIndexes.push(lastIndex)
      this.#bytes.push(bytes)
      this.#inflightBytes += bytes
    }
  }

  /** Returns whether that is news. */
  accepted(index: number): boolean {
    let count = 0
    while ((this.#lastIndexes[count] ?? Number.POSITIVE_INFINITY) <= index) {
      this.#inflightBytes -= this.#bytes[count] as number
      count++
    }
    if (count > 0) {
      this.#lastIndexes.splice(0, count)
      this.#bytes.splice(0, count)
    }
    const isNews = index > this.match
    if (isNews) this.match = index
    this.next = Math.max(this.next, index + 1)
    if (this.state === "probe") {
      this.isProbing = false
      if (index >= this.next - 1) this.#become("replicate")
    } else if (this.state === "snapshot" && this.stream !== undefined && index >= this.stream.snapshot.index)
      this.#become("replicate")
    return isNews
  }

  /** It has no such `prevIndex`; the logs may agree up to `hint`. Returns whether that is news. */
  rejected(prevIndex: number, hint: number): boolean {
    if (this.state === "snapshot") {
      // It lost what it had of the snapshot, and answers what was to see that it has it all.
      if (prevIndex === this.stream?.snapshot.index) this.stream.restart()
      return false
    }
    if (this.state === "replicate") {
      if (prevIndex <= this.match) return false
      this.next = this.match + 1
      this.#become("probe")
      return true
    }
    if (prevIndex !== this.next - 1) return false
    this.next = Math.max(this.match + 1, Math.min(prevIndex, hint + 1))
    this.isProbing = false
    return true
  }

  /** Returns whether nothing has come of what is in flight since the last beat. */
  beat(): boolean {
    const isStalled = this.state === "replicate" && this.inflight > 0 && this.match === this.#matchAtBeat
    this.#matchAtBeat = this.match
    this.isProbing = false
    return isStalled
  }

  /** A message to it was lost, or so it seems. */
  lost(): void {
    if (this.state !== "replicate") return
    this.next = this.match + 1
    this.#become("probe")
  }

  startSnapshot(snapshot: Snapshot, nowMillis: number): SnapshotStream {
    this.#become("snapshot")
    this.stream = new SnapshotStream(snapshot, nowMillis)
    return this.stream
  }

  stopSnapshot(): void {
    this.next = this.match + 1
    this.#become("probe")
  }

  #become(state: Progress["state"]): void {
    this.state = state
    this.isProbing = false
    this.readingFrom = 0
    this.stream = undefined
    this.#lastIndexes.length = 0
    this.#bytes.length = 0
    this.#inflightBytes = 0
  }
}
