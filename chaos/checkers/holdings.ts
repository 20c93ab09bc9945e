/**
 * Who believed to hold what at the same time, and whether fences grow with time. Of each holding only what is
 * certain counts: from when it was seen until it was last seen.
 *
 *   notBefore          from                     until
 *   ─────┼───────────────┼────────────────────────┼────────
 *    not │   perhaps     │   believed for certain │ perhaps
 *
 * What one holder has under one fence is one holding, however often it was seen.
 */
import type { Holding } from "./evidence.ts"

/** The one with the smaller fence, which should have ended, and the other one. */
export interface Overlap {
  readonly former: Holding
  readonly later: Holding
  readonly fromMillis: number
}

/** All pairs that are certain, of each thing that can be held. */
export const overlapsOf = (holdings: ReadonlyArray<Holding>): ReadonlyArray<Overlap> =>
  byWhat(holdings).flatMap((those) => {
    const overlaps: Array<Overlap> = []
    let open: ReadonlyArray<Holding> = []
    for (const holding of those.toSorted((one, other) => one.fromMillis - other.fromMillis)) {
      if (endOf(holding) <= holding.fromMillis) continue
      open = open.filter((other) => endOf(other) > holding.fromMillis)
      for (const other of open)
        if (!isSame(holding, other)) overlaps.push(overlapOf(other, holding, holding.fromMillis))
      open = [...open, holding]
    }
    return overlaps
  })

const overlapOf = (one: Holding, other: Holding, fromMillis: number): Overlap =>
  other.fence < one.fence
    ? { former: other, later: one, fromMillis }
    : { former: one, later: other, fromMillis }

/** `later` certainly began after `former` was there, and has no larger fence. */
export interface Shrinking {
  readonly former: Holding
  readonly later: Holding
}

/** For each holding at most one, with the largest fence that was there before. */
export const shrinkingFences = (holdings: ReadonlyArray<Holding>): ReadonlyArray<Shrinking> =>
  byWhat(holdings).flatMap((those) => {
    const byFrom = those.toSorted((one, other) => one.fromMillis - other.fromMillis)
    const byNotBefore = those.toSorted((one, other) => one.notBeforeMillis - other.notBeforeMillis)
    const shrinking: Array<Shrinking> = []
    /** Those with the largest fence so far, one of each holder; two where something is wrong already. */
    let largest: ReadonlyArray<Holding> = []
    let next = 0
    for (const later of byNotBefore) {
      for (let there = byFrom[next]; there !== undefined; there = byFrom[++next]) {
        if (there.fromMillis > later.notBeforeMillis) break
        const fence = largest[0]?.fence ?? Number.NEGATIVE_INFINITY
        if (there.fence > fence) largest = [there]
        else if (there.fence === fence && largest.every(({ holder }) => holder !== there.holder))
          largest = [...largest, there]
      }
      const former = largest.find((one) => one.fence >= later.fence && !isSame(one, later))
      if (former !== undefined) shrinking.push({ former, later })
    }
    return shrinking
  })

export const endOf = ({ untilMillis }: Holding): number => untilMillis ?? Number.POSITIVE_INFINITY

const isSame = (one: Holding, other: Holding): boolean =>
  one.holder === other.holder && one.fence === other.fence

const byWhat = (holdings: ReadonlyArray<Holding>): ReadonlyArray<ReadonlyArray<Holding>> => {
  const those = new Map<string, Array<Holding>>()
  for (const holding of holdings) {
    const list = those.get(holding.what)
    if (list === undefined) those.set(holding.what, [holding])
    else list.push(holding)
  }
  return [...those.values()]
}

/** For a line about it. */
export const shownHolding = ({ fence, fromMillis, holder, untilMillis, what }: Holding): string => {
  const until = untilMillis === undefined ? "the end" : `${Math.round(untilMillis)}`
  return `${holder} held ${what} under fence ${fence} from ${Math.round(fromMillis)} to ${until} ms`
}
