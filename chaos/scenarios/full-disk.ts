/** A disk without room, under the leader. */
import { recoveryTime } from "#chaos/checkers/recovery-time.ts"
import { takenOver } from "#chaos/checkers/taken-over.ts"
import { noUnexpectedCrash } from "#chaos/checkers/unexpected-crashes.ts"
import { fullDisk } from "#chaos/faults/fault.ts"
import { somebodyLeads, strikeFor, wait } from "#chaos/faults/schedule.ts"
import { bulk } from "#chaos/workloads/bulk.ts"
import { clientLoad, safety } from "./client-load.ts"
import { type Scenario, threeNodes } from "./scenario.ts"

/** A fault of its disk is the crash of a member; and of a node that finds no room when it starts. */
const faultOfTheDisk = /\/chainfire\/member/

export const fullDiskOfLeader: Scenario = {
  name: "full-disk",
  says: "The leader's disk has room for nothing more. Its member gives up rather than lie, another node leads, and it comes back by itself when there is room.",
  cluster: threeNodes,
  workload: [...clientLoad, bulk({ bytes: 16 * 1024, everyMillis: 500 })],
  faults: [somebodyLeads, strikeFor(5_000, fullDisk("the leader")), wait(15_000)],
  recoveryMillis: 12_000,
  checks: [
    ...safety,
    takenOver({ withinMillis: 4_000 }),
    recoveryTime({ withinMillis: 12_000 }),
    noUnexpectedCrash([faultOfTheDisk])
  ]
}
