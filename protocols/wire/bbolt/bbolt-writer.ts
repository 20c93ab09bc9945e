/**
 * Writes a bbolt file from front to back, after bbolt-layout.ts has said where everything goes: the second
 * pass over the same pairs.
 *
 * Leaves are handed out as they are full. What has to wait until the leaves of its bucket are out are the branch
 * pages above them: less than a hundredth of the file, for keys as short as etcd's.
 */
import {
  branchElementBytes,
  bucketFlag,
  compareKeys,
  leafElementBytes,
  type Pair,
  pageFlags,
  pageHeadBytes,
  viewOf,
  writeMeta,
  writePageHead
} from "./bbolt-format.ts"
import {
  type BboltLayout,
  firstPage,
  type Level,
  PageFill,
  pageBytes,
  rootOf,
  type Tree
} from "./bbolt-layout.ts"

const freelist = 2

/** What comes before the buckets. */
const headOf = ({ pages, root }: BboltLayout): Uint8Array => {
  const bytes = new Uint8Array(firstPage * pageBytes)
  for (const id of [0, 1]) {
    const view = viewOf(bytes.subarray(id * pageBytes))
    writePageHead(view, { id, flags: pageFlags.meta, count: 0, overflow: 0 })
    // The first one counts, and the other one says the same.
    const transaction = BigInt(1 - id)
    writeMeta(view, pageHeadBytes, { pageBytes, root: rootOf(root), freelist, pages, transaction })
  }
  const view = viewOf(bytes.subarray(freelist * pageBytes))
  writePageHead(view, { id: freelist, flags: pageFlags.freelist, count: 0, overflow: 0 })
  return bytes
}

/** The second pass saw something else than the first one. Whoever has called it has to begin again. */
export class BboltUnplanned extends Error {
  override readonly name = "BboltUnplanned"

  constructor(reason: string) {
    super(`the second pass over a bbolt file differs from the first: ${reason}; begin again`)
  }
}

interface LeafEntry extends Pair {
  readonly flags: number
}

const leafPage = (id: number, pages: number, entries: ReadonlyArray<LeafEntry>): Uint8Array => {
  const bytes = new Uint8Array(pages * pageBytes)
  const view = viewOf(bytes)
  writePageHead(view, { id, flags: pageFlags.leaf, count: entries.length, overflow: pages - 1 })
  let element = pageHeadBytes
  let at = pageHeadBytes + entries.length * leafElementBytes
  for (const { flags, key, value } of entries) {
    view.setUint32(element, flags, true)
    view.setUint32(element + 4, at - element, true)
    view.setUint32(element + 8, key.length, true)
    view.setUint32(element + 12, value.length, true)
    bytes.set(key, at)
    bytes.set(value, at + key.length)
    at += key.length + value.length
    element += leafElementBytes
  }
  return bytes
}

interface Child {
  readonly key: Uint8Array
  readonly page: number
}

const branchPage = (id: number, pages: number, children: ReadonlyArray<Child>): Uint8Array => {
  const bytes = new Uint8Array(pages * pageBytes)
  const view = viewOf(bytes)
  writePageHead(view, { id, flags: pageFlags.branch, count: children.length, overflow: pages - 1 })
  let element = pageHeadBytes
  let at = pageHeadBytes + children.length * branchElementBytes
  for (const { key, page } of children) {
    view.setUint32(element, at - element, true)
    view.setUint32(element + 4, key.length, true)
    view.setBigUint64(element + 8, BigInt(page), true)
    bytes.set(key, at)
    at += key.length
    element += branchElementBytes
  }
  return bytes
}

/** The branch pages of one level, kept until the leaves are out. */
class Branches {
  readonly pages: Array<Uint8Array> = []
  readonly #above: Branches | undefined
  readonly #fill = new PageFill(branchElementBytes)
  readonly #end: number
  #next: number
  #children: Array<Child> = []

  constructor(levels: ReadonlyArray<Level>) {
    const [level, ...above] = levels
    this.#next = level?.first ?? 0
    this.#end = this.#next + (level?.pages ?? 0)
    this.#above = above.length > 0 ? new Branches(above) : undefined
  }

  add(child: Child): void {
    if (this.#fill.isFullFor(child.key.length)) this.#close()
    this.#fill.add(child.key.length)
    this.#children.push(child)
  }

  #close(): void {
    const [first] = this.#children
    if (first === undefined) return
    const { pages } = this.#fill
    this.pages.push(branchPage(this.#next, pages, this.#children))
    this.#above?.add({ key: first.key, page: this.#next })
    this.#next += pages
    this.#children = []
    this.#fill.clear()
  }

  *finish(): Generator<Uint8Array, void> {
    this.#close()
    if (this.#next !== this.#end) throw new BboltUnplanned("its branches take up other pages")
    yield* this.pages
    if (this.#above !== undefined) yield* this.#above.finish()
  }
}

function* treePages(
  tree: Tree,
  entries: Iterable<LeafEntry | undefined>
): Generator<Uint8Array | undefined, void> {
  const [leaves = { first: 0, pages: 0 }, ...above] = tree
  const branches = above.length > 0 ? new Branches(above) : undefined
  const fill = new PageFill(leafElementBytes)
  const end = leaves.first + leaves.pages
  let next = leaves.first
  let waiting: Array<LeafEntry> = []
  let last: Uint8Array | undefined
  const close = (): Uint8Array => {
    const { pages } = fill
    if (next + pages > end) throw new BboltUnplanned("there is more than there was")
    const page = leafPage(next, pages, waiting)
    // A copy, since the key may be a view of much more.
    branches?.add({ key: waiting[0]?.key.slice() ?? new Uint8Array(0), page: next })
    next += pages
    waiting = []
    fill.clear()
    return page
  }
  for (const entry of entries) {
    if (entry === undefined) {
      yield undefined
      continue
    }
    if (last !== undefined && compareKeys(last, entry.key) >= 0)
      throw new Error("pairs for a bbolt file come in order of their keys, each key once")
    last = entry.key
    const bytes = entry.key.length + entry.value.length
    if (fill.isFullFor(bytes)) yield close()
    fill.add(bytes)
    waiting.push(entry)
  }
  yield close()
  if (next !== end) throw new BboltUnplanned("there is less than there was")
  if (branches !== undefined) yield* branches.finish()
}

function* inLeaves(pairs: Iterable<Pair | undefined>): Generator<LeafEntry | undefined, void> {
  for (const pair of pairs)
    yield pair === undefined ? undefined : { flags: 0, key: pair.key, value: pair.value }
}

/**
 * The file, whole pages at a time. `pairsOf` gives those of the bucket in that place, the same as in the first
 * pass; keys and values must stay as they are until the page that they are on was taken. It may give undefined
 * between two pairs, which is passed on, so that whoever draws the pages may pause.
 */
export function* bboltPages(
  layout: BboltLayout,
  pairsOf: (bucket: number) => Iterable<Pair | undefined>
): Generator<Uint8Array | undefined, void> {
  yield headOf(layout)
  for (const [place, { tree }] of layout.buckets.entries()) yield* treePages(tree, inLeaves(pairsOf(place)))
  const buckets = layout.buckets.map(({ name, tree }): LeafEntry => {
    const value = new Uint8Array(16)
    viewOf(value).setBigUint64(0, BigInt(rootOf(tree)), true)
    return { flags: bucketFlag, key: name, value }
  })
  yield* treePages(layout.root, buckets)
}
