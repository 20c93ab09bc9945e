/**
 * etcd's Put, DeleteRange and Txn on the versions that mvcc.ts keeps, and on the leases that keys hang on.
 *
 * A request is checked in two steps, as etcd does: what can be seen from the request alone is refused where
 * it comes in (`check…`), what depends on the store is refused when it is applied, by every replica alike.
 * A transaction decides all its comparisons first, those of nested ones included, on the store as it was;
 * then it checks everything on the way that it will take, and only then changes anything.
 */
import { Either } from "effect"
import { type EtcdError, etcdErrors } from "#protocols/wire/etcd/errors.ts"
import { CompareResult, CompareTarget, type ResponseHeader } from "#protocols/wire/etcd/kv.ts"
import type {
  DeleteRangeRequest,
  DeleteRangeResponse,
  PutRequest,
  PutResponse,
  RangeResponse
} from "#protocols/wire/etcd/kv-fast.ts"
import type {
  Compare,
  RequestOp,
  ResponseOp,
  TxnRequest,
  TxnResponse
} from "#protocols/wire/etcd/txn-fast.ts"
import { checkRange, checkRevision, range } from "./kv-range.ts"
import type { Lessor } from "./lessor.ts"
import type { KeyRange, Mvcc } from "./mvcc.ts"
import { compareBytes, equalBytes, fits, type KeyValue } from "./record.ts"

/** As etcd has it, unless it is set otherwise. */
export const transactionOpsMax = 128
const depthMax = 32

export interface Replicated {
  readonly mvcc: Mvcc
  readonly lessor: Lessor
}

/** A header that says a revision only: who answers fills in the rest of the outermost one. */
export const headerAt = (revision: number): ResponseHeader => ({
  clusterId: 0n,
  memberId: 0n,
  revision,
  raftTerm: 0
})

const emptyHeader = headerAt(0)

// Seen from the request alone

export const checkPut = ({
  ignoreLease,
  ignoreValue,
  key,
  lease,
  value
}: PutRequest): EtcdError | undefined => {
  if (key.length === 0) return etcdErrors.emptyKey
  if (!fits(key)) return etcdErrors.requestTooLarge
  if (ignoreValue && value.length > 0) return etcdErrors.valueProvided
  return ignoreLease && lease !== 0n ? etcdErrors.leaseProvided : undefined
}

export const checkDeleteRange = ({ key }: DeleteRangeRequest): EtcdError | undefined =>
  key.length === 0 ? etcdErrors.emptyKey : undefined

export const checkTxn = (request: TxnRequest, opsMax = transactionOpsMax): EtcdError | undefined =>
  checkOps(request, opsMax, depthMax) ?? checkKeys(request)

const checkOps = (request: TxnRequest, opsMax: number, depth: number): EtcdError | undefined => {
  const { compare, failure, success } = request
  const ops = Math.max(compare.length, success.length, failure.length)
  if (ops > opsMax || depth === 0) return etcdErrors.tooManyOps
  if (compare.some(({ key }) => key.length === 0)) return etcdErrors.emptyKey
  for (const op of [...success, ...failure]) {
    const refused =
      op.requestRange !== undefined
        ? checkRange(op.requestRange)
        : op.requestPut !== undefined
          ? checkPut(op.requestPut)
          : op.requestDeleteRange !== undefined
            ? checkDeleteRange(op.requestDeleteRange)
            : op.requestTxn !== undefined
              ? checkOps(op.requestTxn, opsMax - ops, depth - 1)
              : etcdErrors.keyNotFound
    if (refused !== undefined) return refused
  }
  return undefined
}

/**
 * No key may be written twice in one revision. Like etcd's, the check overlooks deletions of ranges without
 * end; where one meets a put, the changes of that revision are two.
 */
const checkKeys = ({ failure, success }: TxnRequest): EtcdError | undefined =>
  touchedBy(success) === undefined || touchedBy(failure) === undefined ? etcdErrors.duplicateKey : undefined

interface Touched {
  /** Latin-1, to compare. */
  readonly puts: Map<string, Uint8Array>
  readonly deletes: Array<KeyRange>
}

