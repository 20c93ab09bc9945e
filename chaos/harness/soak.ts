/**
 * Scenarios and seeds in turn until the time is over. What fails is kept and shown, and the others go on; what passes
 * leaves a line.
 *
 *   work/chaos/<date>-soak-<world>-<seed>/    result.json, report.html, runs.jsonl
 *     runs/<date>-<scenario>-<world>-<seed>/  reports of the newest that failed
 */
import { appendFileSync, writeFileSync } from "node:fs"
import { join } from "node:path"
import { Effect } from "effect"
import type { WorldKind } from "#chaos/lab/world.ts"
import type { Scenario } from "#chaos/scenarios/scenario.ts"
import { exitCode } from "./outcomes.ts"
import { html, Markup } from "./report/markup.ts"
import { style } from "./report/page-style.ts"
import { finish, openFolder, type ReportUnwritable, retainNewest } from "./report/report-folder.ts"
import { fileNames, isoTime, type Machine, type Result } from "./report/result.ts"
import type { Outcome, Run } from "./run.ts"
import { type Order, playReported, reportShortened, type Session, sayPlayed, shortened } from "./session.ts"
import type { Budget } from "./shrink-run.ts"
import { counted, emptyTally, type Tally, tallyTable } from "./soak-table.ts"

export interface SoakOptions {
  readonly scenarios: ReadonlyArray<Scenario>
  readonly world: WorldKind
  readonly firstSeed: number
  readonly forMillis: number
  readonly nodes: number | undefined
  /** How many at once. */
  readonly jobs: number
  readonly shrinking: Budget
}

/** About 100 bytes each. */
const linesMax = 1_000_000

export interface Soaked {
  readonly folder: string
  readonly result: Result
  readonly outcomes: ReadonlyArray<Outcome>
}

export const soak = (session: Session, options: SoakOptions): Effect.Effect<Soaked, ReportUnwritable> =>
  Effect.gen(function* () {
    const { root, screen } = session
    const { firstSeed, world } = options
    const startedMillis = Date.now()
    const folder = yield* openFolder(root, `soak-${world}-${firstSeed}`, startedMillis)
    const soaking = new Soaking(options)
    const summarize = Effect.suspend(() => {
      screen.end()
      for (const line of tallyTable(soaking.tallies)) screen.say(line)
      screen.say(`  report  ${join(folder, fileNames.page)}`)
      const result = soakResult(soaking, options, session.machine, startedMillis)
      writeFileSync(join(folder, fileNames.page), soakPage(soaking, result))
      finish(folder, result)
      return Effect.as(retainNewest(root, Date.now()), {
        folder,
        result,
        outcomes: [...soaking.outcomes]
      })
    })
    const playing = playAll(session, options, soaking, folder)
    // Whoever stops it early gets what there is.
    yield* Effect.onInterrupt(playing, () =>
      Effect.catchTag(summarize, "ReportUnwritable", ({ message }) => Effect.sync(() => screen.say(message)))
    )
    return yield* summarize
  })

class Soaking {
  readonly #tallies: Map<string, Tally>
  readonly outcomes = new Set<Outcome>()
  /** Folders of those that failed. */
  readonly kept: Array<string> = []
  runs = 0

  constructor({ scenarios }: SoakOptions) {
    this.#tallies = new Map(scenarios.map(({ name }) => [name, emptyTally(name)]))
  }

