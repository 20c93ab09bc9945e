/**
 * Where everything goes in a bbolt file, from nothing but the lengths of its keys and values: what has to be
 * known before the first page can be written, since that one names the root and the length of the file.
 *
 *   0, 1 meta    2 free list, empty    then each bucket: its leaves, its branches level by level    last the root
 *
 * Pages are filled one after the other: an entry that does not fit begins the next page, and one that fits
 * in no page has pages behind its own. Memory is that of a few numbers, however much there is to lay out.
 */
import { branchElementBytes, bucketBytes, leafElementBytes, pageHeadBytes } from "./bbolt-format.ts"

export const pageBytes = 4096
export const firstPage = 3
/** A page counts its elements in 16 bits; pages of ours are full long before. */
const elementsMax = 65_535

/** How far the page that is being filled is. */
export class PageFill {
  readonly #elementBytes: number
  #bytes = pageHeadBytes
  #count = 0

  constructor(elementBytes: number) {
    this.#elementBytes = elementBytes
  }

  get count(): number {
    return this.#count
  }

  /** How many pages it takes up. */
  get pages(): number {
    return Math.ceil(this.#bytes / pageBytes)
  }

  /** Whether an entry has to go to the next page. */
  isFullFor(entryBytes: number): boolean {
    if (this.#count === 0) return false
    return this.#bytes + this.#elementBytes + entryBytes > pageBytes || this.#count >= elementsMax
  }

  add(entryBytes: number): void {
    this.#bytes += this.#elementBytes + entryBytes
    this.#count++
  }

  clear(): void {
    this.#bytes = pageHeadBytes
    this.#count = 0
  }
}

/** The pages of one level of a tree; level 0 are its leaves. */
export interface Level {
  readonly first: number
  readonly pages: number
}

class LevelLayout {
  readonly #fill: PageFill
  #above: LevelLayout | undefined
  #firstKeyBytes = 0
  /** Those that are complete, by how many elements of the level above they are, and by how many pages. */
  #nodes = 0
  #pages = 0

  constructor(elementBytes: number) {
    this.#fill = new PageFill(elementBytes)
  }

  add(keyBytes: number, valueBytes: number): void {
    if (this.#fill.isFullFor(keyBytes + valueBytes)) this.#close()
    if (this.#fill.count === 0) this.#firstKeyBytes = keyBytes
    this.#fill.add(keyBytes + valueBytes)
  }

  #close(): void {
    this.#nodes++
    this.#pages += this.#fill.pages
    this.#above ??= new LevelLayout(branchElementBytes)
    this.#above.add(this.#firstKeyBytes, 0)
    this.#fill.clear()
  }

  /** This level and those above it, up to the one that is a single node: the root. */
  finish(first: number): ReadonlyArray<Level> {
    this.#close()
    const level: Level = { first, pages: this.#pages }
    if (this.#nodes === 1 || this.#above === undefined) return [level]
    return [level, ...this.#above.finish(first + this.#pages)]
  }
}

export type Tree = ReadonlyArray<Level>

export const rootOf = (tree: Tree): number => tree.at(-1)?.first ?? 0

const pagesOf = (tree: Tree): number => tree.reduce((sum, { pages }) => sum + pages, 0)

export interface BboltLayout {
  readonly buckets: ReadonlyArray<{ readonly name: Uint8Array; readonly tree: Tree }>
  readonly root: Tree
  readonly pages: number
  readonly bytes: number
}

/** The first of the two passes. Buckets in order of their names, in each all pairs in order of their keys. */
export class BboltPlan {
  readonly #buckets: Array<{ readonly name: Uint8Array; readonly tree: Tree }> = []
  #name: Uint8Array | undefined
  #leaves = new LevelLayout(leafElementBytes)
  #next = firstPage

  /** What is added from now on is in this bucket. */
  bucket(name: Uint8Array): void {
    this.#close()
    this.#name = name
  }

  add(keyBytes: number, valueBytes: number): void {
    this.#leaves.add(keyBytes, valueBytes)
  }

  #close(): void {
    if (this.#name === undefined) return
    const tree = this.#leaves.finish(this.#next)
    this.#buckets.push({ name: this.#name, tree })
    this.#next += pagesOf(tree)
    this.#leaves = new LevelLayout(leafElementBytes)
    this.#name = undefined
  }

  finish(): BboltLayout {
    this.#close()
    const root = new LevelLayout(leafElementBytes)
    for (const { name } of this.#buckets) root.add(name.length, bucketBytes)
    const tree = root.finish(this.#next)
    const pages = this.#next + pagesOf(tree)
    return { buckets: this.#buckets, root: tree, pages, bytes: pages * pageBytes }
  }
}
