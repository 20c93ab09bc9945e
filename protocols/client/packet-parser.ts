/**
 * The packet parser: how socket.io packets, and large messages, become bytes and back. Both ends of every
 * connection use it in place of socket.io's own: server, nodes that dial, clients, the browser.
 *
 *   packet ─► [type, namespace, data, id] ─► MessagePack ─► one binary websocket message
 *
 * socket.io's parser sends a text with placeholders and each piece of bytes as a message of its own; here
 * a packet is one message, and bytes in it arrive as views of that message, not as copies.
 *
 * The other end may send anything. So bytes are walked through once before they are decoded: they must be
 * exactly one value made of null, undefined, booleans, numbers, texts, bytes, instants, arrays, and
 * objects with texts as keys, not nested too deep and not too many. Everything else that the library would
 * read (records, references, sets, regular expressions, errors) is refused before it sees a byte of it.
 * What is refused is dropped and counted; that is never more than the packet itself.
 */
import { Packr, Unpackr } from "msgpackr"

/** The numbers of socket.io's protocol. */
export const packetType = { connect: 0, disconnect: 1, event: 2, ack: 3, connectError: 4 } as const

export interface Packet {
  readonly type: number
  readonly nsp: string
  readonly data?: unknown
  readonly id?: number
}

const nestingMax = 200
/** The smallest value is a byte on the wire and some fifty in memory. */
const packetValuesMax = 512 * 1024
const packedValuesMax = 4 * 1024 * 1024
/** Before the other end is known, it has little to say. */
const introductionBytesMax = 32 * 1024
const namespaceLengthMax = 64

/** Events that socket.io's sockets emit themselves. */
const reserved: ReadonlySet<unknown> = new Set([
  "connect",
  "connect_error",
  "disconnect",
  "disconnecting",
  "newListener",
  "removeListener"
])

const options = { useRecords: false, structuredClone: false, moreTypes: false, copyBuffers: false }
const packr = new Packr(options)
const unpackr = new Unpackr(options)

export const pack = (value: unknown): Uint8Array => packr.pack(value)

/** Throws on what is no packed value. */
export const unpack = (bytes: Uint8Array): unknown => unpackAtMost(bytes, packedValuesMax)

const unpackAtMost = (bytes: Uint8Array, valuesMax: number): unknown => {
  if (!isPlain(bytes, valuesMax)) throw new Error("these bytes are no packed value")
  // A view of its own: bytes in it are then Uint8Arrays on every platform, and nothing is attached to ours.
  return unpackr.unpack(new Uint8Array(bytes.buffer, bytes.byteOffset, bytes.byteLength))
}

export class PacketEncoder {
  encode({ data, id, nsp, type }: Packet): ReadonlyArray<Uint8Array> {
    if (id !== undefined) return [pack([type, nsp, data, id])]
    return [pack(data === undefined ? [type, nsp] : [type, nsp, data])]
  }
}

type Decoded = (packet: Packet) => void

/** One for each connection. It emits `decoded`, to the one listener that socket.io has for it. */
export class PacketDecoder {
  #decoded: Decoded | undefined
  #introduced = false
  #malformed = 0
  onMalformed: (() => void) | undefined

  /** How much of what came was no packet. */
  get malformed(): number {
    return this.#malformed
  }

  add(data: unknown): void {
    const packet = this.#decode(data)
    if (packet !== undefined) {
      this.#decoded?.(packet)
    } else {
      this.#malformed += 1
      this.onMalformed?.()
    }
  }

  #decode(data: unknown): Packet | undefined {
    const bytes = bytesOf(data)
    if (bytes === undefined) return undefined
    if (!this.#introduced && bytes.byteLength > introductionBytesMax) return undefined
    let value: unknown
    try {
      value = unpackAtMost(bytes, packetValuesMax)
    } catch {
      return undefined
    }
    const packet = packetOf(value)
    if (packet?.type === packetType.connect) this.#introduced = true
    return packet
  }

  on(_event: "decoded", decoded: Decoded): this {
    this.#decoded = decoded
    return this
  }

