/** What most scenarios have in common: clients of chainfire's keys, watches and locks, and what they must be able to rely on. */
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
import { watching } from "#chaos/workloads/watching.ts"
import type { Workload } from "#chaos/workloads/workload.ts"

export const clientLoad: ReadonlyArray<Workload> = [
  kv({ writers: 3, readers: 2, pauseMillisMax: 150 }),
  watching({ watchers: 2 }),
  locks({ holders: 2 })
]

/** Whatever goes wrong. */
export const safety: ReadonlyArray<Check> = [
  linearizable,
  acknowledgedWrites,
  revisionsInOrder,
  watchesComplete,
  clientsUndisturbed,
  fencesHold,
  leaseSafety,
  singleHolder,
  convergence({ withinMillis: 10_000 })
]
