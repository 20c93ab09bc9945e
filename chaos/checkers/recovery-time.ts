/**
 * Check: how long clients wait for the next acknowledged write, after each strike that ended a leader or a quorum
 * and after peace. It counts from when there are enough nodes again that run and reach each other:
 *
 *   struck              quorum again          asked       acknowledged
 *   ──┼──────────────────────┼──────────────────┼──────────────┼────
 *                            └──────── recovery time ──────────┘
 *
 * What is struck again before its time is over is judged by the later strike alone.
 */
import { stampOf } from "#chaos/models/etcd-writes.ts"
import { type Check, type Evidence, finding, unknown } from "./evidence.ts"
import { fewOf } from "./few.ts"
import { ableToLead, type Situation, situationsOf } from "./reach.ts"

const check = "recovery time"

export interface RecoveryBound {
  /** Multiplied with the slowness of the world. */
  readonly withinMillis: number
}

export const recoveryTime = ({ withinMillis }: RecoveryBound): Check => ({
  name: check,
  holds: `Clients can write again within ${withinMillis} ms after a leader or a quorum was lost, and after peace.`,
  judge: (evidence) => {
    const boundMillis = withinMillis * evidence.slowness
    const outages = outagesOf(evidence)
    const writes = new Writes(evidence)
    const recoveries: Array<number> = []
    const problems: Array<string> = []
    for (const [index, { canMillis, what }] of outages.entries()) {
      const dueMillis = canMillis + boundMillis
      const writtenMillis = writes.nextAfter(canMillis)
      if (writtenMillis !== undefined && writtenMillis <= dueMillis) {
        recoveries.push(writtenMillis - canMillis)
        continue
      }
      const isStruckAgain = (outages[index + 1]?.atMillis ?? Number.POSITIVE_INFINITY) < dueMillis
      if (isStruckAgain || writes.lastAskedMillis < canMillis) continue
      const then = writtenMillis === undefined ? "never" : `after ${Math.round(writtenMillis - canMillis)} ms`
      problems.push(`after ${what}, clients could write again ${then}; it may take ${boundMillis} ms`)
    }
    if (recoveries.length === 0 && problems.length === 0)
      return unknown(check, "nobody wrote after a leader or a quorum was lost, or after peace")
    const sorted = recoveries.toSorted((one, other) => one - other).map(Math.round)
    const median = sorted[Math.floor(sorted.length / 2)]
    return finding(
      check,
      fewOf(problems),
      `${recoveries.length} recoveries, of ${median} ms at the median and ${sorted.at(-1)} ms at most`
    )
  }
})

interface Outage {
  readonly atMillis: number
  /** From then on somebody can lead. */
  readonly canMillis: number
  readonly what: string
}

/** In the order of time. */
const outagesOf = (evidence: Evidence): ReadonlyArray<Outage> => {
  const situations = situationsOf(evidence)
  const able = situations.map((situation) => ableToLead(situation))
  /** From that moment on, in the situation of that index or a later one. */
  const canFrom = (atMillis: number, index: number): number | undefined => {
    for (let later = index; later < situations.length; later++)
      if ((able[later]?.length ?? 0) > 0) return Math.max(atMillis, situations[later]?.sinceMillis ?? 0)
    return undefined
  }
  const struck = situations.flatMap((situation, index): ReadonlyArray<Outage> => {
    const { sinceMillis } = situation
    const isAfterPeace = sinceMillis >= evidence.peaceMillis
    if (isAfterPeace || !endsService(situation, able[index - 1] ?? [], able[index] ?? [])) return []
    const canMillis = canFrom(sinceMillis, index)
    if (canMillis === undefined || situation.struck === undefined) return []
    return [{ atMillis: sinceMillis, canMillis, what: shown(situation.struck) }]
  })
  const atPeace = situations.findLastIndex(({ sinceMillis }) => sinceMillis <= evidence.peaceMillis)
  const canMillis = canFrom(evidence.peaceMillis, Math.max(0, atPeace))
  if (canMillis === undefined) return struck
  return [...struck, { atMillis: evidence.peaceMillis, canMillis, what: "peace" }]
}

const endsService = (
  { leader, struck }: Situation,
  before: ReadonlyArray<string>,
  after: ReadonlyArray<string>
): boolean => {
  if (before.length > 0 && after.length === 0) return true
  if (leader === undefined || struck?.action === undefined) return false
  const { action } = struck
  if (action._tag === "Crash") return action.node === leader && action.path.includes("/chainfire")
  return before.includes(leader) && !after.includes(leader)
}

const shown = ({ atMillis, what }: { readonly atMillis: number; readonly what: string }): string =>
  `${what} at ${Math.round(atMillis)} ms`

/** Those that were acknowledged, by when they were asked for. */
class Writes {
  readonly #asked: ReadonlyArray<number>
  /** Of each and all that were asked for later, the first acknowledgement. */
  readonly #firstDone: ReadonlyArray<number>
  readonly lastAskedMillis: number

  constructor({ history }: Evidence) {
    const done = history
      .flatMap(({ ending, input, invoked }) =>
        ending._tag === "Ok" && stampOf(input, ending.output).changed
          ? [{ askedMillis: invoked.millis, doneMillis: ending.at.millis }]
          : []
      )
      .toSorted((one, other) => one.askedMillis - other.askedMillis)
    this.#asked = done.map(({ askedMillis }) => askedMillis)
    let first = Number.POSITIVE_INFINITY
    this.#firstDone = done
      .toReversed()
      .map(({ doneMillis }) => {
        first = Math.min(first, doneMillis)
        return first
      })
      .toReversed()
    this.lastAskedMillis = history.reduce(
      (last, { invoked }) => Math.max(last, invoked.millis),
      Number.NEGATIVE_INFINITY
    )
  }

  nextAfter(millis: number): number | undefined {
    let [from, to] = [0, this.#asked.length]
    while (from < to) {
      const middle = (from + to) >>> 1
      if ((this.#asked[middle] ?? 0) < millis) from = middle + 1
      else to = middle
    }
    return this.#firstDone[from]
  }
}
