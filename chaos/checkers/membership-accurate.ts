/**
 * Check: what nodes believe of each other. Whoever lives is not held dead, whatever the weather; when all is well
 * all see all alive; and who is down is found out.
 */
import { type Check, finding, unknown } from "./evidence.ts"
import { fewOf } from "./few.ts"
import { type Seen, visitSights } from "./undisturbed.ts"

const check = "membership accurate"

/** All are multiplied with the slowness of the world, and longer than the time between two looks at members. */
export interface MembershipBounds {
  /** Until nodes that were cut off, or were away, are alive for each other again. */
  readonly healedWithinMillis: number
  /** Until whoever is down is held dead by all who run. */
  readonly foundWithinMillis: number
}

/** By the numbers of SWIM in actors/cluster/swim-config.ts, and some seconds for whoever looks. */
export const usualMembership: MembershipBounds = { healedWithinMillis: 25_000, foundWithinMillis: 15_000 }

export const membershipAccurate = (chosen: Partial<MembershipBounds> = {}): Check => {
  const bounds = { ...usualMembership, ...chosen }
  return {
    name: check,
    holds: `Nobody who lives is held dead, all see all alive ${bounds.healedWithinMillis} ms after the last disturbance, and who is down is found within ${bounds.foundWithinMillis} ms.`,
    judge: (evidence) => {
      const { slowness } = evidence
      const healedMillis = bounds.healedWithinMillis * slowness
      const foundMillis = bounds.foundWithinMillis * slowness
      const problems = new Map<string, string>()
      let views = 0
      let deaths = 0
      visitSights(evidence, (seen) => {
        const { node, status } = seen.sight
        if (status === undefined || Object.keys(status.members).length === 0) return
        for (const other of seen.known) {
          if (other === node) continue
          const view = status.members[other]
          const expected = expectedOf(seen, other, healedMillis, foundMillis)
          if (expected === "anything") continue
          views++
          if (expected === "dead") deaths++
          if (suits(view, expected)) continue
          const key = `${node} ${other} ${expected}`
          // The first time says most; it may be seen so again and again.
          if (!problems.has(key)) problems.set(key, shown(seen, other, view, expected))
        }
      })
      if (views === 0)
        return unknown(check, "no node was seen undisturbed for long enough to judge what it believes")
      return finding(
        check,
        fewOf([...problems.values()]),
        `${views} views of one node of another are right, ${deaths} of them of nodes that were down`
      )
    }
  }
}

type Expected = "alive" | "not dead" | "dead" | "anything"

const expectedOf = (seen: Seen, other: string, healedMillis: number, foundMillis: number): Expected => {
  const { downSince, fairSinceMillis, runsSince, wholeSinceMillis, sight } = seen
  const forLong = (sinceMillis: number | undefined, millis: number) =>
    sinceMillis !== undefined && sight.atMillis - sinceMillis >= millis
  const isPlain = (millis: number) =>
    forLong(runsSince(sight.node), millis) && forLong(wholeSinceMillis, millis)
  if (downSince(other) !== undefined)
    return forLong(downSince(other), foundMillis) && isPlain(foundMillis) ? "dead" : "anything"
  if (!isPlain(healedMillis) || !forLong(runsSince(other), healedMillis)) return "anything"
  return forLong(fairSinceMillis, healedMillis) ? "alive" : "not dead"
}

/** Whoever was never heard of, or is forgotten, is as good as dead. */
const suits = (view: string | undefined, expected: Expected): boolean => {
  const isDead = view === undefined || view === "failed" || view === "left"
  if (expected === "dead") return isDead
  return expected === "alive" ? view === "alive" : !isDead
}

const shown = ({ sight }: Seen, other: string, view: string | undefined, expected: Expected): string =>
  `at ${Math.round(sight.atMillis)} ms ${sight.node} held ${other} for ${view ?? "unknown"}, and it was to be ${expected}`