  off(_event: "decoded", decoded: Decoded): this {
    if (this.#decoded === decoded) this.#decoded = undefined
    return this
  }

  removeListener(event: "decoded", decoded: Decoded): this {
    return this.off(event, decoded)
  }

  destroy(): void {
    this.onMalformed = undefined
  }
}

/** As the option `parser` of servers and clients. */
export const packetParser = { Encoder: PacketEncoder, Decoder: PacketDecoder }

const bytesOf = (data: unknown): Uint8Array | undefined => {
  if (data instanceof Uint8Array) return data
  return data instanceof ArrayBuffer ? new Uint8Array(data) : undefined
}

const packetOf = (value: unknown): Packet | undefined => {
  if (!Array.isArray(value) || value.length < 2 || value.length > 4) return undefined
  const [type, nsp, data, id]: ReadonlyArray<unknown> = value
  if (typeof type !== "number" || typeof nsp !== "string" || nsp.length > namespaceLengthMax) return undefined
  if (!isDataOf(type, data)) return undefined
  if (id === undefined) return { type, nsp, data }
  return typeof id === "number" && Number.isSafeInteger(id) && id >= 0 ? { type, nsp, data, id } : undefined
}

const isDataOf = (type: number, data: unknown): boolean => {
  switch (type) {
    case packetType.connect:
      return data === undefined || isObject(data)
    case packetType.disconnect:
      return data === undefined
    case packetType.event:
      return Array.isArray(data) && typeof data[0] === "string" && !reserved.has(data[0])
    case packetType.ack:
      return Array.isArray(data)
    case packetType.connectError:
      return isObject(data)
    default:
      return false
  }
}

const isObject = (value: unknown): boolean =>
  typeof value === "object" && value !== null && Object.getPrototypeOf(value) === Object.prototype

/** Of the arrays and objects that are being walked through: elements to come, and whether keys are among them. */
const left = new Uint32Array(nestingMax + 1)
const keyed = new Uint8Array(nestingMax + 1)

/** Whether these bytes are exactly one value of the kinds that we send. Neither allocates nor recurs. */
const isPlain = (bytes: Uint8Array, valuesMax: number): boolean => {
  const end = bytes.length
  let position = 0
  let depth = 0
  let values = 0
  left[0] = 1
  keyed[0] = 0
  for (;;) {
    while (left[depth] === 0) {
      if (depth === 0) return position === end
      depth -= 1
    }
    const remaining = left[depth]!
    const isKey = keyed[depth] === 1 && remaining % 2 === 0
    left[depth] = remaining - 1
    values += 1
    if (position >= end || values > valuesMax) return false

    const token = bytes[position]!
    position += 1
    let skip = 0
    let elements = -1
    let pairs = false
    if (token < 0x80 || token >= 0xe0) {
      skip = 0
    } else if (token < 0x90) {
      elements = token & 0x0f
      pairs = true
    } else if (token < 0xa0) {
      elements = token & 0x0f
    } else if (token < 0xc0) {
      skip = token & 0x1f
    } else {
      const width = widths[token - 0xc0]!
      if (width < 0) return false
      const size = width === 0 ? 0 : bigEndian(bytes, position, width)
      if (size < 0) return false
      position += width
      switch (token) {
        case nil:
        case falsehood:
        case truth:
          break
        case array16:
        case array32:
          elements = size
          break
        case map16:
        case map32:
          elements = size
          pairs = true
          break
        case fixext1:
          // undefined
          if (bytes[position] !== 0) return false
          skip = 2
          break
        case fixext4:
        case fixext8:
          if (bytes[position] !== instant) return false
          skip = token === fixext4 ? 5 : 9
          break
        case ext8:
          if (size !== 12 || bytes[position] !== instant) return false
          skip = 13
          break
        default:
          skip = fixedSizes[token - 0xc0] ?? size
      }
    }
    if (isKey && !isText(token)) return false
    position += skip
    if (position > end) return false
    if (elements >= 0) {
      if (elements > end - position || depth === nestingMax) return false
      depth += 1
      left[depth] = pairs ? elements * 2 : elements
      keyed[depth] = pairs ? 1 : 0
    }
  }
}

const isText = (token: number): boolean => (token >= 0xa0 && token < 0xc0) || (token >= 0xd9 && token <= 0xdb)

const bigEndian = (bytes: Uint8Array, position: number, width: number): number => {
  if (position + width > bytes.length) return -1
  let value = 0
  for (let index = 0; index < width; index += 1) value = value * 256 + bytes[position + index]!
  return value
}

const nil = 0xc0
const falsehood = 0xc2
const truth = 0xc3
const ext8 = 0xc7
const fixext1 = 0xd4
const fixext4 = 0xd6
const fixext8 = 0xd7
const array16 = 0xdc
const array32 = 0xdd
const map16 = 0xde
const map32 = 0xdf
/** MessagePack's number for timestamps, -1. */
const instant = 0xff

/** For each token from 0xc0 on: how many bytes after it say how long it is; -1 for what is not let in. */
// biome-ignore format: rows of eight, as in the specification
const widths = Int8Array.of(
  0, -1, 0, 0, 1, 2, 4, 1,
  -1, -1, 0, 0, 0, 0, 0, 0,
  0, 0, 0, 0, 0, -1, 0, 0,
  -1, 1, 2, 4, 2, 4, 2, 4
)

/** For numbers: how many bytes they have. */
// biome-ignore format: rows of eight, as in the specification
const fixedSizes: ReadonlyArray<number | undefined> = [
  undefined, undefined, undefined, undefined, undefined, undefined, undefined, undefined,
  undefined, undefined, 4, 8, 1, 2, 4, 8,
  1, 2, 4, 8
]
