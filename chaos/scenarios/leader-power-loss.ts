import { recoveryTime } from "#chaos/checkers/recovery-time.ts"
import { noUnexpectedCrash } from "#chaos/checkers/unexpected-crashes.ts"
import { powerLoss } from "#chaos/faults/fault.ts"
import { everybodyIsUp, nextCommit, repeat, somebodyLeads, strikeFor, wait } from "#chaos/faults/schedule.ts"
import { clientLoad, safety } from "./client-load.ts"
import { type Scenario, threeNodes } from "./scenario.ts"

export const leaderPowerLoss: Scenario = {
  name: "leader-power-loss",
  says: "The power of whoever leads is cut 200 ms after it has committed, three times over. Another one leads within seconds, and nothing that was acknowledged is lost.",
  cluster: threeNodes,
  workload: clientLoad,
  faults: [
    repeat(
      3,
      everybodyIsUp,
      somebodyLeads,
      nextCommit,
      wait(200),
      strikeFor(3_000, powerLoss("the leader")),
      wait(5_000, 7_000)
    )
  ],
  recoveryMillis: 5_000,
  checks: [...safety, recoveryTime({ withinMillis: 5_000 }), noUnexpectedCrash()]
}
