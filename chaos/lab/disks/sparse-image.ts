/**
 * A disk image in a file, of which it is known which blocks may hold something: what is zero stays a hole, and
 * a copy takes as long as there is content, however large the disk is.
 */
import { closeSync, fstatSync, ftruncateSync, openSync, readSync, writeSync } from "node:fs"
import { Data } from "effect"

export class ImageBroken extends Data.TaggedError("ImageBroken")<{
  readonly path: string
  readonly reason: string
}> {
  override get message() {
    return `the disk image ${this.path} cannot be used: ${this.reason}; look at that file, and at the room on its disk`
  }
}

const blockBytes = 4_096
/** What is read or written at once. */
export const pieceBytes = 1024 * 1024
const zeros = new Uint8Array(pieceBytes)

const isZero = (bytes: Uint8Array): boolean =>
  Buffer.compare(bytes, zeros.subarray(0, Math.min(bytes.length, zeros.length))) === 0

/** Its calls throw `ImageBroken`. */
export class SparseImage {
  readonly path: string
  readonly bytes: number
  readonly #file: number
  /** A bit for each block that may hold something else than zeros. */
  readonly #used: Uint8Array

  private constructor(path: string, file: number, bytes: number) {
    this.path = path
    this.#file = file
    this.bytes = bytes
    this.#used = new Uint8Array(Math.ceil(bytes / blockBytes / 8))
  }

  /** Empty; what was in that file is gone. */
  static create(path: string, bytes: number): SparseImage {
    return attempt(path, () => {
      const file = openSync(path, "w+", 0o600)
      ftruncateSync(file, bytes)
      return new SparseImage(path, file, bytes)
    })
  }

  /** Reads all of the other file once, piece by piece. */
  static *copyOf(from: string, path: string): Generator<undefined, SparseImage> {
    const source = attempt(from, () => openSync(from, "r"))
    try {
      const image = SparseImage.create(
        path,
        attempt(from, () => fstatSync(source).size)
      )
      const piece = Buffer.allocUnsafe(pieceBytes)
      for (let at = 0; at < image.bytes; at += pieceBytes) {
        const read = attempt(from, () => readSync(source, piece, 0, pieceBytes, at))
        image.write(at, piece.subarray(0, read))
        yield
      }
      return image
    } finally {
      closeSync(source)
    }
  }

  /** At most `pieceBytes` at once. */
  write(offset: number, bytes: Uint8Array): void {
    if (offset + bytes.length > this.bytes)
      throw new RangeError(`${offset + bytes.length} is beyond the end of ${this.path}`)
    // A new journal is zeros for many megabytes.
    const blockEnd = (at: number) => Math.min(bytes.length, at + blockBytes - ((offset + at) % blockBytes))
    const isEmpty = (at: number) => isZero(bytes.subarray(at, blockEnd(at)))
    for (let at = 0; at < bytes.length; ) {
      const empty = isEmpty(at)
      let end = blockEnd(at)
      while (end < bytes.length && isEmpty(end) === empty) end = blockEnd(end)
      if (empty) this.clear(offset + at, end - at)
      else this.#writeRun(offset + at, bytes.subarray(at, end))
      at = end
    }
  }

  clear(offset: number, length: number): void {
    for (let at = offset; at < offset + length; ) {
      const end = Math.min(offset + length, (Math.floor(at / blockBytes) + 1) * blockBytes)
      if (this.#isUsed(Math.floor(at / blockBytes))) this.#put(at, zeros.subarray(0, end - at))
      at = end
    }
  }

  /** A copy of its own, in another file. */
  copyTo(path: string): Generator<undefined, SparseImage> {
    return SparseImage.create(path, this.bytes).#filled((copy) => this.#pour(copy))
  }

  *#pour(copy: SparseImage): Generator<undefined, void> {
    const piece = Buffer.allocUnsafe(pieceBytes)
    const blocks = Math.ceil(this.bytes / blockBytes)
    for (let first = 0; first < blocks; ) {
      if (!this.#isUsed(first)) {
        // Eight at once, since most of a disk is empty.
        first += first % 8 === 0 && this.#used[first >> 3] === 0 ? 8 : 1
        continue
      }
      let end = first + 1
      while (end < blocks && end - first < pieceBytes / blockBytes && this.#isUsed(end)) end++
      const offset = first * blockBytes
      const length = Math.min(end * blockBytes, this.bytes) - offset
      const read = attempt(this.path, () => readSync(this.#file, piece, 0, length, offset))
      copy.#writeRun(offset, piece.subarray(0, read))
      first = end
      yield
    }
  }

  /** Closed, if that does not come to its end. */
  *#filled(fill: (image: SparseImage) => Generator<undefined, void>): Generator<undefined, SparseImage> {
    let isFilled = false
    try {
      yield* fill(this)
      isFilled = true
      return this
    } finally {
      if (!isFilled) this.close()
    }
  }

  close(): void {
    closeSync(this.#file)
  }

  #writeRun(offset: number, bytes: Uint8Array): void {
    this.#put(offset, bytes)
    const last = Math.floor((offset + bytes.length - 1) / blockBytes)
    for (let block = Math.floor(offset / blockBytes); block <= last; block++)
      this.#used[block >> 3] = (this.#used[block >> 3] ?? 0) | (1 << (block & 7))
  }

  #put(offset: number, bytes: Uint8Array): void {
    attempt(this.path, () => {
      for (let written = 0; written < bytes.length; )
        written += writeSync(this.#file, bytes, written, bytes.length - written, offset + written)
    })
  }

  #isUsed(block: number): boolean {
    return ((this.#used[block >> 3] ?? 0) & (1 << (block & 7))) !== 0
  }
}

/** What the system says about a file. */
export const attempt = <A>(path: string, run: () => A): A => {
  try {
    return run()
  } catch (cause) {
    if (cause instanceof Error && "code" in cause) throw new ImageBroken({ path, reason: cause.message })
    throw cause
  }
}
