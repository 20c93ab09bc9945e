/**
 * The messages of protocols/chainfire-keys.ts in etcd's form, and etcd's answers in theirs. Chainfire turns a
 * message into the command that it proposes; a client of any etcd turns it into the request that it sends.
 */

import { EtcdRefusal } from "../../chainfire.ts"
import {
  Compacted,
  type CompactKeys,
  type Compare as CompareOut,
  type Deleted,
  type DeleteKeys,
  type Found,
  FutureRevision,
  type GetLease,
  type GrantLease,
  type KeyEvent,
  type KeyOp,
  type KeyOpAnswer,
  type KeysFault,
  type KeyValue as KeyValueOut,
  LeaseNotFound,
  type PutKey,
  type RangeKeys,
  StoreUnavailable,
  type TxnDone,
  type TxnKeys,
  type WatchKeys,
  type Written
} from "../../chainfire-keys.ts"
import { type EtcdError, etcdErrors, GrpcCode } from "./errors.ts"
import {
  type CompactionRequest,
  CompareResult,
  CompareTarget,
  type Event,
  EventType,
  type KeyValue,
  SortOrder,
  SortTarget
} from "./kv.ts"
import type {
  DeleteRangeRequest,
  DeleteRangeResponse,
  PutRequest,
  PutResponse,
  RangeRequest,
  RangeResponse
} from "./kv-fast.ts"
import type { LeaseGrantRequest, LeaseTimeToLiveRequest } from "./lease.ts"
import type { Compare, RequestOp, ResponseOp, TxnRequest, TxnResponse } from "./txn-fast.ts"
import { FilterType, type WatchCreateRequest } from "./watch.ts"

const noBytes = new Uint8Array(0)

// Leases

export const leaseNumber = (lease: string | undefined): bigint =>
  lease === undefined ? 0n : BigInt.asIntN(64, BigInt(`0x${lease}`))

export const leaseName = (lease: bigint): string => BigInt.asUintN(64, lease).toString(16)

// Requests

type Read = Omit<Extract<KeyOp, { readonly op: "read" }>, "op">
type Put = Omit<Extract<KeyOp, { readonly op: "put" }>, "op">
type Delete = Omit<Extract<KeyOp, { readonly op: "delete" }>, "op">

const sortTargets = {
  key: SortTarget.key,
  version: SortTarget.version,
  createRevision: SortTarget.create,
  modRevision: SortTarget.mod,
  value: SortTarget.value
} as const

export const rangeRequest = (read: Read | RangeKeys): RangeRequest => ({
  key: read.key,
  rangeEnd: read.end ?? noBytes,
  limit: read.limit ?? 0,
  revision: read.revision ?? 0,
  sortOrder:
    read.descending === true
      ? SortOrder.descend
      : read.sortBy === undefined
        ? SortOrder.none
        : SortOrder.ascend,
  sortTarget: sortTargets[read.sortBy ?? "key"],
  serializable: "serializable" in read && read.serializable === true,
  keysOnly: read.keysOnly === true,
  countOnly: read.countOnly === true,
  minModRevision: read.minModRevision ?? 0,
  maxModRevision: read.maxModRevision ?? 0,
  minCreateRevision: read.minCreateRevision ?? 0,
  maxCreateRevision: read.maxCreateRevision ?? 0
})

export const putRequest = (put: Put | PutKey): PutRequest => ({
  key: put.key,
  value: put.value,
  lease: leaseNumber(put.lease),
  prevKv: put.prevKv === true,
  ignoreValue: put.ignoreValue === true,
  ignoreLease: put.ignoreLease === true
})

export const deleteRequest = ({ end, key, prevKv }: Delete | DeleteKeys): DeleteRangeRequest => ({
  key,
  rangeEnd: end ?? noBytes,
  prevKv: prevKv === true
})

const compareResults = {
  equal: CompareResult.equal,
  notEqual: CompareResult.notEqual,
  greater: CompareResult.greater,
  less: CompareResult.less
} as const

const compareOf = (compare: CompareOut): Compare => {
  const plain = {
    result: compareResults[compare.result],
    key: compare.key,
    rangeEnd: compare.end ?? noBytes,
    version: undefined,
    createRevision: undefined,
    modRevision: undefined,
    value: undefined,
    lease: undefined
  }
  switch (compare.target) {
    case "version":
      return { ...plain, target: CompareTarget.version, version: compare.operand }
    case "createRevision":
      return { ...plain, target: CompareTarget.create, createRevision: compare.operand }
    case "modRevision":
      return { ...plain, target: CompareTarget.mod, modRevision: compare.operand }
    case "value":
      return { ...plain, target: CompareTarget.value, value: compare.operand }
    case "lease":
      return { ...plain, target: CompareTarget.lease, lease: leaseNumber(compare.operand) }
  }
}

