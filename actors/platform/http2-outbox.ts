/**
 * What an HTTP/2 connection has to say: bytes, in the order they are to be read, until the turn ends and all
 * of them leave in one write. Frames are written where they will be sent from.
 *
 * Buffers are lent by the host. When the kernel takes everything at once, which is nearly always, the
 * buffer goes back to it; what the kernel did not take belongs to the socket until it has.
 */
import type { Socket } from "node:net"
import { Flag, FrameType, frameHeadBytes, writeFrameHead, writeUint32 } from "#protocols/wire/http2/frames.ts"

export const bufferBytes = 16 * 1024

export interface Buffers {
  readonly buffer: () => Buffer
  readonly giveBack: (buffer: Buffer) => void
}

export class Http2Outbox {
  readonly #buffers: Buffers
  readonly #socket: Socket
  readonly #copies: boolean
  readonly #onDirty: () => void
  #out: Buffer | undefined
  #at = 0
  #dirty = false

  /** `copies` is for sockets that read what they took later. */
  constructor(buffers: Buffers, socket: Socket, copies: boolean, onDirty: () => void) {
    this.#buffers = buffers
    this.#socket = socket
    this.#copies = copies
    this.#onDirty = onDirty
  }

  /** Room for so many bytes, from `end` on. Whoever writes there tells `wrote` where it ended. */
  room(length: number): Buffer {
    let out = this.#out
    if (out === undefined) {
      out = length <= bufferBytes ? this.#buffers.buffer() : Buffer.allocUnsafeSlow(length)
      this.#out = out
    } else if (out.length - this.#at < length) {
      const larger = Buffer.allocUnsafeSlow(Math.max(out.length * 2, this.#at + length))
      larger.set(out.subarray(0, this.#at))
      this.#release(out)
      this.#out = larger
      out = larger
    }
    if (!this.#dirty) {
      this.#dirty = true
      this.#onDirty()
    }
    return out
  }

  /** How much waits for the end of the turn. */
  get end(): number {
    return this.#at
  }

  wrote(end: number): void {
    this.#at = end
  }

  /** Sends; how much of all that was sent the kernel has not taken. */
  flush(): number {
    this.#dirty = false
    const out = this.#out
    if (out === undefined) return this.#socket.writableLength
    const said = out.subarray(0, this.#at)
    this.#at = 0
    this.#out = undefined
    if (said.length === 0 || this.#socket.writableEnded || this.#socket.destroyed) {
      this.#release(out)
      return 0
    }
    const copied = this.#copies && said.length < bufferBytes / 2
    this.#socket.write(copied ? Buffer.from(said) : said)
    if (copied || this.#socket.writableLength === 0) this.#release(out)
    return this.#socket.writableLength
  }

  #release(buffer: Buffer): void {
    if (buffer.length === bufferBytes) this.#buffers.giveBack(buffer)
  }

  #head(length: number, type: number, flags: number, stream: number): number {
    return writeFrameHead(this.room(frameHeadBytes + length), this.#at, length, type, flags, stream)
  }

  settings(settings: ReadonlyArray<readonly [setting: number, value: number]>): void {
    let at = this.#head(settings.length * 6, FrameType.settings, 0, 0)
    const out = this.#out!
    for (const [setting, value] of settings) {
      out[at] = 0
      out[at + 1] = setting
      at = writeUint32(out, at + 2, value)
    }
    this.#at = at
  }

  settingsAck(): void {
    this.#at = this.#head(0, FrameType.settings, Flag.ack, 0)
  }

  /** With the eight bytes that are there. */
  ping(bytes: Uint8Array, start: number, flags: number): void {
    const at = this.#head(8, FrameType.ping, flags, 0)
    this.#out!.set(bytes.subarray(start, start + 8), at)
    this.#at = at + 8
  }

  windowUpdate(stream: number, increment: number): void {
    const at = this.#head(4, FrameType.windowUpdate, 0, stream)
    this.#at = writeUint32(this.#out!, at, increment)
  }

  rst(stream: number, code: number): void {
    const at = this.#head(4, FrameType.rstStream, 0, stream)
    this.#at = writeUint32(this.#out!, at, code)
  }

  goaway(lastStream: number, code: number, reason: string): void {
    const text = Buffer.from(reason)
    let at = this.#head(8 + text.length, FrameType.goaway, 0, 0)
    const out = this.#out!
    at = writeUint32(out, writeUint32(out, at, lastStream), code)
    out.set(text, at)
    this.#at = at + text.length
  }
}
