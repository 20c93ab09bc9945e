/**
 * Protocol buffers: the primitives every codec of the proto3 wire format is made of
 * (protobuf.dev/programming-guides/encoding).
 *
 * The writer writes from the end of its buffer to the front, so when it comes to the length of a nested
 * message, the message is already there and its length is known: one pass, no sizes computed, nothing
 * patched. Whoever writes a message therefore names its fields in *descending* order, and of each field
 * first the value, then the tag. The reader copies nothing: bytes are views into what came in.
 *
 * Two kinds of 64-bit integers. A *safe* one (revisions, counts, lifetimes) is a number, and what does
 * not fit a safe integer is refused; an *identifier* (lease, member, cluster) uses all 64 bits and is a bigint.
 */
import { Data } from "effect"

/** The only thing that the reader throws. What it read so far is to be thrown away. */
export class ProtobufMalformed extends Data.TaggedError("ProtobufMalformed")<{
  readonly reason: string
  readonly offset: number
}> {
  override get message() {
    return `not a protocol buffer, at byte ${this.offset}: ${this.reason}`
  }
}

export const varint = 0
export const fixed64 = 1
export const delimited = 2
export const fixed32 = 5

/** Messages inside of messages. etcd's transactions nest, and nobody nests deeper by hand. */
export const depthMax = 64

export const noBytes: Uint8Array = new Uint8Array(0)

const bits = new DataView(new ArrayBuffer(8))
const utf8 = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true })
const toUtf8 = new TextEncoder()
const highUnit = 4_294_967_296

export class Reader {
  readonly #bytes: Uint8Array
  #at: number
  /** Where the message that is being read ends. */
  #end: number
  #depth = 0
  /** The low and high half of the varint read last. */
  #low = 0
  #high = 0

  constructor(bytes: Uint8Array) {
    this.#bytes = bytes
    this.#at = 0
    this.#end = bytes.length
  }

  get offset(): number {
    return this.#at
  }

  /** Whether the message goes on. */
  get more(): boolean {
    return this.#at < this.#end
  }

