import { recoveryTime } from "#chaos/checkers/recovery-time.ts"
import { bridge } from "#chaos/faults/fault.ts"
import { repeat, somebodyLeads, strikeFor, wait } from "#chaos/faults/schedule.ts"
import { clientLoad, safety } from "./client-load.ts"
import { type Scenario, threeNodes } from "./scenario.ts"

export const bridgePartition: Scenario = {
  name: "bridge-partition",
  says: "Two sides do not hear of each other, and one node hears both. Whoever leads, there is a quorum through the bridge, and terms do not grow without end.",
  cluster: threeNodes,
  workload: clientLoad,
  faults: [
    repeat(2, somebodyLeads, strikeFor(5_000, bridge("a follower")), wait(9_000, 10_000)),
    strikeFor(5_000, bridge("the leader")),
    wait(9_000)
  ],
  recoveryMillis: 5_000,
  checks: [...safety, recoveryTime({ withinMillis: 6_000 })]
}
