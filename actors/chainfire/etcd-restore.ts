/**
 * Fills the tables of a member that is new from a snapshot, of etcd 3.4 or of ours: all versions with their
 * revisions, leases, alarms, and up to where was compacted. Who the members are is not taken from it: they
 * are given anew, and each of them has to be filled from the same file before the group first starts.
 *
 * `restoring` is a generator, since it writes more than a store takes at once: whoever drives it flushes the stores
 * each time it yields, and once more when it is through. It takes no byte on trust: the file carries its SHA-256,
 * and whatever in it is not as etcd writes it is refused. What was cut short is begun anew by the next try, and
 * no member starts on it.
 */
import { Data } from "effect"
import { BboltReader, type ByteSource } from "#protocols/wire/bbolt/bbolt-reader.ts"
import { User } from "#protocols/wire/etcd/auth.ts"
import { type BackendRevision, decodeRevisionKey, Lease, metaKeys } from "#protocols/wire/etcd/backend.ts"
import { AlarmMember } from "#protocols/wire/etcd/cluster.ts"
import { KeyValue } from "#protocols/wire/etcd/kv-fast.ts"
import { ProtobufMalformed } from "#protocols/wire/protobuf.ts"
import { Sha256 } from "#protocols/wire/sha256.ts"
import { Alarms } from "./alarms.ts"
import { type AuthState, authStateKey, encodeAuthState } from "./auth-store.ts"
import { Lessor } from "./lessor.ts"
import type { Table } from "./mvcc.ts"
import { decodeRecord, encodeRecord, encodeRevision, equalBytes, fits, historyKey } from "./record.ts"
import type { StateTables } from "./state-machine.ts"
import { encodeState, restoringKey, stateKey } from "./stored-state.ts"

/** The file, or the place that it should go to, is not what it has to be. Nothing was restored. */
export class RestoreRefused extends Data.TaggedError("RestoreRefused")<{ readonly reason: string }> {
  override get message() {
    return `the snapshot is not restored: ${this.reason}`
  }
}

export interface RestoreOptions {
  /** For a file that was copied from a data directory of etcd, and has no SHA-256 behind it. */
  readonly skipsHash?: boolean
}

export interface Restored {
  readonly revision: number
  readonly compactRevision: number
  readonly versions: number
  readonly leases: number
  readonly alarms: number
}

const trailerBytes = 32
const sectorBytes = 512
const hashedAtOnce = 1024 * 1024
/** The stores are flushed after so much. */
const versionsAtOnce = 1_000
const bytesAtOnce = 4 * 1024 * 1024
const nothing = new Uint8Array(0)

/** `write`: makes one batch of what was put since it was called last. Throws also `BboltCorrupt`. */
export function* restoring(
  source: ByteSource,
  tables: StateTables,
  write: () => void,
  { skipsHash = false }: RestoreOptions = {}
): Generator<undefined, Restored> {
  if (!skipsHash) yield* verified(source)
  yield* emptied(tables, write)
  const reader = new BboltReader(source)
  if (!reader.buckets.includes("key")) throw refused("it has no keys, so it is none of etcd 3")
  yield* restoreAuth(reader, tables, write)
  const lessor = new Lessor(tables, 1)
  const leases = yield* restoreLeases(reader, lessor, write)
  const { last, versions } = yield* restoreVersions(reader, tables, lessor, write)
  const alarms = new Alarms(tables.meta)
  for (const { key } of reader.pairs("alarm")) alarms.activate(decoded(() => AlarmMember.decode(key)))
  const compactRevision = compactRevisionOf(reader)
  const revision = Math.max(1, last, compactRevision)
  // As if an entry had written it, so that a member without it is sent the state and not the log from its beginning.
  tables.meta.put(stateKey, encodeState({ index: 1, term: 1, revision, compactRevision }))
  tables.meta.delete(restoringKey)
  write()
  return { revision, compactRevision, versions, leases, alarms: alarms.list().length }
}

const refused = (reason: string): RestoreRefused => new RestoreRefused({ reason })

/** etcd's files are whole sectors long, so one that is 32 bytes longer has its hash at its end. */
function* verified(source: ByteSource): Generator<undefined, void> {
  if (source.bytes % sectorBytes !== trailerBytes)
    throw refused("it has no hash at its end; take it with `etcdctl snapshot save`, or have the hash skipped")
  const hash = new Sha256()
  const end = source.bytes - trailerBytes
  for (let at = 0; at < end; at += hashedAtOnce) {
    hash.update(source.read(at, Math.min(hashedAtOnce, end - at)))
    yield undefined
  }
  if (!equalBytes(hash.digest(), source.read(end, trailerBytes)))
    throw refused("its hash is another one than the one at its end; copy it again, or use another one")
}

/** Where nothing was ever written, or where a restore was cut short. */
function* emptied(tables: StateTables, write: () => void): Generator<undefined, void> {
  const { current, history, meta } = tables
  if (meta.get(restoringKey) === undefined) {
    const isNew = meta.get(stateKey) === undefined && isEmpty(current) && isEmpty(history)
    if (!isNew) throw refused("there is something in the store already; restore into a new data directory")
    meta.put(restoringKey, Uint8Array.of(1))
    write()
    yield undefined
    return
  }
  for (const table of [current, history, tables.changes, tables.leases, tables.attachments]) {
    while (!isEmpty(table)) {
      for (const [key] of [...table.range(nothing, undefined, { limit: versionsAtOnce })])
        table.delete(key.slice())
      write()
      yield undefined
    }
  }
}