  get tallies(): ReadonlyArray<Tally> {
    return [...this.#tallies.values()]
  }

  tallyOf(scenario: string): Tally {
    return this.#tallies.get(scenario) ?? emptyTally(scenario)
  }

  /** All scenarios with one seed, then with the next; without those that the world cannot play. */
  *turns({ firstSeed, scenarios }: SoakOptions) {
    for (let seed = firstSeed; ; seed++) {
      const possible = scenarios.filter(({ name }) => this.tallyOf(name).skipped === 0)
      if (possible.length === 0) return
      for (const scenario of possible) {
        if (this.outcomes.has("blocked")) return
        yield { scenario, seed }
      }
    }
  }

  count(run: Run): void {
    this.runs++
    this.outcomes.add(run.outcome)
    this.#tallies.set(run.scenario.name, counted(this.tallyOf(run.scenario.name), run))
  }
}

const playAll = (session: Session, options: SoakOptions, soaking: Soaking, folder: string) => {
  const { screen } = session
  const inside: Session = { ...session, root: join(folder, "runs"), screen: screen.muted }
  const untilMillis = performance.now() + options.forMillis
  const turns = soaking.turns(options)
  const playOne = (scenario: Scenario, seed: number) =>
    Effect.gen(function* () {
      const order = orderIn(options, scenario, seed)
      const isFirst = soaking.tallyOf(scenario.name).failedSeeds.length === 0
      const played = yield* playReported(inside, order, ({ outcome }) => outcome === "failed")
      const { run } = played
      soaking.count(run)
      screen.passing(
        `${soaking.runs} runs, ${soaking.kept.length} failed, ${minutes(untilMillis - performance.now())} left`
      )
      if (soaking.runs <= linesMax)
        appendFileSync(join(folder, "runs.jsonl"), `${JSON.stringify(lineOf(run))}\n`)
      if (run.outcome === "blocked") screen.say(`${scenario.name}: ${run.reason}`)
      if (run.outcome === "skipped") screen.say(`${scenario.name} is skipped: ${run.reason}`)
      if (run.outcome !== "failed") return
      if (played.folder !== undefined) soaking.kept.push(played.folder)
      sayPlayed(session, played)
      if (isFirst && options.world === "sim" && options.shrinking.millisMax > 0) {
        const from = { ...order, from: played.folder }
        const shrunk = yield* shortened(session, from, run, options.shrinking)
        yield* reportShortened({ ...session, root: inside.root }, from, shrunk, run.actions.length)
      }
    })
  const playOn: Effect.Effect<void, ReportUnwritable> = Effect.suspend(() => {
    if (performance.now() >= untilMillis) return Effect.void
    const { done, value } = turns.next()
    return done === true
      ? Effect.void
      : Effect.zipRight(
          playOne(value.scenario, value.seed),
          Effect.suspend(() => playOn)
        )
  })
  return Effect.all(
    Array.from({ length: options.jobs }, () => playOn),
    { concurrency: "unbounded", discard: true }
  )
}

const orderIn = ({ nodes, world }: SoakOptions, scenario: Scenario, seed: number): Order => ({
  scenario,
  world,
  seed,
  nodes,
  forMillis: undefined,
  playBack: undefined,
  from: undefined
})

const lineOf = ({ finishedMillis, options, outcome, reason, scenario, startedMillis }: Run) => ({
  scenario: scenario.name,
  seed: options.seed,
  outcome,
  millis: finishedMillis - startedMillis,
  ...(reason !== undefined && { reason })
})

const minutes = (millis: number): string => `${Math.max(0, millis / 60_000).toFixed(1)} min`

const keptMax = 20

const soakResult = (
  { kept, outcomes, tallies }: Soaking,
  { firstSeed, world }: SoakOptions,
  machine: Machine,
  startedMillis: number
): Result => {
  const sum = (count: (tally: Tally) => number) => tallies.reduce((all, one) => all + count(one), 0)
  const success = exitCode(outcomes) === 0
  const state = success ? "passed" : outcomes.has("failed") ? "failed" : blockedOrSkipped(outcomes)
  return {
    lane: "chaos/soak",
    success,
    state,
    ...(success
      ? {}
      : {
          reason: reasonOf(
            state,
            sum(({ failed, unknown }) => failed + unknown)
          )
        }),
    started_at: isoTime(startedMillis),
    finished_at: isoTime(Date.now()),
    git: machine.git,
    seed: firstSeed,
    environment: { cpu: machine.cpu, kvm: machine.kvm, accel: "see its runs", node: machine.node },
    steps: tallies.map(({ passed, runs, scenario }) => ({
      name: scenario,
      ok: runs > 0 && passed === runs,
      evidence: kept.filter((path) => path.includes(`-${scenario}-${world}-`)).slice(-keptMax)
    })),
    metrics: {
      real_ms: Date.now() - startedMillis,
      runs: sum(({ runs }) => runs),
      passed: sum(({ passed }) => passed),
      failed: sum(({ failed }) => failed),
      unknown: sum(({ unknown }) => unknown),
      skipped: sum(({ skipped }) => skipped),
      operations: sum(({ operations }) => operations)
    },
    scope: [`the world is "${world}"`, ...tallies.map(({ runs, scenario }) => `${scenario}: ${runs} seeds`)],
    plan: null
  }
}

const blockedOrSkipped = (outcomes: ReadonlySet<Outcome>): Outcome =>
  outcomes.has("blocked") ? "blocked" : "skipped"

const reasonOf = (state: Outcome, failed: number): string => {
  switch (state) {
    case "failed":
      return `${failed} runs failed or could not be decided`
    case "blocked":
      return "this machine lacks something that the world needs"
    default:
      return "nothing was played"
  }
}

const soakPage = ({ kept, tallies }: Soaking, { reason, state }: Result): string =>
  html`<!doctype html>
<html lang="en"><head><meta charset="utf-8"><title>soak: ${state}</title>
<meta http-equiv="Content-Security-Policy" content="default-src 'none'; style-src 'unsafe-inline'">
<style>${new Markup(style)}</style></head><body><main>
<header><h1>soak</h1><span class="badge ${state}">${state}</span></header><p class="reason">${reason ?? ""}</p>
<div class="card"><pre>${tallyTable(tallies).join("\n")}</pre></div>
<h2>The newest that failed</h2><div class="card"><pre>${kept.slice(-keptMax).join("\n") || "none"}</pre></div>
</main></body></html>
`.text
