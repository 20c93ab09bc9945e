/**
 * Assembly: a large frame that arrives in parts, until it is whole. One at a time on a link, since parts
 * do not say what they belong to. The parts of one that is not wanted are thrown away as they come.
 */
import { completed, type Frame, isFrame } from "./frames.ts"

/** With the last part the whole frame; else what is wrong, with the head of what it was to become. */
export type Assembled = { readonly whole: Frame } | { readonly malformed: Frame | undefined } | undefined

export class Assembly {
  readonly #unpack: (bytes: Uint8Array) => unknown
  #arriving: { readonly head: Frame | undefined; left: number; readonly parts: Array<Uint8Array> } | undefined

  constructor(unpack: (bytes: Uint8Array) => unknown) {
    this.#unpack = unpack
  }

  /** Without a head, nobody wants it. */
  begin(head: Frame | undefined, bytes: number): void {
    this.#arriving = bytes === 0 ? undefined : { head, left: bytes, parts: [] }
  }

  add(part: Uint8Array): Assembled {
    const arriving = this.#arriving
    if (arriving === undefined || part.length > arriving.left) {
      this.#arriving = undefined
      return { malformed: arriving?.head }
    }
    arriving.left -= part.length
    if (arriving.head !== undefined) arriving.parts.push(part)
    if (arriving.left > 0) return undefined
    this.#arriving = undefined
    return arriving.head === undefined ? undefined : this.#whole(arriving.head, arriving.parts)
  }

  #whole(head: Frame, parts: ReadonlyArray<Uint8Array>): Assembled {
    try {
      const frame = completed(head, this.#unpack(concatenated(parts)))
      return isFrame(frame) ? { whole: frame } : { malformed: head }
    } catch {
      return { malformed: head }
    }
  }
}

const concatenated = (parts: ReadonlyArray<Uint8Array>): Uint8Array => {
  const whole = new Uint8Array(parts.reduce((length, part) => length + part.length, 0))
  let at = 0
  for (const part of parts) {
    whole.set(part, at)
    at += part.length
  }
  return whole
}
