import { recoveryTime } from "#chaos/checkers/recovery-time.ts"
import { partition } from "#chaos/faults/fault.ts"
import { repeat, strikeFor, wait } from "#chaos/faults/schedule.ts"
import { clientLoad, safety } from "./client-load.ts"
import { type Scenario, threeNodes } from "./scenario.ts"

export const flappingLink: Scenario = {
  name: "flapping-link",
  says: "The leader's link goes down and up again every half second or so. Clients may wait, but nobody is told two things, and when the link holds all is as before.",
  cluster: threeNodes,
  workload: clientLoad,
  faults: [repeat(20, strikeFor(300, partition("the leader")), wait(400, 900))],
  recoveryMillis: 6_000,
  checks: [...safety, recoveryTime({ withinMillis: 8_000 })]
}
