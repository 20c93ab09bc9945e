import { recoveryTime } from "#chaos/checkers/recovery-time.ts"
import { noUnexpectedCrash } from "#chaos/checkers/unexpected-crashes.ts"
import { pause } from "#chaos/faults/fault.ts"
import { everybodyIsUp, repeat, somebodyLeads, strikeFor, wait } from "#chaos/faults/schedule.ts"
import { clientLoad, safety } from "./client-load.ts"
import { type Scenario, threeNodes } from "./scenario.ts"

export const pausedLeader: Scenario = {
  name: "paused-leader",
  says: "The leader stands still with all its connections open, long enough for another one to lead, and then goes on believing that it leads. Nobody reads from it what is not so any more.",
  cluster: threeNodes,
  workload: clientLoad,
  faults: [
    repeat(3, everybodyIsUp, somebodyLeads, strikeFor(4_000, pause("the leader")), wait(8_000, 9_000))
  ],
  recoveryMillis: 5_000,
  checks: [...safety, recoveryTime({ withinMillis: 6_000 }), noUnexpectedCrash()]
}
