/**
 * Where a member keeps snapshots of its state: one of its own, for members that are too far behind for the
 * log, and one that comes in pieces from its leader. Both lie in a store beside the state, as pieces of a backup.
 *
 *   make      state ──► pieces, outgoing ──► flushed: raft may name it
 *   stage     chunks from the leader ──► incoming; what is there after a crash is not sent again
 *   install   incoming verified ──► marked ──► state cleared ──► filled ──► mark and pieces removed
 *
 * Between the mark and its removal the state is neither the old nor the new one. Whoever opens the member after
 * a crash begins the install anew. What takes long is a generator that stops between slices: `soon` goes on in a
 * later turn, `flushed` once what was written is durable.
 */
import type { Entry, Reads, Store, StoreEnvironment, Write } from "#actors/kernel/ports/store.ts"
import { BackupReader, backupOf } from "#actors/kernel/store/store-backup.ts"
import { ByteReader, ByteWriter } from "#actors/raft/raft-bytes.ts"
import { membershipBytes, readMembership, writeMembership } from "#actors/raft/raft-membership.ts"
import { isSameSnapshot, type Snapshot } from "#actors/raft/raft-messages.ts"

export type Pace = "soon" | "flushed"
export type Slices = Generator<Pace, void>

export type ShelfEnvironment = Pick<StoreEnvironment, "write" | "usage">

/** What is written before the disk is waited for. */
const pendingBytesMax = 16 * 1024 * 1024
const deletedAtOnce = 5_000
const kinds = { mark: 0, outgoing: 1, incoming: 2 } as const
const marks = { staged: 1, installing: 2 } as const
type Mark = keyof typeof marks

export class SnapshotShelf {
  readonly #environment: ShelfEnvironment
  readonly #state: ReadonlyArray<Store>
  readonly #shelf: Store
  #outgoing: Snapshot | undefined
  #stagedBytes: number

  /** `state`: all stores that a snapshot holds. */
  constructor(environment: ShelfEnvironment, state: ReadonlyArray<Store>, shelf: Store) {
    this.#environment = environment
    this.#state = state
    this.#shelf = shelf
    this.#stagedBytes = this.#stagedOnDisk()
  }

  /** Called before anything else, after a start: finishes an install, and removes what nobody knows of any more. */
  *recover(filled: (snapshot: Snapshot) => void): Slices {
    const interrupted = this.#marked("installing")
    if (interrupted !== undefined) yield* this.install(interrupted, () => filled(interrupted))
    yield* this.discard()
  }

  // A snapshot of our own

  /** The one that can be read; undefined while none is made. */
  get outgoing(): Snapshot | undefined {
    return this.#outgoing
  }

