/**
 * The tree of one node as a table of rows, and what has changed in it from one sample to the next.
 *
 *   sample ──► rows, each with a number of its own ──► change since the last sample ──► viewers
 *
 * A path keeps its number for as long as it is there, through all lives of its actor. What most samples change is
 * numbers, so these travel alone. The table has an end: of what is deeper or further right only the count is kept.
 */
import type { ActorSnapshot } from "#protocols/runtime.ts"
import type { Numbers, Row, TreeChange } from "./page/wire.ts"

export const rowsMax = 20_000
/** Of a crash as rows show it; the actor's own page shows all. */
const crashTextMax = 200

export class TreeTable {
  readonly node: string
  #byPath = new Map<string, Row>()
  #ids = 0
  #omitted = 0
  #atMillis = 0

  constructor(node: string) {
    this.node = node
  }

  get size(): number {
    return this.#byPath.size
  }

  /** Takes a sample in and says what has changed. */
  advance(tree: ActorSnapshot, atMillis: number): TreeChange {
    const next = new Map<string, Row>()
    const rows: Array<Row> = []
    const numbers: Array<Numbers> = []
    let omitted = 0
    const take = (actor: ActorSnapshot, parent: number, place: number): void => {
      if (next.size >= rowsMax) return void omitted++
      const before = this.#byPath.get(actor.path)
      const row = rowOf(actor, before?.id ?? ++this.#ids, parent, place)
      next.set(actor.path, row)
      if (before === undefined || !hasOnlyCounted(before, row)) rows.push(row)
      else if (!hasSameNumbers(before, row)) {
        numbers.push([row.id, row.mailbox, row.handled, row.handlerMillis])
      }
      actor.children.forEach((child, index) => {
        take(child, row.id, index)
      })
    }
    take(tree, 0, 0)
    const gone: Array<number> = []
    for (const [path, { id }] of this.#byPath) if (!next.has(path)) gone.push(id)
    this.#byPath = next
    this.#omitted = omitted
    this.#atMillis = atMillis
    return { node: this.node, atMillis, whole: false, rows, numbers, gone, omitted }
  }

  /** All of it, for somebody who knows nothing. */
  whole(): TreeChange {
    const rows = [...this.#byPath.values()]
    const { node } = this
    return {
      node,
      atMillis: this.#atMillis,
      whole: true,
      rows,
      numbers: [],
      gone: [],
      omitted: this.#omitted
    }
  }
}

const rowOf = (actor: ActorSnapshot, id: number, parent: number, place: number): Row => ({
  id,
  parent,
  place,
  name: actor.name,
  kind: actor.kind,
  role: actor.role,
  status: actor.status,
  incarnation: actor.incarnation,
  mailbox: actor.mailbox,
  handled: actor.handled,
  dropped: actor.dropped,
  // In hundredths: what is finer is no news.
  handlerMillis: Math.round(actor.handlerMillis * 100) / 100,
  lastCrash: actor.lastCrash.slice(0, crashTextMax)
})

const hasOnlyCounted = (before: Row, now: Row): boolean =>
  before.parent === now.parent &&
  before.place === now.place &&
  before.status === now.status &&
  before.incarnation === now.incarnation &&
  before.dropped === now.dropped &&
  before.lastCrash === now.lastCrash &&
  before.kind === now.kind &&
  before.role === now.role

const hasSameNumbers = (before: Row, now: Row): boolean =>
  before.mailbox === now.mailbox &&
  before.handled === now.handled &&
  before.handlerMillis === now.handlerMillis
