/**
 * Reads a bbolt file, of etcd or of ours, from wherever its bytes can be read. What is not as it should be is
 * `BboltCorrupt`, thrown, however it came about: every length is checked, every page is read once at most, and
 * keys have to come in order, so that no damage makes a reader run on or take up memory without end.
 */
import {
  BboltCorrupt,
  branchElementBytes,
  bucketBytes,
  bucketFlag,
  compareKeys,
  leafElementBytes,
  type Meta,
  metaBytes,
  type Pair,
  pageFlags,
  pageHeadBytes,
  readMeta,
  readPageHead,
  viewOf
} from "./bbolt-format.ts"

export interface ByteSource {
  readonly bytes: number
  /** So many bytes, or fewer at the end. May throw what is wrong with the disk. */
  readonly read: (offset: number, length: number) => Uint8Array
}

const pageBytesMin = 512
const pageBytesMax = 64 * 1024
/** Of one node: etcd splits them at a page, unless a single value is longer. */
const nodeBytesMax = 256 * 1024 * 1024
const depthMax = 32

interface Leaf extends Pair {
  readonly isBucket: boolean
}

interface Node {
  readonly bytes: Uint8Array
  readonly offset: number
  readonly count: number
  readonly isLeaf: boolean
}

export class BboltReader {
  readonly meta: Meta
  readonly #source: ByteSource
  /** One bit for each page that was read. */
  readonly #seen: Uint8Array
  /** The value of each bucket, by name in Latin-1. */
  readonly #buckets = new Map<string, Leaf>()

  constructor(source: ByteSource) {
    this.#source = source
    this.meta = metaOf(source)
    this.#seen = new Uint8Array(Math.ceil(this.meta.pages / 8))
    for (const leaf of this.#tree(this.meta.root)) {
      if (!leaf.isBucket)
        throw new BboltCorrupt({ offset: 0, reason: "there is a value outside of all buckets" })
      this.#buckets.set(latin1(leaf.key), { ...leaf, value: leaf.value.slice() })
    }
  }

  /** How long it is without what was put behind it. */
  get bytes(): number {
    return this.meta.pages * this.meta.pageBytes
  }

  /** In order. */
  get buckets(): ReadonlyArray<string> {
    return [...this.#buckets.keys()]
  }

  /**
   * The pairs of a bucket, in order of their keys; none where there is no such bucket. To be asked for once. Keys and
   * values are views of the page that they are on.
   */
  *pairs(bucket: string): Generator<Pair, void> {
    const found = this.#buckets.get(bucket)
    if (found === undefined) return
    const { value } = found
    if (value.length < bucketBytes)
      throw new BboltCorrupt({ offset: 0, reason: `bucket ${bucket} has no root` })
    const root = Number(viewOf(value).getBigUint64(0, true))
    // A small one lies right where its root would be named.
    const leaves = root === 0 ? this.#inline(bucket, value.subarray(bucketBytes)) : this.#tree(root)
    for (const leaf of leaves) {
      if (leaf.isBucket) throw new BboltCorrupt({ offset: 0, reason: `bucket ${bucket} has a bucket in it` })
      yield leaf
    }
  }

  *#inline(bucket: string, bytes: Uint8Array): Generator<Leaf, void> {
    if (bytes.length < pageHeadBytes)
      throw new BboltCorrupt({ offset: 0, reason: `bucket ${bucket} is too short for a page` })
    const { count, flags } = readPageHead(viewOf(bytes))
    if (flags !== pageFlags.leaf)
      throw new BboltCorrupt({ offset: 0, reason: `bucket ${bucket} is no leaf, and has no root` })
    yield* inOrder(leavesOf({ bytes, offset: 0, count, isLeaf: true }))
  }

  *#tree(root: number): Generator<Leaf, void> {
    yield* inOrder(this.#leaves(root, 0))
  }

