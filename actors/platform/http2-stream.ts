/**
 * One stream of an HTTP/2 connection: a gRPC call, or a plain request. It is the call that handlers get,
 * the timer of its deadline, the place where messages are put together, and the queue of what the client
 * does not read yet, all in one object, since it is made for each call.
 *
 *   idle ─ open ─► messages in ─ END_STREAM ─► remoteEnded ─┐
 *            └───► HEADERS out, DATA out, trailers out ─► ended ─► forgotten
 *
 * A unary answer that fits the windows goes out as three frames written by hand, with nothing in between.
 */
import type {
  GrpcPeer,
  GrpcStatus,
  Metadata,
  StreamCall,
  StreamListener,
  UnaryCall
} from "#actors/kernel/ports/grpc.ts"
import { Timer } from "#actors/kernel/timer-wheel.ts"
import { GrpcCode } from "#protocols/wire/etcd/errors.ts"
import { messagePrefixBytes, percentEncoded } from "#protocols/wire/grpc.ts"
import {
  Flag,
  FrameType,
  frameHeadBytes,
  Http2Code,
  readUint32,
  writeFrameHead,
  writeUint32
} from "#protocols/wire/http2/frames.ts"
import { encodeFields } from "#protocols/wire/http2/hpack.ts"
import { fieldOf, type RequestHead } from "#protocols/wire/http2/request-head.ts"
import type { Http2Connection, Served } from "./http2-connection.ts"
import { plainReplyOf } from "./http2-plain.ts"

const grpcHead = encodeFields([":status", "200", "content-type", "application/grpc"])
const okTrailers = encodeFields(["grpc-status", "0"])

/** Of one stream, before it is another's turn. */
const quantumBytes = 128 * 1024

/** Who has a message this large on the way in gets room for it bit by bit. */
const firstPartBytes = 16 * 1024

export class Http2Stream extends Timer implements UnaryCall, StreamCall {
  readonly id: number
  readonly #connection: Http2Connection
  readonly #head: RequestHead
  #served: Served | undefined
  #listener: StreamListener | undefined
  /** Takes the body of a plain request. */
  #plain: ((body: Uint8Array) => void) | undefined
  #owner: object | undefined
  onCancel: (() => void) | undefined = undefined
  onDrain: (() => void) | undefined = undefined
  deadlineMillis: number | undefined = undefined
  /** We have said all, or nobody listens. */
  ended = false
  remoteEnded = false
  // Out
  sendWindow: number
  #headSent = false
  #queue: Array<Uint8Array> | undefined
  /** How much of the first in the queue is gone. */
  #queueAt = 0
  queuedBytes = 0
  #hungry = false
  #trailers: Uint8Array | undefined
  // In
  receiveWindow = 1024 * 1024
  #receivedBytes = 0
  #request: Uint8Array | undefined
  #prefix: Uint8Array | undefined
  #prefixAt = 0
  #part: Uint8Array | undefined
  #partAt = 0
  #partBytes = 0
  #paused = false
  /** Messages are being handed over; whoever does that goes on when `resume` is called within. */
  #taking = false
  /** What came while paused. */
  #held: Array<Uint8Array> | undefined

  constructor(connection: Http2Connection, id: number, head: RequestHead) {
    super()
    this.#connection = connection
    this.id = id
    this.#head = head
    this.sendWindow = connection.peerWindow
  }

  get path(): string {
    return this.#head.path
  }

  get peer(): GrpcPeer {
    return this.#connection.peer
  }

  get owner(): object | undefined {
    return this.#owner
  }

  /** A call that ends when the client or the handler wants it, and not by itself. */
  get longLived(): boolean {
    return this.#listener !== undefined || this.#plain !== undefined
  }

