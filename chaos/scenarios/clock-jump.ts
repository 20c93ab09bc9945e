import { recoveryTime } from "#chaos/checkers/recovery-time.ts"
import { noUnexpectedCrash } from "#chaos/checkers/unexpected-crashes.ts"
import { clockJump } from "#chaos/faults/fault.ts"
import { repeat, somebodyLeads, strike, wait } from "#chaos/faults/schedule.ts"
import { clientLoad, safety } from "./client-load.ts"
import { type Scenario, threeNodes } from "./scenario.ts"

export const clockJumps: Scenario = {
  name: "clock-jump",
  says: "The clocks of leader and followers jump ahead, by seconds and by an hour. Leases and reads do not trust one clock alone, so at worst somebody else leads.",
  cluster: threeNodes,
  workload: clientLoad,
  faults: [
    repeat(
      2,
      somebodyLeads,
      strike(clockJump("the leader", 5_000)),
      wait(4_000),
      strike(clockJump("a follower", 20_000)),
      wait(4_000),
      strike(clockJump("the leader", 3_600_000)),
      wait(6_000)
    )
  ],
  recoveryMillis: 5_000,
  checks: [...safety, recoveryTime({ withinMillis: 8_000 }), noUnexpectedCrash()]
}
