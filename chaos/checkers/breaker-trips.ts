/**
 * Check: the fleet breaker stops automation while too many nodes are down, at no other time, and lets it go on after
 * peace.
 */
import { type Check, finding, unknown } from "./evidence.ts"
import { fewOf } from "./few.ts"
import { visitSights } from "./undisturbed.ts"

const check = "breaker trips"

/** Times are multiplied with the slowness of the world. */
export interface BreakerBounds {
  /** With so many nodes down at once it is to trip, and never with fewer. */
  readonly downMin: number
  /** Until they are held dead: longer where few are left to confirm it, see actors/cluster/swim-config.ts. */
  readonly opensWithinMillis: number
  readonly closesWithinMillis: number
}

export const breakerTrips = (bounds: BreakerBounds): Check => ({
  name: check,
  holds: `Automation stops within ${bounds.opensWithinMillis} ms while ${bounds.downMin} nodes are down, and goes on ${bounds.closesWithinMillis} ms after peace.`,
  judge: (evidence) => {
    const { peaceMillis, slowness } = evidence
    const problems = new Map<string, string>()
    const looks = { open: 0, closed: 0 }
    let hasBeenMany = false
    visitSights(evidence, ({ downSince, runsSince, sight, situation }) => {
      const { atMillis, node, status } = sight
      const downs = [...situation.down]
        .flatMap((down) => downSince(down) ?? [])
        .toSorted((one, other) => one - other)
      const manySinceMillis = downs[bounds.downMin - 1]
      hasBeenMany ||= manySinceMillis !== undefined
      const breaker = status?.fleetBreaker
      if (breaker === undefined || runsSince(node) === undefined) return
      const expect = (expected: "open" | "closed", why: string) => {
        if (breaker === expected) looks[expected]++
        else if (!problems.has(`${node} ${why}`))
          problems.set(
            `${node} ${why}`,
            `at ${Math.round(atMillis)} ms the fleet breaker of ${node} was ${breaker}, ${why}`
          )
      }
      if (!hasBeenMany) expect("closed", `with never more than ${bounds.downMin - 1} nodes down`)
      const runsLong = atMillis - (runsSince(node) ?? atMillis) >= bounds.opensWithinMillis * slowness
      if (
        manySinceMillis !== undefined &&
        runsLong &&
        atMillis - manySinceMillis >= bounds.opensWithinMillis * slowness
      )
        expect("open", `with ${downs.length} nodes down`)
      if (atMillis - peaceMillis >= bounds.closesWithinMillis * slowness) expect("closed", "long after peace")
    })
    if (problems.size === 0 && (looks.open === 0 || looks.closed === 0))
      return unknown(
        check,
        looks.open === 0
          ? `nobody saw a breaker ${bounds.opensWithinMillis} ms after ${bounds.downMin} nodes were down`
          : "nobody saw a breaker when it was to be closed"
      )
    return finding(
      check,
      fewOf([...problems.values()]),
      `${looks.open} times it was seen open as it should be, and ${looks.closed} times closed`
    )
  }
})