  header(name: string): string | undefined {
    return fieldOf(this.#head.fields, name)
  }

  // In

  open(tooLarge: boolean): void {
    const { host } = this.#connection
    if (!this.#head.grpc) return this.#openPlain(tooLarge)
    if (tooLarge) return this.fail({ code: GrpcCode.resourceExhausted, message: "the metadata is too large" })
    if (this.#head.method !== "POST") return this.#refusePlain("405")
    const served = host.served(this.path)
    if (served === undefined) return this.#unknown()
    if (this.#head.encoding !== "identity") {
      const message = `grpc: Decompressor is not installed for grpc-encoding "${this.#head.encoding}"`
      return this.fail({ code: GrpcCode.unimplemented, message }, ["grpc-accept-encoding", "identity"])
    }
    this.#served = served
    this.#owner = served.owner
    const { timeoutMillis } = this.#head
    if (timeoutMillis !== undefined) {
      const nowMillis = host.nowMillis()
      this.deadlineMillis = nowMillis + timeoutMillis
      host.deadlines.start(this, this.deadlineMillis, nowMillis)
      host.deadlineSet(this.deadlineMillis)
    }
    if (served.stream === undefined) return
    try {
      this.#listener = served.stream(this)
    } catch (cause) {
      this.#broke(cause)
    }
  }

  #unknown(): void {
    const [, service = "", method = ""] = /^\/(.*)\/([^/]*)$/.exec(this.path) ?? []
    this.fail(
      this.#connection.host.serving()
        ? { code: GrpcCode.unimplemented, message: `unknown method ${method} for service ${service}` }
        : { code: GrpcCode.unavailable, message: "nobody serves here now" }
    )
  }

  #openPlain(tooLarge: boolean): void {
    const plain = this.#connection.host.plain()
    if (plain === undefined) return this.#refusePlain("404")
    if (tooLarge) return this.#refusePlain("431")
    this.#owner = plain.owner
    const { fields, method, path } = this.#head
    this.#plain = (body) => {
      const header = (name: string) => fieldOf(fields, name)
      plain.handle({ method, path, header, body, peer: this.peer }, plainReplyOf(this))
    }
  }

