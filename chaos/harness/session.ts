/**
 * Plays scenarios one after the other and makes a report of each: what `run`, `replay`, `shrink` and `soak` have in
 * common.
 */
import { join } from "node:path"
import { Effect } from "effect"
import { type Cannot, describeTimed, type Timed } from "#chaos/faults/schedule.ts"
import type { WorldKind } from "#chaos/lab/world.ts"
import type { Scenario } from "#chaos/scenarios/scenario.ts"
import { runText } from "./outcomes.ts"
import { expectedMillis } from "./progress-view.ts"
import {
  openFolder,
  type ReportUnwritable,
  removeFolder,
  replayCommand,
  reportsKept,
  retainNewest,
  writeReport
} from "./report/report-folder.ts"
import { fileNames, type Machine, type Result, resultOf } from "./report/result.ts"
import type { Run, RunOptions } from "./run.ts"
import type { Screen } from "./screen.ts"
import { type Budget, failedChecks, type Shrunk, shrinkRun } from "./shrink-run.ts"

/** What there is to play, and how it is played. */
export interface Lab {
  readonly scenarios: ReadonlyArray<Scenario>
  readonly cannot: Readonly<Record<WorldKind, Cannot>>
  readonly play: (scenario: Scenario, world: WorldKind, options: RunOptions) => Effect.Effect<Run>
}

export interface Session {
  readonly lab: Lab
  readonly screen: Screen
  readonly machine: Machine
  /** Where reports are put. */
  readonly root: string
}

export interface Order {
  readonly scenario: Scenario
  readonly world: WorldKind
  readonly seed: number
  readonly nodes: number | undefined
  readonly forMillis: number | undefined
  readonly playBack: ReadonlyArray<Timed> | undefined
  /** The report that this one repeats or shortens. */
  readonly from: string | undefined
}

export interface Played {
  readonly run: Run
  readonly result: Result
  /** Undefined: it is not kept. */
  readonly folder: string | undefined
}

/** A simulation leaves the process no time for anything else: signals are heard between two of them. */
const breath = Effect.sleep(1)

const playOrder = (session: Session, order: Order, folder: string | undefined): Effect.Effect<Run> => {
  const { lab, screen } = session
  const options: RunOptions = {
    seed: order.seed,
    nodes: order.nodes,
    forMillis: order.forMillis,
    playBack: order.playBack,
    folder: folder === undefined ? undefined : join(folder, fileNames.nodes),
    nowMillis: () => performance.now(),
    wallMillis: () => Date.now(),
    onProgress: screen.progress,
    onNote: (line) => screen.say(`           ${line}`)
  }
  const startedMillis = Date.now()
  return breath.pipe(
    Effect.andThen(lab.play(order.scenario, order.world, options)),
    // One run that cannot go on says nothing about the next.
    Effect.catchAllDefect((defect) => Effect.succeed(brokenRun(order, options, startedMillis, defect)))
  )
}

const brokenRun = (
  { scenario, world }: Order,
  options: RunOptions,
  startedMillis: number,
  defect: unknown
): Run => ({
  scenario,
  world,
  options,
  outcome: "failed",
  reason: `the run itself ended with ${defect instanceof Error ? (defect.stack ?? defect.message) : String(defect)}`,
  startedMillis,
  finishedMillis: Date.now(),
  facts: {},
  actions: [],
  findings: [],
  evidence: undefined
})

const titleOf = ({ scenario, seed, world }: Order): string => `${scenario.name} in ${world}, seed ${seed}`

/** With a report of its own, if it is worth its place. */
export const playReported = (
  session: Session,
  order: Order,
  isKept: (run: Run) => boolean = () => true
): Effect.Effect<Played, ReportUnwritable> =>
  Effect.gen(function* () {
    const { machine, root, screen } = session
    const { from, scenario, seed, world } = order
    const folder = yield* openFolder(root, `${scenario.name}-${world}-${seed}`, Date.now())
    screen.begin(titleOf(order), expectedMillis(scenario, order.forMillis))
    const run = yield* playOrder(session, order, folder)
    screen.end()
    if (!isKept(run)) {
      yield* removeFolder(folder)
      return { run, result: resultOf(run, machine, from), folder: undefined }
    }
    const result = yield* writeReport(folder, run, machine, from)
    yield* retainNewest(root, Date.now())
    return { run, result, folder }
  })

/** For people, below what each check says. */
export const sayPlayed = ({ screen }: Session, { folder, run }: Played): void => {
  for (const line of runText(run)) screen.say(line)
  if (folder === undefined) return
  screen.say(`  report  ${join(folder, fileNames.page)} (the newest ${reportsKept} are kept)`)
  if (run.outcome === "failed") screen.say(`  replay  ${replayCommand(folder)}`)
}

/** In the simulator only: elsewhere a run costs too much, and the same schedule need not fail again. */
export const shortened = (
  session: Session,
  order: Order,
  failed: Pick<Run, "actions" | "findings">,
  budget: Budget
): Effect.Effect<Shrunk> =>
  Effect.gen(function* () {
    const { screen } = session
    const quiet: Session = { ...session, screen: screen.muted }
    return yield* shrinkRun({
      actions: failed.actions,
      failed: failedChecks(failed),
      play: (playBack) => playOrder(quiet, { ...order, playBack }, undefined),
      budget,
      nowMillis: () => performance.now(),
      say: screen.passing
    })
  })

/** The shortest schedule as a report of its own, and in words. */
export const reportShortened = (
  session: Session,
  order: Order,
  shrunk: Shrunk,
  whole: number
): Effect.Effect<Played | undefined, ReportUnwritable> =>
  Effect.gen(function* () {
    const { machine, root, screen } = session
    const { run, runs } = shrunk
    screen.end()
    if (run === undefined) {
      screen.say(
        `  played back, its ${whole} actions do not fail again; try other seeds, or read the history of this one`
      )
      return undefined
    }
    const name = `${order.scenario.name}-${order.world}-${order.seed}-shortest`
    const folder = yield* openFolder(root, name, Date.now())
    const result = yield* writeReport(folder, run, machine, order.from)
    yield* retainNewest(root, Date.now())
    const { actions } = run
    const bound = shrunk.isCutShort ? "; the budget ended there, so a shorter one may exist" : ""
    const left =
      actions.length === 0
        ? "  it fails without any fault"
        : `  the shortest schedule that fails, ${actions.length} of ${whole} actions`
    screen.say(`${left} (${runs} runs${bound}):`)
    for (const timed of actions) screen.say(`  ${describeTimed(timed)}`)
    screen.say(`  replay  ${replayCommand(folder)}`)
    return { run, result, folder }
  })
