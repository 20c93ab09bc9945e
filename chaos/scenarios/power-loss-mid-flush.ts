/** Power that goes while disks are still flushing: whoever acknowledges before the flush has lied. */
import { recoveryTime } from "#chaos/checkers/recovery-time.ts"
import { noUnexpectedCrash } from "#chaos/checkers/unexpected-crashes.ts"
import { powerLoss, slowDisk } from "#chaos/faults/fault.ts"
import { everybodyIsUp, nextCommit, repeat, strikeFor, wait } from "#chaos/faults/schedule.ts"
import { clientLoad, safety } from "./client-load.ts"
import { type Scenario, threeNodes } from "./scenario.ts"

export const powerLossMidFlush: Scenario = {
  name: "power-loss-mid-flush",
  says: "Every disk takes 100 ms for each flush, and the power of all machines goes right after a write was acknowledged, twice. There always is a flush under way then, so what was acknowledged without one is gone.",
  cluster: threeNodes,
  workload: clientLoad,
  faults: [
    repeat(
      2,
      everybodyIsUp,
      strikeFor(4_000, slowDisk("all nodes", 100)),
      nextCommit,
      wait(0, 1_500),
      nextCommit,
      strikeFor(1_000, powerLoss("all nodes")),
      wait(8_000, 10_000)
    )
  ],
  recoveryMillis: 6_000,
  checks: [...safety, recoveryTime({ withinMillis: 10_000 }), noUnexpectedCrash()]
}
