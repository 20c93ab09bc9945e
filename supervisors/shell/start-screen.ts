/**
 * What somebody sees who has just started a node: how to reach it, then its tree and what happened last, in as
 * many lines as the terminal has. Pure, so that a test can hold the picture.
 */
import { basename, relative } from "node:path"

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
  `UltraCloud: ${what}. Ctrl-C stops it in order. Meanwhile, in another terminal or a browser:`,
  `  etcd      etcdctl --endpoints ${etcd.join()} put greeting hello`,
  `  shell     ${command} shell`,
  `  console   ${console ?? "is not open yet"}, log in with the token in ${tokenFile}`
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

interface Picture {
  readonly head: ReadonlyArray<string>
  readonly tree: ReadonlyArray<string>
  /** What happened last comes last. */
  readonly events: ReadonlyArray<string>
}

const eventsAtLeast = 4

/** Where the tree has no room its end is left out, and says so: what happens is what somebody watches for. */
export const screenLines = ({ events, head, tree }: Picture, rows: number): ReadonlyArray<string> => {
  const room = rows - head.length - 2
  const shown = events.slice(-Math.max(eventsAtLeast, room - tree.length))
  const treeRows = Math.max(2, room - shown.length)
  const drawn =
    tree.length <= treeRows
      ? tree
      : [
          ...tree.slice(0, treeRows - 1),
          `… and ${tree.length - treeRows + 1} more: the console and the shell show them`
        ]
  return [...head, "", ...drawn, "", ...shown].slice(0, rows)
}
