/**
 * A live tree as lines of text: one actor a line, what an operator looks for first in the first columns.
 *
 * Rates come from two snapshots and the time between them; pure, so that a test can hold the picture.
 */
import type { ActorSnapshot } from "#protocols/runtime.ts"

export interface View {
  readonly tree: ActorSnapshot
  readonly atMillis: number
}

export interface Style {
  readonly colour: boolean
  readonly columns: number
}

const nameColumns = 34
const kindColumns = 16

export const drawTree = (now: View, before: View | undefined, style: Style): ReadonlyArray<string> => {
  const handledBefore = new Map(
    before === undefined ? [] : flatten(before.tree).map((actor) => [actor.path, actor])
  )
  const seconds = before === undefined ? 0 : (now.atMillis - before.atMillis) / 1_000
  const header = `${"actor".padEnd(nameColumns)}${"kind".padEnd(kindColumns)}state     life  queued   msgs/s  busy  last crash`
  const lines = rows(now.tree, "", "").map(({ actor, label }) => {
    const old = handledBefore.get(actor.path)
    const rate = old === undefined || seconds === 0 ? 0 : Math.max(0, actor.handled - old.handled) / seconds
    const busy =
      old === undefined || seconds === 0
        ? 0
        : Math.min(1, Math.max(0, actor.handlerMillis - old.handlerMillis) / (seconds * 1_000))
    const columns = [
      label.padEnd(nameColumns).slice(0, nameColumns),
      actor.kind.padEnd(kindColumns).slice(0, kindColumns),
      actor.status.padEnd(9),
      String(actor.incarnation).padStart(5),
      String(actor.mailbox).padStart(8),
      Math.round(rate).toLocaleString("en").padStart(9),
      `${Math.round(busy * 100)}%`.padStart(6),
      `  ${actor.lastCrash}`
    ]
    const line = columns.join("").slice(0, style.columns).trimEnd()
    return style.colour ? paint(line, actor, old) : line
  })
  return [style.colour ? `\u001b[2m${header.slice(0, style.columns)}\u001b[0m` : header, ...lines]
}

/** Red while it is down, yellow when it was restarted since the last look. */
const paint = (line: string, actor: ActorSnapshot, old: ActorSnapshot | undefined): string => {
  if (actor.status !== "running") return `\u001b[31m${line}\u001b[0m`
  return old !== undefined && old.incarnation !== actor.incarnation ? `\u001b[33m${line}\u001b[0m` : line
}

interface Row {
  readonly actor: ActorSnapshot
  readonly label: string
}

const rows = (actor: ActorSnapshot, lead: string, below: string): ReadonlyArray<Row> => [
  { actor, label: `${lead}${actor.name}` },
  ...actor.children.flatMap((child, index) => {
    const last = index === actor.children.length - 1
    return rows(child, `${below}${last ? "└─ " : "├─ "}`, `${below}${last ? "   " : "│  "}`)
  })
]

const flatten = (actor: ActorSnapshot): ReadonlyArray<ActorSnapshot> => [
  actor,
  ...actor.children.flatMap(flatten)
]
