/**
 * The engine of the stores: lmdb, in `<data directory>/stores/data.mdb`.
 *
 * lmdb-js offers to make a commit visible first and durable later (`overlappingSync`). The layers in front of
 * it make writes visible at once anyway, so that is off: a commit here is the classic one, pages, fdatasync,
 * then the root with O_DSYNC, on a thread of libuv's pool. When its promise resolves it is durable; before
 * that a crash finds the root of the commit before, whose pages are not reused while it may be needed.
 *
 * Facts of lmdb-js 3.5.6 this rests on. All puts in one `batch` are one transaction; its own gathering of a
 * turn's puts is off, since it makes a promise that nobody can catch when the commit fails. The map grows by itself when
 * it is full, and moves; MDB_MAP_FULL never comes. So it is made twice as large as the file may get, which
 * costs address space only, and the bound is kept by the layers. Values carry a checksum, since lmdb has none.
 * When the disk has no room for a page, it writes a message of 105 bytes into 100 of the heap (`mdb_page_flush`), and
 * the process may abort long after. So a commit looks for room first, for more than it can need.
 */
import { statfsSync } from "node:fs"
import { dirname } from "node:path"
import { Predicate } from "effect"
import { type Database, open, type RootDatabase } from "lmdb"
import type { StorageFault } from "../kernel/ports/storage-faults.ts"
import { isStorageFault, StorageBroken, StorageCorrupt, StorageFull } from "../kernel/ports/storage-faults.ts"
import { type Entry, type Range, storesMax } from "../kernel/ports/store.ts"
import type { EngineRead, Layer } from "../kernel/store/layered-stores.ts"
import { seal, sealBytes, unseal } from "../kernel/store/sealed-values.ts"

type Bytes = Database<Uint8Array, Uint8Array>

const readersMax = 1_024
/** lmdb-js loads 50,000 free pages for each commit by default, and then even the smallest one takes 7 ms. */
const freePagesMax = 500
const pageBytes = 4_096
/** For the upper pages of all stores and lmdb's list of free ones, and for what others write before it does. */
const spareBytes = 1024 * 1024
const binary = { encoding: "binary", keyEncoding: "binary" } as const

/** ENOSPC, EDQUOT and EFBIG, and lmdb's own word for it. */
const fullCodes: ReadonlySet<unknown> = new Set([28, 122, 27, -30_792])
/** A page that is not there, a page of the wrong kind, and what follows from them. */
const corruptCodes: ReadonlySet<unknown> = new Set([-30_797, -30_796, -30_795, -30_793, -30_794, -30_779])

export const lmdbFault = (path: string, operation: string, cause: unknown): StorageFault => {
  if (isStorageFault(cause)) return cause
  const code = Predicate.hasProperty(cause, "code") ? cause.code : undefined
  const reason = cause instanceof Error ? cause.message : String(cause)
  if (fullCodes.has(code)) return new StorageFull({ path, reason, definite: false })
  if (corruptCodes.has(code)) return new StorageCorrupt({ path, offset: -1, reason })
  return new StorageBroken({ path, operation, reason })
}

export interface EngineOptions {
  readonly path: string
  readonly bytesMax: number
  readonly readOnly?: true
}

/** Its calls throw `StorageFault`s. */
export class LmdbEngine {
  readonly path: string
  readonly #root: RootDatabase<Uint8Array, Uint8Array>
  readonly #stores = new Map<string, Bytes>()
  #bytes = 0
  /** By store, since the last commit. */
  readonly #usedBytes = new Map<string, number>()

  constructor({ bytesMax, path, readOnly }: EngineOptions) {
    this.path = path
    const options = {
      ...binary,
      path,
      noSubdir: true,
      overlappingSync: false,
      eventTurnBatching: false,
      maxFreeSpaceToLoad: freePagesMax,
      maxFreeSpaceToRetain: 2 * freePagesMax,
      mapSize: Math.ceil((2 * bytesMax) / 2 ** 20) * 2 ** 20 + 64 * 2 ** 20,
      maxDbs: storesMax + 8,
      maxReaders: readersMax,
      permissionsMode: 0o600,
      readOnly: readOnly ?? false
    }
    this.#root = this.#attempt("open", () => open(options))
    this.#measure()
  }

