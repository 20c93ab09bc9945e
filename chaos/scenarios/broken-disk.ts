/** A disk that ends writes with errors, and machines that reset themselves. */
import { recoveryTime } from "#chaos/checkers/recovery-time.ts"
import { takenOver } from "#chaos/checkers/taken-over.ts"
import { noUnexpectedCrash } from "#chaos/checkers/unexpected-crashes.ts"
import { brokenDisk, reset } from "#chaos/faults/fault.ts"
import { everybodyIsUp, somebodyLeads, strike, strikeFor, wait } from "#chaos/faults/schedule.ts"
import { clientLoad, safety } from "./client-load.ts"
import { type Scenario, threeNodes } from "./scenario.ts"

/** A fault of its disk is the crash of a member; and of a node that cannot write when it starts. */
const faultOfTheDisk = /\/chainfire\/member/

export const brokenDiskOfLeader: Scenario = {
  name: "broken-disk",
  says: "Writes to the leader's disk end with errors. Its member gives up rather than lie, and is back when the disk is whole; then a follower and whoever leads reset themselves.",
  cluster: threeNodes,
  workload: clientLoad,
  faults: [
    somebodyLeads,
    strikeFor(5_000, brokenDisk("the leader")),
    wait(12_000),
    everybodyIsUp,
    strike(reset("a follower")),
    wait(6_000),
    everybodyIsUp,
    strike(reset("the leader")),
    wait(6_000),
    everybodyIsUp
  ],
  recoveryMillis: 8_000,
  checks: [
    ...safety,
    takenOver({ withinMillis: 4_000 }),
    recoveryTime({ withinMillis: 12_000 }),
    noUnexpectedCrash([faultOfTheDisk])
  ]
}
