/** Dates that jump and a clock that runs fast. */
import { recoveryTime } from "#chaos/checkers/recovery-time.ts"
import { noUnexpectedCrash } from "#chaos/checkers/unexpected-crashes.ts"
import { clockJump, clockRate } from "#chaos/faults/fault.ts"
import { somebodyLeads, strike, strikeFor, wait } from "#chaos/faults/schedule.ts"
import { clientLoad, safety } from "./client-load.ts"
import { type Scenario, threeNodes } from "./scenario.ts"

export const clockJumps: Scenario = {
  name: "clock-jump",
  says: "The dates of leader and followers jump, ahead by seconds and by an hour, and back; then a clock runs a tenth too fast. Leases and elections count time and do not read dates, and no read trusts a clock.",
  cluster: threeNodes,
  workload: clientLoad,
  faults: [
    somebodyLeads,
    strike(clockJump("the leader", 5_000)),
    wait(3_000),
    strike(clockJump("a follower", 3_600_000)),
    wait(3_000),
    strike(clockJump("the leader", 3_600_000)),
    wait(3_000),
    strike(clockJump("all nodes", -7_200_000)),
    wait(3_000),
    strikeFor(5_000, clockRate("a follower", 1.1)),
    wait(8_000)
  ],
  recoveryMillis: 5_000,
  checks: [...safety, recoveryTime({ withinMillis: 8_000 }), noUnexpectedCrash()]
}
