import { recoveryTime } from "#chaos/checkers/recovery-time.ts"
import { oneWay } from "#chaos/faults/fault.ts"
import { somebodyLeads, strikeFor, wait } from "#chaos/faults/schedule.ts"
import { clientLoad, safety } from "./client-load.ts"
import { type Scenario, threeNodes } from "./scenario.ts"

export const oneWayPartition: Scenario = {
  name: "one-way-partition",
  says: "The leader is heard and hears nobody, then hears everybody and is not heard. A leader that cannot reach a quorum and back steps down, and a follower that hears nobody unseats no leader.",
  cluster: threeNodes,
  workload: clientLoad,
  faults: [
    somebodyLeads,
    strikeFor(6_000, oneWay("the leader", true)),
    wait(11_000),
    somebodyLeads,
    strikeFor(6_000, oneWay("the leader", false)),
    wait(11_000),
    strikeFor(6_000, oneWay("a follower", true)),
    wait(11_000)
  ],
  recoveryMillis: 5_000,
  checks: [...safety, recoveryTime({ withinMillis: 8_000 })]
}
