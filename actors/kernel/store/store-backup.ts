/**
 * Backups of stores: a snapshot as a stream of bytes that any environment can be filled from, live or
 * simulated, of this release or a later one.
 *
 *   "UCBACKUP" version u32   { length u32  crc u32  kind u8  payload … }   until the end record
 *
 * A record is a chunk of entries of one store, or the end with the number of entries. Every checksum is seeded
 * with the one before, so no record can be missing, doubled or in another place. What does not verify is
 * refused as a whole: `restoreInto` reads to the end before the last of it becomes durable, and says so.
 */
import { Effect, Stream } from "effect"
import { crc32c } from "../journal/crc32c.ts"
import { isStorageFault, StorageCorrupt, type StorageFault, StorageNewer } from "../ports/storage-faults.ts"
import type { Snapshot, Store, StoreEnvironment, Write } from "../ports/store.ts"

export const backupVersion = 1

const magic = new TextEncoder().encode("UCBACKUP")
const chunkBytes = 256 * 1024
const recordBytesMax = 80 * 1024 * 1024
const kinds = { entries: 1, end: 2 } as const

/** Lazy, for as long as the snapshot lives. Throws what reading throws. */
export function* backupOf(
  snapshot: Snapshot,
  stores: ReadonlyArray<Store>
): Generator<Uint8Array, undefined> {
  const head = new Uint8Array(12)
  head.set(magic)
  new DataView(head.buffer).setUint32(8, backupVersion, true)
  yield head
  let [sum, entries] = [0, 0]
  const record = (kind: number, payload: Uint8Array): Uint8Array => {
    const bytes = new Uint8Array(9 + payload.length)
    const view = new DataView(bytes.buffer)
    bytes[8] = kind
    bytes.set(payload, 9)
    sum = crc32c(bytes, 8, bytes.length, sum)
    view.setUint32(0, payload.length, true)
    view.setUint32(4, sum, true)
    return bytes
  }
  for (const store of stores) {
    let chunk = newChunk(store)
    for (const { key, value } of snapshot.of(store).range()) {
      chunk.add(key, value)
      entries++
      if (chunk.length < chunkBytes) continue
      yield record(kinds.entries, chunk.bytes())
      chunk = newChunk(store)
    }
    // Also one without entries: the store itself comes back.
    yield record(kinds.entries, chunk.bytes())
  }
  const end = new Uint8Array(8)
  new DataView(end.buffer).setFloat64(0, entries, true)
  yield record(kinds.end, end)
}

const newChunk = ({ name, version }: Store) => {
  const parts: Array<Uint8Array> = []
  const chunk = {
    length: 0,
    add: (...pieces: ReadonlyArray<Uint8Array>) => {
      for (const piece of pieces) {
        const size = new Uint8Array(4)
        new DataView(size.buffer).setUint32(0, piece.length, true)
        parts.push(size, piece)
        chunk.length += 4 + piece.length
      }
    },
    bytes: () => joined(parts)
  }
  const format = new Uint8Array(4)
  new DataView(format.buffer).setUint32(0, version, true)
  chunk.add(new TextEncoder().encode(name), format)
  return chunk
}

const joined = (parts: ReadonlyArray<Uint8Array>): Uint8Array => {
  const bytes = new Uint8Array(parts.reduce((sum, { length }) => sum + length, 0))
  let at = 0
  for (const part of parts) {
    bytes.set(part, at)
    at += part.length
  }
  return bytes
}

export interface Restored {
  readonly stores: ReadonlyArray<string>
  readonly entries: number
}

/**
 * Fills stores, which should be new, and is durable when it succeeds. After a failure the environment holds a
 * part and is of no use. The stores have the format of the backup: open the environment anew to migrate them.
 */
