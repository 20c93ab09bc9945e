/** What most scenarios have in common: clients of chainfire's keys, watches and locks, nodes with roles, and what they must be able to rely on. */
import { acknowledgedWrites } from "#chaos/checkers/acknowledged-writes-kept.ts"
import { clientsUndisturbed } from "#chaos/checkers/clients-undisturbed.ts"
import { convergence } from "#chaos/checkers/convergence.ts"
import type { Check } from "#chaos/checkers/evidence.ts"
import { fencesHold } from "#chaos/checkers/fences-hold.ts"
import { leaseSafety } from "#chaos/checkers/lease-safety.ts"
import { linearizable } from "#chaos/checkers/linearizable.ts"
import { revisionsInOrder } from "#chaos/checkers/revisions-in-order.ts"
import { singleHolder } from "#chaos/checkers/single-holder.ts"
import { watchesComplete } from "#chaos/checkers/watches-complete.ts"
import { kv } from "#chaos/workloads/kv.ts"
import { locks } from "#chaos/workloads/locks.ts"
import { roles } from "#chaos/workloads/roles.ts"
import { watching } from "#chaos/workloads/watching.ts"
import type { Workload } from "#chaos/workloads/workload.ts"

export const clientLoad: ReadonlyArray<Workload> = [
  kv({ writers: 3, readers: 2, pauseMillisMax: 300 }),
  watching({ watchers: 2 }),
  locks({ holders: 2, pauseMillisMax: 400 }),
  roles()
]

/** Whatever goes wrong, of keys and watches. */
export const safetyOfKeys: ReadonlyArray<Check> = [
  linearizable,
  acknowledgedWrites,
  revisionsInOrder,
  watchesComplete,
  clientsUndisturbed,
  convergence({ withinMillis: 10_000 })
]

/** And of locks. */
export const safety: ReadonlyArray<Check> = [...safetyOfKeys, fencesHold, leaseSafety, singleHolder]
