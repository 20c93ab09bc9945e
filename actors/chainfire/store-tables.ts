/**
 * Chainfire's tables on the stores of a node. What one command changes is gathered and written as one batch,
 * so that after a crash the store is between two commands; until then reads look through what is gathered.
 */
import type { StorageFault } from "#actors/kernel/ports/storage-faults.ts"
import { keyBytesMax, type Store, type StoreEnvironment, type Write } from "#actors/kernel/ports/store.ts"
import type { Table } from "./mvcc.ts"
import { compareBytes } from "./record.ts"
import type { StateTables } from "./state-machine.ts"

export const storeNames = [
  "current",
  "history",
  "changes",
  "leases",
  "attachments",
  "meta",
  "users",
  "roles"
] as const
type StoreName = (typeof storeNames)[number]

export interface OpenStores {
  readonly environment: Pick<StoreEnvironment, "write" | "onFlushed" | "usage">
  readonly stores: Readonly<Record<StoreName, Store>>
}

/** By name, if they were opened in the order of their names. */
export const storesOf = (opened: ReadonlyArray<Store>): OpenStores["stores"] => {
  const of = (name: StoreName): Store => {
    const store = opened[storeNames.indexOf(name)]
    if (store === undefined) throw new Error(`the store of ${name} was not opened`)
    return store
  }
  return {
    current: of("current"),
    history: of("history"),
    changes: of("changes"),
    leases: of("leases"),
    attachments: of("attachments"),
    meta: of("meta"),
    users: of("users"),
    roles: of("roles")
  }
}

export class StoreTables implements StateTables {
  readonly current: Table
  readonly history: Table
  readonly changes: Table
  readonly leases: Table
  readonly attachments: Table
  readonly meta: Table
  readonly users: Table
  readonly roles: Table
  readonly #environment: OpenStores["environment"]
  #writes: Array<Write> = []

  constructor({ environment, stores }: OpenStores) {
    this.#environment = environment
    this.current = this.#table(stores.current)
    this.history = this.#table(stores.history)
    this.changes = this.#table(stores.changes)
    this.leases = this.#table(stores.leases)
    this.attachments = this.#table(stores.attachments)
    this.meta = this.#table(stores.meta)
    this.users = this.#table(stores.users)
    this.roles = this.#table(stores.roles)
  }

  /** Written, and not on the disk yet; also what others have written to the same stores. */
  get pendingBytes(): number {
    return this.#environment.usage().pendingBytes
  }

  /** Writes what was gathered, as one. Throws a `StorageFault`; what is definite has changed nothing. */
  write(): void {
    const writes = this.#writes
    this.#writes = []
    if (writes.length > 0) this.#environment.write(writes)
  }

  /** Once all that was written is durable. */
  onFlushed(done: (fault: StorageFault | undefined) => void): void {
    this.#environment.onFlushed(done)
  }

  #table(store: Store): Table {
    return {
      // What no table can hold none of them has.
      get: (key) => (key.length > keyBytesMax ? undefined : this.#gathered(store, key, () => store.get(key))),
      put: (key, value) => void this.#writes.push({ op: "put", store, key, value }),
      delete: (key) => void this.#writes.push({ op: "delete", store, key }),
      range: (start, end, options = {}) => this.#range(store, start, end, options)
    }
  }

  /** The last that was gathered about a key, or what the store has. */
  #gathered(store: Store, key: Uint8Array, stored: () => Uint8Array | undefined): Uint8Array | undefined {
    for (let index = this.#writes.length - 1; index >= 0; index--) {
      const write = this.#writes[index]
      if (write?.store !== store || write.op === "deleteRange" || compareBytes(write.key, key) !== 0) continue
      return write.op === "put" ? write.value : undefined
    }
    return stored()
  }

  *#range(
    store: Store,
    start: Uint8Array,
    end: Uint8Array | undefined,
    { limit, reverse }: { readonly reverse?: boolean; readonly limit?: number }
  ): Iterable<readonly [key: Uint8Array, value: Uint8Array]> {
    if (end !== undefined && compareBytes(start, end) >= 0) return
    // Bounds may be longer than any key is; then what is left of them bounds as well.
    const from = start.subarray(0, keyBytesMax)
    const to = end?.subarray(0, keyBytesMax)
    const range = { ...(from.length > 0 && { start: from }), ...(to !== undefined && { end: to }) }
    if (!this.#writes.some((write) => write.store === store)) {
      const options = {
        ...range,
        ...(reverse !== undefined && { reverse }),
        ...(limit !== undefined && { limit })
      }
      for (const { key, value } of store.range(options)) yield [key, value]
      return
    }
    const merged = this.#merged(store, start, end, [...store.range(range)])
    if (reverse === true) merged.reverse()
    yield* merged.slice(0, limit)
  }

  #merged(
    store: Store,
    start: Uint8Array,
    end: Uint8Array | undefined,
    stored: ReadonlyArray<{ readonly key: Uint8Array; readonly value: Uint8Array }>
  ): Array<readonly [key: Uint8Array, value: Uint8Array]> {
    const touched: Array<Uint8Array> = []
    for (const write of this.#writes) {
      if (write.store !== store || write.op === "deleteRange") continue
      if (compareBytes(write.key, start) < 0 || (end !== undefined && compareBytes(write.key, end) >= 0))
        continue
      if (!touched.some((key) => compareBytes(key, write.key) === 0)) touched.push(write.key)
    }
    const untouched = stored.filter(({ key }) => !touched.some((other) => compareBytes(other, key) === 0))
    const merged = untouched.map(({ key, value }): readonly [Uint8Array, Uint8Array] => [key, value])
    for (const key of touched) {
      const value = this.#gathered(store, key, () => undefined)
      if (value !== undefined) merged.push([key, value])
    }
    return merged.sort(([left], [right]) => compareBytes(left, right))
  }
}