/** What a branch may write; undefined if it may write a key twice. */
const touchedBy = (ops: ReadonlyArray<RequestOp>): Touched | undefined => {
  const puts = new Map<string, Uint8Array>()
  const deletes: Array<KeyRange> = ops.flatMap(({ requestDeleteRange }) => requestDeleteRange ?? [])
  const add = (key: Uint8Array, name: string): boolean => {
    if (deletes.some((deleted) => contains(deleted, key))) return false
    puts.set(name, key)
    return true
  }
  for (const { requestTxn } of ops) {
    if (requestTxn === undefined) continue
    const then = touchedBy(requestTxn.success)
    const otherwise = touchedBy(requestTxn.failure)
    if (then === undefined || otherwise === undefined) return undefined
    for (const [name, key] of then.puts) if (puts.has(name) || !add(key, name)) return undefined
    for (const [name, key] of otherwise.puts) {
      // Only one of the two branches is taken.
      if ((puts.has(name) && !then.puts.has(name)) || !add(key, name)) return undefined
    }
    deletes.push(...then.deletes, ...otherwise.deletes)
  }
  for (const { requestPut } of ops) {
    if (requestPut === undefined) continue
    const name = nameOf(requestPut.key)
    if (puts.has(name) || !add(requestPut.key, name)) return undefined
  }
  return { puts, deletes }
}

const nameOf = (key: Uint8Array): string => {
  let name = ""
  for (const byte of key) name += String.fromCharCode(byte)
  return name
}

/** As etcd sees it here, where a range without end has no key in it. */
const contains = ({ key: start, rangeEnd }: KeyRange, key: Uint8Array): boolean => {
  if (rangeEnd.length === 0) return equalBytes(start, key)
  return compareBytes(key, start) >= 0 && compareBytes(key, rangeEnd) < 0
}

/** Whether it changes nothing, whichever way it goes: then it need not be replicated. */
export const isReadOnly = ({ failure, success }: TxnRequest): boolean =>
  [...success, ...failure].every(
    ({ requestRange, requestTxn }) =>
      requestRange !== undefined || (requestTxn !== undefined && isReadOnly(requestTxn))
  )

// Applied

export const put = (store: Replicated, request: PutRequest): Either.Either<PutResponse, EtcdError> => {
  // Of two refusals this one is given, other than within a transaction.
  const refused = refusesLease(store, request) ?? refusesPut(store, request)
  if (refused !== undefined) return Either.left(refused)
  store.mvcc.begin()
  const response = putInside(store, request)
  return Either.right({ ...response, header: headerOf(store) })
}

export const deleteRange = (store: Replicated, request: DeleteRangeRequest): DeleteRangeResponse => {
  store.mvcc.begin()
  const response = deleteInside(store, request)
  return { ...response, header: headerOf(store) }
}

/** Opens a transaction of the store, like the two above; the caller commits it. */
export const txn = (store: Replicated, request: TxnRequest): Either.Either<TxnResponse, EtcdError> => {
  const path = decide(store.mvcc, request)
  const refused = refusesPath(store, path)
  if (refused !== undefined) return Either.left(refused)
  store.mvcc.begin()
  const response = take(store, path)
  return Either.right({ ...response, header: headerOf(store) })
}

const headerOf = ({ mvcc }: Replicated): ResponseHeader => headerAt(mvcc.revisionInside)

const refusesPut = (store: Replicated, request: PutRequest): EtcdError | undefined => {
  const needsKey = request.ignoreValue || request.ignoreLease
  if (needsKey && store.mvcc.get(request.key) === undefined) return etcdErrors.keyNotFound
  return refusesLease(store, request)
}

const refusesLease = ({ lessor }: Replicated, { lease }: PutRequest): EtcdError | undefined =>
  lease !== 0n && lessor.ttlSeconds(lease) === undefined ? etcdErrors.leaseNotFound : undefined

const putInside = ({ lessor, mvcc }: Replicated, request: PutRequest): PutResponse => {
  const { ignoreLease, ignoreValue, key, prevKv } = request
  const kept = ignoreLease || ignoreValue ? mvcc.get(key) : undefined
  const value = ignoreValue ? (kept?.value ?? request.value) : request.value
  const lease = ignoreLease ? (kept?.lease ?? 0n) : request.lease
  const before = mvcc.put(key, value, lease)
  lessor.move(key, before?.lease ?? 0n, lease)
  return { header: headerAt(mvcc.revisionInside), prevKv: prevKv ? before : undefined }
}

const deleteInside = ({ lessor, mvcc }: Replicated, request: DeleteRangeRequest): DeleteRangeResponse => {
  const deleted = mvcc.delete(request)
  for (const { key, lease } of deleted) lessor.move(key, lease, 0n)
  return {
    header: headerAt(mvcc.revisionInside),
    deleted: deleted.length,
    prevKvs: request.prevKv ? deleted : []
  }
}

