/** Machines with hardly any memory left. */
import { recoveryTime } from "#chaos/checkers/recovery-time.ts"
import { noUnexpectedCrash } from "#chaos/checkers/unexpected-crashes.ts"
import { memoryPressure } from "#chaos/faults/fault.ts"
import { somebodyLeads, strikeFor, wait } from "#chaos/faults/schedule.ts"
import { clientLoad, safety } from "./client-load.ts"
import { type Scenario, threeNodes } from "./scenario.ts"

export const memoryPressureOnLeader: Scenario = {
  name: "memory-pressure",
  says: "The leader's machine has 64 MiB less memory for a while, then a follower's. What was cached is read again from disks; nobody ends, and nobody is told anything wrong.",
  cluster: threeNodes,
  workload: clientLoad,
  faults: [
    somebodyLeads,
    strikeFor(6_000, memoryPressure("the leader", 64)),
    wait(9_000),
    strikeFor(6_000, memoryPressure("a follower", 64)),
    wait(9_000)
  ],
  recoveryMillis: 5_000,
  checks: [...safety, recoveryTime({ withinMillis: 8_000 }), noUnexpectedCrash()]
}
