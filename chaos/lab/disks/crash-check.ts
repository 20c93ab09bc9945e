/**
 * Check: disks that were recorded in a run, as power cuts at its moments would have left them. It goes on to draw
 * cuts until its time is over, so a machine that is busy looks into fewer of them.
 */
import { Clock, Effect } from "effect"
import { type Finding, finding, skipped, unknown } from "#chaos/checkers/evidence.ts"
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

export interface Recorded {
  /** Of the power of machines, in the run. */
  readonly cuts: number
  readonly spares: number
  /** The recorder was. */
  readonly isFull: boolean
}

/** What to say where it is left out; undefined: it is to be looked into. Without a cut there is no such check. */
export const leftOut = ({ cuts, isFull, spares }: Recorded): ReadonlyArray<Finding> | undefined => {
  if (cuts === 0) return []
  if (spares > 0)
    return [skipped(crashCheck, "disks of spare machines are not recorded, and may hold acknowledged writes")]
  if (isFull)
    return [
      skipped(crashCheck, "there were more writes than are noted: nobody knows who wrote what disks hold")
    ]
  return undefined
}

/**
 * `skipped` where the machine was too busy for a look that tells something, and `unknown` where disks or programs are
 * not what they must be.
 */
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
  const bad = reports.filter(({ corrupt, lost }) => corrupt + lost > 0)
  const wrong = bad.flatMap(renderCrashes)
  // Of a disk that cannot be used nothing is due: what is wrong comes before what was looked for.
  if (wrong.length === 0 && points === 0)
    return skipped(crashCheck, "the time was over before the first power cut")
  if (wrong.length === 0 && due === 0)
    return skipped(crashCheck, `none of ${points} power cuts came after a write that was acknowledged`)
  const pending = `${sum((report) => report.dropped)} of ${sum((report) => report.pending)} unflushed writes dropped, ${sum((report) => report.torn)} torn`
  return finding(
    crashCheck,
    wrong,
    `${points} power cuts of ${disks} disks, ${pending}: ${due} looks for an acknowledged write have found it`
  )
}