  /** Writes the state down as it is now. `done` is called with the number of bytes when all of it is durable. */
  *make(done: (bytes: number) => void): Slices {
    this.#outgoing = undefined
    const views = new Map(this.#state.map((store) => [store, primed(store)]))
    try {
      yield* this.#clear(kinds.outgoing)
      const of = (store: Store): Reads => ({ get: store.get, range: () => views.get(store) ?? [] })
      let offset = 0
      for (const piece of backupOf({ of, stores: this.#state }, this.#state)) {
        this.#put(placeOf(kinds.outgoing, offset), piece)
        offset += piece.length
        yield this.#pace()
      }
      yield "flushed"
      done(offset)
    } finally {
      for (const view of views.values()) view.return?.()
    }
  }

  /** It has a name now: raft knows it. */
  name(snapshot: Snapshot): void {
    this.#outgoing = snapshot
  }

  /** Nobody needs it any more. */
  *discard(): Slices {
    this.#outgoing = undefined
    yield* this.#clear(kinds.outgoing)
  }

  /** A part of it; undefined when it is another one by now. */
  read(snapshot: Snapshot, offset: number, bytesMax: number): Uint8Array | undefined {
    if (this.#outgoing === undefined || !isSameSnapshot(this.#outgoing, snapshot)) return undefined
    return this.#read(kinds.outgoing, offset, Math.min(bytesMax, snapshot.bytes - offset))
  }

  // The leader's

  /** Of a snapshot from a leader, so much is here, in order and without a gap. */
  get staged(): { readonly snapshot: Snapshot; readonly offset: number } | undefined {
    const snapshot = this.#marked("staged")
    return snapshot === undefined ? undefined : { snapshot, offset: this.#stagedBytes }
  }

  stage(snapshot: Snapshot, offset: number, data: Uint8Array): void {
    const write: Array<Write> = []
    if (offset === 0) {
      write.push({ op: "deleteRange", store: this.#shelf, ...rangeOf(kinds.incoming) })
      write.push({ op: "put", store: this.#shelf, key: markKey("staged"), value: encodeSnapshot(snapshot) })
      this.#stagedBytes = 0
    }
    if (offset !== this.#stagedBytes)
      throw new Error(`a chunk at ${offset} does not follow ${this.#stagedBytes}`)
    write.push({ op: "put", store: this.#shelf, key: placeOf(kinds.incoming, offset), value: data.slice() })
    this.#environment.write(write)
    this.#stagedBytes += data.length
  }

  /**
   * Puts what was staged in the place of the state. Throws `StorageCorrupt`, with the state untouched. `filled`
   * may write more before the mark is removed.
   */
  *install(snapshot: Snapshot, filled: () => void): Slices {
    try {
      yield* this.#verify()
    } catch (problem) {
      // It must not be found again: the leader sends it anew.
      yield* this.#forgetStaged()
      throw problem
    }
    this.#put(markKey("installing"), encodeSnapshot(snapshot))
    yield "flushed"
    for (const store of this.#state) yield* this.#clearStore(store)
    const stores = new Map(this.#state.map((store) => [store.name, store]))
    const reader = new BackupReader(this.#shelf.name)
    for (const piece of this.#incoming()) {
      reader.feed(piece)
      for (let chunk = reader.next(); chunk !== undefined; chunk = reader.next()) {
        const store = stores.get(chunk.store)
        // A later release may replicate more; what it needs of that, it has to find missing.
        if (store === undefined) continue
        this.#environment.write(
          chunk.entries.map(([key, value]): Write => ({ op: "put", store, key, value }))
        )
      }
      yield this.#pace()
    }
    filled()
    yield* this.#forgetStaged()
  }

  *#verify(): Slices {
    const reader = new BackupReader(this.#shelf.name)
    for (const piece of this.#incoming()) {
      reader.feed(piece)
      while (reader.next() !== undefined);
      yield "soon"
    }
    if (reader.entriesAtEnd === undefined) throw reader.corrupt("it has no end")
  }

  *#forgetStaged(): Slices {
    const names = ["staged", "installing"] as const
    // The state is whole again, or still.
    this.#environment.write(
      names.map((name): Write => ({ op: "delete", store: this.#shelf, key: markKey(name) }))
    )
    this.#stagedBytes = 0
    yield "flushed"
    yield* this.#clear(kinds.incoming)
  }

  // The shelf

  /** One by one: no iteration lives as long as this may take. */
  *#incoming(): Iterable<Uint8Array> {
    for (let offset = 0; offset < this.#stagedBytes; ) {
      const piece = this.#shelf.get(placeOf(kinds.incoming, offset))
      if (piece === undefined || piece.length === 0) return
      yield piece
      offset += piece.length
    }
  }

  #keys(kind: number): ReadonlyArray<Uint8Array> {
    return [...this.#shelf.range({ ...rangeOf(kind), limit: deletedAtOnce })].map(({ key }) => key)
  }

  *#clear(kind: number): Slices {
    for (let keys = this.#keys(kind); keys.length > 0; keys = this.#keys(kind)) {
      this.#environment.write(keys.map((key): Write => ({ op: "delete", store: this.#shelf, key })))
      yield this.#pace()
    }
  }

  *#clearStore(store: Store): Slices {
    for (;;) {
      const keys = [...store.range({ limit: deletedAtOnce })].map(({ key }) => key)
      if (keys.length === 0) return
      this.#environment.write(keys.map((key): Write => ({ op: "delete", store, key })))
      yield this.#pace()
    }
  }

  #stagedOnDisk(): number {
    for (const { key, value } of this.#shelf.range({ ...rangeOf(kinds.incoming), reverse: true, limit: 1 }))
      return offsetOf(key) + value.length
    return 0
  }

  #read(kind: number, offset: number, bytesMax: number): Uint8Array {
    const bytes = new Uint8Array(bytesMax)
    let at = 0
    const start = this.#pieceAt(kind, offset)
    for (const { key, value } of this.#shelf.range({ start, end: Uint8Array.of(kind + 1) })) {
      const skipped = Math.max(0, offset - offsetOf(key))
      const part = value.subarray(skipped, skipped + bytesMax - at)
      bytes.set(part, at)
      at += part.length
      if (at === bytesMax) break
    }
    return bytes.subarray(0, at)
  }

  /** The place of the piece that holds this offset. */
  #pieceAt(kind: number, offset: number): Uint8Array {
    const end = placeOf(kind, offset + 1)
    const range = { start: Uint8Array.of(kind), end, reverse: true, limit: 1 }
    for (const { key } of this.#shelf.range(range)) return key
    return placeOf(kind, 0)
  }

  #put(key: Uint8Array, value: Uint8Array): void {
    this.#environment.write([{ op: "put", store: this.#shelf, key, value }])
  }

  #marked(name: Mark): Snapshot | undefined {
    const bytes = this.#shelf.get(markKey(name))
    return bytes === undefined ? undefined : decodeSnapshot(bytes)
  }

  #pace(): Pace {
    return this.#environment.usage().pendingBytes > pendingBytesMax ? "flushed" : "soon"
  }
}

/** An iteration that has begun, so that what is written from now on is not in it. */
const primed = (store: Store): IterableIterator<Entry> => {
  const entries = store.range()[Symbol.iterator]()
  let first: IteratorResult<Entry> | undefined = entries.next()
  const view: IterableIterator<Entry> = {
    next: () => {
      const now = first ?? entries.next()
      first = undefined
      return now
    },
    return: () => entries.return?.() ?? { done: true, value: undefined },
    [Symbol.iterator]: () => view
  }
  return view
}

const rangeOf = (kind: number) => ({ start: Uint8Array.of(kind), end: Uint8Array.of(kind + 1) })

const markKey = (name: Mark): Uint8Array => Uint8Array.of(kinds.mark, marks[name])

const placeOf = (kind: number, offset: number): Uint8Array => {
  const key = new Uint8Array(9)
  key[0] = kind
  new DataView(key.buffer).setBigUint64(1, BigInt(offset))
  return key
}

const offsetOf = (key: Uint8Array): number =>
  Number(new DataView(key.buffer, key.byteOffset, key.byteLength).getBigUint64(1))

const encodeSnapshot = ({ bytes, id, index, membership, term }: Snapshot): Uint8Array => {
  const writer = new ByteWriter(64 + membershipBytes(membership))
  for (const number of [index, term, id, bytes]) writer.number(number)
  writeMembership(writer, membership)
  return writer.bytes.subarray(0, writer.at)
}

const decodeSnapshot = (encoded: Uint8Array): Snapshot => {
  const reader = new ByteReader(encoded)
  const [index, term, id, bytes] = [reader.number(), reader.number(), reader.number(), reader.number()]
  return { index, term, id, bytes, membership: readMembership(reader) }
}
