/**
 * Chainfire's keys, leases and watches as messages: what programs of the field say in etcd v3 over gRPC, the
 * actors of the cluster say to `/<node>/chainfire/keys` and `/<node>/chainfire/watches`.
 *
 * Promised: what protocols/chainfire.ts promises, by any member: writes go to the leader, and a read that does
 * not ask to be serializable sees all that was acknowledged before it began. A watch is told each revision of
 * its range from where it began, in order, once, and no more messages than it has given credit for; what it
 * cannot take yet costs the store nothing, since it is read again from there. It ends with its receiver.
 *
 * Not promised: that a watch outlives the member that serves it. Whoever receives it watches the actor at its
 * path, and begins another one at the revision behind the last that it has seen. Nor that etcd's own users and
 * roles apply here: who may send what is a matter of the path, as with all messages.
 *
 * What the fields mean is etcd's API reference for v3. Two things differ: what is not there is left out instead
 * of zero or empty, and a transaction holds no transactions.
 */
import { Schema } from "effect"
import { AddressOf } from "./address.ts"
import { EtcdRefusal } from "./chainfire.ts"
import type { FaultUnion } from "./fault.ts"
import { observe, operate } from "./message.ts"

// Values

export const Bytes = Schema.Uint8ArrayFromSelf.annotations({
  identifier: "Bytes",
  jsonSchema: { type: "object", description: "bytes, a Uint8Array" }
})

const Count = Schema.Int.pipe(Schema.nonNegative())
const maybe = <A, I>(schema: Schema.Schema<A, I>) => Schema.optionalWith(schema, { exact: true })

/** In hexadecimal, as etcdctl shows it. */
export const LeaseId = Schema.String.pipe(Schema.pattern(/^[1-9a-f][0-9a-f]{0,15}$/))

export const KeyValue = Schema.Struct({
  key: Bytes,
  value: Bytes,
  createRevision: Count,
  modRevision: Count,
  /** How often it was written since it was created. */
  version: Count,
  lease: maybe(LeaseId)
})
export type KeyValue = typeof KeyValue.Type

/** `end` is the first key that is not in it; one zero byte: to the last key; without it `key` alone. */
const keyRange = { key: Bytes, end: maybe(Bytes) }

const readFields = {
  ...keyRange,
  limit: maybe(Count),
  /** The revision at which to read; without it now. */
  revision: maybe(Count),
  sortBy: maybe(Schema.Literal("key", "version", "createRevision", "modRevision", "value")),
  descending: maybe(Schema.Boolean),
  keysOnly: maybe(Schema.Boolean),
  countOnly: maybe(Schema.Boolean),
  minModRevision: maybe(Count),
  maxModRevision: maybe(Count),
  minCreateRevision: maybe(Count),
  maxCreateRevision: maybe(Count)
}

const putFields = {
  key: Bytes,
  value: Bytes,
  lease: maybe(LeaseId),
  /** Tells what was there before. */
  prevKv: maybe(Schema.Boolean),
  ignoreValue: maybe(Schema.Boolean),
  ignoreLease: maybe(Schema.Boolean)
}

const deleteFields = { ...keyRange, prevKv: maybe(Schema.Boolean) }

export const Found = Schema.Struct({
  revision: Count,
  kvs: Schema.Array(KeyValue),
  more: Schema.Boolean,
  /** Of all in the range, whatever limit and filters left of them. */
  count: Count
})
export type Found = typeof Found.Type

export const Written = Schema.Struct({ revision: Count, prevKv: maybe(KeyValue) })
export type Written = typeof Written.Type

export const Deleted = Schema.Struct({ revision: Count, deleted: Count, prevKvs: Schema.Array(KeyValue) })
export type Deleted = typeof Deleted.Type

const result = Schema.Literal("equal", "notEqual", "greater", "less")

/** What is not there has version and revisions 0 and no lease; no comparison of its value holds. */
export const Compare = Schema.Union(
  Schema.Struct({
    ...keyRange,
    target: Schema.Literal("version", "createRevision", "modRevision"),
    result,
    operand: Count
  }),
  Schema.Struct({ ...keyRange, target: Schema.Literal("value"), result, operand: Bytes }),
  /** Without an operand: none. */
  Schema.Struct({ ...keyRange, target: Schema.Literal("lease"), result, operand: maybe(LeaseId) })
)
export type Compare = typeof Compare.Type

