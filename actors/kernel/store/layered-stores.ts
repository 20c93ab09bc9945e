/**
 * The stores over an engine that commits slowly: what is not durable yet lies in memory, in front of it.
 *
 *   write ──► gathering ──flush──► leaving ──commit──► engine
 *                 └───────── reads, newest first ────────┘
 *
 * A write is visible when it returns, since reads look there first, and costs no I/O. Layers leave whole, so
 * the engine is always at a boundary between batches, and only the last value of a key leaves with them. One
 * commit is under way at a time, and what comes meanwhile shares the next. A layer leaves at once when somebody
 * waits for it, when it is large, or after `flushMillisMax`; nobody waiting means few commits and few fsyncs.
 *
 * The same code runs over lmdb and in the simulator.
 */
import { Effect, type Scope } from "effect"
import type { WorldClock } from "../ports/clock.ts"
import type { StorageFault } from "../ports/storage-faults.ts"
import {
  isStorageFault,
  SnapshotRefused,
  StorageBusy,
  StorageFull,
  StorageNewer
} from "../ports/storage-faults.ts"
import type {
  Entry,
  Range,
  Reads,
  Snapshot,
  Store,
  StoreEnvironment,
  StoreFormat,
  StoreLimits,
  StoreUsage,
  Write
} from "../ports/store.ts"
import { keyBytesMax, storesMax, valueBytesMax } from "../ports/store.ts"
import { compareBytes, OrderedMap } from "./ordered-map.ts"

/** A value, or null for a key that is deleted. */
export type Layer = OrderedMap<Uint8Array | null>

export interface EngineRead {
  readonly get: (store: string, key: Uint8Array) => Uint8Array | undefined
  readonly range: (store: string, range: Range) => Iterable<Entry>
  readonly release: () => void
}

/** Holds what is durable. Its reads throw a `StorageFault`. */
export interface StoreEngine {
  readonly path: string
  readonly open: (name: string) => Effect.Effect<void, StorageFault>
  readonly get: (store: string, key: Uint8Array) => Uint8Array | undefined
  readonly peek: <A>(store: string, key: Uint8Array, use: (value: Uint8Array) => A) => A | undefined
  /** What is committed now, for as long as it is not released. */
  readonly read: () => EngineRead
  /** All or nothing, and durable when `done` is called without a fault. */
  readonly commit: (
    layers: ReadonlyMap<string, Layer>,
    done: (fault: StorageFault | undefined) => void
  ) => void
  readonly bytes: () => number
  readonly usedBytes: (store: string) => number
}

export interface StoreWorld {
  readonly clock: WorldClock
  readonly limits: StoreLimits
  readonly soon: (task: () => void) => void
}

type Waiter = (fault: StorageFault | undefined) => void

interface Layers {
  readonly byStore: Map<string, Layer>
  bytes: number
  readonly waiters: Array<Waiter>
}

/** What a layer takes in memory for a key, besides its bytes. */
const overheadBytes = 64
/** A layer that large leaves without being asked: its commit blocks this thread for some 10 ms. */
const layerBytesMax = 4 * 1024 * 1024
const viewsMax = 512
const formatsName = "_formats"

const newLayers = (): Layers => ({ byStore: new Map(), bytes: 0, waiters: [] })

/** What was written before it, and nothing after. */
interface View {
  readonly layers: ReadonlyArray<ReadonlyMap<string, Layer>>
  readonly engine: EngineRead
  readonly untilMillis: number
  released: boolean
}

export const layeredStores = (
  engine: StoreEngine,
  world: StoreWorld
): Effect.Effect<StoreEnvironment, StorageFault, Scope.Scope> =>
  Effect.acquireRelease(
    Effect.gen(function* () {
      yield* engine.open(formatsName)
      return new LayeredStores(engine, world)
    }),
    (stores) => stores.close
  )

class LayeredStores implements StoreEnvironment {
  readonly #engine: StoreEngine
  readonly #world: StoreWorld
  readonly #stores = new Map<string, Store>()
  #formats: Store
  /** That may be written. */
  #opened = new Set<Store>()
  #gathering = newLayers()
  #leaving: Layers | undefined
  #cancelFlush: (() => void) | undefined
  #departureAsked = false
  #fault: StorageFault | undefined
  /** Of what was opened before it began again. */
  #pastFault: StorageFault | undefined
  #isCommitting = false
  readonly #views = new Set<View>()
  #snapshots = 0
  #closed = false

  constructor(engine: StoreEngine, world: StoreWorld) {
    this.#engine = engine
    this.#world = world
    this.#formats = this.#storeOf(formatsName, 1)
  }