  *#leaves(page: number, depth: number): Generator<Leaf, void> {
    const node = this.#node(page, depth)
    if (node.isLeaf) yield* leavesOf(node)
    else for (const child of childrenOf(node)) yield* this.#leaves(child, depth + 1)
  }

  #node(page: number, depth: number): Node {
    const { pageBytes, pages } = this.meta
    const offset = page * pageBytes
    const corrupt = (reason: string) =>
      new BboltCorrupt({ offset: Number.isSafeInteger(offset) ? offset : 0, reason })
    if (!Number.isSafeInteger(page) || page < 2 || page >= pages)
      throw corrupt(`there is no page ${page} of ${pages}`)
    if (depth > depthMax) throw corrupt(`page ${page} is more than ${depthMax} pages below its root`)
    const { count, flags, id, overflow } = readPageHead(viewOf(this.#read(offset, pageHeadBytes)))
    if (id !== page) throw corrupt(`page ${page} says it is page ${id}`)
    if (flags !== pageFlags.leaf && flags !== pageFlags.branch)
      throw corrupt(`page ${page} of a tree is neither leaf nor branch`)
    const length = (1 + overflow) * pageBytes
    if (page + 1 + overflow > pages || length > nodeBytesMax)
      throw corrupt(`page ${page} with ${overflow} more behind it is too long`)
    for (let each = page; each <= page + overflow; each++) {
      const bit = 1 << (each & 7)
      if ((this.#seen[each >> 3]! & bit) !== 0) throw corrupt(`page ${each} is in the tree twice`)
      this.#seen[each >> 3]! |= bit
    }
    return { bytes: this.#read(offset, length), offset, count, isLeaf: flags === pageFlags.leaf }
  }

  #read(offset: number, length: number): Uint8Array {
    const bytes = this.#source.read(offset, length)
    if (bytes.length < length)
      throw new BboltCorrupt({ offset, reason: "the file ends in the middle of a page" })
    return bytes
  }
}

const metaOf = (source: ByteSource): Meta => {
  const metas: Array<Meta> = []
  const look = (offset: number): void => {
    const page = source.read(offset, pageHeadBytes + metaBytes)
    const meta = readMeta(viewOf(page), pageHeadBytes)
    if (meta !== undefined) metas.push(meta)
  }
  look(0)
  // Where the second one is, only the first one knows.
  if (metas[0] !== undefined) look(metas[0].pageBytes)
  else for (let bytes = pageBytesMin; bytes <= pageBytesMax; bytes *= 2) look(bytes)
  const [latest] = metas.toSorted((one, other) => (one.transaction > other.transaction ? -1 : 1))
  if (latest === undefined)
    throw new BboltCorrupt({ offset: 0, reason: "neither of its first pages verifies" })
  const { pageBytes, pages } = latest
  const isPageSize =
    pageBytes >= pageBytesMin && pageBytes <= pageBytesMax && (pageBytes & (pageBytes - 1)) === 0
  if (!isPageSize) throw new BboltCorrupt({ offset: 0, reason: `no page has ${pageBytes} bytes` })
  if (!(pages * pageBytes <= source.bytes)) {
    const reason = `it should have ${pages} pages of ${pageBytes} bytes and has ${source.bytes} bytes`
    throw new BboltCorrupt({ offset: source.bytes, reason })
  }
  return latest
}

function* inOrder(leaves: Iterable<Leaf>): Generator<Leaf, void> {
  let last: Uint8Array | undefined
  for (const leaf of leaves) {
    if (last !== undefined && compareKeys(last, leaf.key) >= 0)
      throw new BboltCorrupt({ offset: 0, reason: "the keys of a bucket are not in order" })
    last = leaf.key
    yield leaf
  }
}

/** A stretch of a node, or what is wrong with it. */
const within = ({ bytes, offset }: Node, from: number, length: number): Uint8Array => {
  if (from + length > bytes.length)
    throw new BboltCorrupt({
      offset: offset + Math.min(from, bytes.length),
      reason: "an entry reaches out of its page"
    })
  return bytes.subarray(from, from + length)
}

function* leavesOf(node: Node): Generator<Leaf, void> {
  for (let index = 0; index < node.count; index++) {
    const at = pageHeadBytes + index * leafElementBytes
    const element = viewOf(within(node, at, leafElementBytes))
    const keyBytes = element.getUint32(8, true)
    const from = at + element.getUint32(4, true)
    yield {
      key: within(node, from, keyBytes),
      value: within(node, from + keyBytes, element.getUint32(12, true)),
      isBucket: (element.getUint32(0, true) & bucketFlag) !== 0
    }
  }
}

function* childrenOf(node: Node): Generator<number, void> {
  for (let index = 0; index < node.count; index++) {
    const element = viewOf(within(node, pageHeadBytes + index * branchElementBytes, branchElementBytes))
    yield Number(element.getBigUint64(8, true))
  }
}

const latin1 = (bytes: Uint8Array): string => {
  let text = ""
  for (const byte of bytes) text += String.fromCharCode(byte)
  return text
}