  /** In the file they end with a zero. */
  names(): ReadonlyArray<string> {
    return this.#attempt("read", () =>
      [...this.#root.getKeys()].map((key) => Buffer.from(key).toString().replace(/\0$/, ""))
    )
  }

  openStore(name: string): void {
    if (this.#stores.has(name)) return
    const store = this.#attempt("open", () => this.#root.openDB<Uint8Array, Uint8Array>(name, binary))
    // Whatever its types say: for a store that is not there, where none can be made.
    if (store === undefined)
      throw new StorageCorrupt({ path: this.path, offset: -1, reason: `store ${name} does not open` })
    this.#stores.set(name, store)
  }

  /** How many entries lmdb believes there are. */
  count(store: string): number {
    const stats: object = this.#attempt("read", () => this.#store(store).getStats())
    return Predicate.hasProperty(stats, "entryCount") ? Number(stats.entryCount) : 0
  }

  get(store: string, key: Uint8Array): Uint8Array | undefined {
    const sealed = this.#attempt("read", () => this.#store(store).getBinary(key))
    return sealed === undefined ? undefined : this.#opened(store, key, sealed)
  }

  /** What lmdb-js hands out here is one buffer for all reads, with a length that only it knows of. */
  peek<A>(store: string, key: Uint8Array, use: (value: Uint8Array) => A): A | undefined {
    const shared = this.#attempt("read", () => this.#store(store).getBinaryFast(key))
    if (shared === undefined) return undefined
    const sealed = new Uint8Array(shared.buffer, shared.byteOffset, shared.length)
    return use(this.#opened(store, key, sealed))
  }

  read(): EngineRead {
    const transaction = this.#attempt("read", () => this.#root.useReadTransaction())
    const cursors = new Set<Iterator<Entry>>()
    let released = false
    return {
      get: (store, key) => {
        const sealed = this.#attempt("read", () => this.#store(store).get(key, { transaction }))
        return sealed === undefined ? undefined : this.#opened(store, key, sealed)
      },
      range: (store, range) => this.#range(store, range, transaction, cursors),
      release: () => {
        if (released) return
        released = true
        // A cursor that somebody left open would hold the transaction, and its pages, for ever.
        for (const cursor of cursors) cursor.return?.()
        transaction.done()
      }
    }
  }

  *#range(
    store: string,
    { end, limit, reverse = false, start }: Range,
    transaction: ReturnType<Bytes["useReadTransaction"]>,
    cursors: Set<Iterator<Entry>>
  ): Generator<Entry, undefined> {
    const [from, to] = reverse ? [end, start] : [start, end]
    const found = this.#attempt("read", () =>
      this.#store(store)
        .getRange({
          ...(from && { start: from }),
          ...(to && { end: to }),
          // The end is not in the range, whichever side it is read from.
          ...(reverse && { reverse, exclusiveStart: true, inclusiveEnd: true }),
          ...(limit !== undefined && Number.isFinite(limit) && { limit }),
          transaction
        })
        [Symbol.iterator]()
    )
    cursors.add(found)
    try {
      for (;;) {
        const next = this.#attempt("read", () => found.next())
        if (next.done === true) return
        const { key, value } = next.value
        yield { key, value: this.#opened(store, key, value) }
      }
    } finally {
      cursors.delete(found)
      found.return?.()
    }
  }

  commit(layers: ReadonlyMap<string, Layer>, done: (fault: StorageFault | undefined) => void): void {
    let [bytes, entries] = [0, 0]
    for (const layer of layers.values())
      for (const [, value] of layer.range()) {
        bytes += (value?.length ?? 0) + sealBytes
        entries++
      }
    const arena = new Uint8Array(bytes)
    let at = 0
    const write = () => {
      for (const [name, layer] of layers) {
        const store = this.#store(name)
        for (const [key, value] of layer.range()) {
          if (value === null) {
            store.remove(key)
            continue
          }
          const end = seal(key, value, arena, at)
          store.put(key, arena.subarray(at, end))
          at = end
        }
      }
    }
    const failed = (cause: unknown) => {
      const short = Predicate.hasProperty(cause, "code") && cause.code === 5
      const full = short ? this.#fullFor(bytes, entries) : undefined
      done(full ?? lmdbFault(this.path, "commit", cause))
    }
    try {
      const full = this.#fullFor(bytes, entries)
      if (full !== undefined) throw full
      this.#root
        .batch(write)
        .then(() => this.#measure())
        .then(
          () => done(undefined),
          async (cause: unknown) => failed(await whyNot(cause))
        )
    } catch (cause) {
      failed(cause)
    }
  }

  /**
   * With room for every value in pages of its own, and for a leaf that each entry may change. lmdb says EIO when a
   * write ends early, which is also how a disk says that it has no room for the rest.
   */
  #fullFor(bytes: number, entries: number): StorageFull | undefined {
    const [free, needed] = [freeBytes(dirname(this.path)), 2 * bytes + entries * pageBytes + spareBytes]
    if (free >= needed) return undefined
    const reason = `the disk has ${free} bytes left, and a commit may need ${needed}`
    return new StorageFull({ path: this.path, reason, definite: false })
  }

  bytes(): number {
    return this.#bytes
  }

  /** Of the pages that the store has. */
  usedBytes(store: string): number {
    const known = this.#usedBytes.get(store)
    if (known !== undefined) return known
    const stats: object = this.#attempt("read", () => this.#store(store).getStats())
    const pages = pagesIn(stats)
    const bytes = Predicate.hasProperty(stats, "pageSize") ? pages * Number(stats.pageSize) : 0
    this.#usedBytes.set(store, bytes)
    return bytes
  }

  async close(): Promise<void> {
    await this.#root.close()
  }

  #store(name: string): Bytes {
    const store = this.#stores.get(name)
    if (store === undefined) throw new Error(`store ${name} is not open`)
    return store
  }

