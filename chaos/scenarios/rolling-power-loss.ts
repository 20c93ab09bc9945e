import { recoveryTime } from "#chaos/checkers/recovery-time.ts"
import { noUnexpectedCrash } from "#chaos/checkers/unexpected-crashes.ts"
import { powerLoss } from "#chaos/faults/fault.ts"
import { everybodyIsUp, strikeFor, wait } from "#chaos/faults/schedule.ts"
import { clientLoad, safety } from "./client-load.ts"
import { type Scenario, threeNodes } from "./scenario.ts"

export const rollingPowerLoss: Scenario = {
  name: "rolling-power-loss",
  says: "One node after the other loses its power, the next as soon as the last one has been back for a while. There is a quorum all the time, so clients are served all the time.",
  cluster: threeNodes,
  workload: clientLoad,
  faults: ["node01", "node02", "node03", "node01", "node02", "node03"].flatMap((node) => [
    strikeFor(1_500, powerLoss([node])),
    wait(4_000),
    everybodyIsUp,
    wait(2_000)
  ]),
  recoveryMillis: 5_000,
  checks: [...safety, recoveryTime({ withinMillis: 5_000 }), noUnexpectedCrash()]
}
