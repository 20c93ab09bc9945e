import { recoveryTime } from "#chaos/checkers/recovery-time.ts"
import { slowDisk } from "#chaos/faults/fault.ts"
import { somebodyLeads, strikeFor, wait } from "#chaos/faults/schedule.ts"
import { clientLoad, safety } from "./client-load.ts"
import { type Scenario, threeNodes } from "./scenario.ts"

export const slowDiskOfLeader: Scenario = {
  name: "slow-disk",
  says: "The leader's disk takes 400 ms for each flush, then a follower's does. A slow leader stays one that tells the truth, and a slow follower holds nobody up.",
  cluster: threeNodes,
  workload: clientLoad,
  faults: [
    somebodyLeads,
    strikeFor(6_000, slowDisk("the leader", 400)),
    wait(8_000),
    strikeFor(6_000, slowDisk("a follower", 400)),
    wait(8_000)
  ],
  recoveryMillis: 5_000,
  checks: [...safety, recoveryTime({ withinMillis: 8_000 })]
}
