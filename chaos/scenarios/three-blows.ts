/** Three ways in which a leader is gone, one after the other. */
import { recoveryTime } from "#chaos/checkers/recovery-time.ts"
import { takenOver } from "#chaos/checkers/taken-over.ts"
import { noUnexpectedCrash } from "#chaos/checkers/unexpected-crashes.ts"
import { kill, partition, pause } from "#chaos/faults/fault.ts"
import { everybodyIsUp, somebodyLeads, strikeFor, wait } from "#chaos/faults/schedule.ts"
import { clientLoad, safety } from "./client-load.ts"
import { type Scenario, threeNodes } from "./scenario.ts"

export const threeBlows: Scenario = {
  name: "three-blows",
  says: "Whoever leads is cut off, the next one is killed, and the one after that stands still. Each time another one leads, and they leave one history behind.",
  cluster: threeNodes,
  workload: clientLoad,
  faults: [
    ...[somebodyLeads, strikeFor(4_000, partition("the leader")), wait(6_000)],
    ...[somebodyLeads, strikeFor(4_000, kill("the leader")), wait(6_000), everybodyIsUp],
    ...[somebodyLeads, strikeFor(4_000, pause("the leader")), wait(6_000)]
  ],
  recoveryMillis: 5_000,
  checks: [
    ...safety,
    takenOver({ withinMillis: 4_000 }),
    recoveryTime({ withinMillis: 5_000 }),
    noUnexpectedCrash()
  ]
}
