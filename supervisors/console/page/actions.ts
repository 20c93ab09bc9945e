/**
 * What an operator can do to an actor, in which words it is asked for, and what it sends. The same messages as a
 * shell sends; what is not permitted is refused by the node, whatever the page offers.
 */
import type { App } from "./app.ts"
import type { Actor } from "./cluster-model.ts"
import { confirm, type Question } from "./dialog.ts"
import type { AskAnswer } from "./wire.ts"

export interface Action {
  readonly name: string
  readonly icon: string
  readonly isDangerous: boolean
  readonly run: (app: App) => Promise<void>
}

/** What a parent says about its children only if it is a supervisor. */
const restarts = new Set(["permanent", "transient", "temporary"])
const strategies = new Set(["one-for-one", "one-for-all", "rest-for-one", "dynamic"])

export const isSupervised = ({ parent, row }: Actor): boolean =>
  parent !== undefined && (restarts.has(row.role) || strategies.has(parent.row.kind))

export const actionsOf = (actor: Actor): ReadonlyArray<Action> => {
  const { status } = actor.row
  const isRunning = status === "running" || status === "starting" || status === "suspended"
  const supervised = isSupervised(actor)
  return [
    ...(supervised && isRunning ? [restart(actor), stop(actor)] : []),
    ...(supervised && !isRunning ? [start(actor)] : []),
    ...(status === "running" ? [suspend(actor)] : []),
    ...(status === "suspended" ? [resume(actor)] : []),
    ...(isRunning ? [crash(actor)] : [])
  ]
}

const parentPath = ({ parent }: Actor): string => parent?.path ?? ""

const asked = async (
  app: App,
  question: Question,
  act: (reason: string) => Promise<AskAnswer>,
  done: string
) => {
  const reason = await confirm(question)
  if (reason === undefined) return
  report(app, await act(reason), done)
}

export const report = (app: App, answer: AskAnswer, done: string): void => {
  if (answer.outcome === "reply") app.say(done, "good")
  else app.say(answer.fault.message, "bad")
}

const many = (count: number, what: string): string => (count === 1 ? `1 ${what}` : `${count} ${what}s`)

/** Everything in its subtree but itself. */
const withBelow = ({ total }: Actor): string => (total > 1 ? ` and ${many(total - 1, "actor")} below it` : "")

const restart = (actor: Actor): Action => ({
  name: "Restart",
  icon: "restart",
  isDangerous: false,
  run: (app) =>
    asked(
      app,
      {
        title: `Restart ${actor.name}?`,
        says: [
          `${actor.path}${withBelow(actor)} will stop in order, then start again.`,
          "What waits in its mailbox is lost; who asks meanwhile is told to ask again.",
          "Its siblings go on. This does not count as a crash."
        ],
        action: "Restart"
      },
      async () => {
        const path = parentPath(actor)
        const stopped = await app.ask(path, { _tag: "TerminateChild", name: actor.name }, 30_000)
        if (stopped.outcome === "failed") return stopped
        return app.ask(path, { _tag: "RestartChild", name: actor.name }, 30_000)
      },
      `${actor.name} was restarted`
    )
})

const stop = (actor: Actor): Action => ({
  name: "Stop",
  icon: "stop",
  isDangerous: true,
  run: (app) =>
    asked(
      app,
      {
        title: `Stop ${actor.name}?`,
        says: [
          `${actor.path}${withBelow(actor)} will stop in order and stay down until somebody starts it.`,
          actor.row.role === "temporary" || actor.parent?.row.kind === "dynamic"
            ? "It is gone then: it has no place to come back to."
            : "It keeps its place: Start brings it back.",
          "Who needs it fails meanwhile."
        ],
        action: "Stop",
        isDangerous: true
      },
      () => app.ask(parentPath(actor), { _tag: "TerminateChild", name: actor.name }, 30_000),
      `${actor.name} was stopped`
    )
})

const start = (actor: Actor): Action => ({
  name: "Start",
  icon: "play",
  isDangerous: false,
  run: async (app) =>
    report(
      app,
      await app.ask(parentPath(actor), { _tag: "RestartChild", name: actor.name }, 30_000),
      `${actor.name} was started`
    )
})

const suspendMillis = 60_000

const introspection = ({ node }: Actor): string => `/${node}/cluster/introspection`

const suspend = (actor: Actor): Action => ({
  name: "Suspend",
  icon: "hold",
  isDangerous: false,
  run: (app) =>
    asked(
      app,
      {
        title: `Suspend ${actor.name}?`,
        says: [
          `${actor.path} handles no message until somebody resumes it, at most for a minute.`,
          "What comes meanwhile waits in its mailbox; asks may run into their deadlines.",
          "It can be stopped, and may crash; its next life is not suspended."
        ],
        action: "Suspend",
        reason: "to look at it, from the console"
      },
      (reason) =>
        app.ask(introspection(actor), {
          _tag: "SuspendActor",
          path: actor.path,
          by: app.hello.actorId,
          reason,
          forMillis: suspendMillis
        }),
      `${actor.name} is suspended, at most for a minute`
    )
})

const resume = (actor: Actor): Action => ({
  name: "Resume",
  icon: "play",
  isDangerous: false,
  run: async (app) =>
    report(
      app,
      await app.ask(introspection(actor), {
        _tag: "ResumeActor",
        path: actor.path,
        by: app.hello.actorId,
        reason: "by hand, from the console"
      }),
      `${actor.name} goes on`
    )
})

const crash = (actor: Actor): Action => ({
  name: "Crash",
  icon: "crash",
  isDangerous: true,
  run: (app) =>
    asked(
      app,
      {
        title: `Have ${actor.name} crash?`,
        says: [
          `${actor.path}${withBelow(actor)} will end as if its handler had thrown. This is a drill.`,
          consequence(actor),
          "The node publishes that you ordered it."
        ],
        action: "Crash it",
        isDangerous: true,
        reason: "a drill from the console"
      },
      (reason) =>
        app.ask(introspection(actor), {
          _tag: "InjectCrash",
          path: actor.path,
          by: app.hello.actorId,
          reason
        }),
      `${actor.name} was crashed`
    )
})

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
