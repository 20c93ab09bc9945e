/** What most scenarios have in common: clients of chainfire's keys, watches and locks, and what they must be able to rely on. */
import { acknowledgedWrites } from "#chaos/checkers/acknowledged-writes-kept.ts"
import { clientsUndisturbed } from "#chaos/checkers/clients-undisturbed.ts"
import type { Check } from "#chaos/checkers/evidence.ts"
import { linearizable } from "#chaos/checkers/linearizable.ts"
import { revisionsInOrder } from "#chaos/checkers/revisions-in-order.ts"
import { watchesComplete } from "#chaos/checkers/watches-complete.ts"
import { kv } from "#chaos/workloads/kv.ts"
import { watching } from "#chaos/workloads/watching.ts"
import type { Workload } from "#chaos/workloads/workload.ts"

export const clientLoad: ReadonlyArray<Workload> = [
  kv({ writers: 4, readers: 2, pauseMillisMax: 40 }),
  watching({ watchers: 3 })
]

/** Whatever goes wrong. */
export const safety: ReadonlyArray<Check> = [
  linearizable,
  acknowledgedWrites,
  revisionsInOrder,
  watchesComplete,
  clientsUndisturbed
]
