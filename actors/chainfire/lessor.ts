/**
 * Leases: what every replica knows of them, and what only the leader does about them.
 *
 * That a lease exists, how long it lasts and which keys hang on it is replicated state, on ordered tables.
 * When it runs out is the leader's own knowledge, by the leader's clock: no other replica counts. A new
 * leader gives every lease its full time again, and the time that an election may have taken, so that no
 * lease ends early because leaders change. The core has no clock; expiry is proposed as a revocation like
 * any other.
 */
import type { Table } from "./mvcc.ts"
import { equalBytes } from "./record.ts"

export interface LeaseTables {
  /** Lease → time to live. */
  readonly leases: Table
  /** Lease, key → nothing. */
  readonly attachments: Table
}

/** As etcd has it: some 285 years. */
export const ttlSecondsMax = 9_000_000_000

export type LeaseProblem = "exists" | "not found" | "ttl too large"

interface Countdown {
  readonly id: bigint
  readonly ttlMillis: number
  expiresMillis: number
  /** Where it is in the heap. */
  placeMillis: number
}

export class Lessor {
  readonly #tables: LeaseTables
  readonly #ttlSecondsMin: number
  /** While this replica leads. */
  #countdowns: Map<bigint, Countdown> | undefined
  /** By when they expire, soonest first; those that were renewed since are out of place. */
  #heap: Array<{ readonly atMillis: number; readonly id: bigint }> = []

  constructor(tables: LeaseTables, ttlSecondsMin: number) {
    this.#tables = tables
    this.#ttlSecondsMin = ttlSecondsMin
  }

  // Replicated