export const KeyOp = Schema.Union(
  Schema.Struct({ op: Schema.Literal("read"), ...readFields }),
  Schema.Struct({ op: Schema.Literal("put"), ...putFields }),
  Schema.Struct({ op: Schema.Literal("delete"), ...deleteFields })
)
export type KeyOp = typeof KeyOp.Type

export const KeyOpAnswer = Schema.Union(
  Schema.Struct({ op: Schema.Literal("read"), ...Found.fields }),
  Schema.Struct({ op: Schema.Literal("put"), ...Written.fields }),
  Schema.Struct({ op: Schema.Literal("delete"), ...Deleted.fields })
)
export type KeyOpAnswer = typeof KeyOpAnswer.Type

export const TxnDone = Schema.Struct({
  revision: Count,
  /** All comparisons held. */
  succeeded: Schema.Boolean,
  answers: Schema.Array(KeyOpAnswer)
})
export type TxnDone = typeof TxnDone.Type

export const KeyEvent = Schema.Struct({
  type: Schema.Literal("put", "delete"),
  /** Of a deletion the key and its revision. */
  kv: KeyValue,
  prevKv: maybe(KeyValue)
})
export type KeyEvent = typeof KeyEvent.Type

// Faults

/** A revision that was asked for is gone. */
export class Compacted extends Schema.TaggedError<Compacted>()("Compacted", {
  /** The oldest that is still there; 0 where the store did not say. */
  compactRevision: Count
}) {
  readonly definite = true
  override get message() {
    const from = this.compactRevision === 0 ? "" : ` up to ${this.compactRevision}`
    return `the revision that was asked for has been compacted${from}; read what is there now, and go on from its revision`
  }
}

export class FutureRevision extends Schema.TaggedError<FutureRevision>()("FutureRevision", {}) {
  readonly definite = true
  override get message() {
    return "the store has not come to the revision that was asked for; read without one to see where it is"
  }
}

export class LeaseNotFound extends Schema.TaggedError<LeaseNotFound>()("LeaseNotFound", {}) {
  readonly definite = true
  override get message() {
    return "there is no such lease: it has run out, or was revoked, and its keys with it; grant another one"
  }
}

/** The store cannot serve now. */
export class StoreUnavailable extends Schema.TaggedError<StoreUnavailable>()("StoreUnavailable", {
  reason: Schema.String,
  /** Nothing was done. Otherwise it may have been, or may still be. */
  definite: Schema.Boolean
}) {
  override get message() {
    const happened = this.definite ? "nothing was done, ask again" : "it may have been done, read before"
    return `the store is not available (${this.reason}); ${happened} after a pause`
  }
}

/** Whatever else etcd refuses comes in etcd's own words. */
export const KeysFault = Schema.Union(Compacted, FutureRevision, LeaseNotFound, StoreUnavailable, EtcdRefusal)
export type KeysFault = FaultUnion<typeof KeysFault.Type>

// Requests to `keys`

export class RangeKeys extends Schema.TaggedRequest<RangeKeys>()(
  "RangeKeys",
  {
    payload: {
      ...readFields,
      /** Answers from what this member knows, without asking a quorum. */
      serializable: maybe(Schema.Boolean)
    },
    success: Found,
    failure: KeysFault
  },
  observe("Reads keys of chainfire, now or at a revision.")
) {}

export class PutKey extends Schema.TaggedRequest<PutKey>()(
  "PutKey",
  { payload: putFields, success: Written, failure: KeysFault },
  operate("Writes a key of chainfire.", { traffic: true })
) {}

export class DeleteKeys extends Schema.TaggedRequest<DeleteKeys>()(
  "DeleteKeys",
  { payload: deleteFields, success: Deleted, failure: KeysFault },
  operate("Deletes keys of chainfire.", { traffic: true })
) {}

export class TxnKeys extends Schema.TaggedRequest<TxnKeys>()(
  "TxnKeys",
  {
    payload: {
      compare: Schema.Array(Compare),
      onSuccess: Schema.Array(KeyOp),
      onFailure: Schema.Array(KeyOp)
    },
    success: TxnDone,
    failure: KeysFault
  },
  operate("Compares keys of chainfire and does one of two lists of operations, all in one revision.", {
    traffic: true
  })
) {}

