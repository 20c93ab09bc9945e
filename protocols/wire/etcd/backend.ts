/**
 * What etcd 3.4 keeps on its disk, and so in its snapshots: the buckets of its backend, their keys and their values
 * (mvcc/kvstore.go, lease/lessor.go, etcdserver/api/membership/store.go).
 *
 *   key      revision, with a `t` behind it for a tombstone → mvccpb.KeyValue; of a tombstone the key alone
 *   lease    its number → leasepb.Lease
 *   alarm    etcdserverpb.AlarmMember → nothing
 *   meta     consistent_index → the entry applied last; scheduledCompactRev, finishedCompactRev → a revision
 *   members  its number in hexadecimal → JSON
 *
 * Numbers are big-endian, so that their order is that of the keys.
 */
import { count, id, message, type TypeOf } from "../protobuf-message.ts"

/** In order. */
export const bucketNames = [
  "alarm",
  "auth",
  "authRoles",
  "authUsers",
  "cluster",
  "key",
  "lease",
  "members",
  "members_removed",
  "meta"
] as const
export type BucketName = (typeof bucketNames)[number]

export const metaKeys = {
  consistentIndex: "consistent_index",
  scheduledCompact: "scheduledCompactRev",
  finishedCompact: "finishedCompactRev"
} as const

export const Lease = message("leasepb.Lease", { ID: id(1), TTL: count(2), RemainingTTL: count(3) })
export type Lease = TypeOf<typeof Lease>

const high = 2 ** 32
export const revisionBytes = 17
const underscore = 0x5f
const tombstoneMark = 0x74

const writeNumber = (view: DataView, at: number, value: number): void => {
  view.setUint32(at, Math.floor(value / high))
  view.setUint32(at + 4, value >>> 0)
}

const readNumber = (view: DataView, at: number): number => view.getUint32(at) * high + view.getUint32(at + 4)

export const encodeNumber = (value: number): Uint8Array => {
  const bytes = new Uint8Array(8)
  writeNumber(new DataView(bytes.buffer), 0, value)
  return bytes
}

/** Of what is no number of eight bytes, undefined. */
export const decodeNumber = (bytes: Uint8Array): number | undefined => {
  if (bytes.length !== 8) return undefined
  const value = readNumber(new DataView(bytes.buffer, bytes.byteOffset, 8), 0)
  return Number.isSafeInteger(value) ? value : undefined
}

export interface BackendRevision {
  readonly main: number
  readonly sub: number
  readonly isTombstone: boolean
}

export const encodeRevisionKey = ({ isTombstone, main, sub }: BackendRevision): Uint8Array => {
  const bytes = new Uint8Array(isTombstone ? revisionBytes + 1 : revisionBytes)
  const view = new DataView(bytes.buffer)
  writeNumber(view, 0, main)
  bytes[8] = underscore
  writeNumber(view, 9, sub)
  if (isTombstone) bytes[revisionBytes] = tombstoneMark
  return bytes
}

/** Undefined for what is no revision. */
export const decodeRevisionKey = (bytes: Uint8Array): BackendRevision | undefined => {
  const isTombstone = bytes.length === revisionBytes + 1
  if (bytes.length !== revisionBytes && !isTombstone) return undefined
  if (bytes[8] !== underscore || (isTombstone && bytes[revisionBytes] !== tombstoneMark)) return undefined
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength)
  const [main, sub] = [readNumber(view, 0), readNumber(view, 9)]
  return Number.isSafeInteger(main) && sub < high ? { main, sub, isTombstone } : undefined
}

export interface BackendMember {
  readonly id: bigint
  readonly name: string
  readonly peerUrls: ReadonlyArray<string>
  readonly clientUrls: ReadonlyArray<string>
}

export const memberKey = (memberId: bigint): string => memberId.toString(16)

/** Numbers of members have more digits than those of JavaScript. */
export const memberJson = ({ clientUrls, id: memberId, name, peerUrls }: BackendMember): string => {
  const lists = `"peerURLs":${JSON.stringify(peerUrls)},"name":${JSON.stringify(name)}`
  return `{"id":${memberId},${lists},"clientURLs":${JSON.stringify(clientUrls)}}`
}
