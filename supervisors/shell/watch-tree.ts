/**
 * Shows a running system on this terminal: the tree redrawn in place on a TTY, events as plain lines
 * where the output goes to a file or a pipe.
 */
import { Clock, DateTime, Effect, Option, Schedule, Schema } from "effect"
import type { Tagged } from "#actors/kernel/ask.ts"
import type { ActorSystem } from "#actors/kernel/system.ts"
import {
  ActorEnded,
  ActorFailed,
  ActorRestarted,
  type ActorSnapshot,
  SupervisorEscalated
} from "#protocols/runtime.ts"
import { consolePath } from "../console/console-tree.ts"
import { drawTree, type View } from "./tree-view.ts"

const redrawMillis = 500
const eventsShown = 8

/** What is shown below a drawing; others may add to it, and it is cut as it is drawn. */
export interface Recent {
  readonly lines: Array<string>
}

export const watchTree = (system: ActorSystem<never>, recent: Recent = { lines: [] }) =>
  process.stdout.isTTY === true ? redraw(system, recent.lines) : printLines(system)

const redraw = (system: ActorSystem<never>, recent: Array<string>) =>
  Effect.gen(function* () {
    yield* eventsOf(system, (line) => recent.push(line))
    process.stdout.write("\u001b[?25l")
    // The last drawing may be half a second old: what was stopped since then comes below it.
    yield* Effect.addFinalizer(() =>
      Effect.sync(() => process.stdout.write(`\u001b[?25h\n${recent.slice(-eventsShown).join("\n")}\n`))
    )
    let before: View | undefined
    const draw = Effect.gen(function* () {
      const now = yield* look(system)
      const { columns = 120, rows = 40 } = process.stdout
      const tree = drawTree(now, before, { colour: true, columns })
      before = now
      recent.splice(0, Math.max(0, recent.length - eventsShown))
      const lines = [
        `UltraCloud ${system.name}: ${system.actors} actors, ${system.deadLetters.total} dead letters.${consoleOf(system)} Ctrl-C stops it in order.`,
        ...processesOf(now.tree, system),
        "",
        ...tree,
        "",
        ...recent.map((line) => line.slice(0, columns))
      ].slice(0, rows - 1)
      process.stdout.write(`\u001b[H\u001b[2J${lines.join("\n")}\n`)
    })
    yield* Effect.repeat(draw, Schedule.spaced(redrawMillis))
  })

/** The tree twice, a second apart, so that it has rates; from then on only what happens. */
const printLines = (system: ActorSystem<never>) =>
  Effect.gen(function* () {
    const before = yield* look(system)
    yield* Effect.sleep("1 second")
    const now = yield* look(system)
    for (const line of drawTree(now, before, { colour: false, columns: 160 })) print(line)
    for (const line of processesOf(now.tree, system)) print(line)
    yield* eventsOf(system, print)
    yield* Effect.never
  })

const look = (system: ActorSystem<never>) =>
  Effect.zipWith(system.wholeTree(), Clock.currentTimeMillis, (tree, atMillis): View => ({ tree, atMillis }))

/** Which cells there are, so that somebody can kill one and see what happens. */
const processesOf = (actor: ActorSnapshot, system: ActorSystem<never>): ReadonlyArray<string> => {
  const inspected = actor.kind.startsWith("cell") ? system.inspect(actor.path) : undefined
  const cell = inspected !== undefined && "state" in inspected ? cellState(inspected.state) : Option.none()
  const own = Option.match(cell, {
    onNone: () => [],
    onSome: ({ pid }) => [`${actor.path} runs in process ${pid}: try kill -9 ${pid}`]
  })
  return [...own, ...actor.children.flatMap((child) => processesOf(child, system))]
}

/** Where a browser finds it, once its port is open. */
const consoleOf = (system: ActorSystem<never>): string => {
  const inspected = system.inspect(consolePath(system.name))
  const open = "state" in inspected ? openConsole(inspected.state) : Option.none()
  return Option.match(open, { onNone: () => "", onSome: ({ address }) => ` Console: ${address}.` })
}

const openConsole = Schema.decodeUnknownOption(Schema.Struct({ address: Schema.NonEmptyString }))

const cellState = Schema.decodeUnknownOption(
  Schema.Struct({ mode: Schema.Literal("forked"), pid: Schema.Int })
)

/** Crashes, restarts, escalations and stops, as they happen, each as one line. */
const eventsOf = (system: ActorSystem<never>, show: (line: string) => void) =>
  Effect.acquireRelease(
    Effect.sync(() =>
      system.events.subscribe(
        (event) => {
          const line = describe(event)
          if (line !== undefined) show(line)
        },
        ["ActorFailed", "ActorRestarted", "ActorEnded", "SupervisorEscalated"]
      )
    ),
    (unsubscribe) => Effect.sync(unsubscribe)
  )

const describe = (event: Tagged): string | undefined => {
  if (event instanceof ActorFailed) {
    return `${time(event.atMillis)} crashed    ${event.path}: ${event.cause.split("\n", 1)[0]}`
  }
  if (event instanceof ActorRestarted) {
    return `${time(event.atMillis)} restarted  ${event.path} (life ${event.incarnation}) by ${event.supervisor}`
  }
  if (event instanceof SupervisorEscalated) return `${time(event.atMillis)} gave up    ${event.reason}`
  if (event instanceof ActorEnded && event.reason === "shutdown") {
    return `${time(event.atMillis)} stopped    ${event.path}`
  }
  return undefined
}

const time = (atMillis: number): string => DateTime.formatIso(DateTime.unsafeMake(atMillis)).slice(11, 23)

const print = (line: string): void => {
  process.stdout.write(`${line}\n`)
}
