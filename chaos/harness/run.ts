/** A scenario that was played, or was not and why: what a report is made from. */
import { Schema } from "effect"
import type { Evidence, Finding } from "#chaos/checkers/evidence.ts"
import type { Timed } from "#chaos/faults/schedule.ts"
import type { WorldKind } from "#chaos/lab/world.ts"
import type { Scenario } from "#chaos/scenarios/scenario.ts"

/** `skipped`: the world cannot do what the scenario asks for. `blocked`: this machine lacks something. */
export const Outcome = Schema.Literal("passed", "failed", "skipped", "blocked")
export type Outcome = typeof Outcome.Type

export interface RunOptions {
  readonly seed: number
  /** Instead of the scenario's own. */
  readonly nodes: number | undefined
  /** The faults of the scenario again and again for so long; once where nothing is said. */
  readonly forMillis: number | undefined
  /** Instead of the scenario's schedule. */
  readonly playBack: ReadonlyArray<Timed> | undefined
  /** Where the world puts consoles, logs and disks. */
  readonly folder: string | undefined
  /** Real time, for the checks. */
  readonly nowMillis: () => number
  readonly wallMillis: () => number
  readonly onProgress: (progress: Progress) => void
  readonly onNote: (line: string) => void
}

export interface Progress {
  readonly phase: "opening" | "faults" | "recovery" | "checks"
  /** By the clock of the world. */
  readonly elapsedMillis: number
  readonly nodes: Readonly<Record<string, "leads" | "follows" | "down">>
  readonly inForce: ReadonlyArray<string>
  readonly answered: number
  readonly failed: number
  readonly unknown: number
}

export interface Run {
  readonly scenario: Scenario
  readonly world: WorldKind
  readonly options: RunOptions
  readonly outcome: Outcome
  /** For everything but success, in one line. */
  readonly reason: string | undefined
  readonly startedMillis: number
  readonly finishedMillis: number
  /** Accelerator, kernel, versions. */
  readonly facts: Readonly<Record<string, string>>
  readonly actions: ReadonlyArray<Timed>
  readonly findings: ReadonlyArray<Finding>
  /** None of those that were skipped or blocked. */
  readonly evidence: Evidence | undefined
}
