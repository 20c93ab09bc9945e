/**
 * Coordination: the small, precious state on which the parts of a cluster agree, on chainfire or any etcd v3.
 *
 * Promised: whatever was acknowledged stays, and all see writes in one order, that of their revisions. A read
 * sees all that was acknowledged before it began, unless it asks to be serializable. Each request ends, with an
 * answer or a fault, within the deadline that its implementation was given; a fault that says `definite`
 * changed nothing. Reads, and keeping a lease, are repeated at another endpoint while there is time. A watch
 * tells each change of its keys from where it begins, once, in order, whole revisions at a time, across lost
 * connections and changes of endpoint; only compaction can end it, and then it fails with `Compacted`. A lease
 * from `lease` is kept alive while its scope is open, and revoked when that closes.
 *
 * Not promised: that a write without an answer did nothing: it is not repeated, and may be done still. Nor that a
 * holder notices at once that its lease has run out, or that somebody else has its lock by then. What a lock or
 * a leadership protects must compare their revisions, which grow with each holder, and refuse the smaller one.
 * Nor that a watch is told soon.
 */
import { Context, type Effect, type Option, type Scope, type Stream } from "effect"
import type {
  Compacted,
  CompactKeys,
  Compare,
  DeleteKeys,
  GetLease,
  GrantLease,
  KeyEvent,
  KeyOp,
  KeysFault,
  KeyValue,
  PutKey,
  RangeKeys,
  TxnDone
} from "#protocols/chainfire-keys.ts"

type Fields<Request extends abstract new (...given: never) => unknown> =
  ConstructorParameters<Request>[0] extends infer Given ? Exclude<Given, void> : never

/** One key, from `key` up to `end`, or with one zero byte as its end from `key` on. */
export interface WatchedKeys {
  readonly key: Uint8Array
  readonly end?: Uint8Array
  /** The first revision to see; without it the one after where the store is when the stream starts. */
  readonly startRevision?: number
  readonly prevKv?: boolean
  readonly noPut?: boolean
  readonly noDelete?: boolean
}

/** All changes of the watched keys in one revision. */
export interface Changes {
  readonly revision: number
  readonly events: ReadonlyArray<KeyEvent>
}

export interface Txn {
  readonly compare: ReadonlyArray<Compare>
  readonly onSuccess: ReadonlyArray<KeyOp>
  readonly onFailure?: ReadonlyArray<KeyOp>
}

/** A lease that is kept alive. */
export interface HeldLease {
  readonly lease: string
  readonly ttlSeconds: number
  /** Ends when the lease is known to be gone, or could not be kept for as long as it lasts. */
  readonly lost: Effect.Effect<void>
}

/** What somebody holds as long as its lease lives and nobody deletes its key. */
export interface Held extends HeldLease {
  readonly key: Uint8Array
  /** A fencing token: of two holders of one name the later one has the larger. */
  readonly revision: number
}

export interface Coordination {
  readonly get: (key: Uint8Array) => Effect.Effect<Option.Option<KeyValue>, KeysFault>
  readonly range: (
    request: Fields<typeof RangeKeys>
  ) => Effect.Effect<typeof RangeKeys.success.Type, KeysFault>
  readonly put: (request: Fields<typeof PutKey>) => Effect.Effect<typeof PutKey.success.Type, KeysFault>
  readonly delete: (
    request: Fields<typeof DeleteKeys>
  ) => Effect.Effect<typeof DeleteKeys.success.Type, KeysFault>
  readonly txn: (request: Txn) => Effect.Effect<TxnDone, KeysFault>
  readonly compact: (
    request: Fields<typeof CompactKeys>
  ) => Effect.Effect<typeof CompactKeys.success.Type, KeysFault>
  /** Kept alive and then revoked by its scope. */
  readonly lease: (ttlSeconds: number) => Effect.Effect<HeldLease, KeysFault, Scope.Scope>
  /** A lease that the caller keeps. */
  readonly grant: (
    request: Fields<typeof GrantLease>
  ) => Effect.Effect<typeof GrantLease.success.Type, KeysFault>
  readonly keep: (lease: string) => Effect.Effect<{ readonly ttlSeconds: number }, KeysFault>
  readonly revoke: (lease: string) => Effect.Effect<{ readonly revision: number }, KeysFault>
  readonly timeToLive: (
    request: Fields<typeof GetLease>
  ) => Effect.Effect<typeof GetLease.success.Type, KeysFault>
  readonly leases: Effect.Effect<ReadonlyArray<string>, KeysFault>
  /** What it has not read yet is bounded: the store keeps it. */
  readonly watch: (keys: WatchedKeys) => Stream.Stream<Changes, Compacted>
  /** Waits until nobody else holds the name. Given back when the scope closes. */
  readonly lock: (name: string, ttlSeconds: number) => Effect.Effect<Held, KeysFault, Scope.Scope>
  /** The same, with a value that all who observe see: who leads, or where it is. */
  readonly campaign: (
    name: string,
    value: Uint8Array,
    ttlSeconds: number
  ) => Effect.Effect<Held, KeysFault, Scope.Scope>
  /** Who leads, whenever that changes; nothing while nobody does. */
  readonly observe: (name: string) => Stream.Stream<Option.Option<KeyValue>, KeysFault>
}

export const Coordination = Context.GenericTag<Coordination>("kernel/Coordination")
