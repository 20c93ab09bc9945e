/**
 * Shows a running system on this terminal: the tree redrawn in place on a TTY, events as plain lines
 * where the output goes to a file or a pipe. Whoever started it by hand is also told how to reach it.
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
import { type Entrances, nextSteps, pruned, screenLines, sizeOf } from "./start-screen.ts"
import { drawTree, type View } from "./tree-view.ts"

const redrawMillis = 500
const eventsShown = 8
const readyWithin = "30 seconds"
/** After the rest is ready. The console is not needed for it: its port may be taken for good. */
const consoleWithin = "2 seconds"

/** How to reach a node, but for what is known only once it runs. */
export type Known = Omit<Entrances, "what" | "console">

/** What is shown below a drawing; others may add to it, and it is cut as it is drawn. */
export interface Recent {
  readonly lines: Array<string>
}

export interface Watched {
  readonly known: Known
  readonly recent: Recent
  /** Until the node is ready, as its `/readyz` has it. */
  readonly ready: Effect.Effect<void>
}

/** For somebody who has started the node by hand: it is said what can be done now. */
export const watchTree = (system: ActorSystem<never>, watched: Watched) =>
  process.stdout.isTTY === true ? redraw(system, watched) : printTree(system, watched)

const redraw = (system: ActorSystem<never>, { known, ready, recent: { lines: recent } }: Watched) =>
  Effect.gen(function* () {
    yield* eventsOf(system, (line) => recent.push(line))
    process.stdout.write("\u001b[?25l")
    // The last drawing may be half a second old: what was stopped since then comes below it.
    yield* Effect.addFinalizer(() =>
      Effect.sync(() => process.stdout.write(`\u001b[?25h\n${recent.slice(-eventsShown).join("\n")}\n`))
    )
    let state = "is starting"
    yield* Effect.forkScoped(
      Effect.map(ready, () => {
        state = "is ready"
      })
    )
    let before: View | undefined
    const draw = Effect.gen(function* () {
      const now = yield* look(system)
      const { columns, rows } = sizeOf(process.stdout)
      const then = before
      before = now
      recent.splice(0, Math.max(0, recent.length - eventsShown))
      const tree = (room: number): ReadonlyArray<string> => {
        const { left, tree } = pruned(now.tree, room - 2)
        const drawn = drawTree({ ...now, tree }, then, { colour: true, columns })
        return left === 0 ? drawn : [...drawn, `… and ${left} more below these`]
      }
      const what = `${system.name} ${state}`
      const console = consoleOf(system)
      const head = nextSteps({ ...known, what, console })
      const shown = screenLines(
        {
          head: [...head, ...processesOf(now.tree, system)].map((line) => line.slice(0, columns)),
          tree,
          events: recent.map((line) => line.slice(0, columns))
        },
        rows - 1
      )
      process.stdout.write(`\u001b[H\u001b[2J${shown.join("\n")}\n`)
    })
    yield* Effect.repeat(draw, Schedule.spaced(redrawMillis))
  })

/** The tree twice, a second apart, so that it has rates; from then on only what happens. */
const printTree = (system: ActorSystem<never>, watched: Watched) =>
  Effect.gen(function* () {
    yield* sayWhenReady(system, watched)
    const before = yield* look(system)
    yield* Effect.sleep("1 second")
    const now = yield* look(system)
    for (const line of drawTree(now, before, { colour: false, columns: 160 })) print(line)
    for (const line of processesOf(now.tree, system)) print(line)
    yield* eventsOf(system, print)
    yield* Effect.never
  })

const sayWhenReady = (system: ActorSystem<never>, { known, ready }: Watched) =>
  Effect.gen(function* () {
    const waited = yield* Effect.timeoutOption(ready, readyWithin)
    const what = `${system.name} ${Option.isSome(waited) ? "is ready" : "is starting still"}`
    const opened = yield* Effect.timeoutOption(consoleOpen(system), consoleWithin)
    for (const line of nextSteps({ ...known, what, console: Option.getOrUndefined(opened) })) print(line)
    print("")
    if (Option.isSome(opened)) return
    yield* Effect.forkScoped(
      Effect.map(consoleOpen(system), (at) =>
        print(`UltraCloud: the console of ${system.name} is open: ${at}`)
      )
    )
  })

const consoleOpen = (system: ActorSystem<never>): Effect.Effect<string> =>
  Effect.sync(() => consoleOf(system)).pipe(
    Effect.repeat({ until: (at) => at !== undefined, schedule: Schedule.spaced("50 millis") }),
    Effect.map(() => consoleOf(system) ?? "")
  )

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
const consoleOf = (system: ActorSystem<never>): string | undefined => {
  const inspected = system.inspect(consolePath(system.name))
  const open = "state" in inspected ? openConsole(inspected.state) : Option.none()
  return Option.match(open, { onNone: () => undefined, onSome: ({ address }) => address })
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
