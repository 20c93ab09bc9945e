/**
 * HPACK's Huffman code (RFC 7541, section 5.2 and appendix B). The code is canonical, so how long each
 * character's code is says everything; we only read it, what we write goes plain.
 */
import { Http2Code, Http2ConnectionError } from "./frames.ts"

/** In bits, by character; the last one is the end of a text, which must not occur in it. */
// biome-ignore format: 32 in a row, as the appendix can be checked
const lengths: ReadonlyArray<number> = [
  13, 23, 28, 28, 28, 28, 28, 28, 28, 24, 30, 28, 28, 30, 28, 28, 28, 28, 28, 28, 28, 28, 30, 28, 28, 28, 28, 28, 28, 28, 28, 28,
  6, 10, 10, 12, 13, 6, 8, 11, 10, 10, 8, 11, 8, 6, 6, 6, 5, 5, 5, 6, 6, 6, 6, 6, 6, 6, 7, 8, 15, 6, 12, 10,
  13, 6, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 8, 7, 8, 13, 19, 13, 14, 6,
  15, 5, 6, 5, 6, 5, 6, 6, 6, 5, 7, 7, 6, 6, 6, 5, 6, 7, 6, 5, 5, 6, 7, 7, 7, 7, 7, 15, 11, 14, 13, 28,
  20, 22, 20, 20, 22, 22, 22, 23, 22, 23, 23, 23, 23, 23, 24, 23, 24, 24, 22, 23, 24, 23, 23, 23, 23, 21, 22, 23, 22, 23, 23, 24,
  22, 21, 20, 22, 22, 23, 23, 21, 23, 22, 22, 24, 21, 22, 23, 23, 21, 21, 22, 21, 23, 22, 23, 23, 20, 22, 22, 22, 23, 22, 22, 23,
  26, 26, 20, 19, 22, 23, 22, 25, 26, 26, 26, 27, 27, 26, 24, 25, 19, 21, 26, 27, 27, 26, 27, 24, 21, 21, 26, 26, 28, 27, 27, 27,
  20, 24, 20, 21, 22, 21, 21, 23, 22, 22, 25, 25, 24, 24, 26, 23, 26, 27, 26, 26, 27, 27, 27, 27, 27, 28, 27, 27, 27, 27, 27, 26,
  30
]
const endOfText = 256

/** Two slots for each inner node: the next inner node, or a character as its complement, which is negative. */
const grow = (): Int16Array => {
  const tree = new Int16Array(2 * lengths.length)
  let nodes = 1
  let code = 0
  for (let length = 1; length <= 30; length++) {
    code <<= 1
    for (let character = 0; character < lengths.length; character++) {
      if (lengths[character] !== length) continue
      let node = 0
      for (let bit = length - 1; bit > 0; bit--) {
        const slot = node * 2 + ((code >>> bit) & 1)
        if (tree[slot] === 0) tree[slot] = nodes++
        node = tree[slot]!
      }
      tree[node * 2 + (code & 1)] = ~character
      code++
    }
  }
  return tree
}

const tree = grow()

/** One character for each byte. */
export const decodeHuffman = (bytes: Uint8Array, start: number, end: number): string => {
  let text = ""
  let node = 0
  let depth = 0
  /** Whether all bits since the last character were ones, as padding is. */
  let ones = true
  for (let at = start; at < end; at++) {
    const byte = bytes[at]!
    for (let shift = 7; shift >= 0; shift--) {
      const bit = (byte >>> shift) & 1
      const next = tree[node * 2 + bit]!
      if (next >= 0) {
        node = next
        depth++
        if (bit === 0) ones = false
        continue
      }
      if (~next === endOfText) throw refusal("a text has an end within")
      text += String.fromCharCode(~next)
      node = 0
      depth = 0
      ones = true
    }
  }
  if (depth > 7 || !ones) throw refusal("a text is not padded as it must be")
  return text
}

const refusal = (reason: string) => new Http2ConnectionError(Http2Code.compressionError, reason)