const isEmpty = (table: Table): boolean => [...table.range(nothing, undefined, { limit: 1 })].length === 0

/**
 * Who may do what comes along. Passwords of etcd are hashed in another way, so nobody could log in any more where
 * authentication is on: such a file is refused.
 */
function* restoreAuth(
  reader: BboltReader,
  tables: StateTables,
  write: () => void
): Generator<undefined, void> {
  let state: AuthState = { enabled: false, revision: 1 }
  for (const { key, value } of reader.pairs("auth")) {
    if (text(key) === "authEnabled") state = { ...state, enabled: value[0] === 1 }
    if (text(key) === "authRevision" && value.length === 8)
      state = { ...state, revision: Number(new DataView(value.buffer, value.byteOffset).getBigUint64(0)) }
  }
  for (const { key, value } of reader.pairs("authUsers")) {
    const { password } = decoded(() => User.decode(value))
    const isOurs = password.length === 0 || text(password).startsWith("scrypt$")
    if (state.enabled && !isOurs)
      throw refused(
        "it has authentication enabled, with passwords that only etcd can check; disable it, and take it again"
      )
    tables.users.put(key.slice(), value.slice())
  }
  for (const { key, value } of reader.pairs("authRoles")) tables.roles.put(key.slice(), value.slice())
  tables.meta.put(authStateKey, encodeAuthState(state))
  write()
  yield undefined
}

function* restoreLeases(
  reader: BboltReader,
  lessor: Lessor,
  write: () => void
): Generator<undefined, number> {
  let leases = 0
  for (const { value } of reader.pairs("lease")) {
    const { ID, TTL } = decoded(() => Lease.decode(value))
    if (typeof lessor.grant(ID, TTL, 0) === "string")
      throw refused(`lease ${ID} is there twice, or lasts too long`)
    write()
    if (++leases % versionsAtOnce === 0) yield undefined
  }
  return leases
}

function* restoreVersions(
  reader: BboltReader,
  tables: StateTables,
  lessor: Lessor,
  write: () => void
): Generator<undefined, { readonly last: number; readonly versions: number }> {
  let [last, versions, bytes] = [0, 0, 0]
  for (const { key, value } of reader.pairs("key")) {
    const revision = decodeRevisionKey(key)
    if (revision === undefined) throw refused("among its keys is one that is no revision")
    restoreVersion(
      tables,
      lessor,
      revision,
      decoded(() => KeyValue.decode(value))
    )
    write()
    last = revision.main
    versions++
    bytes += value.length
    if (versions % versionsAtOnce !== 0 && bytes < bytesAtOnce) continue
    bytes = 0
    yield undefined
  }
  return { last, versions }
}

/** As if it were written now, behind all that were restored before it. */
const restoreVersion = (
  tables: StateTables,
  lessor: Lessor,
  { isTombstone, main, sub }: BackendRevision,
  read: KeyValue
): void => {
  const where = `revision ${main}, ${sub}`
  if (read.key.length === 0 || !fits(read.key))
    throw refused(`the key of ${where} has ${read.key.length} bytes, which does not fit`)
  if (!isTombstone && (read.modRevision !== main || read.version < 1 || read.createRevision < 1))
    throw refused(`what ${where} says of itself does not fit`)
  // Views of a page that nobody keeps.
  const key = read.key.slice()
  const value = read.value.slice()
  const kv = isTombstone
    ? { key, value, lease: 0n, createRevision: 0, modRevision: main, sub, version: 0 }
    : { ...read, key, value, sub }
  const record = tables.current.get(key)
  const before = record === undefined ? undefined : decodeRecord(key, record)
  if (record !== undefined && before !== undefined)
    tables.history.put(historyKey(key, { main: before.modRevision, sub: before.sub }), record)
  if (isTombstone) {
    if (before !== undefined) tables.current.delete(key)
    tables.history.put(historyKey(key, { main, sub }), encodeRecord(kv))
  } else tables.current.put(key, encodeRecord(kv))
  tables.changes.put(encodeRevision({ main, sub }), key)
  // A lease that is not there is none that its keys could end with, as in etcd.
  const attached = (lease: bigint) => (lessor.ttlSeconds(lease) === undefined ? 0n : lease)
  lessor.move(key, attached(before?.lease ?? 0n), attached(kv.lease))
}

const compactRevisionOf = (reader: BboltReader): number => {
  let compactRevision = -1
  for (const { key, value } of reader.pairs("meta")) {
    const name = text(key)
    if (name !== metaKeys.scheduledCompact && name !== metaKeys.finishedCompact) continue
    const revision = decodeRevisionKey(value)
    if (revision === undefined) throw refused(`${name} is no revision`)
    compactRevision = Math.max(compactRevision, revision.main)
  }
  return compactRevision
}

const decoded = <A>(decode: () => A): A => {
  try {
    return decode()
  } catch (problem) {
    if (problem instanceof ProtobufMalformed) throw refused(`a record in it is damaged: ${problem.message}`)
    throw problem
  }
}

const text = (bytes: Uint8Array): string => new TextDecoder().decode(bytes)
