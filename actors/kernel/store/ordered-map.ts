/**
 * An ordered map from bytes to values, in memory, of which a snapshot costs next to nothing.
 *
 * Sorted arrays of up to some hundred keys in one sorted array of those. A snapshot shares them all; whichever
 * side writes to one first makes its own copy. So a map of a million keys is 8,000 small arrays, a snapshot
 * copies nothing, and the first write after it copies one array and the list of them.
 */
import type { Range } from "../ports/store.ts"

const chunkKeysMax = 256

interface Chunk<Value> {
  owner: object
  keys: Array<Uint8Array>
  values: Array<Value>
}

export const compareBytes = (one: Uint8Array, other: Uint8Array): number => {
  const length = Math.min(one.length, other.length)
  for (let at = 0; at < length; at++) {
    const difference = one[at]! - other[at]!
    if (difference !== 0) return difference
  }
  return one.length - other.length
}

/** The first place in a sorted array whose key is not smaller. */
const placeOf = (keys: ReadonlyArray<Uint8Array>, key: Uint8Array): number => {
  let [low, high] = [0, keys.length]
  while (low < high) {
    const middle = (low + high) >>> 1
    if (compareBytes(keys[middle]!, key) < 0) low = middle + 1
    else high = middle
  }
  return low
}

export class OrderedMap<Value> {
  size = 0
  #chunks: Array<Chunk<Value>> = []
  #owner: object = {}
  #chunksShared = false

  get(key: Uint8Array): Value | undefined {
    const chunk = this.#chunks[this.#chunkOf(key)]
    if (chunk === undefined) return undefined
    const place = placeOf(chunk.keys, key)
    const found = chunk.keys[place]
    return found !== undefined && compareBytes(found, key) === 0 ? chunk.values[place] : undefined
  }

  /** The value that was there before. */
  set(key: Uint8Array, value: Value): Value | undefined {
    this.#ownChunks()
    if (this.#chunks.length === 0) this.#chunks.push({ owner: this.#owner, keys: [], values: [] })
    const index = this.#chunkOf(key)
    const chunk = this.#own(index)
    const place = placeOf(chunk.keys, key)
    const found = chunk.keys[place]
    if (found !== undefined && compareBytes(found, key) === 0) {
      const before = chunk.values[place]
      chunk.values[place] = value
      return before
    }
    chunk.keys.splice(place, 0, key)
    chunk.values.splice(place, 0, value)
    this.size++
    if (chunk.keys.length > chunkKeysMax) this.#split(index, place)
    return undefined
  }

  delete(key: Uint8Array): boolean {
    const index = this.#chunkOf(key)
    const shared = this.#chunks[index]
    if (shared === undefined) return false
    const place = placeOf(shared.keys, key)
    const found = shared.keys[place]
    if (found === undefined || compareBytes(found, key) !== 0) return false
    this.#ownChunks()
    const chunk = this.#own(index)
    chunk.keys.splice(place, 1)
    chunk.values.splice(place, 1)
    this.size--
    if (chunk.keys.length === 0) this.#chunks.splice(index, 1)
    return true
  }

  /** The map as it is now, whatever is done to either. */
  snapshot(): OrderedMap<Value> {
    const copy = new OrderedMap<Value>()
    copy.size = this.size
    copy.#chunks = this.#chunks
    copy.#chunksShared = true
    this.#chunksShared = true
    this.#owner = {}
    return copy
  }

  /** Of a map that does not change meanwhile. */
  *range({
    end,
    limit = Number.POSITIVE_INFINITY,
    reverse = false,
    start
  }: Range = {}): Generator<readonly [key: Uint8Array, value: Value], undefined> {
    let left = limit
    const from = reverse ? end : start
    const chunks = this.#chunks
    const step = reverse ? -1 : 1
    let index = from === undefined ? (reverse ? chunks.length - 1 : 0) : this.#chunkOf(from)
    let place: number | undefined
    for (; left > 0 && index >= 0 && index < chunks.length; index += step, place = undefined) {
      const { keys, values } = chunks[index]!
      if (from !== undefined && place === undefined) {
        place = reverse ? placeOf(keys, from) - 1 : placeOf(keys, from)
      }
      for (let at = place ?? (reverse ? keys.length - 1 : 0); at >= 0 && at < keys.length; at += step) {
        const key = keys[at]!
        if (reverse ? start !== undefined && compareBytes(key, start) < 0 : isBehind(key, end)) return
        yield [key, values[at]!]
        if (--left <= 0) return
      }
    }
  }

  /** The last one that does not begin behind the key. */
  #chunkOf(key: Uint8Array): number {
    const chunks = this.#chunks
    let [low, high] = [0, chunks.length]
    while (low < high) {
      const middle = (low + high) >>> 1
      if (compareBytes(chunks[middle]!.keys[0] ?? key, key) <= 0) low = middle + 1
      else high = middle
    }
    return Math.max(0, low - 1)
  }

  #ownChunks(): void {
    if (!this.#chunksShared) return
    this.#chunks = [...this.#chunks]
    this.#chunksShared = false
  }

  #own(index: number): Chunk<Value> {
    const chunk = this.#chunks[index]!
    if (chunk.owner === this.#owner) return chunk
    const copy = { owner: this.#owner, keys: [...chunk.keys], values: [...chunk.values] }
    this.#chunks[index] = copy
    return copy
  }

  /** Where keys come in order, the full part stays full. */
  #split(index: number, place: number): void {
    const chunk = this.#chunks[index]!
    const at = place === chunk.keys.length - 1 ? chunkKeysMax - 8 : chunk.keys.length >> 1
    const [keys, values] = [chunk.keys.splice(at), chunk.values.splice(at)]
    this.#chunks.splice(index + 1, 0, { owner: this.#owner, keys, values })
  }
}

const isBehind = (key: Uint8Array, end: Uint8Array | undefined): boolean =>
  end !== undefined && compareBytes(key, end) >= 0
