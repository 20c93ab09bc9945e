/**
 * What a session of the runner came to, as the number it exits with and as words. Pure.
 *
 *   0    nothing failed, and something passed
 *   1    something failed, or could not be decided
 *   2    nobody understood what was asked for
 *   3    nothing failed, but something was blocked, or nothing was played since the world cannot
 *   130  somebody pressed Ctrl-C
 */
import type { Finding } from "#chaos/checkers/evidence.ts"
import type { Outcome, Run } from "./run.ts"

export const usageExit = 2
export const interruptedExit = 130

export const exitCode = (outcomes: Iterable<Outcome>): number => {
  const all = new Set(outcomes)
  if (all.has("failed")) return 1
  if (all.has("blocked")) return 3
  return all.has("passed") ? 0 : 3
}

/** `12 passed, 1 failed, 2 skipped`. */
export const countText = (outcomes: ReadonlyArray<Outcome>): string => {
  const counts = new Map<Outcome, number>()
  for (const outcome of outcomes) counts.set(outcome, (counts.get(outcome) ?? 0) + 1)
  const said = (["passed", "failed", "skipped", "blocked"] as const).flatMap((outcome) => {
    const count = counts.get(outcome)
    return count === undefined ? [] : `${count} ${outcome}`
  })
  return said.join(", ") || "nothing was played"
}

/** Of a run that was played to its end. What was not looked into makes no difference. */
export const outcomeOf = (findings: ReadonlyArray<Finding>): Pick<Run, "outcome" | "reason"> => {
  const wrong = findings.filter(({ verdict }) => verdict === "failed" || verdict === "unknown")
  return wrong.length === 0
    ? { outcome: "passed", reason: undefined }
    : { outcome: "failed", reason: wrong.map(({ check, verdict }) => `${check}: ${verdict}`).join(", ") }
}

/** A failure in which no check says that something is wrong: one could not decide. */
export const isUndecided = ({ findings, outcome }: Pick<Run, "findings" | "outcome">): boolean =>
  outcome === "failed" &&
  findings.some(({ verdict }) => verdict === "unknown") &&
  findings.every(({ verdict }) => verdict !== "failed")

const wordColumns = 8
const linesMax = 5

/** For people: what was played, and what each check says of it. */
export const runText = (run: Run): ReadonlyArray<string> => {
  const { evidence, finishedMillis, findings, options, outcome, reason, scenario, startedMillis, world } = run
  const tookMillis = finishedMillis - startedMillis
  const took =
    evidence === undefined
      ? ""
      : ` after ${(tookMillis / 1000).toFixed(1)} s${world === "sim" ? ` for ${(evidence.endedMillis / 1000).toFixed(1)} simulated ones` : ""}`
  const why = reason === undefined ? "" : `: ${reason}`
  return [
    `${scenario.name} in ${world}, seed ${options.seed}: ${outcome}${took}${why}`,
    ...findings.flatMap(({ check, lines, verdict }) => {
      const [first = "", ...others] = verdict === "passed" ? lines.slice(0, 1) : bothEnds(lines)
      const margin = " ".repeat(wordColumns + 2)
      return [
        `  ${verdict.padEnd(wordColumns)}${check}: ${first}`,
        ...others.map((line) => `${margin}${line}`)
      ]
    })
  ]
}

/** What is wrong stands at the beginning, and what shows it at the end. */
const bothEnds = (lines: ReadonlyArray<string>): ReadonlyArray<string> =>
  lines.length <= linesMax
    ? lines
    : [...lines.slice(0, 2), `... ${lines.length - 4} more, in the report`, ...lines.slice(-2)]
