/**
 * One HTTP/2 connection, the server's end (RFC 9113), made for gRPC: many small calls.
 *
 * node:http2 spends some 50 µs of CPU on a call, most of it on the objects of a stream. Here all frames of
 * a read are dealt with in one go, answers are written as bytes behind each other, and everything that one
 * turn says to a client leaves in one write at its end (`Http2Host.dirty`). A stream is one object.
 *
 * The other end may send anything. What is wrong with a stream resets it, what is wrong with the connection
 * ends it with GOAWAY and the code of section 7. Everything it can make us hold or do is counted: streams,
 * bytes in windows, parts of messages, header blocks, frames that only cost (section 10.5).
 */
import type { Socket } from "node:net"
import type { GrpcLimits, GrpcPeer, OpenStream, Plain, Unary } from "#actors/kernel/ports/grpc.ts"
import type { TimerWheel } from "#actors/kernel/timer-wheel.ts"
import {
  defaultFrameBytesMax,
  defaultWindowBytes,
  Flag,
  FrameType,
  frameHeadBytes,
  Http2Code,
  Http2ConnectionError,
  largestFrameBytes,
  largestWindowBytes,
  prefaceBytes,
  readUint32,
  Setting
} from "#protocols/wire/http2/frames.ts"
import { HpackDecoder } from "#protocols/wire/http2/hpack.ts"
import { type RequestHead, requestHeadOf } from "#protocols/wire/http2/request-head.ts"
import { Http2Outbox } from "./http2-outbox.ts"
import { Http2Stream } from "./http2-stream.ts"

/** What serves a path; `owner` is the registration that brought it. */
export interface Served {
  readonly owner: object
  readonly unary?: Unary
  readonly stream?: OpenStream
}

/** What connections share. */
export interface Http2Host {
  readonly limits: GrpcLimits
  readonly deadlines: TimerWheel
  readonly nowMillis: () => number
  readonly served: (path: string) => Served | undefined
  readonly plain: () => { readonly owner: object; readonly handle: Plain } | undefined
  /** Whether anybody serves anything: if not, clients are told to come again. */
  readonly serving: () => boolean
  /** This connection has something to say; `flush` is called when the turn ends. */
  readonly dirty: (connection: Http2Connection) => void
  readonly deadlineSet: (dueMillis: number) => void
  /** A handler threw. */
  readonly broke: (path: string, cause: unknown) => void
  readonly buffer: () => Buffer
  readonly giveBack: (buffer: Buffer) => void
}

const streamWindowBytes = 1024 * 1024
const connectionWindowBytes = 4 * 1024 * 1024
/** More of it in the kernel's way, and messages wait in their streams. */
const unsentBytesHigh = 1024 * 1024
const continuationsMax = 32
/** Frames that only cost, a second; a reset counts as ten, ten updates of windows as one. */
const nuisancesMax = 10_000
const goawayGraceMillis = 1_000

export class Http2Connection {
  readonly host: Http2Host
  readonly peer: GrpcPeer
  readonly #socket: Socket
  readonly streams = new Map<number, Http2Stream>()
  readonly #hpack = new HpackDecoder()
  #lastStream = 0
  /** What came of a frame that is not whole yet. */
  #rest: Uint8Array | undefined
  #prefaced = false
  #settled = false
  closed = false
  #refusing = false
  #draining = false
  // Header blocks
  #block: Uint8Array | undefined
  #blockStream = 0
  #blockFlags = 0
  #continuations = 0
  #knownBlock: Uint8Array | undefined
  #knownVersion = -1
  #knownHead: RequestHead | undefined
  // Out
  readonly out: Http2Outbox
  /** The kernel takes no more for now. */
  #blocked = false
  /** Streams wait for the kernel, or for the end of the turn. */
  #starved = false
  /** Of all streams, what waits for the client to read. */
  queuedBytes = 0
  sendWindow = defaultWindowBytes
  peerWindow = defaultWindowBytes
  peerFrameBytesMax = defaultFrameBytesMax
  /** Streams with something to send, in the order they got it. */
  readonly #waiting = new Set<Http2Stream>()
  // In
  #receiveWindow = connectionWindowBytes
  /** Of it, bytes that paused streams hold. */
  heldBytes = 0
  partialBytes = 0
  #nuisances = 0
  #heardMillis: number
  #pingedMillis: number | undefined

