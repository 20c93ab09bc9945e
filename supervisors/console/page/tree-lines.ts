/**
 * Which actors a list shows, in which order: the tree as far as it is unfolded, what a search has found with the way
 * to it, or all of them by one of their numbers.
 */
import { type Actor, below, healthOf } from "./cluster-model.ts"

export interface Line {
  readonly actor: Actor
  readonly depth: number
  readonly isOpen: boolean
  /** A search has found it itself; its way up may be there for its sake. */
  readonly isFound: boolean
}

export type SortKey = "queued" | "rate" | "busy" | "lives" | "state"

export interface Wanted {
  readonly roots: ReadonlyArray<Actor>
  /** Paths whose fold is not as it is by itself. */
  readonly toggled: ReadonlySet<string>
  readonly search: string
  /** None: as a tree. */
  readonly sort: SortKey | undefined
  readonly nowMillis: number
}

export interface Lines {
  readonly lines: ReadonlyArray<Line>
  /** Actors that the search has found; without a search all there are. */
  readonly found: number
}

/** A subtree of more actors begins folded. */
const openTotalMax = 40

/** Whether it shows its children unless somebody said otherwise. */
export const isOpenByItself = (actor: Actor): boolean => actor.depth === 0 || actor.total <= openTotalMax

export const linesOf = ({ nowMillis, roots, search, sort, toggled }: Wanted): Lines => {
  const matches = matcher(search, nowMillis)
  if (sort !== undefined) return sortedLines(roots, matches, sort, nowMillis)
  return matches === undefined ? unfolded(roots, toggled) : foundLines(roots, matches, toggled)
}

const unfolded = (roots: ReadonlyArray<Actor>, toggled: ReadonlySet<string>): Lines => {
  const lines: Array<Line> = []
  let found = 0
  const add = (actor: Actor, depth: number): void => {
    const isOpen = actor.children.length > 0 && toggled.has(actor.path) !== isOpenByItself(actor)
    lines.push({ actor, depth, isOpen, isFound: false })
    if (isOpen) for (const child of actor.children) add(child, depth + 1)
  }
  for (const root of roots) {
    found += root.total
    add(root, 0)
  }
  return { lines, found }
}

/** Found ones with all above them. Those above are open, and can be folded. */
const foundLines = (roots: ReadonlyArray<Actor>, matches: Matches, toggled: ReadonlySet<string>): Lines => {
  const lines: Array<Line> = []
  let found = 0
  /** Whether there is anything at or below it. */
  const add = (actor: Actor, depth: number): boolean => {
    const isFound = matches(actor)
    if (isFound) found++
    const at = lines.length
    lines.push({ actor, depth, isOpen: false, isFound })
    let isAny = false
    for (const child of actor.children) if (add(child, depth + 1)) isAny = true
    if (!isFound && !isAny) lines.length = at
    else if (isAny) {
      const isFolded = toggled.has(`?${actor.path}`)
      lines[at] = { actor, depth, isOpen: !isFolded, isFound }
      if (isFolded) lines.length = at + 1
    }
    return isFound || isAny
  }
  for (const root of roots) add(root, 0)
  return { lines, found }
}

const sortedLines = (
  roots: ReadonlyArray<Actor>,
  matches: Matches | undefined,
  sort: SortKey,
  nowMillis: number
): Lines => {
  const found: Array<Actor> = []
  for (const root of roots) {
    for (const actor of below(root)) if (matches === undefined || matches(actor)) found.push(actor)
  }
  const value = sortValues[sort]
  const lines = found
    .map((actor) => ({ actor, by: value(actor, nowMillis) }))
    .sort((one, other) => other.by - one.by || (one.actor.path < other.actor.path ? -1 : 1))
    .map(({ actor }): Line => ({ actor, depth: 0, isOpen: false, isFound: matches !== undefined }))
  return { lines, found: found.length }
}

const healthOrder = { down: 4, unknown: 3, restarted: 2, queued: 1, well: 0 }

const sortValues: Readonly<Record<SortKey, (actor: Actor, nowMillis: number) => number>> = {
  queued: ({ row }) => row.mailbox,
  rate: ({ rate }) => rate,
  busy: ({ busy }) => busy,
  lives: ({ row }) => row.incarnation,
  state: (actor, nowMillis) => healthOrder[healthOf(actor, nowMillis)]
}

export type Matches = (actor: Actor) => boolean

/**
 * All words have to fit. A word fits a part of a path or kind, or is one of `is:down`, `is:crashed`, `is:restarted`,
 * `is:queued`, `is:busy`, `is:suspended`, `kind:…`.
 */
export const matcher = (search: string, nowMillis: number): Matches | undefined => {
  const words = search.toLowerCase().split(/\s+/).filter(Boolean)
  if (words.length === 0) return undefined
  const tests = words.map((word) => wordTest(word, nowMillis))
  return (actor) => tests.every((test) => test(actor))
}

const wordTest = (word: string, nowMillis: number): Matches => {
  const [, key, value = ""] = /^(is|kind):(.*)$/.exec(word) ?? []
  if (key === "kind") return ({ row }) => row.kind.toLowerCase().includes(value)
  if (key === "is") {
    switch (value) {
      case "down":
        return (actor) => healthOf(actor, nowMillis) === "down"
      case "suspended":
        return ({ row }) => row.status === "suspended"
      case "crashed":
        return ({ row }) => row.lastCrash !== ""
      case "restarted":
        return (actor) => healthOf(actor, nowMillis) === "restarted"
      case "queued":
        return ({ row }) => row.mailbox > 0
      case "busy":
        return ({ busy }) => busy > 0.01
    }
  }
  return ({ path, row }) => path.toLowerCase().includes(word) || row.kind.toLowerCase().includes(word)
}