  readonly open = (name: string, format: StoreFormat = { version: 1 }): Effect.Effect<Store, StorageFault> =>
    Effect.gen(this, function* () {
      if (!/^[a-z][a-z0-9-]{0,62}$/.test(name))
        return yield* Effect.dieMessage(`${name} is no name of a store: letters, digits and dashes`)
      if (this.#fault !== undefined && !this.#isCommitting) this.#beginAgain(this.#fault)
      const known = this.#stores.get(name)
      if (known !== undefined) return known
      if (this.#stores.size >= storesMax) return yield* Effect.dieMessage(`there are ${storesMax} stores`)
      // The engine may not take both at once.
      yield* this.flushed
      yield* this.#engine.open(name)
      const store = this.#storeOf(name, format.version)
      yield* this.#migrate(store, format)
      this.#stores.set(name, store)
      return store
    })

  /** From what is durable, as after a crash. What was opened before stays as broken as it is. */
  #beginAgain(fault: StorageFault): void {
    this.#pastFault = fault
    this.#fault = undefined
    this.#cancelFlush?.()
    this.#cancelFlush = undefined
    this.#gathering = newLayers()
    this.#leaving = undefined
    this.#stores.clear()
    this.#opened = new Set()
    this.#formats = this.#storeOf(formatsName, 1)
  }

  #migrate(store: Store, { migrate, version }: StoreFormat): Effect.Effect<void, StorageFault> {
    const key = new TextEncoder().encode(store.name)
    const put = (now: number) =>
      Effect.suspend(() => {
        const value = new Uint8Array(4)
        new DataView(value.buffer).setUint32(0, now)
        this.write([{ op: "put", store: this.#formats, key, value }])
        return this.flushed
      })
    return Effect.gen(this, function* () {
      const bytes = this.#formats.get(key)
      // A store without a version is new, or was when the power went.
      if (bytes === undefined) return yield* put(version)
      const found = new DataView(bytes.buffer, bytes.byteOffset).getUint32(0)
      if (found > version)
        return yield* new StorageNewer({
          path: `${this.#engine.path}#${store.name}`,
          found,
          supported: version
        })
      for (let from = found; from < version; from++) {
        if (migrate === undefined)
          return yield* Effect.dieMessage(`no migration of store ${store.name} from format ${from}`)
        yield* migrate(store, from)
        yield* this.flushed
        yield* put(from + 1)
      }
    })
  }

  // Writing

  readonly write = (batch: ReadonlyArray<Write>): void => {
    if (this.#closed) throw new Error("the stores are closed")
    if (this.#fault !== undefined) throw this.#fault
    this.#admit(batch)
    try {
      for (const write of batch) this.#apply(write)
    } catch (cause) {
      // Half of a batch is in memory now, and must not get any further.
      if (isStorageFault(cause)) this.#fail(cause)
      throw cause
    }
    if (this.#gathering.bytes >= layerBytesMax) this.#askDeparture()
    else this.#departLater()
  }

  #apply(write: Write): void {
    switch (write.op) {
      case "put":
        return this.#set(write.store.name, write.key, write.value)
      case "delete":
        return this.#set(write.store.name, write.key, null)
      case "deleteRange":
        for (const { key } of write.store.range(rangeOf(write))) this.#set(write.store.name, key, null)
    }
  }

  /** All of it, before any of it is applied. */
  #admit(batch: ReadonlyArray<Write>): void {
    const { limits } = this.#world
    let [bytes, puts] = [0, false]
    const room = limits.pendingBytesMax - this.#pendingBytes()
    for (const write of batch) {
      if (this.#pastFault !== undefined && !this.#opened.has(write.store)) throw this.#pastFault
      if (write.op === "deleteRange") {
        for (const { key } of write.store.range(rangeOf(write))) {
          bytes += key.length + overheadBytes
          if (bytes > room) break
        }
        continue
      }
      const { length } = write.key
      if (length === 0 || length > keyBytesMax)
        throw new RangeError(`a key has 1 to ${keyBytesMax} bytes, not ${length}`)
      bytes += length + overheadBytes
      if (write.op !== "put") continue
      if (write.value.length > valueBytesMax)
        throw new RangeError(`a value has at most ${valueBytesMax} bytes, not ${write.value.length}`)
      puts = true
      bytes += write.value.length
    }
    const path = this.#engine.path
    const pendingBytes = this.#pendingBytes() + bytes
    const { pendingBytesMax } = limits
    if (pendingBytes > pendingBytesMax) throw new StorageBusy({ path, pendingBytes, pendingBytesMax })
    const used = this.#engine.bytes()
    if (puts && used + pendingBytes > limits.bytesMax) {
      const reason = `it has ${used} bytes of at most ${limits.bytesMax}, and ${pendingBytes} more to write`
      throw new StorageFull({ path, reason, definite: true })
    }
  }

  #set(store: string, key: Uint8Array, value: Uint8Array | null): void {
    let layer = this.#gathering.byStore.get(store)
    if (layer === undefined) {
      layer = new OrderedMap()
      this.#gathering.byStore.set(store, layer)
    }
    const before = layer.set(key, value)
    this.#gathering.bytes += value?.length ?? 0
    if (before === undefined) this.#gathering.bytes += key.length + overheadBytes
    else this.#gathering.bytes -= before?.length ?? 0
  }

  readonly onFlushed = (done: Waiter): void => {
    const { soon } = this.#world
    if (this.#fault !== undefined) return soon(() => done(this.#fault))
    if (this.#gathering.byStore.size > 0) {
      this.#gathering.waiters.push(done)
      if (this.#leaving === undefined) this.#askDeparture()
    } else if (this.#leaving !== undefined) this.#leaving.waiters.push(done)
    else soon(() => done(undefined))
  }

  readonly flushed: Effect.Effect<void, StorageFault> = Effect.async((resume) =>
    this.onFlushed((fault) => resume(fault === undefined ? Effect.void : Effect.fail(fault)))
  )

  #askDeparture(): void {
    if (this.#departureAsked) return
    this.#departureAsked = true
    this.#world.soon(() => {
      this.#departureAsked = false
      this.#depart()
    })
  }

  #departLater(): void {
    const { clock, limits } = this.#world
    this.#cancelFlush ??= clock.alarm(limits.flushMillisMax, () => this.#depart())
  }

  #depart(): void {
    // Also when it cannot leave now: whoever is committing asks again at its end.
    this.#cancelFlush?.()
    this.#cancelFlush = undefined
    if (this.#leaving !== undefined || this.#fault !== undefined) return
    if (this.#gathering.byStore.size === 0) return
    const leaving = this.#gathering
    this.#leaving = leaving
    this.#gathering = newLayers()
    this.#isCommitting = true
    this.#engine.commit(leaving.byStore, (fault) => {
      this.#isCommitting = false
      if (fault !== undefined) return this.#fail(fault)
      this.#leaving = undefined
      for (const waiter of leaving.waiters) waiter(undefined)
      const { byStore, bytes, waiters } = this.#gathering
      if (waiters.length > 0 || bytes >= layerBytesMax) this.#askDeparture()
      else if (byStore.size > 0) this.#departLater()
    })
  }

  /** What was visible stays visible; nothing more is taken. */
  #fail(fault: StorageFault): void {
    this.#fault = fault
    const waiters = [...(this.#leaving?.waiters ?? []), ...this.#gathering.waiters]
    for (const waiter of waiters) waiter(fault)
  }

  // Reading

  #storeOf(name: string, version: number): Store {
    const pending = (key: Uint8Array): Uint8Array | null | undefined => {
      const newest = this.#gathering.byStore.get(name)?.get(key)
      return newest === undefined ? this.#leaving?.byStore.get(name)?.get(key) : newest
    }
    const store: Store = {
      name,
      version,
      get: (key) => {
        const value = pending(key)
        return value === undefined ? this.#engine.get(name, key) : (value ?? undefined)
      },
      peek: (key, use) => {
        const value = pending(key)
        if (value === null) return undefined
        return value === undefined ? this.#engine.peek(name, key, use) : use(value)
      },
      range: (range = {}) => this.#rangeNow(name, range),
      usedBytes: () => this.#engine.usedBytes(name)
    }
    this.#opened.add(store)
    return store
  }

  #rangeNow(name: string, range: Range): Iterable<Entry> {
    return { [Symbol.iterator]: () => this.#iterateNow(name, range) }
  }

  *#iterateNow(name: string, range: Range): Generator<Entry, undefined> {
    const view = this.#view()
    try {
      yield* this.#iterate(view, name, range)
    } finally {
      this.#release(view)
    }
  }

  *#iterate(view: View, name: string, range: Range): Generator<Entry, undefined> {
    const layers = view.layers.flatMap((layer) => layer.get(name) ?? []).filter(({ size }) => size > 0)
    const { limit = Number.POSITIVE_INFINITY, ...rest } = range
    if (layers.length === 0) {
      for (const entry of view.engine.range(name, range)) {
        yield entry
        alive(view)
      }
      return
    }
    let left = limit
    if (left <= 0) return
    for (const entry of merged(
      layers.map((layer) => layer.range(rest)),
      view.engine.range(name, rest),
      range.reverse === true
    )) {
      yield entry
      alive(view)
      if (--left <= 0) return
    }
  }

  #view(): View {
    const nowMillis = this.#world.clock.nowMillis()
    for (const old of this.#views) {
      if (nowMillis < old.untilMillis) break
      this.#release(old)
    }
    if (this.#views.size >= viewsMax)
      throw new SnapshotRefused({ reason: `${viewsMax} iterations have begun and not ended` })
    const layers = [this.#gathering.byStore, ...(this.#leaving === undefined ? [] : [this.#leaving.byStore])]
    const view: View = {
      layers: layers.map((byStore) => new Map([...byStore].map(([name, layer]) => [name, layer.snapshot()]))),
      engine: this.#engine.read(),
      untilMillis: nowMillis + this.#world.limits.snapshotMillisMax,
      released: false
    }
    this.#views.add(view)
    return view
  }

  #release(view: View): void {
    if (view.released) return
    view.released = true
    this.#views.delete(view)
    view.engine.release()
  }

  readonly snapshot: Effect.Effect<Snapshot, SnapshotRefused, Scope.Scope> = Effect.map(
    Effect.acquireRelease(
      Effect.suspend(() => {
        const { clock, limits } = this.#world
        if (this.#snapshots >= limits.snapshotsMax)
          return Effect.fail(new SnapshotRefused({ reason: `${limits.snapshotsMax} are held` }))
        const view = this.#view()
        this.#snapshots++
        return Effect.succeed({
          view,
          cancel: clock.alarm(limits.snapshotMillisMax, () => this.#release(view))
        })
      }),
      ({ cancel, view }) =>
        Effect.sync(() => {
          cancel()
          this.#snapshots--
          this.#release(view)
        })
    ),
    ({ view }) => ({ stores: [...this.#stores.values()], of: ({ name }: Store) => this.#readsOf(view, name) })
  )

  #readsOf(view: View, name: string): Reads {
    return {
      get: (key) => {
        alive(view)
        for (const layer of view.layers) {
          const value = layer.get(name)?.get(key)
          if (value !== undefined) return value ?? undefined
        }
        return view.engine.get(name, key)
      },
      range: (range = {}) => ({
        [Symbol.iterator]: () => {
          alive(view)
          return this.#iterate(view, name, range)
        }
      })
    }
  }

  #pendingBytes(): number {
    return this.#gathering.bytes + (this.#leaving?.bytes ?? 0)
  }

  readonly usage = (): StoreUsage => ({
    bytes: this.#engine.bytes(),
    bytesMax: this.#world.limits.bytesMax,
    pendingBytes: this.#pendingBytes()
  })

  readonly close: Effect.Effect<void> = Effect.suspend(() => {
    this.#closed = true
    const flushed =
      this.#fault === undefined
        ? Effect.catchAll(this.flushed, ({ message }) =>
            Effect.logError(`closed without a flush: ${message}`)
          )
        : Effect.void
    return Effect.map(flushed, () => {
      this.#cancelFlush?.()
      for (const view of this.#views) this.#release(view)
    })
  })
}

const alive = ({ released }: View): void => {
  if (released) throw new SnapshotRefused({ reason: "it was held for too long, or its scope has closed" })
}

const rangeOf = ({ end, start }: Range): Range => ({ ...(start && { start }), ...(end && { end }) })

type Pending = readonly [key: Uint8Array, value: Uint8Array | null]

/** Layers from the newest to the oldest, then the engine: of one key the first one counts. */
function* merged(
  layers: ReadonlyArray<Iterator<Pending>>,
  engine: Iterable<Entry>,
  reverse: boolean
): Generator<Entry, undefined> {
  const below = engine[Symbol.iterator]()
  const advanceBelow = (): Pending | undefined => {
    const next = below.next()
    return next.done === true ? undefined : [next.value.key, next.value.value]
  }
  const advances = [
    ...layers.map((layer) => (): Pending | undefined => {
      const next = layer.next()
      return next.done === true ? undefined : next.value
    }),
    advanceBelow
  ]
  const heads = advances.map((advance) => advance())
  try {
    for (;;) {
      let first: Pending | undefined
      for (const head of heads) {
        if (head === undefined) continue
        const order = first === undefined ? -1 : compareBytes(head[0], first[0])
        if (first === undefined || (reverse ? order > 0 : order < 0)) first = head
      }
      if (first === undefined) return
      const [key, value] = first
      for (const [source, head] of heads.entries())
        if (head !== undefined && compareBytes(head[0], key) === 0) heads[source] = advances[source]!()
      if (value !== null) yield { key, value }
    }
  } finally {
    below.return?.()
  }
}