export class CompactKeys extends Schema.TaggedRequest<CompactKeys>()(
  "CompactKeys",
  {
    payload: { revision: Count },
    success: Schema.Struct({ revision: Count }),
    failure: KeysFault
  },
  operate("Forgets what the keys of chainfire were before a revision.")
) {}

export class GrantLease extends Schema.TaggedRequest<GrantLease>()(
  "GrantLease",
  {
    payload: { ttlSeconds: Schema.Int, lease: maybe(LeaseId) },
    success: Schema.Struct({ revision: Count, lease: LeaseId, ttlSeconds: Count }),
    failure: KeysFault
  },
  operate("Grants a lease; keys that are put under it go when it ends.", { traffic: true })
) {}

export class RevokeLease extends Schema.TaggedRequest<RevokeLease>()(
  "RevokeLease",
  { payload: { lease: LeaseId }, success: Schema.Struct({ revision: Count }), failure: KeysFault },
  operate("Ends a lease and deletes its keys.", { traffic: true })
) {}

export class KeepLease extends Schema.TaggedRequest<KeepLease>()(
  "KeepLease",
  { payload: { lease: LeaseId }, success: Schema.Struct({ ttlSeconds: Count }), failure: KeysFault },
  operate("Gives a lease its whole time again.", { repeatable: true, traffic: true })
) {}

export class GetLease extends Schema.TaggedRequest<GetLease>()(
  "GetLease",
  {
    payload: { lease: LeaseId, keys: maybe(Schema.Boolean) },
    success: Schema.Struct({ ttlSeconds: Count, grantedTtlSeconds: Count, keys: Schema.Array(Bytes) }),
    failure: KeysFault
  },
  observe("What time a lease has left, and which keys hang on it.")
) {}

export class ListLeases extends Schema.TaggedRequest<ListLeases>()(
  "ListLeases",
  { payload: {}, success: Schema.Array(LeaseId), failure: KeysFault },
  observe("The leases that chainfire has granted.")
) {}

export const keysRequests = [
  RangeKeys,
  PutKey,
  DeleteKeys,
  TxnKeys,
  CompactKeys,
  GrantLease,
  RevokeLease,
  KeepLease,
  GetLease,
  ListLeases
] as const
export type KeysRequest = Schema.Schema.Type<(typeof keysRequests)[number]>

// Watches: among the actors of the cluster, no client may send these

/** To the receiver: all events of one revision. Takes one credit. */
export class KeysChanged extends Schema.TaggedClass<KeysChanged>()("KeysChanged", {
  watch: Schema.Int,
  /** Of what this watch tells: the first is 1. One that is left out was lost on the way. */
  number: Count,
  revision: Count,
  events: Schema.Array(KeyEvent)
}) {}

/** To the receiver: the last word of a watch. It takes no credit. */
export class WatchEnded extends Schema.TaggedClass<WatchEnded>()("WatchEnded", {
  watch: Schema.Int,
  reason: Schema.Literal("compacted", "cancelled"),
  /** The oldest revision that is still there; 0 unless compacted. */
  compactRevision: Count
}) {}

/** To `watches`: begins a watch, as an actor below it. */
export class WatchKeys extends Schema.TaggedRequest<WatchKeys>()("WatchKeys", {
  payload: {
    ...keyRange,
    /** The first revision to see; without it the next one. */
    startRevision: maybe(Count),
    prevKv: maybe(Schema.Boolean),
    noPut: maybe(Schema.Boolean),
    noDelete: maybe(Schema.Boolean),
    to: AddressOf(KeysChanged, WatchEnded),
    /** How many `KeysChanged` may be told before the first `GrantCredit`. */
    credit: Count
  },
  success: Schema.Struct({
    watch: Schema.Int,
    /** Where the store is now: without a start it sees what comes after this. */
    revision: Count,
    /** Of the actor that takes `GrantCredit` and `CancelWatch`, and whose end is the end of the watch. */
    path: Schema.String
  }),
  failure: KeysFault
}) {}

/** To a watch: so many more messages. */
export class GrantCredit extends Schema.TaggedClass<GrantCredit>()("GrantCredit", {
  messages: Count
}) {}

/** To a watch: it ends, after a `WatchEnded`. */
export class CancelWatch extends Schema.TaggedClass<CancelWatch>()("CancelWatch", {}) {}