  #refusePlain(status: string): void {
    this.#sendHead(encodeFields([":status", status]), true)
    this.#finish()
  }

  onData(bytes: Uint8Array, start: number, end: number, last: boolean): void {
    const { contentLength } = this.#head
    this.#receivedBytes += end - start
    if (
      contentLength !== undefined &&
      (last ? this.#receivedBytes !== contentLength : this.#receivedBytes > contentLength)
    ) {
      return this.#connection.reset(this.id, Http2Code.protocolError)
    }
    this.remoteEnded = last
    if (this.ended) return
    if (this.#paused) this.#hold(bytes, start, end)
    else {
      this.#taking = true
      this.#take(bytes, start, end)
      this.#taking = false
      if (this.#paused) return
      if (last) this.#takeEnd()
      else if (!this.ended) this.#connection.creditStream(this)
    }
  }

  #hold(bytes: Uint8Array, start: number, end: number): void {
    if (start === end) return
    this.#held ??= []
    this.#held.push(bytes.subarray(start, end))
    this.#connection.heldBytes += end - start
  }

  #take(bytes: Uint8Array, start: number, end: number): void {
    if (this.#plain !== undefined) return this.#takePart(bytes, start, end)
    let at = start
    while (at < end && !this.ended) {
      if (this.#paused) return this.#hold(bytes, at, end)
      if (this.#part === undefined) {
        at = this.#takePrefix(bytes, at, end)
        if (at < 0) return
        if (end - at >= this.#partBytes) {
          const to = at + this.#partBytes
          this.#prefixAt = 0
          this.#deliver(new Uint8Array(bytes.buffer, bytes.byteOffset + at, this.#partBytes))
          at = to
          continue
        }
        this.#part = new Uint8Array(Math.min(this.#partBytes, Math.max(firstPartBytes, end - at)))
        this.#connection.partialBytes += this.#part.length
        this.#partAt = 0
      }
      const to = Math.min(end, at + this.#partBytes - this.#partAt)
      this.#put(bytes, at, to)
      at = to
      if (this.#partAt < this.#partBytes || this.#part === undefined) continue
      const message = this.#part
      this.#part = undefined
      this.#prefixAt = 0
      this.#connection.partialBytes -= message.length
      this.#deliver(message)
    }
  }

  /** Where the message begins; negative when its prefix is not whole, or not one. */
  #takePrefix(bytes: Uint8Array, start: number, end: number): number {
    let prefix = bytes
    let at = start
    let from = start
    if (this.#prefixAt > 0 || end - start < messagePrefixBytes) {
      this.#prefix ??= new Uint8Array(messagePrefixBytes)
      while (this.#prefixAt < messagePrefixBytes && at < end) this.#prefix[this.#prefixAt++] = bytes[at++]!
      if (this.#prefixAt < messagePrefixBytes) return -1
      prefix = this.#prefix
      from = 0
    } else at = start + messagePrefixBytes
    if (prefix[from] !== 0) {
      this.fail({
        code: prefix[from] === 1 ? GrpcCode.unimplemented : GrpcCode.internal,
        message: "a message is compressed, and no compression was agreed on"
      })
      return -1
    }
    this.#partBytes = readUint32(prefix, from + 1)
    const { messageBytesMax } = this.#connection.host.limits
    if (this.#partBytes > messageBytesMax) {
      this.fail({
        code: GrpcCode.resourceExhausted,
        message: `grpc: received message larger than max (${this.#partBytes} vs. ${messageBytesMax})`
      })
      return -1
    }
    return at
  }

  /** A piece of the body of a plain request, whose length nobody knows. */
  #takePart(bytes: Uint8Array, start: number, end: number): void {
    this.#part ??= new Uint8Array(0)
    this.#partBytes = this.#connection.host.limits.plainBytesMax
    if (this.#partAt + end - start > this.#partBytes) return this.#refusePlain("413")
    this.#put(bytes, start, end)
  }

  /** Adds to the message, which is never longer than `#partBytes`. */
  #put(bytes: Uint8Array, start: number, end: number): void {
    const connection = this.#connection
    let part = this.#part!
    const needed = this.#partAt + end - start
    if (needed > part.length) {
      const larger = new Uint8Array(Math.min(this.#partBytes, Math.max(needed, part.length * 2)))
      larger.set(part.subarray(0, this.#partAt))
      connection.partialBytes += larger.length - part.length
      this.#part = larger
      part = larger
      if (connection.partialBytes > connection.host.limits.partialBytesMax) {
        return this.fail({ code: GrpcCode.resourceExhausted, message: "too many parts of messages at once" })
      }
    }
    part.set(bytes.subarray(start, end), this.#partAt)
    this.#partAt = needed
  }

  #deliver(message: Uint8Array): void {
    if (this.#listener === undefined) {
      if (this.#request !== undefined) {
        return this.fail({ code: GrpcCode.internal, message: "a unary call with more than one request" })
      }
      this.#request = message
      return
    }
    try {
      this.#listener.onMessage(message)
    } catch (cause) {
      this.#broke(cause)
    }
  }

  #takeEnd(): void {
    if (this.ended) return
    try {
      if (this.#plain !== undefined) {
        const body = this.#part?.subarray(0, this.#partAt) ?? new Uint8Array(0)
        this.#releasePart()
        return this.#plain(body)
      }
      if (this.#part !== undefined || this.#prefixAt > 0) {
        return this.fail({ code: GrpcCode.internal, message: "the stream ends within a message" })
      }
      if (this.#listener !== undefined) return this.#listener.onEnd()
      if (this.#request === undefined) {
        return this.fail({ code: GrpcCode.internal, message: "a unary call without a request" })
      }
      this.#served?.unary?.(this.#request, this)
    } catch (cause) {
      this.#broke(cause)
    }
  }

  pause(): void {
    this.#paused = true
  }

  resume(): void {
    if (!this.#paused || this.ended) return
    this.#paused = false
    if (this.#taking) return
    const held = this.#held
    this.#held = undefined
    this.#taking = true
    for (const piece of held ?? []) {
      if (this.#paused) this.#hold(piece, 0, piece.length)
      else this.#take(piece, 0, piece.length)
      this.#connection.heldBytes -= piece.length
    }
    this.#taking = false
    if (this.#paused || this.ended) return
    this.#connection.credit()
    if (this.remoteEnded) this.#takeEnd()
    else this.#connection.creditStream(this)
  }

  // Out

  reply(response: Uint8Array, trailers?: Metadata): void {
    if (this.ended) return
    const block = trailers === undefined ? okTrailers : encodeFields(["grpc-status", "0", ...trailers])
    const connection = this.#connection
    const length = messagePrefixBytes + response.length
    const fits = length <= this.sendWindow && length <= connection.sendWindow
    if (this.#headSent || !fits || length > connection.peerFrameBytesMax || !connection.flowing) {
      // One large answer is well, but not behind others that nobody reads.
      if (connection.queuedBytes > connection.host.limits.unsentBytesMax) return this.fail(readsTooSlowly)
      this.#enqueue(response)
      return this.#conclude(block)
    }
    const out = connection.out.room(3 * frameHeadBytes + grpcHead.length + length + block.length)
    let at = writeFrameHead(
      out,
      connection.out.end,
      grpcHead.length,
      FrameType.headers,
      Flag.endHeaders,
      this.id
    )
    out.set(grpcHead, at)
    at = writeFrameHead(out, at + grpcHead.length, length, FrameType.data, 0, this.id)
    out[at] = 0
    at = writeUint32(out, at + 1, response.length)
    out.set(response, at)
    at += response.length
    at = writeFrameHead(out, at, block.length, FrameType.headers, Flag.endHeaders | Flag.endStream, this.id)
    out.set(block, at)
    connection.out.wrote(at + block.length)
    connection.sendWindow -= length
    this.#finish()
  }

  fail(status: GrpcStatus, trailers: Metadata = []): void {
    if (this.ended) return
    const fields = ["grpc-status", String(status.code)]
    if (status.message !== "") fields.push("grpc-message", percentEncoded(status.message))
    // What still waits is of no use to a call that failed.
    this.#dropQueue()
    if (this.#headSent) return this.#conclude(encodeFields([...fields, ...trailers]))
    this.#sendHead(
      encodeFields([":status", "200", "content-type", "application/grpc", ...fields, ...trailers]),
      true
    )
    this.#finish()
  }

  send(message: Uint8Array): boolean {
    if (this.ended) return false
    this.#enqueue(message)
    return this.#pushed()
  }

  end(trailers?: Metadata): void {
    if (this.ended) return
    if (!this.#headSent) this.#sendHead(grpcHead, false)
    this.#conclude(trailers === undefined ? okTrailers : encodeFields(["grpc-status", "0", ...trailers]))
  }

  // Of a plain reply

  beginPlain(status: number, headers: Metadata): void {
    if (!this.ended && !this.#headSent)
      this.#sendHead(encodeFields([":status", String(status), ...headers]), false)
  }

  sendPlain(bytes: Uint8Array): boolean {
    if (this.ended) return false
    this.#push(Uint8Array.prototype.slice.call(bytes))
    return this.#pushed()
  }

  endPlain(): void {
    if (!this.ended) this.#conclude(noTrailers)
  }

  #enqueue(message: Uint8Array): void {
    if (!this.#headSent) this.#sendHead(grpcHead, false)
    const framed = new Uint8Array(messagePrefixBytes + message.length)
    writeUint32(framed, 1, message.length)
    framed.set(message, messagePrefixBytes)
    this.#push(framed)
  }

  #push(piece: Uint8Array): void {
    this.#queue ??= []
    this.#queue.push(piece)
    this.queuedBytes += piece.length
    this.#connection.queuedBytes += piece.length
  }

  #dropQueue(): void {
    this.#queue = undefined
    this.#queueAt = 0
    this.#connection.queuedBytes -= this.queuedBytes
    this.queuedBytes = 0
  }

  #pushed(): boolean {
    const { limits } = this.#connection.host
    this.#try()
    if (this.queuedBytes > limits.sendQueueBytesMax) {
      this.abandon(readsTooSlowly)
      return false
    }
    // Until all has gone: whoever was told once that there is no room waits for that.
    this.#hungry ||= this.queuedBytes >= limits.sendQueueBytes
    return !this.#hungry
  }

  /** Nothing comes behind this; an empty block stands for an empty last DATA frame. */
  #conclude(trailers: Uint8Array): void {
    this.#trailers = trailers
    // From here on nobody can send, and it ends for the handler, though not yet for the client.
    this.ended = true
    this.#release()
    this.#try()
  }

  #try(): void {
    if (!this.#connection.flowing || !this.pump()) this.#connection.wait(this)
  }

  #sendHead(block: Uint8Array, last: boolean): void {
    this.#headSent = true
    const connection = this.#connection
    const out = connection.out.room(frameHeadBytes + block.length)
    const flags = last ? Flag.endHeaders | Flag.endStream : Flag.endHeaders
    const at = writeFrameHead(out, connection.out.end, block.length, FrameType.headers, flags, this.id)
    out.set(block, at)
    connection.out.wrote(at + block.length)
  }

  /** Sends what the windows allow; whether that was all. */
  pump(): boolean {
    const connection = this.#connection
    const queue = this.#queue
    const queuedBytesMin = this.queuedBytes - quantumBytes
    while (queue !== undefined && queue.length > 0) {
      if (this.queuedBytes < queuedBytesMin) return false
      const first = queue[0]!
      const length = Math.min(
        first.length - this.#queueAt,
        this.sendWindow,
        connection.sendWindow,
        connection.peerFrameBytesMax
      )
      if (length <= 0 && first.length > 0) return false
      const out = connection.out.room(frameHeadBytes + length)
      const at = writeFrameHead(out, connection.out.end, length, FrameType.data, 0, this.id)
      out.set(first.subarray(this.#queueAt, this.#queueAt + length), at)
      connection.out.wrote(at + length)
      this.sendWindow -= length
      connection.sendWindow -= length
      this.queuedBytes -= length
      connection.queuedBytes -= length
      this.#queueAt += length
      if (this.#queueAt < first.length) continue
      queue.shift()
      this.#queueAt = 0
    }
    if (this.#trailers !== undefined) {
      if (this.#trailers.length > 0) this.#sendHead(this.#trailers, true)
      else {
        const out = connection.out.room(frameHeadBytes)
        connection.out.wrote(
          writeFrameHead(out, connection.out.end, 0, FrameType.data, Flag.endStream, this.id)
        )
      }
      this.#finish()
    }
    return true
  }

  /** All that waited is gone; called when the connection no longer counts it among those that wait. */
  drained(): void {
    if (!this.#hungry || this.ended) return
    this.#hungry = false
    this.#tell(this.onDrain)
  }

  // The end

  /** We have said all; a client that has not, need not (RFC 9113, section 8.1). */
  #finish(): void {
    this.ended = true
    if (!this.remoteEnded) this.#connection.out.rst(this.id, Http2Code.noError)
    this.#release()
    this.#connection.forget(this)
  }

  #release(): void {
    if (this.deadlineMillis !== undefined) this.#connection.host.deadlines.cancel(this)
    this.#releasePart()
    for (const piece of this.#held ?? []) this.#connection.heldBytes -= piece.length
    this.#held = undefined
    this.#request = undefined
  }

  #releasePart(): void {
    if (this.#part === undefined) return
    this.#connection.partialBytes -= this.#part.length
    this.#part = undefined
  }

  /** The client, or the connection, is gone. */
  onReset(): void {
    const told = !this.ended
    this.ended = true
    this.#dropQueue()
    this.#release()
    this.#connection.forget(this)
    if (told) this.#tell(this.onCancel)
  }

  /** The deadline has passed. */
  override fire(): void {
    this.abandon({ code: GrpcCode.deadlineExceeded, message: "context deadline exceeded" })
  }

  /** Ends the call over the handler's head. */
  abandon(status: GrpcStatus): void {
    if (this.ended) return
    const cancelled = this.onCancel
    if (this.#plain === undefined) this.fail(status)
    else this.#connection.reset(this.id, Http2Code.cancel)
    if (this.#plain === undefined) this.#tell(cancelled)
  }

  #tell(callback: (() => void) | undefined): void {
    if (callback === undefined) return
    try {
      callback()
    } catch (cause) {
      this.#broke(cause)
    }
  }

  #broke(cause: unknown): void {
    this.#connection.host.broke(this.path, cause)
    if (this.#plain === undefined) this.fail({ code: GrpcCode.internal, message: "internal error" })
    else if (!this.#headSent && !this.ended) this.#refusePlain("500")
    else this.#connection.reset(this.id, Http2Code.internalError)
  }
}

const readsTooSlowly: GrpcStatus = {
  code: GrpcCode.resourceExhausted,
  message: "the client reads too slowly"
}

const noTrailers = new Uint8Array(0)
