/**
 * How many keys there are. The store does not know, and walking it at once would hold everybody up, so it is
 * walked bit by bit after the start; what changes behind the walk is counted as it changes. Until the walk is
 * through, nobody knows.
 */
import type { Change, Mvcc } from "./mvcc.ts"
import { afterKey, compareBytes } from "./record.ts"

const toTheEnd = new Uint8Array(1)

export class KeyCount {
  #count = 0
  /** Keys before it are counted. Undefined: all are. */
  #next: Uint8Array | undefined = new Uint8Array(1)

  get known(): number | undefined {
    return this.#next === undefined ? this.#count : undefined
  }

  /** In the order in which they were made. */
  changed(changes: ReadonlyArray<Change>): void {
    for (const { kv, type } of changes) {
      if (this.#next !== undefined && compareBytes(kv.key, this.#next) >= 0) continue
      if (type === "delete") this.#count--
      else if (kv.version === 1) this.#count++
    }
  }

  walk(mvcc: Mvcc, keysMax: number): void {
    if (this.#next === undefined) return
    let last: Uint8Array | undefined
    let walked = 0
    for (const { key } of mvcc.range({ key: this.#next, rangeEnd: toTheEnd })) {
      last = key
      if (++walked === keysMax) break
    }
    this.#count += walked
    this.#next = walked < keysMax || last === undefined ? undefined : afterKey(last).slice()
  }

  /** The store is another one now. */
  again(): void {
    this.#count = 0
    this.#next = new Uint8Array(1)
  }
}
