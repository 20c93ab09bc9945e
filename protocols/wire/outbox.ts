/**
 * The outbox of one end of a link: what is to leave, in order, as the other end's credit allows.
 *
 * Of frames that the other end has not dealt with at most a window full is under way, counted both in
 * frames and in bytes; behind them waits at most as much as the queue may hold. Whoever adds more is
 * refused, so a peer that stalls costs bounded memory. A large frame leaves in parts, so that it neither
 * needs the whole window nor keeps heartbeats waiting. Datagrams have a small lane of their own in which
 * a new one takes the place of the oldest; they go first and cost no credit, since they must get through
 * when nothing else does.
 */
import {
  approximateBytes,
  batchBytes,
  type Frame,
  headOf,
  inFlightBytesMax,
  inFlightFramesMax,
  partBytes
} from "./frames.ts"
import { Ring } from "./ring.ts"

export interface OutboxLimits {
  readonly queuedFramesMax: number
  readonly queuedBytesMax: number
}

export const defaultLimits: OutboxLimits = { queuedFramesMax: 65_536, queuedBytesMax: 64 * 1024 * 1024 }

const datagramsMax = 256
/** What a frame costs besides its payload. */
const frameBytes = 40

export class Outbox {
  readonly #limits: OutboxLimits
  readonly #pack: ((value: unknown) => Uint8Array) | undefined
  readonly #frames = new Ring<Frame>(64)
  readonly #sizes = new Ring<number>(64)
  readonly #datagrams = new Ring<Frame>(16)
  /** The sizes of what is under way, oldest first. */
  readonly #inFlight = new Ring<number>(64)
  #inFlightBytes = 0
  queuedBytes = 0
  /** Datagrams that gave way to newer ones. */
  droppedDatagrams = 0
  /** What is left of a large frame that is on its way. */
  #parts: { readonly bytes: Uint8Array; from: number } | undefined

  /** `pack`: how a payload becomes bytes. Without it nothing is ever split. */
  constructor(limits: OutboxLimits, pack: ((value: unknown) => Uint8Array) | undefined) {
    this.#limits = limits
    this.#pack = pack
  }

  get queued(): number {
    return this.#frames.size
  }

  get inFlightBytes(): number {
    return this.#inFlightBytes
  }

  get full(): boolean {
    return (
      this.#frames.size >= this.#limits.queuedFramesMax || this.queuedBytes >= this.#limits.queuedBytesMax
    )
  }

  /** Twice as much as there may be: whoever should have read it does not. */
  get stalled(): boolean {
    return (
      this.#frames.size >= 2 * this.#limits.queuedFramesMax ||
      this.queuedBytes >= 2 * this.#limits.queuedBytesMax
    )
  }

  /** Queues it, however full the queue is: those who must not grow it ask first. */
  push(frame: Frame): void {
    const bytes = frameBytes + approximateBytes(frame[frame.length - 1])
    this.#frames.push(frame)
    this.#sizes.push(bytes)
    this.queuedBytes += bytes
  }

  pushDatagram(packet: unknown): void {
    if (this.#datagrams.size >= datagramsMax) {
      this.#datagrams.shift()
      this.droppedDatagrams++
    }
    this.#datagrams.push(["datagram", packet])
  }

  /** Something may leave now. */
  get ready(): boolean {
    return (
      this.#datagrams.size > 0 || ((this.#frames.size > 0 || this.#parts !== undefined) && !this.#windowFull)
    )
  }

  get #windowFull(): boolean {
    return this.#inFlight.size >= inFlightFramesMax || this.#inFlightBytes >= inFlightBytesMax
  }

  /** The other end has dealt with so many. It may claim what it likes: no more than all of them counts. */
  taken(frames: number): void {
    for (let left = Math.min(frames, this.#inFlight.size); left > 0; left--) {
      this.#inFlightBytes -= this.#inFlight.shift() ?? 0
    }
  }

  /** Moves what may leave now into the batch. `leaves` is told each frame, and can hold it back for good. */
  fill(batch: Array<Frame>, leaves: (frame: Frame) => boolean): void {
    for (let frame = this.#datagrams.shift(); frame !== undefined; frame = this.#datagrams.shift()) {
      batch.push(frame)
    }
    let bytes = 0
    while (bytes < batchBytes && !this.#windowFull) {
      const part = this.#nextPart()
      if (part !== undefined) {
        batch.push(part)
        bytes += this.#sent(frameBytes + partBytes)
        continue
      }
      const frame = this.#frames.shift()
      if (frame === undefined) break
      const size = this.#sizes.shift() ?? 0
      this.queuedBytes -= size
      if (!leaves(frame)) continue
      const large = size > partBytes && this.#pack !== undefined ? this.#split(frame, this.#pack) : undefined
      batch.push(large ?? frame)
      bytes += this.#sent(large === undefined ? size : frameBytes)
    }
  }

  #sent(bytes: number): number {
    this.#inFlight.push(bytes)
    this.#inFlightBytes += bytes
    return bytes
  }

  /** The queue's estimate may have been too high by far; the bytes themselves decide. */
  #split(frame: Frame, pack: (value: unknown) => Uint8Array): Frame | undefined {
    const head = headOf(frame)
    if (head === undefined) return undefined
    const bytes = pack(frame[frame.length - 1])
    if (bytes.length <= partBytes) return undefined
    this.#parts = { bytes, from: 0 }
    return ["large", head, bytes.length]
  }

  #nextPart(): Frame | undefined {
    const parts = this.#parts
    if (parts === undefined) return undefined
    const { bytes, from } = parts
    parts.from += partBytes
    if (parts.from >= bytes.length) this.#parts = undefined
    return ["part", bytes.subarray(from, from + partBytes)]
  }

  /** Empties it. */
  drain(each: (frame: Frame) => void): void {
    for (let frame = this.#frames.shift(); frame !== undefined; frame = this.#frames.shift()) each(frame)
    while (this.#sizes.shift() !== undefined) {}
    while (this.#datagrams.shift() !== undefined) {}
    this.queuedBytes = 0
    this.#parts = undefined
  }
}
