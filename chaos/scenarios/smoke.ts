/** What one wants to know first of a new build or a new machine. */
import { recoveryTime } from "#chaos/checkers/recovery-time.ts"
import { takenOver } from "#chaos/checkers/taken-over.ts"
import { noUnexpectedCrash } from "#chaos/checkers/unexpected-crashes.ts"
import { partition, powerLoss } from "#chaos/faults/fault.ts"
import { everybodyIsUp, nextCommit, somebodyLeads, strikeFor, wait } from "#chaos/faults/schedule.ts"
import { clientLoad, safety } from "./client-load.ts"
import { type Scenario, threeNodes } from "./scenario.ts"

export const smoke: Scenario = {
  name: "smoke",
  says: "The shortest round: whoever leads loses its power right after it has committed, and when it is back whoever leads then is cut off. Each time another one leads, and nothing that was acknowledged is lost.",
  cluster: threeNodes,
  workload: clientLoad,
  faults: [
    // For as long as others take to give up their connections to it: before that they would not hear it when it is back.
    ...[somebodyLeads, nextCommit, strikeFor(4_000, powerLoss("the leader")), wait(4_500), everybodyIsUp],
    ...[somebodyLeads, strikeFor(4_000, partition("the leader")), wait(4_500)]
  ],
  recoveryMillis: 4_000,
  checks: [
    ...safety,
    takenOver({ withinMillis: 4_000 }),
    recoveryTime({ withinMillis: 5_000 }),
    noUnexpectedCrash()
  ]
}
