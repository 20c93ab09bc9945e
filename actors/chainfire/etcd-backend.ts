/**
 * Our state as etcd's backend would hold it: the buckets of protocols/wire/etcd/backend.ts, with the same keys and
 * values byte by byte. From them come snapshots that etcd starts from, and hashes that equal etcd's.
 *
 * What is small is copied from a snapshot of the store, in slices. Versions are not: they never change, and while
 * the sweep is held all of them up to a revision stay, so they are read from the store as it goes on.
 */
import type { Reads } from "#actors/kernel/ports/store.ts"
import type { Pair } from "#protocols/wire/bbolt/bbolt-format.ts"
import {
  type BackendMember,
  type BucketName,
  bucketNames,
  encodeNumber,
  encodeRevisionKey,
  Lease,
  memberJson,
  memberKey,
  metaKeys
} from "#protocols/wire/etcd/backend.ts"
import { AlarmMember } from "#protocols/wire/etcd/cluster.ts"
import { KeyValue } from "#protocols/wire/etcd/kv-fast.ts"
import { alarmOfRow } from "./alarms.ts"
import { type AuthState, authStateKey, decodeAuthState } from "./auth-store.ts"
import { idOf, ttlOf } from "./lessor.ts"
import type { Mvcc } from "./mvcc.ts"
import { compareBytes, type KeyValue as Version } from "./record.ts"
import { decodeState, type StoredState, stateKey } from "./stored-state.ts"

/** So many versions are looked up between two pauses. */
const versionsAtOnce = 64
const versionBytesAtOnce = 1024 * 1024
const rowsAtOnce = 100

/** A lease is kept as its two numbers, so that a million of them are 16 MB. */
const leaseBytes = 16
const leasesInBlock = 4_096

export interface Backend {
  readonly state: StoredState
  /** Of which compaction nothing is left to sweep; -1 if that is not known. */
  readonly sweptRevision: number
  readonly leases: ReadonlyArray<Uint8Array>
  readonly alarms: ReadonlyArray<AlarmMember>
  readonly members: ReadonlyArray<BackendMember>
  /** Who may do what, in etcd's own records. */
  readonly auth: AuthState
  readonly users: ReadonlyArray<Pair>
  readonly roles: ReadonlyArray<Pair>
}

/** What is small, at one moment. */
export interface SmallTables {
  readonly meta: Reads
  readonly leases: Reads
  readonly users: Reads
  readonly roles: Reads
}

/** Copies what is small; `reads` may be let go of then. Yields where it may pause. */
export function* gatherBackend(
  reads: SmallTables,
  sweptRevision: number,
  members: ReadonlyArray<BackendMember>
): Generator<undefined, Backend> {
  const state = decodeState(reads.meta.get(stateKey))
  const alarms = [...reads.meta.range()].flatMap(({ key }) => alarmOfRow(key) ?? [])
  const leases: Array<Uint8Array> = []
  let rows = 0
  for (const { key, value } of reads.leases.range()) {
    const place = rows % leasesInBlock
    if (place === 0) leases.push(new Uint8Array(leasesInBlock * leaseBytes))
    leases.at(-1)?.set(key, place * leaseBytes)
    leases.at(-1)?.set(value, place * leaseBytes + 8)
    if (++rows % rowsAtOnce === 0) yield undefined
  }
  const last = leases.pop()
  if (last !== undefined) leases.push(last.subarray(0, (((rows - 1) % leasesInBlock) + 1) * leaseBytes))
  const auth = decodeAuthState(reads.meta.get(authStateKey))
  const users = yield* copied(reads.users)
  const roles = yield* copied(reads.roles)
  return { state, sweptRevision, leases, alarms, members, auth, users, roles }
}

function* copied(rows: Reads): Generator<undefined, ReadonlyArray<Pair>> {
  const pairs: Array<Pair> = []
  for (const { key, value } of rows.range()) {
    pairs.push({ key: key.slice(), value: value.slice() })
    if (pairs.length % rowsAtOnce === 0) yield undefined
  }
  return pairs
}

export interface Bucket {
  readonly name: BucketName
  /** In order of their keys, and the same each time; undefined where it may pause. */
  readonly pairs: () => Iterable<Pair | undefined>
}

