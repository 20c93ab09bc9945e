import { recoveryTime } from "#chaos/checkers/recovery-time.ts"
import { partition } from "#chaos/faults/fault.ts"
import { repeat, somebodyLeads, strikeFor, wait } from "#chaos/faults/schedule.ts"
import { clientLoad, safety } from "./client-load.ts"
import { type Scenario, threeNodes } from "./scenario.ts"

export const minorityPartition: Scenario = {
  name: "minority-partition",
  says: "The leader is cut off from everybody else. The others elect another one and go on; what the old one says meanwhile counts for nothing, and it follows when the network heals.",
  cluster: threeNodes,
  workload: clientLoad,
  faults: [
    repeat(2, somebodyLeads, strikeFor(6_000, partition("the leader")), wait(10_000, 12_000)),
    strikeFor(6_000, partition("a follower")),
    wait(10_000)
  ],
  recoveryMillis: 5_000,
  checks: [...safety, recoveryTime({ withinMillis: 6_000 })]
}
