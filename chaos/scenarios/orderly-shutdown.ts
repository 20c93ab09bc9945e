/** For comparison with the loss of power: the same machines, told in time. */
import { recoveryTime } from "#chaos/checkers/recovery-time.ts"
import { noUnexpectedCrash } from "#chaos/checkers/unexpected-crashes.ts"
import { orderlyShutdown } from "#chaos/faults/fault.ts"
import { everybodyIsUp, nextCommit, repeat, somebodyLeads, strikeFor, wait } from "#chaos/faults/schedule.ts"
import { clientLoad, safety } from "./client-load.ts"
import { type Scenario, threeNodes } from "./scenario.ts"

export const orderlyShutdownOfLeader: Scenario = {
  name: "orderly-shutdown",
  says: "The machine of whoever leads is shut down in order, twice, to compare leader-power-loss with. Its node hands over and tells everybody before it ends, so clients wait for less than an election.",
  cluster: threeNodes,
  workload: clientLoad,
  faults: [
    repeat(
      2,
      everybodyIsUp,
      somebodyLeads,
      nextCommit,
      strikeFor(3_000, orderlyShutdown("the leader")),
      wait(5_000, 7_000)
    )
  ],
  recoveryMillis: 5_000,
  checks: [...safety, recoveryTime({ withinMillis: 5_000 }), noUnexpectedCrash()]
}
