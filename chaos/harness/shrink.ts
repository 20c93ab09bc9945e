/**
 * The shortest schedule that still fails: fewer actions first, then less time between them, and again from the
 * beginning until nothing more can be left out.
 *
 *   fewest ──► soonest ──► fewest ──► ...
 *
 * Pure: it gives out schedules to try, and is told of each whether it fails again. Whoever plays them may stop at any
 * time; the last one that failed is the shortest so far. What began and what ends it stay together, so that no
 * schedule breaks something for good that the first one did not.
 */
import type { Action } from "#chaos/faults/action.ts"
import { Timed } from "#chaos/faults/schedule.ts"

/** Gives out candidates, takes whether one fails again, and returns the shortest. */
export type Shrinking = Generator<Schedule, Schedule, boolean>
type Schedule = ReadonlyArray<Timed>

/** Waits that are shorter than this are not worth a run. */
const waitMillisMin = 50

export function* shrinking(schedule: Schedule): Shrinking {
  let shortest = yield* soonest(yield* fewest(schedule))
  while (true) {
    const fewer = yield* fewest(shortest)
    if (fewer.length === shortest.length) return shortest
    shortest = yield* soonest(fewer)
  }
}

// Fewer actions

/** Delta debugging: leaves out half of it, a quarter, …, one unit at a time until each is needed. */
function* fewest(schedule: Schedule): Shrinking {
  let units = unitsOf(schedule)
  if (units.length === 0 || (yield [])) return []
  let size = Math.ceil(units.length / 2)
  while (true) {
    const before = units.length
    for (let start = 0; start < units.length; ) {
      const rest = units.toSpliced(start, size)
      if (rest.length > 0 && (yield inOrder(rest))) units = rest
      else start += size
    }
    if (size === 1 && units.length === before) return inOrder(units)
    size = Math.ceil(size / 2)
  }
}

interface Placed {
  readonly index: number
  readonly timed: Timed
}

/** An action and, if there is one, what ends it. */
export type Unit = ReadonlyArray<Placed>

/** Every action is in exactly one of them. */
export const unitsOf = (schedule: Schedule): ReadonlyArray<Unit> => {
  const units: Array<Array<Placed>> = []
  const open = new Map<string, Array<Array<Placed>>>()
  for (const [index, timed] of schedule.entries()) {
    const key = `${timed.fault}: ${whom(timed.action)}`
    const waiting = open.get(key) ?? []
    open.set(key, waiting)
    const begun = timed.ends ? waiting.shift() : undefined
    if (begun !== undefined) {
      begun.push({ index, timed })
      continue
    }
    const unit = [{ index, timed }]
    units.push(unit)
    if (!timed.ends) waiting.push(unit)
  }
  return units
}

const whom = (action: Action): string => {
  switch (action._tag) {
    case "Cut":
    case "Mend":
      return `${action.from.join()} > ${action.to.join()}`
    case "Network":
      return "all"
    default:
      return action.node
  }
}

const inOrder = (units: ReadonlyArray<Unit>): Schedule =>
  units
    .flat()
    .toSorted((one, other) => one.index - other.index)
    .map(({ timed }) => timed)

// Shorter waits

/** The longest first; each as short as halving finds it. */
function* soonest(schedule: Schedule): Shrinking {
  let shortest = schedule
  const longestFirst = waitsOf(schedule)
    .map((millis, index) => ({ index, millis }))
    .toSorted((one, other) => other.millis - one.millis)
  for (const { index, millis } of longestFirst) {
    if (millis < waitMillisMin) break
    const none = withWait(shortest, index, 0)
    if (yield none) {
      shortest = none
      continue
    }
    let tooShort = 0
    let enough = millis
    while (enough - tooShort > Math.max(waitMillisMin, enough / 4)) {
      const middle = Math.round((tooShort + enough) / 2)
      const candidate = withWait(shortest, index, middle)
      if (yield candidate) {
        shortest = candidate
        enough = middle
      } else tooShort = middle
    }
  }
  return shortest
}

/** Before each action, since the one before it. */
const waitsOf = (schedule: Schedule): ReadonlyArray<number> =>
  schedule.map(({ atMillis }, index) => atMillis - (schedule[index - 1]?.atMillis ?? 0))

/** All that follows comes so much earlier. */
const withWait = (schedule: Schedule, index: number, waitMillis: number): Schedule => {
  const saved = (waitsOf(schedule)[index] ?? 0) - waitMillis
  return schedule.map((timed, at) =>
    at < index ? timed : new Timed({ ...timed, atMillis: timed.atMillis - saved })
  )
}
