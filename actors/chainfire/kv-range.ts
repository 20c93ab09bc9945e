/**
 * etcd's Range on the versions that mvcc.ts keeps: which key-values, in which order, how many, and how many
 * there would be. What the fields mean, and in which order they take effect, is etcd's API reference for v3
 * and, where that is silent, what etcd 3.4 answers.
 */
import { Either } from "effect"
import { type EtcdError, etcdErrors } from "#protocols/wire/etcd/errors.ts"
import { type KeyValue as KeyValueOut, SortOrder, SortTarget } from "#protocols/wire/etcd/kv.ts"
import type { RangeRequest } from "#protocols/wire/etcd/kv-fast.ts"
import { Compacted, FutureRevision, type Mvcc } from "./mvcc.ts"
import { compareBytes, type KeyValue } from "./record.ts"

export interface Ranged {
  readonly kvs: ReadonlyArray<KeyValueOut>
  readonly more: boolean
  /** Of all in the range, whatever limit and filters left of them. */
  readonly count: number
}

export const checkRange = ({ key, sortOrder, sortTarget }: RangeRequest): EtcdError | undefined => {
  if (key.length === 0) return etcdErrors.emptyKey
  return sortOrder > SortOrder.descend || sortTarget > SortTarget.value
    ? etcdErrors.invalidSortOption
    : undefined
}

/** Why a revision cannot be read; 0 always can. */
export const checkRevision = (mvcc: Mvcc, revision: number): EtcdError | undefined => {
  if (revision <= 0) return undefined
  if (revision > mvcc.revisionInside) return etcdErrors.futureRevision
  return revision < mvcc.compactRevision ? etcdErrors.compacted : undefined
}

export const range = (mvcc: Mvcc, request: RangeRequest): Either.Either<Ranged, EtcdError> => {
  const refused = checkRevision(mvcc, request.revision)
  if (refused !== undefined) return Either.left(refused)
  try {
    return Either.right(ranged(mvcc, request))
  } catch (problem) {
    if (problem instanceof Compacted) return Either.left(etcdErrors.compacted)
    if (problem instanceof FutureRevision) return Either.left(etcdErrors.futureRevision)
    throw problem
  }
}

const ranged = (mvcc: Mvcc, request: RangeRequest): Ranged => {
  const { countOnly, keysOnly, limit } = request
  const sorts = request.sortOrder !== SortOrder.none || request.sortTarget !== SortTarget.key
  const chooses = sorts || isFiltered(request)
  const found: Array<KeyValue> = []
  let count = 0
  for (const kv of mvcc.range(request, request.revision)) {
    count++
    // Counting goes on to the end; keeping what nobody will see does not.
    if (countOnly || (!chooses && limit > 0 && found.length > limit)) continue
    found.push(kv)
  }
  const chosen = isFiltered(request) ? found.filter((kv) => passes(request, kv)) : found
  if (sorts) sort(chosen, request)
  const more = limit > 0 && chosen.length > limit
  const kvs = (more ? chosen.slice(0, limit) : chosen).map((kv) =>
    keysOnly ? { ...kv, value: noValue } : kv
  )
  return { kvs, more, count }
}

const noValue = new Uint8Array(0)

const isFiltered = ({
  maxCreateRevision,
  maxModRevision,
  minCreateRevision,
  minModRevision
}: RangeRequest): boolean =>
  maxCreateRevision !== 0 || maxModRevision !== 0 || minCreateRevision !== 0 || minModRevision !== 0

const passes = (request: RangeRequest, { createRevision, modRevision }: KeyValue): boolean =>
  modRevision >= request.minModRevision &&
  createRevision >= request.minCreateRevision &&
  (request.maxModRevision === 0 || modRevision <= request.maxModRevision) &&
  (request.maxCreateRevision === 0 || createRevision <= request.maxCreateRevision)

const sort = (kvs: Array<KeyValue>, { sortOrder, sortTarget }: RangeRequest): void => {
  const compare = comparisons[sortTarget]
  if (compare === undefined) return
  // A target without an order means ascending.
  kvs.sort(sortOrder === SortOrder.descend ? (left, right) => compare(right, left) : compare)
}

type Comparison = (left: KeyValue, right: KeyValue) => number

const comparisons: Readonly<Record<number, Comparison>> = {
  [SortTarget.key]: (left, right) => compareBytes(left.key, right.key),
  [SortTarget.version]: (left, right) => left.version - right.version,
  [SortTarget.create]: (left, right) => left.createRevision - right.createRevision,
  [SortTarget.mod]: (left, right) => left.modRevision - right.modRevision,
  [SortTarget.value]: (left, right) => compareBytes(left.value, right.value)
}
