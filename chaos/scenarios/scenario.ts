/**
 * A scenario: which cluster, who uses it, what goes wrong, and what must hold. One value in a file of its own, that
 * an operator can read, and that is played in every world that can do what it asks for.
 */
import type { Check } from "#chaos/checkers/evidence.ts"
import type { Step } from "#chaos/faults/schedule.ts"
import type { ClusterShape } from "#chaos/lab/world.ts"
import type { Workload } from "#chaos/workloads/workload.ts"

export interface Scenario {
  /** As one types it: `leader-power-loss`. */
  readonly name: string
  /** What happens, and what must hold, in a sentence or two. */
  readonly says: string
  readonly cluster: ClusterShape
  readonly workload: ReadonlyArray<Workload>
  readonly faults: ReadonlyArray<Step>
  /** After the last fault has ended, until the state is compared. Multiplied with the slowness of the world. */
  readonly recoveryMillis: number
  readonly checks: ReadonlyArray<Check>
  /** How often nodes are looked at; see chaos/harness/observer.ts. */
  readonly pace?: Pace
}

/** In milliseconds, which are multiplied with the slowness of the world. */
export interface Pace {
  /** Who leads. */
  readonly statusMillis: number
  /** The tree, the members, the breakers. */
  readonly treeMillis: number
}

export const threeNodes: ClusterShape = {
  nodes: 3,
  spares: 0,
  roles: [],
  zones: ["zone-a", "zone-b", "zone-c"]
}