export const restoreInto = <E>(
  stores: StoreEnvironment,
  chunks: Stream.Stream<Uint8Array, E>,
  path = "backup"
): Effect.Effect<Restored, StorageFault | E> =>
  Effect.gen(function* () {
    const reader = new BackupReader(path)
    const opened = new Map<string, Store>()
    let entries = 0
    yield* Stream.runForEach(chunks, (bytes) =>
      Effect.gen(function* () {
        reader.feed(bytes)
        for (;;) {
          const chunk = yield* Effect.try({
            try: () => reader.next(),
            catch: (fault) => {
              if (isStorageFault(fault)) return fault
              throw fault
            }
          })
          if (chunk === undefined) return
          const store =
            opened.get(chunk.store) ?? (yield* stores.open(chunk.store, { version: chunk.version }))
          opened.set(chunk.store, store)
          entries += chunk.entries.length
          stores.write(chunk.entries.map(([key, value]): Write => ({ op: "put", store, key, value })))
          yield* stores.flushed
        }
      })
    )
    if (reader.entriesAtEnd !== entries)
      return yield* reader.corrupt(
        reader.entriesAtEnd === undefined
          ? "it has no end"
          : `it says it has ${reader.entriesAtEnd} entries and has ${entries}`
      )
    return { stores: [...opened.keys()], entries }
  })

export interface BackupChunk {
  readonly store: string
  readonly version: number
  readonly entries: ReadonlyArray<readonly [key: Uint8Array, value: Uint8Array]>
}

/** Bytes in, chunks out, for whoever restores in steps of his own. */
export class BackupReader {
  entriesAtEnd: number | undefined
  readonly #path: string
  #bytes: Uint8Array = new Uint8Array(0)
  #offset = 0
  #sum = 0
  #begun = false

  constructor(path: string) {
    this.#path = path
  }

  feed(bytes: Uint8Array): void {
    this.#bytes = this.#bytes.length === 0 ? bytes : joined([this.#bytes, bytes])
  }

  corrupt(reason: string): StorageCorrupt {
    return new StorageCorrupt({ path: this.#path, offset: this.#offset, reason })
  }

  /** Undefined: feed it more, unless `entriesAtEnd` is known. Throws `StorageCorrupt` and `StorageNewer`. */
  next(): BackupChunk | undefined {
    if (!this.#begun) {
      if (this.#bytes.length < 12) return undefined
      const found = this.#view().getUint32(8, true)
      if (magic.some((byte, at) => this.#bytes[at] !== byte)) throw this.corrupt("it is no backup of stores")
      if (found > backupVersion) throw new StorageNewer({ path: this.#path, found, supported: backupVersion })
      this.#begun = true
      this.#take(12)
    }
    if (this.#bytes.length < 9) return undefined
    if (this.entriesAtEnd !== undefined) throw this.corrupt("there is more behind its end")
    const length = this.#view().getUint32(0, true)
    if (length > recordBytesMax) throw this.corrupt(`a record of ${length} bytes is too long`)
    if (this.#bytes.length < 9 + length) return undefined
    const sum = crc32c(this.#bytes, 8, 9 + length, this.#sum)
    if (sum !== this.#view().getUint32(4, true)) throw this.corrupt("a record does not verify")
    this.#sum = sum
    const kind = this.#bytes[8]
    const payload = this.#bytes.slice(9, 9 + length)
    this.#take(9 + length)
    if (kind === kinds.entries) return chunkOf(payload)
    this.entriesAtEnd = new DataView(payload.buffer).getFloat64(0, true)
    return this.next()
  }

  #view(): DataView {
    return new DataView(this.#bytes.buffer, this.#bytes.byteOffset, this.#bytes.byteLength)
  }

  #take(length: number): void {
    this.#bytes = this.#bytes.subarray(length)
    this.#offset += length
  }
}

/** Of bytes that have been verified. */
const chunkOf = (payload: Uint8Array): BackupChunk => {
  const view = new DataView(payload.buffer)
  const pieces: Array<Uint8Array> = []
  for (let at = 0; at < payload.length; ) {
    const length = view.getUint32(at, true)
    pieces.push(payload.subarray(at + 4, at + 4 + length))
    at += 4 + length
  }
  const [name = new Uint8Array(0), format = new Uint8Array(4), ...rest] = pieces
  return {
    store: new TextDecoder().decode(name),
    version: new DataView(format.buffer, format.byteOffset).getUint32(0, true),
    entries: Array.from({ length: rest.length >> 1 }, (_, entry) => [rest[2 * entry]!, rest[2 * entry + 1]!])
  }
}
