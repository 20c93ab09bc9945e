/**
 * Check: whoever led and cannot lead any more has a successor, in a later term.
 *
 *   struck            another leads                 it could lead again
 *   ──┼─────────────────────┼──────────────────────────────┼────
 *     └───── in time ───────┘
 *
 * A leader that could lead again before the time was over need not have had one. That clients are served again is
 * another check: a leader that nobody replaced may do that too, once it is back.
 */
import { type Check, type Evidence, finding, unknown } from "./evidence.ts"
import { fewOf } from "./few.ts"
import { ableToLead, situationsOf } from "./reach.ts"

const check = "taken over"

export interface SuccessionBound {
  /** Multiplied with the slowness of the world. */
  readonly withinMillis: number
}

export const takenOver = ({ withinMillis }: SuccessionBound): Check => ({
  name: check,
  holds: `Within ${withinMillis} ms after whoever leads is cut off, paused or ended, another node leads.`,
  judge: (evidence) => {
    const boundMillis = withinMillis * evidence.slowness
    const tookMillis: Array<number> = []
    const problems: Array<string> = []
    for (const { againMillis, atMillis, leader, what } of lossesOf(evidence)) {
      const successor = successorOf(evidence, leader, atMillis, againMillis)
      if (successor !== undefined && successor.atMillis - atMillis <= boundMillis) {
        tookMillis.push(successor.atMillis - atMillis)
        continue
      }
      if (againMillis - atMillis < boundMillis) continue
      const then =
        successor === undefined ? "nobody" : `${successor.node} after ${successor.atMillis - atMillis} ms`
      problems.push(
        `after ${what} at ${Math.round(atMillis)} ms, ${then} took over from ${leader}; it may take ${boundMillis} ms`
      )
    }
    if (tookMillis.length === 0 && problems.length === 0)
      return unknown(check, "no leader was out for long enough to need a successor")
    const slowest = Math.round(Math.max(0, ...tookMillis))
    return finding(
      check,
      fewOf(problems),
      `${tookMillis.length} times another node took over, after ${slowest} ms at most`
    )
  }
})

interface Loss {
  readonly atMillis: number
  readonly leader: string
  /** When it could lead again, or peace. */
  readonly againMillis: number
  readonly what: string
}

/** Of leaders whose others could go on without them. */
const lossesOf = (evidence: Evidence): ReadonlyArray<Loss> => {
  const situations = situationsOf(evidence)
  const able = situations.map((situation) => ableToLead(situation))
  return situations.flatMap(({ leader, sinceMillis, struck }, index): ReadonlyArray<Loss> => {
    if (leader === undefined || struck === undefined || sinceMillis >= evidence.peaceMillis) return []
    const others = able[index] ?? []
    if (!able[index - 1]?.includes(leader) || others.includes(leader) || others.length === 0) return []
    const later = situations.findIndex((_, at) => at > index && able[at]?.includes(leader))
    const againMillis = situations[later]?.sinceMillis ?? evidence.peaceMillis
    return [{ atMillis: sinceMillis, leader, againMillis, what: struck.what }]
  })
}

const successorOf = ({ sights }: Evidence, leader: string, fromMillis: number, toMillis: number) => {
  const itsTerm = sights.findLast(
    ({ atMillis, node, status }) => atMillis <= fromMillis && node === leader && status?.leader === leader
  )?.status?.term
  return sights.find(
    ({ atMillis, node, status }) =>
      atMillis > fromMillis &&
      atMillis <= toMillis &&
      node !== leader &&
      status?.leader === node &&
      status.term > (itsTerm ?? 0)
  )
}
