/**
 * Hashes that members are compared by, CRC-32C as etcd 3.4 has them. Generators, since a large store takes seconds:
 * they yield where they may pause.
 *
 * `hashKv` is etcd's `hashByRev`: over the bucket `key` up to a revision, without what a compaction at that revision
 * would remove from below the last compaction. So it is the same for members of which one has swept already,
 * and the same as that of an etcd with the same history.
 *
 * One corner of etcd's is followed as well: where a compaction at that revision would keep nothing at all, it
 * forgets to leave anything out.
 */
import { crc32c } from "#actors/kernel/journal/crc32c.ts"
import { metaKeys } from "#protocols/wire/etcd/backend.ts"
import { type Bucket, pairOf, versionsUpTo } from "./etcd-backend.ts"
import type { Mvcc } from "./mvcc.ts"
import { equalBytes, type KeyValue } from "./record.ts"

const utf8 = (text: string): Uint8Array => new TextEncoder().encode(text)

const add = (sum: number, bytes: Uint8Array): number => crc32c(bytes, 0, bytes.length, sum)

/** Of a revision after the last compaction. The sweep has to be held meanwhile. */
export function* hashKv(mvcc: Mvcc, revision: number, compactRevision: number): Generator<undefined, number> {
  let kept = add(0, utf8("key"))
  /** With all that a compaction has left, which counts as long as nothing was found that it would keep. */
  let all: number | undefined = kept
  const keeps = (version: KeyValue) => version.version > 0 && mvcc.isLast(version, revision)
  for (const version of versionsUpTo(mvcc, revision)) {
    if (version === undefined) {
      yield undefined
      continue
    }
    const isOld = version.modRevision <= compactRevision
    // What is unreachable is not there, whether it was swept or not.
    if (isOld && (version.version === 0 || !mvcc.isLast(version, compactRevision))) continue
    const isKept = (isOld || all !== undefined) && keeps(version)
    const { key, value } = pairOf(version)
    if (!isOld || isKept) kept = add(add(kept, key), value)
    if (isKept) all = undefined
    else if (all !== undefined) all = add(add(all, key), value)
  }
  return all ?? kept
}

/** Over everything but how far the log was applied, which says nothing about what is there. */
export function* hashBackend(buckets: ReadonlyArray<Bucket>): Generator<undefined, number> {
  const skipped = utf8(metaKeys.consistentIndex)
  let sum = 0
  for (const { name, pairs } of buckets) {
    sum = add(sum, utf8(name))
    for (const pair of pairs()) {
      if (pair === undefined) yield undefined
      else if (!equalBytes(pair.key, skipped)) sum = add(add(sum, pair.key), pair.value)
    }
  }
  return sum
}