  constructor(host: Http2Host, socket: Socket, peer: GrpcPeer) {
    this.host = host
    this.peer = peer
    this.#socket = socket
    // What TLS has taken it may still be reading.
    this.out = new Http2Outbox(host, socket, peer.encrypted, () => host.dirty(this))
    this.#heardMillis = host.nowMillis()
    socket.on("data", (chunk: Buffer) => this.receive(chunk))
    socket.on("drain", () => this.#drained())
    socket.on("end", () => this.#gone())
    socket.on("close", () => this.#gone())
    this.out.settings([
      [Setting.maxConcurrentStreams, host.limits.streamsPerConnectionMax],
      [Setting.initialWindowSize, streamWindowBytes],
      [Setting.maxHeaderListSize, host.limits.headerBytesMax]
    ])
    this.out.windowUpdate(0, connectionWindowBytes - defaultWindowBytes)
  }

  // In

  receive(chunk: Uint8Array): void {
    if (this.closed) return
    this.#heardMillis = this.host.nowMillis()
    this.#pingedMillis = undefined
    let bytes = chunk
    if (this.#rest !== undefined) {
      bytes = Buffer.concat([this.#rest, chunk])
      this.#rest = undefined
    }
    try {
      this.#frames(bytes)
    } catch (problem) {
      if (problem instanceof Http2ConnectionError) this.goaway(problem.code, problem.message)
      else {
        this.host.broke("http2", problem)
        this.goaway(Http2Code.internalError, "")
      }
    }
  }

  #frames(bytes: Uint8Array): void {
    let at = this.#prefaced ? 0 : this.#preface(bytes)
    while (!this.closed && bytes.length - at >= frameHeadBytes) {
      const length = (bytes[at]! << 16) | (bytes[at + 1]! << 8) | bytes[at + 2]!
      if (length > defaultFrameBytesMax) refuse(Http2Code.frameSizeError, `a frame of ${length} bytes`)
      const end = at + frameHeadBytes + length
      if (end > bytes.length) break
      const stream = readUint32(bytes, at + 5) & 0x7fff_ffff
      this.#frame(bytes[at + 3]!, bytes[at + 4]!, stream, bytes, at + frameHeadBytes, end)
      at = end
    }
    // A copy: what is left is little, and a view would keep all of it.
    if (!this.closed && at < bytes.length) this.#rest = Uint8Array.prototype.slice.call(bytes, at)
  }

  /** Where frames begin; nothing is taken until all of the preface is there. */
  #preface(bytes: Uint8Array): number {
    const length = Math.min(bytes.length, prefaceBytes.length)
    for (let index = 0; index < length; index++) {
      if (bytes[index] !== prefaceBytes[index]) refuse(Http2Code.protocolError, "this is not HTTP/2")
    }
    if (length < prefaceBytes.length) {
      this.#rest = bytes.slice()
      return bytes.length
    }
    this.#prefaced = true
    return prefaceBytes.length
  }

  #frame(type: number, flags: number, id: number, bytes: Uint8Array, start: number, end: number): void {
    if (!this.#settled && type !== FrameType.settings) {
      refuse(Http2Code.protocolError, "the first frame is not SETTINGS")
    }
    if (this.#block !== undefined && (type !== FrameType.continuation || id !== this.#blockStream)) {
      refuse(Http2Code.protocolError, "a header block was interrupted")
    }
    switch (type) {
      case FrameType.data:
        return this.#data(flags, id, bytes, start, end)
      case FrameType.headers:
        return this.#headers(flags, id, bytes, start, end)
      case FrameType.continuation:
        return this.#continuation(flags, id, bytes, start, end)
      case FrameType.rstStream:
        return this.#rstStream(id, bytes, start, end)
      case FrameType.settings:
        return this.#settings(flags, id, bytes, start, end)
      case FrameType.ping:
        return this.#ping(flags, id, bytes, start, end)
      case FrameType.windowUpdate:
        return this.#windowUpdated(id, bytes, start, end)
      case FrameType.priority:
        this.#nuisance(1)
        if (id === 0) refuse(Http2Code.protocolError, "PRIORITY without a stream")
        if (end - start !== 5) this.reset(id, Http2Code.frameSizeError)
        return
      case FrameType.goaway:
        if (id !== 0) refuse(Http2Code.protocolError, "GOAWAY on a stream")
        return this.#nuisance(1)
      case FrameType.pushPromise:
        return refuse(Http2Code.protocolError, "a client pushes")
      default:
        // Section 4.1: what nobody knows is passed over.
        this.#nuisance(1)
    }
  }

  #data(flags: number, id: number, bytes: Uint8Array, start: number, end: number): void {
    if (id === 0) refuse(Http2Code.protocolError, "DATA without a stream")
    const length = end - start
    this.#receiveWindow -= length
    if (this.#receiveWindow < 0) refuse(Http2Code.flowControlError, "more than the connection's window")
    const stream = this.streams.get(id)
    if (stream === undefined) {
      if (id > this.#lastStream || id % 2 === 0) refuse(Http2Code.protocolError, `DATA on idle stream ${id}`)
      // Of a stream that we ended, the client may not know yet.
      this.#nuisance(1)
      return this.credit()
    }
    if (stream.remoteEnded) return this.reset(id, Http2Code.streamClosed)
    let from = start
    let to = end
    if ((flags & Flag.padded) !== 0) {
      const padding = length > 0 ? bytes[start]! : 0
      if (padding >= length) refuse(Http2Code.protocolError, "more padding than there is frame")
      from = start + 1
      to = end - padding
    }
    const last = (flags & Flag.endStream) !== 0
    if (from === to && !last) this.#nuisance(1)
    stream.receiveWindow -= length
    if (stream.receiveWindow < 0) return this.reset(id, Http2Code.flowControlError)
    stream.onData(bytes, from, to, last)
    if (this.#receiveWindow < connectionWindowBytes / 2) this.credit()
  }

  /** Gives the connection's window back, but for what paused streams hold. */
  credit(): void {
    const increment = connectionWindowBytes - this.#receiveWindow - this.heldBytes
    if (increment < connectionWindowBytes / 4 || this.closed) return
    this.#receiveWindow += increment
    this.out.windowUpdate(0, increment)
  }

  /** Gives a stream's window back when half of it is used. */
  creditStream(stream: Http2Stream): void {
    const increment = streamWindowBytes - stream.receiveWindow
    if (increment < streamWindowBytes / 2) return
    stream.receiveWindow += increment
    this.out.windowUpdate(stream.id, increment)
  }

  #headers(flags: number, id: number, bytes: Uint8Array, start: number, end: number): void {
    if (id === 0 || id % 2 === 0) refuse(Http2Code.protocolError, `HEADERS on stream ${id}`)
    let from = start
    let to = end
    if ((flags & Flag.padded) !== 0) {
      to -= bytes[from] ?? 0
      from++
    }
    if ((flags & Flag.priority) !== 0) {
      if (to - from >= 5 && (readUint32(bytes, from) & 0x7fff_ffff) === id) {
        refuse(Http2Code.protocolError, "a stream depends on itself")
      }
      from += 5
    }
    if (from > to) refuse(Http2Code.protocolError, "more padding than there is frame")
    const block = bytes.subarray(from, to)
    if ((flags & Flag.endHeaders) !== 0) return this.#opened(id, flags, block)
    this.#block = Uint8Array.prototype.slice.call(block)
    this.#blockStream = id
    this.#blockFlags = flags
    this.#continuations = 0
  }

  #continuation(flags: number, id: number, bytes: Uint8Array, start: number, end: number): void {
    if (this.#block === undefined) return refuse(Http2Code.protocolError, "CONTINUATION of nothing")
    const block = Buffer.concat([this.#block, bytes.subarray(start, end)])
    if (++this.#continuations > continuationsMax || block.length > 4 * this.host.limits.headerBytesMax) {
      refuse(Http2Code.enhanceYourCalm, "a header block without end")
    }
    this.#block = block
    if ((flags & Flag.endHeaders) === 0) return
    this.#block = undefined
    this.#opened(id, this.#blockFlags, block)
  }

  #opened(id: number, flags: number, block: Uint8Array): void {
    const head = this.#headOf(block)
    const last = (flags & Flag.endStream) !== 0
    const known = this.streams.get(id)
    if (known !== undefined) {
      // Trailers of a request, which mean nothing to us.
      if (!last || known.remoteEnded) return this.reset(id, Http2Code.protocolError)
      return known.onData(noBytes, 0, 0, true)
    }
    if (id <= this.#lastStream) refuse(Http2Code.streamClosed, `HEADERS on closed stream ${id}`)
    this.#lastStream = id
    if (this.#refusing || this.streams.size >= this.host.limits.streamsPerConnectionMax) {
      this.#nuisance(1)
      return this.reset(id, Http2Code.refusedStream)
    }
    if (head === undefined) {
      this.#nuisance(1)
      return this.reset(id, Http2Code.protocolError)
    }
    const stream = new Http2Stream(this, id, head)
    this.streams.set(id, stream)
    stream.open(this.#hpack.tooLarge)
    if (last) stream.onData(noBytes, 0, 0, true)
  }

  /** A client says the same block again and again, see hpack.ts. */
  #headOf(block: Uint8Array): RequestHead | undefined {
    const { version } = this.#hpack
    const known = this.#knownBlock
    if (known !== undefined && this.#knownVersion === version && same(known, block)) return this.#knownHead
    const fields: Array<string> = []
    this.#hpack.decode(block, fields, this.host.limits.headerBytesMax)
    const head = requestHeadOf(fields)
    const repeatable = this.#hpack.version === version && block.length <= 64 && !this.#hpack.tooLarge
    this.#knownBlock = repeatable ? Uint8Array.prototype.slice.call(block) : undefined
    this.#knownVersion = version
    this.#knownHead = head
    return head
  }

  #rstStream(id: number, bytes: Uint8Array, start: number, end: number): void {
    if (end - start !== 4) refuse(Http2Code.frameSizeError, "RST_STREAM of another size")
    if (id === 0 || id > this.#lastStream) refuse(Http2Code.protocolError, "RST_STREAM on an idle stream")
    const stream = this.streams.get(id)
    // A client that opens streams and takes them back at once makes us work for nothing.
    this.#nuisance(readUint32(bytes, start) === Http2Code.noError || stream === undefined ? 1 : 10)
    stream?.onReset()
  }

  #settings(flags: number, id: number, bytes: Uint8Array, start: number, end: number): void {
    if (id !== 0) refuse(Http2Code.protocolError, "SETTINGS on a stream")
    if ((flags & Flag.ack) !== 0) {
      if (end !== start) refuse(Http2Code.frameSizeError, "an acknowledgement with settings")
      if (!this.#settled) refuse(Http2Code.protocolError, "the first SETTINGS is an acknowledgement")
      return this.#nuisance(1)
    }
    if ((end - start) % 6 !== 0) refuse(Http2Code.frameSizeError, "SETTINGS of another size")
    this.#settled = true
    this.#nuisance(1)
    for (let at = start; at < end; at += 6) {
      const value = readUint32(bytes, at + 2)
      switch ((bytes[at]! << 8) | bytes[at + 1]!) {
        case Setting.enablePush:
          if (value > 1) refuse(Http2Code.protocolError, "ENABLE_PUSH is neither 0 nor 1")
          break
        case Setting.initialWindowSize: {
          if (value > largestWindowBytes) refuse(Http2Code.flowControlError, "a window too large")
          const difference = value - this.peerWindow
          this.peerWindow = value
          for (const stream of this.streams.values()) {
            stream.sendWindow += difference
            if (stream.sendWindow > largestWindowBytes) {
              refuse(Http2Code.flowControlError, "a window too large")
            }
          }
          break
        }
        case Setting.maxFrameSize:
          if (value < defaultFrameBytesMax || value > largestFrameBytes) {
            refuse(Http2Code.protocolError, "MAX_FRAME_SIZE out of range")
          }
          this.peerFrameBytesMax = value
          break
      }
    }
    this.out.settingsAck()
    this.#pump()
  }

  #ping(flags: number, id: number, bytes: Uint8Array, start: number, end: number): void {
    if (id !== 0) refuse(Http2Code.protocolError, "PING on a stream")
    if (end - start !== 8) refuse(Http2Code.frameSizeError, "PING of another size")
    this.#nuisance(1)
    if ((flags & Flag.ack) === 0) {
      this.out.ping(bytes, start, Flag.ack)
    } else if (this.#draining) this.#refuseFurther()
  }

  #windowUpdated(id: number, bytes: Uint8Array, start: number, end: number): void {
    if (end - start !== 4) refuse(Http2Code.frameSizeError, "WINDOW_UPDATE of another size")
    this.#nuisance(0.1)
    const increment = readUint32(bytes, start) & 0x7fff_ffff
    if (id === 0) {
      if (increment === 0) refuse(Http2Code.protocolError, "a window grows by nothing")
      this.sendWindow += increment
      if (this.sendWindow > largestWindowBytes) refuse(Http2Code.flowControlError, "a window too large")
      return this.#pump()
    }
    if (id > this.#lastStream) refuse(Http2Code.protocolError, "WINDOW_UPDATE on an idle stream")
    const stream = this.streams.get(id)
    if (stream === undefined) return this.#nuisance(1)
    if (increment === 0) return this.reset(id, Http2Code.protocolError)
    stream.sendWindow += increment
    if (stream.sendWindow > largestWindowBytes) return this.reset(id, Http2Code.flowControlError)
    if (this.#waiting.has(stream)) this.#pump()
  }

  #nuisance(weight: number): void {
    this.#nuisances += weight
    if (this.#nuisances > nuisancesMax) refuse(Http2Code.enhanceYourCalm, "too much that only costs")
  }

  // Out

  /** Whether DATA may go out at once. */
  get flowing(): boolean {
    return !this.#blocked && this.out.end <= unsentBytesHigh
  }

  /** Ends a stream for what the client did, or for what we will not do. */
  reset(id: number, code: number): void {
    this.out.rst(id, code)
    this.streams.get(id)?.onReset()
  }

  /** It goes on when others had their turn: windows may never have to grow for that. */
  wait(stream: Http2Stream): void {
    this.#waiting.add(stream)
    this.#starved = true
  }

  forget(stream: Http2Stream): void {
    this.streams.delete(stream.id)
    this.#waiting.delete(stream)
    if (this.#refusing && this.streams.size === 0) this.#finish()
  }

  /** Each stream in turn says a part of what it has, as windows and socket allow. */
  #pump(): void {
    for (let moved = true; moved; ) {
      moved = false
      for (const stream of [...this.#waiting]) {
        if (!this.flowing) {
          this.#starved = true
          return
        }
        // What another one was told may have ended it.
        if (!this.#waiting.has(stream)) continue
        const before = this.sendWindow
        if (stream.pump()) {
          this.#waiting.delete(stream)
          stream.drained()
        }
        if (this.sendWindow !== before) moved = true
      }
    }
  }

  /** At the end of a turn in which something was said. */
  flush(): void {
    const unsent = this.out.flush()
    if (unsent > this.host.limits.unsentBytesMax) {
      this.#socket.destroy()
      return
    }
    this.#blocked = unsent > unsentBytesHigh
    if (this.#starved && !this.#blocked) this.#unstarve()
  }

  #drained(): void {
    this.#blocked = false
    if (this.#starved) this.#unstarve()
  }

  #unstarve(): void {
    this.#starved = false
    this.#pump()
  }

  // The end

  /** Once a second. */
  tick(nowMillis: number): void {
    this.#nuisances = 0
    const { pingMillis, pingTimeoutMillis, handshakeMillisMax } = this.host.limits
    const silentMillis = nowMillis - this.#heardMillis
    if (!this.#settled && silentMillis > handshakeMillisMax) this.#socket.destroy()
    else if (this.#pingedMillis !== undefined) {
      if (nowMillis - this.#pingedMillis > pingTimeoutMillis) this.#socket.destroy()
    } else if (silentMillis > pingMillis) {
      this.#pingedMillis = nowMillis
      this.out.ping(zeros, 0, 0)
    }
  }

  /** Section 6.8: says that the end is near, and takes what is under way until the client has heard it. */
  drain(): void {
    if (this.closed || this.#draining) return
    this.#draining = true
    this.out.goaway(largestWindowBytes, Http2Code.noError, "")
    this.out.ping(zeros, 0, 0)
  }

  #refuseFurther(): void {
    if (this.#refusing) return
    this.#refusing = true
    this.out.goaway(this.#lastStream, Http2Code.noError, "")
    if (this.streams.size === 0) this.#finish()
  }

  /** Ends the connection for what the client did. */
  goaway(code: number, reason: string): void {
    if (this.closed) return
    this.out.goaway(this.#lastStream, code, reason)
    this.#finish()
  }

  #finish(): void {
    if (this.closed) return
    this.#close()
    this.flush()
    this.#socket.end()
    setTimeout(() => this.#socket.destroy(), goawayGraceMillis).unref()
  }

  #gone(): void {
    this.#close()
    this.#socket.destroy()
  }

  #close(): void {
    if (this.closed) return
    this.closed = true
    for (const stream of [...this.streams.values()]) stream.onReset()
    this.#rest = undefined
  }
}

const noBytes = new Uint8Array(0)
const zeros = new Uint8Array(8)

const same = (one: Uint8Array, other: Uint8Array): boolean => {
  if (one.length !== other.length) return false
  for (let index = 0; index < one.length; index++) if (one[index] !== other[index]) return false
  return true
}

const refuse: (code: number, reason: string) => never = (code, reason) => {
  throw new Http2ConnectionError(code, reason)
}