/** Which way a transaction goes, and those within it. */
interface Path {
  readonly succeeded: boolean
  readonly ops: ReadonlyArray<RequestOp>
  readonly nested: ReadonlyMap<TxnRequest, Path>
}

const decide = (mvcc: Mvcc, request: TxnRequest): Path => {
  const succeeded = request.compare.every((compare) => holds(mvcc, compare))
  const ops = succeeded ? request.success : request.failure
  const nested = new Map<TxnRequest, Path>()
  for (const { requestTxn } of ops) {
    if (requestTxn !== undefined) nested.set(requestTxn, decide(mvcc, requestTxn))
  }
  return { succeeded, ops, nested }
}

/** First all puts on the way, then all reads, as etcd does: it shows in which of two refusals is given. */
const refusesPath = (store: Replicated, path: Path): EtcdError | undefined =>
  refusesSome(path, ({ requestPut }) => requestPut && refusesPut(store, requestPut)) ??
  refusesSome(path, ({ requestRange }) => requestRange && checkRevision(store.mvcc, requestRange.revision))

const refusesSome = (
  { nested, ops }: Path,
  refuses: (op: RequestOp) => EtcdError | undefined
): EtcdError | undefined => {
  for (const op of ops) {
    const path = op.requestTxn === undefined ? undefined : nested.get(op.requestTxn)
    const refused = path === undefined ? refuses(op) : refusesSome(path, refuses)
    if (refused !== undefined) return refused
  }
  return undefined
}

const take = (store: Replicated, { nested, ops, succeeded }: Path): TxnResponse => ({
  header: emptyHeader,
  succeeded,
  responses: ops.map((op): ResponseOp => {
    if (op.requestPut !== undefined) return { ...noResponse, responsePut: putInside(store, op.requestPut) }
    if (op.requestDeleteRange !== undefined)
      return { ...noResponse, responseDeleteRange: deleteInside(store, op.requestDeleteRange) }
    const path = op.requestTxn === undefined ? undefined : nested.get(op.requestTxn)
    if (path !== undefined) return { ...noResponse, responseTxn: take(store, path) }
    if (op.requestRange === undefined) return noResponse
    const header = headerAt(store.mvcc.revisionInside)
    const found = Either.getOrThrowWith(
      range(store.mvcc, op.requestRange),
      ({ message }) => new Error(`a range was checked and cannot be read: ${message}`)
    )
    return { ...noResponse, responseRange: { header, ...found } satisfies RangeResponse }
  })
})

const noResponse: ResponseOp = {
  responseRange: undefined,
  responsePut: undefined,
  responseDeleteRange: undefined,
  responseTxn: undefined
}

// Comparisons

const holds = (mvcc: Mvcc, compare: Compare): boolean => {
  let some = false
  for (const kv of mvcc.range(compare)) {
    some = true
    if (!matches(compare, kv)) return false
  }
  // Of what is not there the value is unknown, and all else is zero.
  return some || (compare.target !== CompareTarget.value && matches(compare, absent))
}

const absent: KeyValue = {
  key: new Uint8Array(0),
  value: new Uint8Array(0),
  createRevision: 0,
  modRevision: 0,
  sub: 0,
  version: 0,
  lease: 0n
}

const matches = (compare: Compare, kv: KeyValue): boolean => {
  const order = orderOf(compare, kv)
  switch (compare.result) {
    case CompareResult.equal:
      return order === 0
    case CompareResult.notEqual:
      return order !== 0
    case CompareResult.greater:
      return order > 0
    case CompareResult.less:
      return order < 0
    default:
      return true
  }
}

const orderOf = (compare: Compare, kv: KeyValue): number => {
  switch (compare.target) {
    case CompareTarget.value:
      return compareBytes(kv.value, compare.value ?? absent.value)
    case CompareTarget.create:
      return kv.createRevision - (compare.createRevision ?? 0)
    case CompareTarget.mod:
      return kv.modRevision - (compare.modRevision ?? 0)
    case CompareTarget.version:
      return kv.version - (compare.version ?? 0)
    case CompareTarget.lease: {
      const lease = compare.lease ?? 0n
      return kv.lease === lease ? 0 : kv.lease < lease ? -1 : 1
    }
    default:
      return 0
  }
}