  grant(id: bigint, ttlSeconds: number, nowMillis: number): number | LeaseProblem {
    if (ttlSeconds > ttlSecondsMax) return "ttl too large"
    if (this.ttlSeconds(id) !== undefined) return "exists"
    const ttl = Math.max(this.#ttlSecondsMin, ttlSeconds)
    this.#tables.leases.put(leaseKey(id), ttlRecord(ttl))
    if (this.#countdowns !== undefined) this.#countDown(id, ttl, nowMillis)
    return ttl
  }

  /** Returns the keys that go with it, in order. */
  revoke(id: bigint): ReadonlyArray<Uint8Array> | LeaseProblem {
    if (this.ttlSeconds(id) === undefined) return "not found"
    const keys = this.keys(id)
    for (const key of keys) this.#tables.attachments.delete(attachmentKey(id, key))
    this.#tables.leases.delete(leaseKey(id))
    this.#countdowns?.delete(id)
    return keys
  }

  ttlSeconds(id: bigint): number | undefined {
    const record = this.#tables.leases.get(leaseKey(id))
    return record === undefined ? undefined : ttlOf(record)
  }

  /** A key hangs on one lease at most: 0 is none. */
  move(key: Uint8Array, from: bigint, to: bigint): void {
    if (from === to) return
    if (from !== 0n) this.#tables.attachments.delete(attachmentKey(from, key))
    if (to !== 0n) this.#tables.attachments.put(attachmentKey(to, key), nothing)
  }

  get ids(): ReadonlyArray<bigint> {
    return [...this.#tables.leases.range(nothing, undefined)].map(([key]) => idOf(key))
  }

  keys(id: bigint): ReadonlyArray<Uint8Array> {
    const prefix = leaseKey(id)
    const keys: Array<Uint8Array> = []
    for (const [place] of this.#tables.attachments.range(prefix, undefined)) {
      if (!equalBytes(place.subarray(0, 8), prefix)) break
      keys.push(place.slice(8))
    }
    return keys
  }

  // On the leader

  get counts(): boolean {
    return this.#countdowns !== undefined
  }

  /** From now on this replica counts. `extraMillis`: for how long there may have been nobody who did. */
  promote(nowMillis: number, extraMillis: number): void {
    this.#countdowns = new Map()
    this.#heap = []
    for (const [key, record] of this.#tables.leases.range(nothing, undefined)) {
      this.#countDown(idOf(key), ttlOf(record), nowMillis + extraMillis)
    }
  }

  demote(): void {
    this.#countdowns = undefined
    this.#heap = []
  }

  /** Gives it its full time again. Undefined: there is no such lease, or its time was over already. */
  renew(id: bigint, nowMillis: number): number | undefined {
    const countdown = this.#countdowns?.get(id)
    if (countdown === undefined || countdown.expiresMillis <= nowMillis) return undefined
    // Its place in the heap is found to be too early when its turn comes.
    countdown.expiresMillis = nowMillis + countdown.ttlMillis
    return countdown.ttlMillis / 1_000
  }

  remainingMillis(id: bigint, nowMillis: number): number | undefined {
    const countdown = this.#countdowns?.get(id)
    return countdown === undefined ? undefined : Math.max(0, countdown.expiresMillis - nowMillis)
  }

  /** Those whose time is over, at most so many. Each is told again after `againMillis` if it is still there. */
  expired(nowMillis: number, countMax: number, againMillis: number): ReadonlyArray<bigint> {
    const over = new Set<bigint>()
    while (over.size < countMax) {
      const next = this.#heap[0]
      if (next === undefined || next.atMillis > nowMillis) break
      this.#pop()
      const countdown = this.#countdowns?.get(next.id)
      // Of a lease that was revoked and granted again an earlier place may be left.
      if (countdown === undefined || countdown.placeMillis !== next.atMillis || over.has(next.id)) continue
      if (countdown.expiresMillis > nowMillis) this.#push(countdown.expiresMillis, next.id)
      else over.add(next.id)
    }
    for (const id of over) this.#push(nowMillis + againMillis, id)
    return [...over]
  }

  /** When the next may have expired; infinite when there is none. It may turn out to have been renewed. */
  get wakeMillis(): number {
    return this.#heap[0]?.atMillis ?? Number.POSITIVE_INFINITY
  }

  #countDown(id: bigint, ttlSeconds: number, fromMillis: number): void {
    const ttlMillis = ttlSeconds * 1_000
    const expiresMillis = fromMillis + ttlMillis
    this.#countdowns?.set(id, { id, ttlMillis, expiresMillis, placeMillis: expiresMillis })
    this.#push(expiresMillis, id)
  }

  #push(atMillis: number, id: bigint): void {
    const heap = this.#heap
    const countdown = this.#countdowns?.get(id)
    if (countdown !== undefined) countdown.placeMillis = atMillis
    let at = heap.length
    heap.push({ atMillis, id })
    while (at > 0) {
      const parent = (at - 1) >> 1
      const above = heap[parent]
      const here = heap[at]
      if (above === undefined || here === undefined || above.atMillis <= here.atMillis) break
      heap[at] = above
      heap[parent] = here
      at = parent
    }
  }

  #pop(): void {
    const heap = this.#heap
    const last = heap.pop()
    if (last === undefined || heap.length === 0) return
    heap[0] = last
    let at = 0
    for (;;) {
      const left = heap[2 * at + 1]
      const right = heap[2 * at + 2]
      if (left === undefined) return
      const child = right !== undefined && right.atMillis < left.atMillis ? 2 * at + 2 : 2 * at + 1
      const below = heap[child]
      const here = heap[at]
      if (below === undefined || here === undefined || here.atMillis <= below.atMillis) return
      heap[at] = below
      heap[child] = here
      at = child
    }
  }
}

const nothing = new Uint8Array(0)

const leaseKey = (id: bigint): Uint8Array => {
  const key = new Uint8Array(8)
  new DataView(key.buffer).setBigInt64(0, id)
  return key
}

const ttlRecord = (ttlSeconds: number): Uint8Array => {
  const record = new Uint8Array(8)
  new DataView(record.buffer).setFloat64(0, ttlSeconds)
  return record
}

/** Of a row of the table of leases. */
export const ttlOf = (record: Uint8Array): number =>
  new DataView(record.buffer, record.byteOffset, record.byteLength).getFloat64(0)

export const idOf = (key: Uint8Array): bigint => new DataView(key.buffer, key.byteOffset, 8).getBigInt64(0)

const attachmentKey = (id: bigint, key: Uint8Array): Uint8Array => {
  const place = new Uint8Array(8 + key.length)
  place.set(leaseKey(id))
  place.set(key, 8)
  return place
}
