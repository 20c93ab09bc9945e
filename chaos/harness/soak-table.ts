/** What a soak came to, scenario by scenario. Pure. */
import { isUndecided } from "./outcomes.ts"
import type { Run } from "./run.ts"

export interface Tally {
  readonly scenario: string
  readonly runs: number
  readonly passed: number
  readonly failed: number
  /** No check failed, and one could not decide. */
  readonly unknown: number
  readonly skipped: number
  readonly operations: number
  /** The first ones. */
  readonly failedSeeds: ReadonlyArray<number>
}

const seedsMax = 10

export const emptyTally = (scenario: string): Tally => ({
  scenario,
  runs: 0,
  passed: 0,
  failed: 0,
  unknown: 0,
  skipped: 0,
  operations: 0,
  failedSeeds: []
})

export const counted = (tally: Tally, run: Run): Tally => {
  const undecided = isUndecided(run)
  const isNotPlayed = run.outcome === "skipped" || run.outcome === "blocked"
  return {
    scenario: tally.scenario,
    runs: tally.runs + (isNotPlayed ? 0 : 1),
    passed: tally.passed + (run.outcome === "passed" ? 1 : 0),
    failed: tally.failed + (run.outcome === "failed" && !undecided ? 1 : 0),
    unknown: tally.unknown + (undecided ? 1 : 0),
    skipped: tally.skipped + (isNotPlayed ? 1 : 0),
    operations: tally.operations + (run.evidence?.history.length ?? 0),
    failedSeeds:
      run.outcome === "failed" && tally.failedSeeds.length < seedsMax
        ? [...tally.failedSeeds, run.options.seed]
        : tally.failedSeeds
  }
}

export const tallyTable = (tallies: ReadonlyArray<Tally>): ReadonlyArray<string> => {
  const names = tallies.map(({ scenario }) => scenario.length)
  const width = Math.max(8, ...names) + 2
  const row = (cells: ReadonlyArray<string>) =>
    cells.map((cell, index) => (index === 0 ? cell.padEnd(width) : cell.padStart(12))).join("")
  const numbers = ({ failed, operations, passed, runs, skipped, unknown }: Omit<Tally, "failedSeeds">) =>
    [runs, passed, failed, unknown, skipped, operations].map((number) => number.toLocaleString("en"))
  const all = tallies.reduce(
    (sum, one) => ({
      scenario: "all",
      runs: sum.runs + one.runs,
      passed: sum.passed + one.passed,
      failed: sum.failed + one.failed,
      unknown: sum.unknown + one.unknown,
      skipped: sum.skipped + one.skipped,
      operations: sum.operations + one.operations,
      failedSeeds: []
    }),
    emptyTally("all")
  )
  return [
    row(["scenario", "runs", "passed", "failed", "unknown", "skipped", "operations"]),
    ...tallies.map((tally) => {
      const seeds = tally.failedSeeds.length === 0 ? "" : `  seeds ${tally.failedSeeds.join(", ")}`
      return `${row([tally.scenario, ...numbers(tally)])}${seeds}`
    }),
    row(["all", ...numbers(all)])
  ]
}