/** In order of their names. The sweep has to be held for as long as they are read. */
export const backendBuckets = (backend: Backend, mvcc: Mvcc): ReadonlyArray<Bucket> =>
  bucketNames.map((name) => ({ name, pairs: () => pairsOf(name, backend, mvcc) }))

const pairsOf = (name: BucketName, backend: Backend, mvcc: Mvcc): Iterable<Pair | undefined> => {
  switch (name) {
    case "key":
      return keyPairs(mvcc, backend.state.revision)
    case "lease":
      return leasePairs(backend.leases)
    case "meta":
      return metaPairs(backend)
    case "alarm":
      return sorted(backend.alarms.map((alarm) => ({ key: AlarmMember.encode(alarm), value: nothing })))
    case "auth":
      return [
        ...(backend.auth.enabled ? [{ key: utf8("authEnabled"), value: Uint8Array.of(1) }] : []),
        { key: utf8("authRevision"), value: encodeNumber(backend.auth.revision) }
      ]
    case "cluster":
      return [{ key: utf8("clusterVersion"), value: utf8("3.4.0") }]
    case "members":
      return sorted(
        backend.members.map((member) => ({
          key: utf8(memberKey(member.id)),
          value: utf8(memberJson(member))
        }))
      )
    case "authRoles":
      return backend.roles
    case "authUsers":
      return backend.users
    case "members_removed":
      return []
  }
}

/** All versions up to a transaction, in order; undefined where it may pause. */
export function* versionsUpTo(mvcc: Mvcc, revision: number): Generator<Version | undefined, void> {
  let from = { main: 0, sub: 0 }
  for (;;) {
    const versions = mvcc.versions(from, revision, versionsAtOnce, versionBytesAtOnce)
    yield* versions
    const last = versions.at(-1)
    if (last === undefined) return
    from = { main: last.modRevision, sub: last.sub + 1 }
    yield undefined
  }
}

function* keyPairs(mvcc: Mvcc, revision: number): Generator<Pair | undefined, void> {
  for (const version of versionsUpTo(mvcc, revision))
    yield version === undefined ? undefined : pairOf(version)
}

/** Of a tombstone etcd keeps the key alone. */
export const pairOf = (version: Version): Pair => {
  const { modRevision, sub } = version
  const isTombstone = version.version === 0
  return {
    key: encodeRevisionKey({ main: modRevision, sub, isTombstone }),
    value: KeyValue.encode(isTombstone ? { ...version, modRevision: 0 } : version)
  }
}

function* leasePairs(blocks: ReadonlyArray<Uint8Array>): Generator<Pair | undefined, void> {
  for (const block of blocks) {
    for (let at = 0; at < block.length; at += leaseBytes) {
      const key = block.subarray(at, at + 8)
      const TTL = ttlOf(block.subarray(at + 8, at + leaseBytes))
      yield { key, value: Lease.encode({ ID: idOf(key), TTL, RemainingTTL: 0 }) }
    }
    yield undefined
  }
}

const metaPairs = ({ state, sweptRevision }: Backend): ReadonlyArray<Pair> => {
  const { compactRevision, index } = state
  const compacted = (main: number) => encodeRevisionKey({ main, sub: 0, isTombstone: false })
  // What is scheduled and not finished, etcd compacts when it starts.
  const finished = Math.min(sweptRevision, compactRevision)
  return [
    { key: utf8(metaKeys.consistentIndex), value: encodeNumber(index) },
    ...(finished > 0 ? [{ key: utf8(metaKeys.finishedCompact), value: compacted(finished) }] : []),
    ...(compactRevision > 0
      ? [{ key: utf8(metaKeys.scheduledCompact), value: compacted(compactRevision) }]
      : [])
  ]
}

const nothing = new Uint8Array(0)
const encoder = new TextEncoder()
const utf8 = (text: string): Uint8Array => encoder.encode(text)

const sorted = (pairs: ReadonlyArray<Pair>): ReadonlyArray<Pair> =>
  pairs.toSorted((one, other) => compareBytes(one.key, other.key))
