/**
 * What the stores of a simulated machine have on their disk, and the engine that reads and commits it: a map
 * for each store. A commit that is under way when the power goes has happened or has not, as the seed has it.
 */
import { Effect, type Scope } from "effect"
import type { WorldClock } from "#actors/kernel/ports/clock.ts"
import { Scheduling } from "#actors/kernel/ports/scheduling.ts"
import {
  StorageBroken,
  type StorageFault,
  StorageFull,
  StorageLocked
} from "#actors/kernel/ports/storage-faults.ts"
import {
  type Entry,
  type Range,
  type StoreEnvironment,
  type StoreLimits,
  storeLimits
} from "#actors/kernel/ports/store.ts"
import { type Layer, layeredStores, type StoreEngine } from "#actors/kernel/store/layered-stores.ts"
import { OrderedMap } from "#actors/kernel/store/ordered-map.ts"
import type { Prng } from "./prng.ts"

type Stored = Map<string, OrderedMap<Uint8Array>>

export interface SimStoreWeather {
  readonly clock: WorldClock
  readonly flushMillis: () => number
  readonly broken: () => boolean
  readonly bytesMax: () => number
  readonly lies: () => boolean
  readonly isOn: () => boolean
  readonly tell: (task: () => void) => void
  readonly limits: Partial<StoreLimits>
}

const path = "stores"
const bytesOf = (key: Uint8Array, value: Uint8Array) => key.length + value.length

export class SimStoreDisk {
  /** As the running system sees it. */
  stored: Stored = new Map()
  /** Set by an engine that lies: what there is really. */
  durable: Stored | undefined
  bytes = 0
  isOpen = false
  underWay: (() => void) | undefined
  readonly #prng: Prng

  constructor(prng: Prng) {
    this.#prng = prng
  }

  powerOff(): void {
    if (this.durable !== undefined) {
      this.stored = this.durable
      this.durable = undefined
    } else if (this.underWay !== undefined && this.#prng.chance(0.5)) this.underWay()
    this.kill()
  }

  kill(): void {
    this.underWay = undefined
    this.isOpen = false
  }

  apply(layers: ReadonlyMap<string, Layer>): void {
    for (const [name, layer] of layers) {
      const store = this.stored.get(name) ?? new OrderedMap<Uint8Array>()
      this.stored.set(name, store)
      for (const [key, value] of layer.range()) {
        const before = store.get(key)
        if (before !== undefined) this.bytes -= bytesOf(key, before)
        if (value === null) store.delete(key)
        else {
          store.set(key, value.slice())
          this.bytes += bytesOf(key, value)
        }
      }
    }
  }
}

const copyOf = (stored: Stored): Stored => new Map([...stored].map(([name, map]) => [name, map.snapshot()]))

export const simStores = (
  disk: SimStoreDisk,
  weather: SimStoreWeather
): Effect.Effect<StoreEnvironment, StorageFault, Scope.Scope | Scheduling> =>
  Effect.gen(function* () {
    const scheduling = yield* Scheduling
    yield* Effect.acquireRelease(
      Effect.suspend(() => {
        if (disk.isOpen) return Effect.fail(new StorageLocked({ path, pid: 1 }))
        disk.isOpen = true
        return Effect.void
      }),
      () =>
        Effect.sync(() => {
          if (weather.isOn()) disk.isOpen = false
        })
    )
    const reading = (stored: Stored) => ({
      get: (store: string, key: Uint8Array) => stored.get(store)?.get(key)?.slice(),
      range: (store: string, range: Range) => entries(stored.get(store), range),
      release: () => {}
    })
    const engine: StoreEngine = {
      path,
      open: (name) =>
        Effect.sync(() => {
          if (!disk.stored.has(name)) disk.stored.set(name, new OrderedMap())
        }),
      get: (store, key) => disk.stored.get(store)?.get(key)?.slice(),
      peek: (store, key, use) => {
        const value = disk.stored.get(store)?.get(key)
        return value === undefined ? undefined : use(value)
      },
      read: () => reading(copyOf(disk.stored)),
      commit: (layers, done) => commit(disk, weather, layers, done),
      bytes: () => disk.bytes,
      usedBytes: (store) => {
        let bytes = 0
        for (const { key, value } of entries(disk.stored.get(store), {})) bytes += bytesOf(key, value)
        return bytes
      }
    }
    const soon = (task: () => void) => scheduling.arm(task, "soon")
    const limits = { ...storeLimits, ...weather.limits }
    return yield* layeredStores(engine, { clock: weather.clock, limits, soon })
  })

function* entries(map: OrderedMap<Uint8Array> | undefined, range: Range): Generator<Entry, undefined> {
  if (map === undefined) return
  for (const [key, value] of map.range(range)) yield { key, value }
}

const commit = (
  disk: SimStoreDisk,
  weather: SimStoreWeather,
  layers: ReadonlyMap<string, Layer>,
  done: (fault: StorageFault | undefined) => void
): void => {
  if (!weather.isOn()) return
  let bytes = 0
  for (const layer of layers.values())
    for (const [key, value] of layer.range()) if (value !== null) bytes += bytesOf(key, value)
  const apply = () => {
    if (weather.lies()) disk.durable ??= copyOf(disk.stored)
    disk.apply(layers)
  }
  disk.underWay = apply
  weather.clock.alarm(weather.flushMillis(), () => {
    if (!weather.isOn()) return
    disk.underWay = undefined
    const fault = weather.broken()
      ? new StorageBroken({ path, operation: "commit", reason: "EIO" })
      : bytes > weather.bytesMax()
        ? new StorageFull({ path, reason: "commit ended with ENOSPC", definite: false })
        : undefined
    if (fault === undefined) apply()
    weather.tell(() => done(fault))
  })
}
