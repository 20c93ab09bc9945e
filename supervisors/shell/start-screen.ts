/**
 * What somebody sees who has just started a node: how to reach it, then its tree and what happened last, in as
 * many lines as the terminal has. Pure, so that a test can hold the picture.
 */
import { basename, relative } from "node:path"
import type { ActorSnapshot } from "#protocols/runtime.ts"

/** What leads into what was started. */
export interface Entrances {
  /** What was started: a node, or several. */
  readonly what: string
  readonly etcd: ReadonlyArray<string>
  /** Nothing while it is not open. */
  readonly console: string | undefined
  /** Who has it is the operator. */
  readonly tokenFile: string
  /** How whoever started this calls this program. */
  readonly command: string
}

export const nextSteps = ({
  command,
  console,
  etcd,
  tokenFile,
  what
}: Entrances): readonly [string, ...ReadonlyArray<string>] => [
  `UltraCloud: ${what}, Ctrl-C stops it. In another terminal or a browser:`,
  `  etcd      etcdctl --endpoints ${etcd.join()} put greeting hello`,
  `  shell     ${command} shell`,
  `  console   ${console ?? "not open, its log says why if it stays so"}, log in with the token in ${tokenFile}`
]

/** As it was started itself: by npm, by its name, or as a file. */
export const commandOf = (
  argv: ReadonlyArray<string>,
  lifecycleEvent: string | undefined,
  folder: string
): string => {
  if (lifecycleEvent === "start") return "npm start --"
  const [, path = "ultracloud"] = argv
  return /\.[cm]?[jt]s$/.test(path) ? `node ${relative(folder, path)}` : basename(path)
}

export interface Size {
  readonly columns: number
  readonly rows: number
}

/** A terminal that nobody has told its size, as in some containers, says 0. */
export const sizeOf = ({ columns = 0, rows = 0 }: Partial<Size>): Size => ({
  columns: columns > 0 ? columns : 120,
  rows: rows > 0 ? rows : 40
})

interface Picture {
  readonly head: ReadonlyArray<string>
  /** At most so many lines. */
  readonly tree: (room: number) => ReadonlyArray<string>
  /** What happened last comes last. */
  readonly events: ReadonlyArray<string>
}

const eventsAtLeast = 4

/** A tree without room gives way: what happens is what somebody watches for. */
export const screenLines = ({ events, head, tree }: Picture, rows: number): ReadonlyArray<string> => {
  const room = rows - head.length - 2
  const drawn = tree(Math.max(2, room - Math.min(eventsAtLeast, events.length)))
  const shown = events.slice(-Math.max(eventsAtLeast, room - drawn.length))
  return [...head, "", ...drawn, "", ...shown].slice(0, rows)
}

/** As many levels of a tree as there is room for, one at least, and how many actors that leaves out. */
export const pruned = (
  tree: ActorSnapshot,
  room: number
): { readonly tree: ActorSnapshot; readonly left: number } => {
  const all = sizeTo(tree, Number.POSITIVE_INFINITY)
  if (all <= room) return { tree, left: 0 }
  let levels = 1
  while (sizeTo(tree, levels + 1) <= room) levels++
  return { tree: levelsOf(tree, levels), left: all - sizeTo(tree, levels) }
}

const sizeTo = ({ children }: ActorSnapshot, levels: number): number =>
  levels === 0 ? 1 : children.reduce((sum, child) => sum + sizeTo(child, levels - 1), 1)

const levelsOf = (tree: ActorSnapshot, levels: number): ActorSnapshot => ({
  ...tree,
  children: levels === 0 ? [] : tree.children.map((child) => levelsOf(child, levels - 1))
})
