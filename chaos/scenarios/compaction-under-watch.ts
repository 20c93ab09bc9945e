/** Watches that are too late for what is compacted away. */
import { clientsUndisturbed } from "#chaos/checkers/clients-undisturbed.ts"
import { leaseSafety } from "#chaos/checkers/lease-safety.ts"
import { linearizable } from "#chaos/checkers/linearizable.ts"
import { watchesComplete } from "#chaos/checkers/watches-complete.ts"
import { kill, pause } from "#chaos/faults/fault.ts"
import { everybodyIsUp, repeat, strikeFor, wait } from "#chaos/faults/schedule.ts"
import { compacting } from "#chaos/workloads/compacting.ts"
import { kv } from "#chaos/workloads/kv.ts"
import { locks } from "#chaos/workloads/locks.ts"
import { watching } from "#chaos/workloads/watching.ts"
import { type Scenario, threeNodes } from "./scenario.ts"

export const compactionUnderWatch: Scenario = {
  name: "compaction-under-watch",
  says: "Old revisions are compacted away while slow clients still watch them and nodes die. A watch that has missed something is cancelled and told from where there is more; none goes on as if nothing were missing.",
  cluster: threeNodes,
  workload: [
    kv({ writers: 4, readers: 1, pauseMillisMax: 30 }),
    watching({ watchers: 4, slowMillisMax: 40, stayMillisMax: 1_000, isCompacted: true }),
    locks({ holders: 2 }),
    compacting({ everyMillis: 400, keep: 20 })
  ],
  faults: [
    repeat(
      3,
      everybodyIsUp,
      wait(2_000),
      strikeFor(1_500, kill("any node")),
      wait(3_000),
      strikeFor(1_500, pause("any node")),
      wait(3_000)
    )
  ],
  recoveryMillis: 5_000,
  checks: [linearizable, watchesComplete, clientsUndisturbed, leaseSafety]
}
