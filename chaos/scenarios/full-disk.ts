import { fullDisk } from "#chaos/faults/fault.ts"
import { somebodyLeads, strikeFor, wait } from "#chaos/faults/schedule.ts"
import { clientLoad, safety } from "./client-load.ts"
import { type Scenario, threeNodes } from "./scenario.ts"

export const fullDiskOfLeader: Scenario = {
  name: "full-disk",
  says: "The leader's disk has room for nothing more. Its member gives up rather than lie, another node leads, and it comes back by itself when there is room.",
  cluster: threeNodes,
  workload: clientLoad,
  faults: [somebodyLeads, strikeFor(5_000, fullDisk("the leader")), wait(15_000)],
  recoveryMillis: 12_000,
  checks: safety
}
