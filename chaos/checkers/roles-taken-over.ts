/**
 * Check: what whoever is cut off or gone had of roles, somebody else has in time, under a larger epoch.
 *
 *   its holder is out            another has it                its holder could be heard again
 *   ──┼────────────────────────────────┼───────────────────────────────────┼────
 *     └──────────── in time ───────────┘
 *
 * A holder that can be heard again before the time is over may have kept its role.
 */
import { type Check, type Evidence, finding, type Holding, unknown } from "./evidence.ts"
import { fewOf } from "./few.ts"
import { ableToLead, situationsOf } from "./reach.ts"

const check = "roles taken over"
const ofRoles = "role "

export interface RoleSuccessionBound {
  /** Multiplied with the slowness of the world. */
  readonly withinMillis: number
}

export const rolesTakenOver = ({ withinMillis }: RoleSuccessionBound): Check => ({
  name: check,
  holds: `Within ${withinMillis} ms after whoever has a role is cut off or gone, another node has it, under a larger epoch.`,
  judge: (evidence) => {
    const boundMillis = withinMillis * evidence.slowness
    const losses = lossesOf(evidence).filter(
      ({ againMillis, atMillis }) => againMillis - atMillis >= boundMillis
    )
    if (losses.length === 0)
      return unknown(check, "nobody with a role was out for long enough to need a successor")
    const tookMillis: Array<number> = []
    const problems: Array<string> = []
    for (const { atMillis, former } of losses) {
      const successor = evidence.holdings.find(
        ({ fence, fromMillis, holder, what }) =>
          what === former.what &&
          holder !== former.holder &&
          fence > former.fence &&
          fromMillis > atMillis &&
          fromMillis <= atMillis + boundMillis
      )
      if (successor !== undefined) tookMillis.push(successor.fromMillis - atMillis)
      else
        problems.push(
          `${former.holder} with ${former.what}, epoch ${former.fence}, was out at ${Math.round(atMillis)} ms, and nobody took over within ${boundMillis} ms`
        )
    }
    const slowest = Math.round(Math.max(0, ...tookMillis))
    return finding(
      check,
      fewOf(problems),
      `${tookMillis.length} roles were taken over, after ${slowest} ms at most`
    )
  }
})

interface Loss {
  readonly atMillis: number
  readonly former: Holding
  /** When its holder could be heard by most again, or peace. */
  readonly againMillis: number
}

const lossesOf = (evidence: Evidence): ReadonlyArray<Loss> => {
  const situations = situationsOf(evidence)
  // Whoever could lead is heard by most, and by those who give out roles.
  const heard = situations.map((situation) => ableToLead(situation))
  const roles = new Set(evidence.holdings.flatMap(({ what }) => (what.startsWith(ofRoles) ? [what] : [])))
  return situations.flatMap(({ sinceMillis }, at) =>
    [...roles].flatMap((role): ReadonlyArray<Loss> => {
      if (at === 0 || sinceMillis >= evidence.peaceMillis || heard[at]?.length === 0) return []
      const former = evidence.holdings
        .filter(({ fromMillis, what }) => what === role && fromMillis <= sinceMillis)
        .toSorted((one, other) => other.fence - one.fence)[0]
      if (former === undefined) return []
      if (!heard[at - 1]?.includes(former.holder) || heard[at]?.includes(former.holder)) return []
      const later = situations.findIndex((_, index) => index > at && heard[index]?.includes(former.holder))
      const againMillis = situations[later]?.sinceMillis ?? evidence.peaceMillis
      return [{ atMillis: sinceMillis, former, againMillis }]
    })
  )
}
