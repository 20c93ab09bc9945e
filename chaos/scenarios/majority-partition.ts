import { convergence } from "#chaos/checkers/convergence.ts"
import { partition } from "#chaos/faults/fault.ts"
import { repeat, somebodyLeads, strikeFor, wait } from "#chaos/faults/schedule.ts"
import { clientLoad, safety } from "./client-load.ts"
import { type Scenario, threeNodes } from "./scenario.ts"

export const majorityPartition: Scenario = {
  name: "majority-partition",
  says: "Five nodes: two are cut off from three, leader or not, and then every node from every other, so that nobody has a quorum. Without one nobody acknowledges anything.",
  cluster: { ...threeNodes, nodes: 5, zones: ["zone-a", "zone-b", "zone-c"] },
  workload: clientLoad,
  faults: [
    repeat(2, somebodyLeads, strikeFor(5_000, partition("a minority")), wait(8_000, 10_000)),
    // Each node alone: five cuts of one from all others.
    strikeFor(4_000, partition(["node01"])),
    strikeFor(4_000, partition(["node02"])),
    strikeFor(4_000, partition(["node03"])),
    wait(9_000)
  ],
  recoveryMillis: 6_000,
  checks: [...safety, convergence({ withinMillis: 12_000 })]
}
