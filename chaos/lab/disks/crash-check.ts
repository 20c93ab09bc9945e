/**
 * Check: disks that were recorded in a run, as power cuts at its moments would have left them. It goes on to draw
 * cuts until its time is over, so a machine that is busy looks into fewer of them.
 */
import { Clock, Effect } from "effect"
import { type Finding, finding, unknown } from "#chaos/checkers/evidence.ts"
import type { Recording } from "./crash-cuts.ts"
import { type CrashReport, crashPoints, renderCrashes } from "./crash-run.ts"

export const crashCheck = "crash points"

export interface CrashCheckOptions {
  readonly seed: number
  /** After that it begins no further turn, and some time later it ends the one that it is in. */
  readonly millisMax: number
  readonly workFolder: string
  /** Where disks on which something was found are kept. */
  readonly keepFolder: string | undefined
}

/** Cuts of one turn are drawn and looked into together. */
const turnCuts = 6
const turnsMax = 10
const patienceMillis = 60_000

/** `unknown` where disks cannot be looked into: never a failure of the world. */
export const lookIntoCrashes = (
  recording: Recording,
  { keepFolder, millisMax, seed, workFolder }: CrashCheckOptions
): Effect.Effect<Finding> =>
  Effect.gen(function* () {
    const reports: Array<CrashReport> = []
    const fromMillis = yield* Clock.currentTimeMillis
    const turns = Effect.gen(function* () {
      while (reports.length < turnsMax) {
        const options = { seed: seed + reports.length, count: turnCuts, workFolder }
        reports.push(yield* crashPoints(recording, { ...options, ...(keepFolder && { keepFolder }) }))
        if ((yield* Clock.currentTimeMillis) - fromMillis > millisMax) return
      }
    })
    const ended = yield* Effect.either(Effect.timeoutOption(turns, millisMax + patienceMillis))
    if (ended._tag === "Left") return unknown(crashCheck, ended.left.message)
    return findingOf(reports, recording.disks.length)
  })

export const findingOf = (reports: ReadonlyArray<CrashReport>, disks: number): Finding => {
  const sum = (of: (report: CrashReport) => number) => reports.reduce((total, one) => total + of(one), 0)
  const points = sum((report) => report.points)
  const due = sum((report) => report.due)
  if (points === 0) return unknown(crashCheck, "no power cut was looked into in time")
  if (due === 0) return unknown(crashCheck, "no power cut came after a write that was acknowledged")
  const bad = reports.filter(({ corrupt, lost }) => corrupt + lost > 0)
  const wrong = bad.flatMap(renderCrashes)
  const pending = `${sum((report) => report.dropped)} of ${sum((report) => report.pending)} unflushed writes dropped, ${sum((report) => report.torn)} torn`
  return finding(
    crashCheck,
    wrong,
    `${points} power cuts of ${disks} disks, ${pending}: ${due} looks for an acknowledged write have found it`
  )
}
