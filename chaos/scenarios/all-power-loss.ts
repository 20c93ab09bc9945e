import { recoveryTime } from "#chaos/checkers/recovery-time.ts"
import { noUnexpectedCrash } from "#chaos/checkers/unexpected-crashes.ts"
import { powerLoss } from "#chaos/faults/fault.ts"
import { everybodyIsUp, nextCommit, repeat, strikeFor, wait } from "#chaos/faults/schedule.ts"
import { clientLoad, safety } from "./client-load.ts"
import { type Scenario, threeNodes } from "./scenario.ts"

export const allPowerLoss: Scenario = {
  name: "all-power-loss",
  says: "The power of the whole house fails while clients write, twice. Everything that was acknowledged was on a quorum of disks, so it is there when the nodes are back.",
  cluster: threeNodes,
  workload: clientLoad,
  faults: [
    repeat(2, everybodyIsUp, nextCommit, strikeFor(1_000, powerLoss("all nodes")), wait(8_000, 10_000))
  ],
  recoveryMillis: 6_000,
  checks: [...safety, recoveryTime({ withinMillis: 10_000 }), noUnexpectedCrash()]
}