const requestOp = (op: KeyOp): RequestOp => {
  const none = {
    requestRange: undefined,
    requestPut: undefined,
    requestDeleteRange: undefined,
    requestTxn: undefined
  }
  switch (op.op) {
    case "read":
      return { ...none, requestRange: rangeRequest(op) }
    case "put":
      return { ...none, requestPut: putRequest(op) }
    case "delete":
      return { ...none, requestDeleteRange: deleteRequest(op) }
  }
}

export const txnRequest = ({ compare, onFailure, onSuccess }: TxnKeys): TxnRequest => ({
  compare: compare.map(compareOf),
  success: onSuccess.map(requestOp),
  failure: onFailure.map(requestOp)
})

export const compactionRequest = ({ revision }: CompactKeys): CompactionRequest => ({
  revision,
  physical: false
})

/** Without a lease of its own it has number 0: who answers chooses one. */
export const grantRequest = ({ lease, ttlSeconds }: GrantLease): LeaseGrantRequest => ({
  TTL: ttlSeconds,
  ID: leaseNumber(lease)
})

export const timeToLiveRequest = ({ keys, lease }: GetLease): LeaseTimeToLiveRequest => ({
  ID: leaseNumber(lease),
  keys: keys === true
})

export const watchRequest = (
  watch: Pick<WatchKeys, "key" | "end" | "startRevision" | "prevKv" | "noPut" | "noDelete">
): Omit<WatchCreateRequest, "watchId"> => ({
  key: watch.key,
  rangeEnd: watch.end ?? noBytes,
  startRevision: watch.startRevision ?? 0,
  progressNotify: false,
  filters: [
    ...(watch.noPut === true ? [FilterType.noPut] : []),
    ...(watch.noDelete === true ? [FilterType.noDelete] : [])
  ],
  prevKv: watch.prevKv === true,
  fragment: false
})

// Answers

export const keyValue = (kv: KeyValue): KeyValueOut => {
  const { createRevision, key, lease, modRevision, value, version } = kv
  return lease === 0n
    ? { key, value, createRevision, modRevision, version }
    : { key, value, createRevision, modRevision, version, lease: leaseName(lease) }
}

export const found = (
  { count, kvs, more }: Pick<RangeResponse, "count" | "kvs" | "more">,
  revision: number
): Found => ({ revision, kvs: kvs.map(keyValue), more, count })

export const written = ({ header, prevKv }: PutResponse): Written => {
  const revision = header?.revision ?? 0
  return prevKv === undefined ? { revision } : { revision, prevKv: keyValue(prevKv) }
}

export const deleted = (response: DeleteRangeResponse): Deleted => ({
  revision: response.header?.revision ?? 0,
  deleted: response.deleted,
  prevKvs: response.prevKvs.map(keyValue)
})

/** Null: an answer to what was not asked. */
const opAnswer = ({ responseDeleteRange, responsePut, responseRange }: ResponseOp): KeyOpAnswer | null => {
  if (responseRange !== undefined)
    return { op: "read", ...found(responseRange, responseRange.header?.revision ?? 0) }
  if (responsePut !== undefined) return { op: "put", ...written(responsePut) }
  return responseDeleteRange === undefined ? null : { op: "delete", ...deleted(responseDeleteRange) }
}

export const txnDone = ({ header, responses, succeeded }: TxnResponse): TxnDone => ({
  revision: header?.revision ?? 0,
  succeeded,
  answers: responses.map(opAnswer).filter((answer) => answer !== null)
})

export const keyEvent = (type: KeyEvent["type"], kv: KeyValue, prevKv: KeyValue | undefined): KeyEvent =>
  prevKv === undefined ? { type, kv: keyValue(kv) } : { type, kv: keyValue(kv), prevKv: keyValue(prevKv) }

/** Of an event as it comes from etcd. */
export const keyEventOf = ({ kv, prevKv, type }: Event): KeyEvent =>
  keyEvent(type === EventType.delete ? "delete" : "put", kv ?? absent, prevKv)

const absent: KeyValue = {
  key: noBytes,
  value: noBytes,
  createRevision: 0,
  modRevision: 0,
  version: 0,
  lease: 0n
}

// Refusals

/** Refusals after which nothing has been, and will be, done. */
const neverBegun: ReadonlySet<string> = new Set(
  [etcdErrors.noLeader, etcdErrors.tooManyRequests, etcdErrors.notSupportedForLearner].map(
    ({ message }) => message
  )
)

/** `definite`: whoever says no knows that nothing was done, where the words of etcd leave it open. */
export const keysFault = ({ code, message }: EtcdError, definite = false): KeysFault => {
  if (message === etcdErrors.compacted.message) return new Compacted({ compactRevision: 0 })
  if (message === etcdErrors.futureRevision.message) return new FutureRevision()
  if (message === etcdErrors.leaseNotFound.message) return new LeaseNotFound()
  const open =
    code === GrpcCode.unavailable || code === GrpcCode.deadlineExceeded || code === GrpcCode.canceled
  if (!open && message !== etcdErrors.tooManyRequests.message)
    return new EtcdRefusal({ code, reason: message })
  return new StoreUnavailable({ reason: message, definite: definite || neverBegun.has(message) })
}
