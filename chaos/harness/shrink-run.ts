/**
 * Plays ever shorter schedules of a run that failed, until the shortest is found or the budget is used up. What counts
 * is that a check that failed then fails again; another failure is another story.
 */
import { Effect } from "effect"
import type { Timed } from "#chaos/faults/schedule.ts"
import type { Run } from "./run.ts"
import { shrinking } from "./shrink.ts"

export interface Budget {
  readonly runsMax: number
  readonly millisMax: number
}

export interface ShrinkOptions<E> {
  readonly actions: ReadonlyArray<Timed>
  /** Names of the checks that failed. */
  readonly failed: ReadonlySet<string>
  readonly play: (actions: ReadonlyArray<Timed>) => Effect.Effect<Run, E>
  readonly budget: Budget
  readonly nowMillis: () => number
  readonly say: (line: string) => void
}

export interface Shrunk {
  /** The last one that failed: undefined, when not even the whole schedule failed again. */
  readonly run: Run | undefined
  readonly runs: number
  /** The budget ended it: a shorter one may exist. */
  readonly isCutShort: boolean
}

export const shrinkRun = <E>(options: ShrinkOptions<E>): Effect.Effect<Shrunk, E> =>
  Effect.gen(function* () {
    const { actions, budget, failed, nowMillis, play, say } = options
    const beganMillis = nowMillis()
    let runs = 0
    let shortest: Run | undefined
    const failsAgain = (candidate: ReadonlyArray<Timed>) =>
      Effect.map(play(candidate), (run) => {
        runs++
        const fails = run.findings.some(({ check, verdict }) => verdict === "failed" && failed.has(check))
        if (fails) {
          shortest = run
          say(
            `shortening: run ${runs} fails again, ${candidate.length} of ${actions.length} actions are left`
          )
        }
        return fails
      })
    if (!(yield* failsAgain(actions))) return { run: undefined, runs, isCutShort: false }
    const shrink = shrinking(actions)
    let step = shrink.next()
    while (step.done !== true) {
      const isOver = runs >= budget.runsMax || nowMillis() - beganMillis >= budget.millisMax
      if (isOver) return { run: shortest, runs, isCutShort: true }
      step = shrink.next(yield* failsAgain(step.value))
    }
    return { run: shortest, runs, isCutShort: false }
  })

export const failedChecks = ({ findings }: Pick<Run, "findings">): ReadonlySet<string> =>
  new Set(findings.flatMap(({ check, verdict }) => (verdict === "failed" ? check : [])))
