/**
 * The cluster as the page knows it: the actors of each node, what can be worked out from two samples (rates), and what
 * can be worked out from below (how many, how many of them unwell).
 *
 * Samples come a second or more apart. Events come at once, so a restart shows before the sample that confirms it.
 */
import type { NodeEvent, NodeState, Row, TreeChange } from "./wire.ts"

/** How an actor is; `unknown` while its node does not answer. */
export type Health = "down" | "restarted" | "queued" | "well" | "unknown"

/** Whose numbers are as old as its node is silent. */
interface Home {
  readonly unreachable: string
}

export interface Actor {
  readonly id: number
  readonly home: Home
  readonly node: string
  readonly path: string
  readonly name: string
  readonly depth: number
  parent: Actor | undefined
  children: Array<Actor>
  row: Row
  /** Messages a second, between the last two samples. */
  rate: number
  /** The share of that time in which it was handling. */
  busy: number
  /** Rates of the last samples; nothing as long as it never handled any. */
  history: Array<number>
  /** When it crashed or was started again, by the page's clock. */
  crashedMillis: number
  restartedMillis: number
  /** Crashes and restarts that the page has seen. */
  restarts: number
  // Of itself and all below it
  total: number
  unwell: number
  rateBelow: number
  queuedBelow: number
  /** Last crash or restart of anything below. */
  newsMillis: number
}

/** How long a restart is news. */
export const newsMillisMax = 60_000
export const historyMax = 90
/** More than so many waiting messages are worth a look. */
export const queuedMax = 100

interface NodeModel {
  readonly name: string
  actors: Map<number, Actor>
  byPath: Map<string, Actor>
  root: Actor | undefined
  /** Stands for its tree until that has come: a node that is known of is shown, whatever it says. */
  stub: Actor | undefined
  atMillis: number
  omitted: number
  unreachable: string
}

export interface Totals {
  readonly actors: number
  readonly unwell: number
  readonly rate: number
  readonly queued: number
  readonly restartsLastMinute: number
  readonly nodes: number
  readonly unreachable: number
  /** Nodes that were asked and have said nothing yet. */
  readonly awaited: number
  readonly omitted: number
}

export class ClusterModel {
  readonly #nodes = new Map<string, NodeModel>()
  readonly #restarts: Array<number> = []
  /** Grows with each change of who is there, and of nothing else. */
  shape = 0

  get nodes(): ReadonlyArray<NodeState> {
    return [...this.#nodes.values()]
      .map(({ name, unreachable }) => ({ node: name, unreachable }))
      .toSorted((one, other) => (one.node < other.node ? -1 : 1))
  }

  /** The trees of all nodes, in order of their names. */
  get roots(): ReadonlyArray<Actor> {
    return [...this.#nodes.values()]
      .toSorted((one, other) => (one.name < other.name ? -1 : 1))
      .flatMap((node) => topOf(node) ?? [])
  }

  at(path: string): Actor | undefined {
    const node = this.#nodes.get(path.split("/", 2)[1] ?? "")
    return node?.byPath.get(path) ?? (node?.stub?.path === path ? node.stub : undefined)
  }

  *all(): Generator<Actor> {
    for (const root of this.roots) yield* below(root)
  }

  setNodes(states: ReadonlyArray<NodeState>): void {
    const names = new Set(states.map(({ node }) => node))
    for (const name of this.#nodes.keys()) {
      if (names.has(name)) continue
      this.#nodes.delete(name)
      this.shape++
    }
    for (const { node, unreachable } of states) {
      const known = this.#node(node)
      if (known.unreachable === unreachable) continue
      known.unreachable = unreachable
      const top = topOf(known)
      if (top !== undefined) sumUp(top, Number.POSITIVE_INFINITY)
    }
  }

  #node(name: string): NodeModel {
    let found = this.#nodes.get(name)
    if (found === undefined) {
      found = {
        name,
        actors: new Map(),
        byPath: new Map(),
        root: undefined,
        stub: undefined,
        atMillis: 0,
        omitted: 0,
        unreachable: ""
      }
      found.stub = actorOf(found, stubRow(name), undefined)
      this.#nodes.set(name, found)
      this.shape++
    }
    return found
  }

  apply(change: TreeChange, nowMillis: number): void {
    const node = this.#node(change.node)
    const seconds = change.whole || node.root === undefined ? 0 : (change.atMillis - node.atMillis) / 1_000
    node.atMillis = change.atMillis
    node.omitted = change.omitted
    const before = new Map<Actor, Row>()
    if (change.whole) this.#begin(node, change.rows)
    for (const row of change.rows) {
      const known = node.actors.get(row.id)
      if (known === undefined) this.#add(node, row)
      else {
        before.set(known, known.row)
        this.#replace(node, known, row, nowMillis)
      }
    }
    for (const [id, mailbox, handled, handlerMillis] of change.numbers) {
      const actor = node.actors.get(id)
      if (actor === undefined) continue
      before.set(actor, actor.row)
      actor.row = { ...actor.row, mailbox, handled, handlerMillis }
    }
    for (const id of change.gone) this.#remove(node, id)
    if (seconds > 0) for (const actor of node.actors.values()) measure(actor, before.get(actor), seconds)
    if (node.root !== undefined) sumUp(node.root, nowMillis)
  }

  /** All of it anew, perhaps with other numbers; what the page has seen of an actor stays with its path. */
  #begin(node: NodeModel, rows: ReadonlyArray<Row>): void {
    const { byPath } = node
    node.actors = new Map()
    node.byPath = new Map()
    node.root = undefined
    for (const row of rows) this.#add(node, row, byPath)
  }

