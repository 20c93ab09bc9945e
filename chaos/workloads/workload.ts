/**
 * What clients do to a cluster while faults strike it, and what they write down of it.
 */
import type { Effect } from "effect"
import type { Evidence } from "#chaos/checkers/evidence.ts"
import type { NodeName, World } from "#chaos/lab/world.ts"
import type { Prng } from "#chaos/sim/prng.ts"

/** Where a workload works. */
export interface Site {
  readonly world: World
  readonly prng: Prng
  /** Since the run began. */
  readonly nowMillis: () => number
  /** Those that clients know of. */
  readonly nodes: ReadonlyArray<NodeName>
  /** Set when clients should stop: after faults have ended and the cluster had time to recover. */
  readonly isOver: () => boolean
}

/** `changes`: all up to the last of them, of a store that does not have them any more. */
export type Gathered = Partial<Pick<Evidence, "history" | "watches" | "problems" | "holdings" | "changes">>

export interface Running {
  /** Ends after `isOver`, within the patience of its clients. */
  readonly run: Effect.Effect<void>
  readonly gathered: () => Gathered
  readonly counts: () => Counts
}

/** One that begins, with its name. */
export interface Employed extends Running {
  readonly workload: string
}

/** For a line of progress, and conditions of a schedule. */
export interface Counts {
  readonly answered: number
  readonly failed: number
  readonly unknown: number
  /** Writes among those answered. */
  readonly acknowledged: number
}

export interface Workload {
  readonly name: string
  readonly begin: (site: Site) => Running
}
