import { recoveryTime } from "#chaos/checkers/recovery-time.ts"
import { noUnexpectedCrash } from "#chaos/checkers/unexpected-crashes.ts"
import { kill } from "#chaos/faults/fault.ts"
import { everybodyIsUp, nextCommit, repeat, somebodyLeads, strikeFor, wait } from "#chaos/faults/schedule.ts"
import { clientLoad, safety } from "./client-load.ts"
import { type Scenario, threeNodes } from "./scenario.ts"

export const leaderKill: Scenario = {
  name: "leader-kill",
  says: "The process of whoever leads is ended with kill -9 right after it has committed, three times over. Its machine lives, so the others are told at once.",
  cluster: threeNodes,
  workload: clientLoad,
  faults: [
    repeat(
      3,
      everybodyIsUp,
      somebodyLeads,
      nextCommit,
      strikeFor(2_000, kill("the leader")),
      wait(4_000, 6_000)
    )
  ],
  recoveryMillis: 5_000,
  checks: [...safety, recoveryTime({ withinMillis: 5_000 }), noUnexpectedCrash()]
}
