/**
 * Since when two nodes had nothing between them and around them but weather: both run and answer, no link is cut,
 * and nobody has touched their clocks. What they should know of each other then is a question of time.
 */
import type { Action } from "#chaos/faults/action.ts"
import type { NodeName } from "#chaos/lab/world.ts"
import type { Evidence, Sight } from "./evidence.ts"
import { isRunning, type Situation, situationsOf } from "./reach.ts"

export interface Seen {
  readonly sight: Sight
  readonly situation: Situation
  /** Since when the node runs undisturbed; undefined: it does not, or has never answered. */
  readonly runsSince: (node: NodeName) => number | undefined
  /** Since when it is down. */
  readonly downSince: (node: NodeName) => number | undefined
  /** Since when no link is cut; undefined: one is. */
  readonly wholeSinceMillis: number | undefined
  /** Since when the network is fair; undefined: it is not. */
  readonly fairSinceMillis: number | undefined
  readonly known: ReadonlySet<NodeName>
}

/** Each look at a node, in the order of time, with what had been done by then. It is only valid while it is visited. */
export const visitSights = (evidence: Evidence, visit: (seen: Seen) => void): void => {
  const situations = situationsOf(evidence)
  const course = new Course()
  let next = 0
  for (const sight of evidence.sights.toSorted((one, other) => one.atMillis - other.atMillis)) {
    for (let situation = situations[next]; situation !== undefined; situation = situations[++next]) {
      if (situation.sinceMillis > sight.atMillis) break
      course.enter(situation)
    }
    course.saw(sight)
    const { situation } = course
    if (situation !== undefined) visit({ ...course.now, sight, situation })
  }
}

class Course {
  situation: Situation | undefined
  readonly #runs = new Map<NodeName, number>()
  readonly #down = new Map<NodeName, number>()
  readonly #known = new Set<NodeName>()
  #wholeSinceMillis: number | undefined = 0
  #fairSinceMillis: number | undefined = 0

  enter(situation: Situation): void {
    const { cuts, isNetworkFair, sinceMillis, struck } = situation
    this.situation = situation
    this.#wholeSinceMillis = cuts.size > 0 ? undefined : (this.#wholeSinceMillis ?? sinceMillis)
    this.#fairSinceMillis = isNetworkFair ? (this.#fairSinceMillis ?? sinceMillis) : undefined
    for (const node of this.#known) {
      if (!isRunning(situation, node)) this.#runs.delete(node)
      else if (!this.#runs.has(node) || disturbs(struck?.action, node)) this.#runs.set(node, sinceMillis)
    }
    for (const node of this.#down.keys()) if (!situation.down.has(node)) this.#down.delete(node)
    for (const node of situation.down) if (!this.#down.has(node)) this.#down.set(node, sinceMillis)
  }

  saw({ atMillis, node, status }: Sight): void {
    if (status === undefined || this.#known.has(node)) return
    this.#known.add(node)
    this.#runs.set(node, atMillis)
  }

  get now(): Omit<Seen, "sight" | "situation"> {
    return {
      runsSince: (node) => this.#runs.get(node),
      downSince: (node) => this.#down.get(node),
      wholeSinceMillis: this.#wholeSinceMillis,
      fairSinceMillis: this.#fairSinceMillis,
      known: this.#known
    }
  }
}

/** It runs on, and has to find its way again. */
const disturbs = (action: Action | undefined, node: NodeName): boolean => {
  switch (action?._tag) {
    case "ClockJump":
    case "ClockRate":
    case "Crash":
    case "MemoryPressure":
    case "Reset":
      return action.node === node
    default:
      return false
  }
}
