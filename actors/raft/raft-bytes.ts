/**
 * Bytes as the Raft codec writes and reads them: whole numbers as varints of seven bits a byte, least
 * significant first, up to 2^53 - 1, and byte strings with their length in front.
 *
 * The writer is given its size beforehand, so that a frame is one allocation and each entry is copied
 * once. The reader hands out views of the frame and copies nothing; whatever does not fit ends in the
 * one error of this file.
 */

/** The bytes are not what the codec writes. */
export class RaftCodecError extends Error {
  readonly _tag = "RaftCodecError"
}

export const numberBytes = (value: number): number => {
  let bytes = 1
  for (let rest = value; rest >= 128; rest = Math.floor(rest / 128)) bytes++
  return bytes
}

export class ByteWriter {
  readonly bytes: Uint8Array
  at = 0

  constructor(size: number) {
    this.bytes = new Uint8Array(size)
  }

  byte(value: number): void {
    this.bytes[this.at++] = value
  }

  number(value: number): void {
    let rest = value
    // Shifts work on 31 bits only, and nearly every number is smaller than that.
    while (rest > 0x7fffffff) {
      this.bytes[this.at++] = (rest % 128) | 128
      rest = Math.floor(rest / 128)
    }
    while (rest >= 128) {
      this.bytes[this.at++] = (rest & 127) | 128
      rest >>>= 7
    }
    this.bytes[this.at++] = rest
  }

  data(data: Uint8Array): void {
    this.number(data.length)
    this.bytes.set(data, this.at)
    this.at += data.length
  }
}

export class ByteReader {
  readonly #bytes: Uint8Array
  #at = 0

  constructor(bytes: Uint8Array) {
    this.#bytes = bytes
  }

  get remaining(): number {
    return this.#bytes.length - this.#at
  }

  byte(): number {
    const value = this.#bytes[this.#at]
    if (value === undefined) throw new RaftCodecError(`the frame ends at byte ${this.#at}`)
    this.#at++
    return value
  }

  number(): number {
    let value = this.byte()
    if (value < 128) return value
    value &= 127
    for (let factor = 128; ; factor *= 128) {
      const next = this.byte()
      value += (next & 127) * factor
      if (value > Number.MAX_SAFE_INTEGER) throw new RaftCodecError("a number exceeds 2^53 - 1")
      if (next < 128) return value
      if (factor >= 2 ** 49) throw new RaftCodecError("a number has more than eight bytes")
    }
  }

  /** How many things follow, each of at least `bytesMin` bytes: no frame makes us allocate more than it has. */
  count(bytesMin: number): number {
    const count = this.number()
    if (count * bytesMin > this.remaining) {
      throw new RaftCodecError(`${count} things of ${bytesMin} bytes do not fit into ${this.remaining}`)
    }
    return count
  }

  data(): Uint8Array {
    const length = this.count(1)
    this.#at += length
    return this.#bytes.subarray(this.#at - length, this.#at)
  }

  end(): void {
    if (this.remaining > 0) throw new RaftCodecError(`${this.remaining} bytes follow the end`)
  }
}
