/**
 * HPACK (RFC 7541): how header fields travel. Reading is all of it, with the dynamic table; what we write
 * uses the static table and literals only, so that nothing of it depends on what was written before and
 * most of it can be prepared once.
 *
 * After the first request of a connection a client's header block is a handful of indexes, the same ones
 * each time. `version` changes with the dynamic table, so whoever sees the same block at the same version
 * need not decode it again.
 */
import { Http2Code, Http2ConnectionError } from "./frames.ts"
import { decodeHuffman } from "./huffman.ts"

/** Appendix A: names and values in turn, from index 1. */
// biome-ignore format: the table of the appendix
const staticFields: ReadonlyArray<string> = [
  ":authority", "", ":method", "GET", ":method", "POST", ":path", "/", ":path", "/index.html", ":scheme", "http",
  ":scheme", "https", ":status", "200", ":status", "204", ":status", "206", ":status", "304", ":status", "400",
  ":status", "404", ":status", "500", "accept-charset", "", "accept-encoding", "gzip, deflate",
  "accept-language", "", "accept-ranges", "", "accept", "", "access-control-allow-origin", "", "age", "",
  "allow", "", "authorization", "", "cache-control", "", "content-disposition", "", "content-encoding", "",
  "content-language", "", "content-length", "", "content-location", "", "content-range", "", "content-type", "",
  "cookie", "", "date", "", "etag", "", "expect", "", "expires", "", "from", "", "host", "", "if-match", "",
  "if-modified-since", "", "if-none-match", "", "if-range", "", "if-unmodified-since", "", "last-modified", "",
  "link", "", "location", "", "max-forwards", "", "proxy-authenticate", "", "proxy-authorization", "", "range", "",
  "referer", "", "refresh", "", "retry-after", "", "server", "", "set-cookie", "", "strict-transport-security", "",
  "transfer-encoding", "", "user-agent", "", "vary", "", "via", "", "www-authenticate", ""
]
const staticCount = staticFields.length / 2

/** What we offer the other end, and what it starts with (section 4.2). */
export const tableBytesMax = 4_096
/** Section 4.1. */
const fieldOverheadBytes = 32

export class HpackDecoder {
  readonly #names: Array<string> = []
  readonly #values: Array<string> = []
  #bytes = 0
  #bytesMax = tableBytesMax
  #at = 0
  version = 0
  /** Whether the fields read last were more than allowed; those beyond are left out. */
  tooLarge = false

  /** Fields as names and values in turn, behind what `fields` has. Throws Http2ConnectionError. */
  decode(block: Uint8Array, fields: Array<string>, listBytesMax: number): void {
    let listBytes = 0
    let sizes = true
    this.tooLarge = false
    this.#at = 0
    while (this.#at < block.length) {
      const first = block[this.#at]!
      if (first >= 0x20 && first < 0x40) {
        if (!sizes) throw refusal("the table changes its size within a block")
        this.#resize(this.#integer(block, 5))
        continue
      }
      sizes = false
      let name: string
      let value: string
      if (first >= 0x80) {
        const index = this.#integer(block, 7)
        name = this.#nameAt(index)
        value = index <= staticCount ? staticFields[index * 2 - 1]! : this.#values[this.#place(index)]!
      } else {
        const indexed = first >= 0x40
        const index = this.#integer(block, indexed ? 6 : 4)
        name = index === 0 ? checkedName(this.#text(block)) : this.#nameAt(index)
        value = checkedValue(this.#text(block))
        if (indexed) this.#insert(name, value)
      }
      listBytes += name.length + value.length + fieldOverheadBytes
      if (listBytes <= listBytesMax) fields.push(name, value)
      else this.tooLarge = true
    }
  }

  #nameAt(index: number): string {
    if (index === 0) throw refusal("a field has the index zero")
    return index <= staticCount ? staticFields[index * 2 - 2]! : this.#names[this.#place(index)]!
  }

  /** The newest is the last one here, and has the lowest index. */
  #place(index: number): number {
    const place = this.#names.length - (index - staticCount)
    if (place < 0) throw refusal(`there is no field with the index ${index}`)
    return place
  }

  #insert(name: string, value: string): void {
    this.version++
    this.#names.push(name)
    this.#values.push(value)
    this.#bytes += name.length + value.length + fieldOverheadBytes
    this.#evict()
  }

