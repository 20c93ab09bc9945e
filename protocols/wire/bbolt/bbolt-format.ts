/**
 * What the pages of a bbolt file look like (go.etcd.io/bbolt 1.3, page.go and db.go): the file in which etcd keeps
 * everything, and which it hands out as a snapshot.
 *
 *   page    id u64  flags u16  count u16  overflow u32, then what the flags say; `overflow` more pages belong to it
 *   meta    page 0 and page 1: where the root is; the one that is valid and has the higher transaction counts
 *   branch  elements { pos u32  key length u32  page u64 }, then the keys; the first key below each page
 *   leaf    elements { flags u32  pos u32  key length u32  value length u32 }, then the keys and values
 *
 * Numbers are little-endian. `pos` counts from the element itself. The root is a tree of buckets: the value of each
 * is { root page u64  sequence u64 }, or, with a root of 0, a small leaf page right behind that.
 */
import { Data } from "effect"

/** The file is not what it should be, and nothing of it may be used. */
export class BboltCorrupt extends Data.TaggedError("BboltCorrupt")<{
  /** In bytes from its start. */
  readonly offset: number
  readonly reason: string
}> {
  override get message() {
    return `no intact bbolt file, at byte ${this.offset}: ${this.reason}; take the snapshot again, or use another one`
  }
}

export interface Pair {
  readonly key: Uint8Array
  readonly value: Uint8Array
}

export const pageFlags = { branch: 1, leaf: 2, meta: 4, freelist: 16 } as const
export const bucketFlag = 1

export const pageHeadBytes = 16
export const branchElementBytes = 16
export const leafElementBytes = 16
/** The value of a bucket: its root and its sequence. */
export const bucketBytes = 16

const magic = 0xed0cdaed
const version = 2
/** Up to its checksum. */
const metaBodyBytes = 56
export const metaBytes = metaBodyBytes + 8

export interface PageHead {
  readonly id: number
  readonly flags: number
  readonly count: number
  readonly overflow: number
}

export const writePageHead = (view: DataView, { count, flags, id, overflow }: PageHead): void => {
  view.setBigUint64(0, BigInt(id), true)
  view.setUint16(8, flags, true)
  view.setUint16(10, count, true)
  view.setUint32(12, overflow, true)
}

/** A page whose id is no safe integer has one that it cannot have. */
export const readPageHead = (view: DataView, at = 0): PageHead => ({
  id: Number(view.getBigUint64(at, true)),
  flags: view.getUint16(at + 8, true),
  count: view.getUint16(at + 10, true),
  overflow: view.getUint32(at + 12, true)
})

export interface Meta {
  readonly pageBytes: number
  readonly root: number
  /** The page of the free list; etcd's files usually have none. */
  readonly freelist: number
  /** How many pages there are, free ones included. */
  readonly pages: number
  readonly transaction: bigint
}

/** Behind the head of its page. */
export const writeMeta = (view: DataView, at: number, meta: Meta): void => {
  view.setUint32(at, magic, true)
  view.setUint32(at + 4, version, true)
  view.setUint32(at + 8, meta.pageBytes, true)
  view.setBigUint64(at + 16, BigInt(meta.root), true)
  view.setBigUint64(at + 32, BigInt(meta.freelist), true)
  view.setBigUint64(at + 40, BigInt(meta.pages), true)
  view.setBigUint64(at + 48, meta.transaction, true)
  view.setBigUint64(at + metaBodyBytes, fnv64a(view, at, metaBodyBytes), true)
}

/** Undefined where there is no valid one. */
export const readMeta = (view: DataView, at: number): Meta | undefined => {
  if (view.byteLength < at + metaBytes) return undefined
  if (view.getUint32(at, true) !== magic || view.getUint32(at + 4, true) !== version) return undefined
  if (view.getBigUint64(at + metaBodyBytes, true) !== fnv64a(view, at, metaBodyBytes)) return undefined
  return {
    pageBytes: view.getUint32(at + 8, true),
    root: Number(view.getBigUint64(at + 16, true)),
    freelist: Number(view.getBigUint64(at + 32, true)),
    pages: Number(view.getBigUint64(at + 40, true)),
    transaction: view.getBigUint64(at + 48, true)
  }
}

const fnv64a = (view: DataView, from: number, length: number): bigint => {
  let hash = 0xcbf29ce484222325n
  for (let at = from; at < from + length; at++)
    hash = BigInt.asUintN(64, (hash ^ BigInt(view.getUint8(at))) * 0x100000001b3n)
  return hash
}

export const viewOf = (bytes: Uint8Array): DataView =>
  new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength)

export const compareKeys = (left: Uint8Array, right: Uint8Array): number => {
  const length = Math.min(left.length, right.length)
  for (let at = 0; at < length; at++) {
    const difference = left[at]! - right[at]!
    if (difference !== 0) return difference
  }
  return left.length - right.length
}
