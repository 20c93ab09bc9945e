/** What an operator can do to an actor as it is now, and what becomes of those around it. */
import { perform } from "./action-dialog.ts"
import { type ActionName, actionTable } from "./action-table.ts"
import type { App } from "./app.ts"
import type { Actor } from "./cluster-model.ts"

/** What a parent says about its children only if it is a supervisor. */
const restarts = new Set(["permanent", "transient", "temporary"])
const strategies = new Set(["one-for-one", "one-for-all", "rest-for-one", "dynamic"])

export const isSupervised = ({ parent, row }: Actor): boolean =>
  parent !== undefined && (restarts.has(row.role) || strategies.has(parent.row.kind))

export const actionsOf = (actor: Actor): ReadonlyArray<ActorAction> => {
  const { status } = actor.row
  const isRunning = status === "running" || status === "starting" || status === "suspended"
  const supervised = isSupervised(actor)
  return [
    ...(supervised && isRunning ? (["restart", "stop"] as const) : []),
    ...(supervised && !isRunning ? (["start"] as const) : []),
    ...(status === "running" ? (["suspend"] as const) : []),
    ...(status === "suspended" ? (["resume"] as const) : []),
    ...(isRunning ? (["kill"] as const) : [])
  ]
}

export type ActorAction = Extract<ActionName, "restart" | "stop" | "start" | "suspend" | "resume" | "kill">

export const act = (app: App, actor: Actor, name: ActorAction): Promise<boolean> =>
  perform(app, { name, fields: { path: actor.path }, notes: notesOn(actor, name) })

const many = (count: number, what: string): string => (count === 1 ? `1 ${what}` : `${count} ${what}s`)

/** What only who sees the whole tree can say. */
const notesOn = (actor: Actor, name: ActorAction): ReadonlyArray<string> => {
  const { parent, row, total } = actor
  const below = total > 1 ? [`There are ${many(total - 1, "actor")} below it.`] : []
  switch (name) {
    case "restart":
      return [...below, "Its siblings go on. This does not count as a crash."]
    case "stop":
      return [
        ...below,
        row.role === "temporary" || parent?.row.kind === "dynamic"
          ? "It is gone then: it has no place to come back to."
          : `It keeps its place: ${actionTable.start.label} brings it back.`
      ]
    case "suspend":
      return ["It can be stopped, and may crash; its next life is not suspended."]
    case "kill":
      return [...below, consequence(actor)]
    case "start":
    case "resume":
      return []
  }
}

/** What its supervisor makes of it. */
export const consequence = (actor: Actor): string => {
  const { name, parent, row } = actor
  if (parent === undefined) return "It is the root of its node: the whole node ends."
  if (row.role === "temporary") return "It is temporary: nobody starts it again."
  const others = parent.children.filter((child) => child !== actor).map((child) => child.name)
  const after = parent.children.slice(parent.children.indexOf(actor) + 1).map((child) => child.name)
  switch (parent.row.kind) {
    case "one-for-all":
      return others.length === 0
        ? `${parent.name} starts it again.`
        : `${parent.name} starts it again, and with it ${named(others)}: they stand or fall together.`
    case "rest-for-one":
      return after.length === 0
        ? `${parent.name} starts it again; nothing was built on top of it.`
        : `${parent.name} starts it again, and with it ${named(after)}, which depend on it.`
    case "one-for-one":
    case "dynamic":
      return `${parent.name} starts it again. Its siblings go on.`
    default:
      return `${name} has no supervisor: what becomes of it is up to ${parent.name}.`
  }
}

const named = (names: ReadonlyArray<string>): string =>
  names.length <= 4 ? names.join(", ") : `${names.slice(0, 3).join(", ")} and ${names.length - 3} more`