  #add(node: NodeModel, row: Row, seen?: ReadonlyMap<string, Actor>): void {
    const parent = node.actors.get(row.parent)
    const path = `${parent?.path ?? ""}/${row.name}`
    const actor = actorOf(node, row, parent, seen?.get(path))
    node.actors.set(row.id, actor)
    node.byPath.set(actor.path, actor)
    if (parent === undefined) {
      node.root = actor
      node.stub = undefined
    } else insert(parent.children, actor)
    this.shape++
  }

  #replace(node: NodeModel, actor: Actor, row: Row, nowMillis: number): void {
    const { row: old } = actor
    actor.row = row
    if (old.incarnation < row.incarnation && nowMillis - actor.restartedMillis > 5_000) {
      // Nobody told of it: it happened where we do not hear events.
      actor.restartedMillis = nowMillis
      actor.restarts++
      this.#restarts.push(nowMillis)
    }
    const parent = node.actors.get(row.parent)
    if (parent === undefined || (old.place === row.place && actor.parent === parent)) return
    remove(actor.parent?.children, actor)
    actor.parent = parent
    insert(parent.children, actor)
    this.shape++
  }

  #remove(node: NodeModel, id: number): void {
    const actor = node.actors.get(id)
    if (actor === undefined) return
    node.actors.delete(id)
    if (node.byPath.get(actor.path) === actor) node.byPath.delete(actor.path)
    remove(actor.parent?.children, actor)
    if (node.root === actor) node.root = undefined
    this.shape++
  }

  /** True where an actor of ours has news. */
  hear({ event }: NodeEvent, nowMillis: number): boolean {
    const { path } = event
    if (typeof path !== "string") return false
    const actor = this.at(path)
    if (actor === undefined) return false
    const wasDown = isDown(actor, nowMillis)
    if (event._tag === "ActorFailed") {
      actor.crashedMillis = nowMillis
      actor.row = { ...actor.row, lastCrash: firstLine(event["cause"]) }
    } else if (event._tag === "ActorRestarted") {
      actor.restartedMillis = nowMillis
      actor.restarts++
      this.#restarts.push(nowMillis)
      const incarnation = Number(event["incarnation"])
      if (incarnation > actor.row.incarnation) actor.row = { ...actor.row, incarnation, status: "running" }
    } else return false
    // The sums of the last sample, but for what the event has changed.
    const moreUnwell = Number(isDown(actor, nowMillis)) - Number(wasDown)
    for (let above: Actor | undefined = actor; above !== undefined; above = above.parent) {
      above.newsMillis = nowMillis
      above.unwell += moreUnwell
    }
    return true
  }

  totals(nowMillis: number): Totals {
    while ((this.#restarts[0] ?? nowMillis) < nowMillis - newsMillisMax) this.#restarts.shift()
    const sums = { actors: 0, unwell: 0, rate: 0, queued: 0, unreachable: 0, awaited: 0, omitted: 0 }
    for (const { omitted, root, stub, unreachable } of this.#nodes.values()) {
      sums.actors += root?.total ?? 0
      sums.unwell += (root ?? stub)?.unwell ?? 0
      sums.rate += root?.rateBelow ?? 0
      sums.queued += root?.queuedBelow ?? 0
      sums.omitted += omitted
      if (unreachable !== "") sums.unreachable++
      else if (root === undefined) sums.awaited++
    }
    return { ...sums, restartsLastMinute: this.#restarts.length, nodes: this.#nodes.size }
  }
}

export const healthOf = (
  { crashedMillis, home, parent, restartedMillis, row }: Actor,
  nowMillis: number
): Health => {
  if (home.unreachable !== "") return parent === undefined ? "down" : "unknown"
  if (row.status === awaited) return "unknown"
  if (row.status === "suspended") return "queued"
  if (row.status !== "running") return "down"
  if (Math.max(crashedMillis, restartedMillis) > nowMillis - newsMillisMax) return "restarted"
  return row.mailbox > queuedMax ? "queued" : "well"
}

/** What to call it, in a word or two. */
export const stateOf = (actor: Actor, nowMillis: number): string => {
  switch (healthOf(actor, nowMillis)) {
    case "unknown":
      return actor.row.status === awaited ? awaited : "unknown"
    case "restarted":
      return "restarted"
    default:
      return actor.home.unreachable !== "" ? "no answer" : (statusWords[actor.row.status] ?? actor.row.status)
  }
}

const statusWords: Readonly<Record<string, string>> = { down: "stopped" }

const isDown = (actor: Actor, nowMillis: number): boolean => healthOf(actor, nowMillis) === "down"

const topOf = ({ root, stub }: NodeModel): Actor | undefined => root ?? stub

/** The status of a node that was asked for its tree, and has not answered since it is known. */
const awaited = "asked"

const stubRow = (name: string): Row => ({
  id: 0,
  parent: 0,
  place: 0,
  name,
  kind: "node",
  role: "",
  status: awaited,
  incarnation: 0,
  mailbox: 0,
  handled: 0,
  dropped: 0,
  handlerMillis: 0,
  lastCrash: ""
})

/** As it begins; what the page has seen of its path before stays. */
const actorOf = (home: NodeModel, row: Row, parent: Actor | undefined, known?: Actor): Actor => ({
  id: row.id,
  home,
  node: home.name,
  path: `${parent?.path ?? ""}/${row.name}`,
  name: row.name,
  depth: parent === undefined ? 0 : parent.depth + 1,
  parent,
  children: [],
  row,
  rate: 0,
  busy: 0,
  history: known?.history ?? [],
  crashedMillis: known?.crashedMillis ?? Number.NEGATIVE_INFINITY,
  restartedMillis: known?.restartedMillis ?? Number.NEGATIVE_INFINITY,
  restarts: known?.restarts ?? 0,
  total: row.status === awaited ? 0 : 1,
  unwell: 0,
  rateBelow: 0,
  queuedBelow: 0,
  newsMillis: Number.NEGATIVE_INFINITY
})

/** The actor and everything below it, in the order of the tree. */
export function* below(actor: Actor): Generator<Actor> {
  yield actor
  for (const child of actor.children) yield* below(child)
}

const measure = (actor: Actor, before: Row | undefined, seconds: number): void => {
  const { row } = actor
  actor.rate = before === undefined ? 0 : Math.max(0, row.handled - before.handled) / seconds
  actor.busy =
    before === undefined
      ? 0
      : Math.min(1, Math.max(0, row.handlerMillis - before.handlerMillis) / (seconds * 1_000))
  if (actor.rate === 0 && actor.history.length === 0) return
  actor.history.push(actor.rate)
  if (actor.history.length > historyMax) actor.history.shift()
}

const sumUp = (actor: Actor, nowMillis: number): void => {
  actor.total = actor.row.status === awaited ? 0 : 1
  actor.unwell = healthOf(actor, nowMillis) === "down" ? 1 : 0
  actor.rateBelow = actor.rate
  actor.queuedBelow = actor.row.mailbox
  actor.newsMillis = Math.max(actor.crashedMillis, actor.restartedMillis)
  for (const child of actor.children) {
    sumUp(child, nowMillis)
    actor.total += child.total
    actor.unwell += child.unwell
    actor.rateBelow += child.rateBelow
    actor.queuedBelow += child.queuedBelow
    actor.newsMillis = Math.max(actor.newsMillis, child.newsMillis)
  }
}

/** Mostly at the end: they come in order. */
const insert = (siblings: Array<Actor>, actor: Actor): void => {
  let index = siblings.length
  while (index > 0 && (siblings[index - 1]?.row.place ?? 0) > actor.row.place) index--
  siblings.splice(index, 0, actor)
}

const remove = (siblings: Array<Actor> | undefined, actor: Actor): void => {
  const index = siblings?.indexOf(actor) ?? -1
  if (index >= 0) siblings?.splice(index, 1)
}

const firstLine = (text: unknown): string => String(text).split("\n", 1)[0] ?? ""