  #opened(store: string, key: Uint8Array, sealed: Uint8Array): Uint8Array {
    const value = unseal(key, sealed)
    if (value !== undefined) return value
    const name = Buffer.from(key).toString("hex")
    throw new StorageCorrupt({
      path: this.path,
      offset: -1,
      reason: `the value of key ${name} of store ${store} does not verify`
    })
  }

  #measure(): void {
    this.#usedBytes.clear()
    const stats: object = this.#root.getStats()
    if (!Predicate.hasProperty(stats, "lastPageNumber") || !Predicate.hasProperty(stats, "pageSize")) return
    this.#bytes = (Number(stats.lastPageNumber) + 1) * Number(stats.pageSize)
  }

  #attempt<A>(operation: string, attempt: () => A): A {
    try {
      return attempt()
    } catch (cause) {
      throw lmdbFault(this.path, operation, cause)
    }
  }
}

const pagesIn = (stats: object): number =>
  ["treeBranchPageCount", "treeLeafPageCount", "overflowPages"]
    .map((kind) => Number(Reflect.get(stats, kind)))
    .reduce((sum, pages) => sum + pages, 0)

/** lmdb-js rejects with a word of comfort, and has the error itself in a promise that rejects too. */
const whyNot = async (cause: unknown): Promise<unknown> => {
  if (!Predicate.hasProperty(cause, "commitError") || !Predicate.isPromise(cause.commitError)) return cause
  return cause.commitError.then(
    () => cause,
    (error: unknown) => error
  )
}

/** Where nothing can be said of it, lmdb has to find out. */
const freeBytes = (path: string): number => {
  try {
    const { bavail, blocks, bsize } = statfsSync(path)
    // Some file systems have no end, and say that they have no blocks.
    return blocks === 0 ? Number.POSITIVE_INFINITY : bavail * bsize
  } catch {
    return Number.POSITIVE_INFINITY
  }
}