  /** The next field's number times eight plus its wire type; 0 at the end of the message. */
  tag(): number {
    if (this.#at === this.#end) return 0
    const first = this.#bytes[this.#at]!
    if (first < 0x80) {
      if (first < 8) return this.#refuse("a field has the number zero")
      this.#at++
      return first
    }
    const tag = this.uint32()
    if (tag >>> 3 === 0) return this.#refuse("a field has the number zero")
    return tag
  }

  /** Checks the wire type of a tag. */
  expect(tag: number, wireType: number): void {
    if ((tag & 7) !== wireType) {
      this.#refuse(`field ${tag >>> 3} has wire type ${tag & 7} instead of ${wireType}`)
    }
  }

  uint32(): number {
    this.#varint()
    if (this.#high !== 0) return this.#refuse("a number has more than 32 bits")
    return this.#low
  }

  /** Enumerations and int32; negative ones come with 64 bits. */
  int32(): number {
    this.#varint()
    return this.#low | 0
  }

  bool(): boolean {
    this.#varint()
    return (this.#low | this.#high) !== 0
  }

  /** An int64 or uint64 as a number. */
  safe(): number {
    const at = this.#at
    const first = at < this.#end ? this.#bytes[at]! : 0x80
    if (first < 0x80) {
      this.#at = at + 1
      return first
    }
    this.#varint()
    const value = (this.#high | 0) * highUnit + this.#low
    return Number.isSafeInteger(value) ? value : this.#refuse(`${value} is beyond what counts exactly`)
  }

  int64(): bigint {
    this.#varint()
    if (this.#high === 0 && this.#low === 0) return 0n
    bits.setUint32(4, this.#low)
    bits.setUint32(0, this.#high)
    return bits.getBigInt64(0)
  }

  uint64(): bigint {
    this.#varint()
    if (this.#high === 0 && this.#low === 0) return 0n
    bits.setUint32(4, this.#low)
    bits.setUint32(0, this.#high)
    return bits.getBigUint64(0)
  }

  /** A view. */
  bytes(): Uint8Array {
    const length = this.#length()
    const start = this.#at
    this.#at = start + length
    return length === 0 ? noBytes : new Uint8Array(this.#bytes.buffer, this.#bytes.byteOffset + start, length)
  }

  string(): string {
    const length = this.#length()
    const start = this.#at
    this.#at = start + length
    if (length < 24) {
      let text = ""
      let at = start
      for (; at < this.#at && this.#bytes[at]! < 0x80; at++) text += String.fromCharCode(this.#bytes[at]!)
      if (at === this.#at) return text
    }
    try {
      return utf8.decode(this.#bytes.subarray(start, this.#at))
    } catch {
      return this.#refuse("a text is not UTF-8")
    }
  }

  /** Goes into a message: what comes is its fields, until `leave` with what this returned. */
  enter(): number {
    if (++this.#depth > depthMax) this.#refuse(`messages nest deeper than ${depthMax}`)
    const length = this.#length()
    const outer = this.#end
    this.#end = this.#at + length
    return outer
  }

  leave(outer: number): void {
    this.#depth--
    this.#end = outer
  }

  /** Past a field nobody knows. */
  skip(tag: number): void {
    switch (tag & 7) {
      case varint:
        return this.#varint()
      case fixed64:
        return this.#past(8)
      case delimited:
        return this.#past(this.#length())
      case fixed32:
        return this.#past(4)
      default:
        this.#refuse(`field ${tag >>> 3} has wire type ${tag & 7}; groups are not understood`)
    }
  }

  #past(length: number): void {
    if (length > this.#end - this.#at) this.#refuse("it ends within a field")
    this.#at += length
  }

  #length(): number {
    const length = this.uint32()
    if (length > this.#end - this.#at) {
      this.#refuse(`a field of ${length} bytes where ${this.#end - this.#at} are left`)
    }
    return length
  }

  #varint(): void {
    const bytes = this.#bytes
    let at = this.#at
    let low = 0
    let high = 0
    for (let shift = 0; shift < 70; shift += 7) {
      if (at === this.#end) this.#refuse("it ends within a number")
      const byte = bytes[at++]!
      const seven = byte & 0x7f
      if (shift < 28) low |= seven << shift
      else if (shift === 28) {
        low |= seven << 28
        high = seven >>> 4
      } else if (shift < 63) high |= seven << (shift - 32)
      // Of the tenth byte one bit is left; what a writer put above it is lost everywhere else, too.
      else high |= (seven & 1) << 31
      if (byte < 0x80) {
        this.#at = at
        this.#low = low >>> 0
        this.#high = high >>> 0
        return
      }
    }
    this.#refuse("a number has more than ten bytes")
  }

  #refuse(reason: string): never {
    throw new ProtobufMalformed({ reason, offset: this.#at })
  }
}

/**
 * Messages lie behind each other in buffers of this many bytes: making one for each message would cost more
 * than writing it. Who keeps a small message for long keeps up to this much with it, so copies it.
 */
const slabBytes = 64 * 1024

export class Writer {
  #bytes: Uint8Array
  /** What is written lies from here to `#end`. */
  #at: number
  #end: number

  constructor(bytes = slabBytes) {
    this.#bytes = new Uint8Array(bytes)
    this.#at = bytes
    this.#end = bytes
  }

  /** How much is written: remember it, write a message, and `nest` with what you remember. */
  get length(): number {
    return this.#end - this.#at
  }

  /** All that is written, which stays as it is. The writer is empty then. */
  finish(): Uint8Array {
    const written = new Uint8Array(this.#bytes.buffer, this.#at, this.length)
    this.#end = this.#at
    return written
  }

  /** Forgets what is written, as after an error. */
  clear(): void {
    this.#at = this.#end
  }

  /** Puts length and tag in front of what was written since the writer had this length. */
  nest(tag: number, lengthBefore: number): void {
    this.uint32(this.length - lengthBefore)
    this.uint32(tag)
  }

  bytes(tag: number, value: Uint8Array): void {
    this.#room(value.length)
    this.#at -= value.length
    this.#bytes.set(value, this.#at)
    this.uint32(value.length)
    this.uint32(tag)
  }

  string(tag: number, value: string): void {
    const { length } = value
    this.#room(length)
    let at = this.#at
    for (let index = length - 1; index >= 0; index--) {
      const unit = value.charCodeAt(index)
      if (unit >= 0x80) return this.bytes(tag, toUtf8.encode(value))
      this.#bytes[--at] = unit
    }
    this.#at = at
    this.uint32(length)
    this.uint32(tag)
  }

  bool(tag: number, value: boolean): void {
    this.uint32(value ? 1 : 0)
    this.uint32(tag)
  }

  /** A number that is an int64, uint64, int32 or enumeration in the schema. */
  safe(tag: number, value: number): void {
    if (value >= 0 && value < highUnit) this.uint32(value)
    else this.#halves(value >>> 0, Math.floor(value / highUnit) >>> 0)
    this.uint32(tag)
  }

  /** An int64 or a uint64: both are their 64 bits. */
  big(tag: number, value: bigint): void {
    bits.setBigUint64(0, value)
    this.#halves(bits.getUint32(4), bits.getUint32(0))
    this.uint32(tag)
  }

  /** A bare varint: tags, lengths, the elements of packed fields. */
  uint32(value: number): void {
    if (this.#at < 5) this.#room(5)
    const bytes = this.#bytes
    if (value < 0x80) {
      bytes[--this.#at] = value
      return
    }
    let at = this.#at - (value < 0x4000 ? 2 : value < 0x200000 ? 3 : value < 0x10000000 ? 4 : 5)
    this.#at = at
    let rest = value
    for (; rest > 0x7f; rest >>>= 7) bytes[at++] = (rest & 0x7f) | 0x80
    bytes[at] = rest
  }

  #halves(low: number, high: number): void {
    if (high === 0) return this.uint32(low)
    this.#room(10)
    const bytes = this.#bytes
    let length = 5
    for (let rest = high >>> 3; rest > 0; rest >>>= 7) length++
    let at = this.#at - length
    this.#at = at
    bytes[at++] = (low & 0x7f) | 0x80
    bytes[at++] = ((low >>> 7) & 0x7f) | 0x80
    bytes[at++] = ((low >>> 14) & 0x7f) | 0x80
    bytes[at++] = ((low >>> 21) & 0x7f) | 0x80
    const middle = (low >>> 28) | ((high & 7) << 4)
    let rest = high >>> 3
    bytes[at++] = rest > 0 ? middle | 0x80 : middle
    while (rest > 0) {
      const seven = rest & 0x7f
      rest >>>= 7
      bytes[at++] = rest > 0 ? seven | 0x80 : seven
    }
  }

  #room(length: number): void {
    if (this.#at >= length) return
    const written = this.length
    let size = slabBytes
    while (size < written + length) size *= 2
    const fresh = new Uint8Array(size)
    fresh.set(this.#bytes.subarray(this.#at, this.#end), size - written)
    this.#bytes = fresh
    this.#at = size - written
    this.#end = size
  }
}