  #resize(bytesMax: number): void {
    if (bytesMax > tableBytesMax) throw refusal(`a table of ${bytesMax} bytes, of ${tableBytesMax} allowed`)
    this.version++
    this.#bytesMax = bytesMax
    this.#evict()
  }

  /** A table holds at most 128 fields, so moving them up is cheap. */
  #evict(): void {
    let gone = 0
    while (this.#bytes > this.#bytesMax) {
      this.#bytes -= this.#names[gone]!.length + this.#values[gone]!.length + fieldOverheadBytes
      gone++
    }
    if (gone === 0) return
    this.#names.splice(0, gone)
    this.#values.splice(0, gone)
  }

  /** Section 5.1. */
  #integer(block: Uint8Array, prefixBits: number): number {
    const full = (1 << prefixBits) - 1
    let value = block[this.#at++]! & full
    if (value < full) return value
    for (let shift = 0; shift <= 21; shift += 7) {
      if (this.#at === block.length) throw refusal("it ends within a number")
      const byte = block[this.#at++]!
      value += (byte & 0x7f) << shift
      if (byte < 0x80) return value
    }
    throw refusal("a number is too large")
  }

  #text(block: Uint8Array): string {
    if (this.#at === block.length) throw refusal("it ends before a text")
    const huffman = block[this.#at]! >= 0x80
    const length = this.#integer(block, 7)
    const start = this.#at
    const end = start + length
    if (end > block.length) throw refusal("it ends within a text")
    this.#at = end
    if (huffman) return decodeHuffman(block, start, end)
    let text = ""
    for (let at = start; at < end; at++) text += String.fromCharCode(block[at]!)
    return text
  }
}

const refusal = (reason: string) => new Http2ConnectionError(Http2Code.compressionError, reason)

/** RFC 9113, section 8.2.1. What is malformed is not let into the table, and ends the connection. */
const checkedName = (name: string): string => {
  if (/^:?[!#$%&'*+\-.^_`|~0-9a-z]+$/.test(name)) return name
  throw new Http2ConnectionError(Http2Code.protocolError, "a field has a name that it must not have")
}

const checkedValue = (value: string): string => {
  for (let index = 0; index < value.length; index++) {
    const unit = value.charCodeAt(index)
    if (unit === 0 || unit === 10 || unit === 13) {
      throw new Http2ConnectionError(Http2Code.protocolError, "a field has a value that it must not have")
    }
  }
  return value
}

const staticNames = new Map<string, number>()
const staticPairs = new Map<string, number>()
for (let index = staticCount; index >= 1; index--) {
  staticNames.set(staticFields[index * 2 - 2]!, index)
  staticPairs.set(`${staticFields[index * 2 - 2]}\n${staticFields[index * 2 - 1]}`, index)
}

/** Fields as names and values in turn; what a header cannot carry becomes a question mark. */
export const encodeFields = (fields: ReadonlyArray<string>): Uint8Array => {
  const block: Array<number> = []
  for (let index = 0; index + 1 < fields.length; index += 2) {
    const name = fields[index]!
    const value = fields[index + 1]!
    const pair = staticPairs.get(`${name}\n${value}`)
    if (pair !== undefined) {
      pushInteger(block, 0x80, 7, pair)
      continue
    }
    const named = staticNames.get(name) ?? 0
    pushInteger(block, 0, 4, named)
    if (named === 0) pushText(block, name.toLowerCase())
    pushText(block, value)
  }
  return Uint8Array.from(block)
}

const pushInteger = (block: Array<number>, flags: number, prefixBits: number, value: number): void => {
  const full = (1 << prefixBits) - 1
  if (value < full) {
    block.push(flags | value)
    return
  }
  block.push(flags | full)
  let rest = value - full
  for (; rest >= 0x80; rest >>>= 7) block.push((rest & 0x7f) | 0x80)
  block.push(rest)
}

const pushText = (block: Array<number>, text: string): void => {
  pushInteger(block, 0, 7, text.length)
  for (let index = 0; index < text.length; index++) {
    const unit = text.charCodeAt(index)
    block.push(unit > 0xff || (unit < 0x20 && unit !== 9) || unit === 0x7f ? 0x3f : unit)
  }
}
