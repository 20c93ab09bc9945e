import { boundedMemory } from "#chaos/checkers/bounded-memory.ts"
import {
  badNetwork,
  bridge,
  clockJump,
  fullDisk,
  kill,
  oneWay,
  partition,
  pause,
  powerLoss,
  slowDisk
} from "#chaos/faults/fault.ts"
import { draw, everybodyIsUp, repeat, strike, strikeFor, wait } from "#chaos/faults/schedule.ts"
import { kv } from "#chaos/workloads/kv.ts"
import { locks } from "#chaos/workloads/locks.ts"
import { watching } from "#chaos/workloads/watching.ts"
import { safety } from "./client-load.ts"
import { type Scenario, threeNodes } from "./scenario.ts"

export const randomHour: Scenario = {
  name: "random-hour",
  says: "An hour in which the seed draws a fault about every minute: power, processes, partitions, disks, clocks and bad networks, as far as the world can do them.",
  cluster: threeNodes,
  workload: [
    kv({ writers: 2, readers: 1, pauseMillisMax: 2_000 }),
    watching({ watchers: 1 }),
    locks({ holders: 2 })
  ],
  faults: [
    repeat(
      60,
      everybodyIsUp,
      wait(30_000, 50_000),
      draw(
        strikeFor(5_000, powerLoss("any node")),
        strikeFor(5_000, powerLoss("the leader")),
        strikeFor(2_000, powerLoss("all nodes")),
        strikeFor(4_000, kill("the leader")),
        strikeFor(6_000, partition("the leader")),
        strikeFor(6_000, partition("any node")),
        strikeFor(6_000, bridge("any node")),
        strikeFor(6_000, oneWay("the leader", true)),
        strikeFor(6_000, oneWay("the leader", false)),
        strikeFor(5_000, pause("the leader")),
        strikeFor(6_000, slowDisk("the leader", 400)),
        strikeFor(4_000, fullDisk("the leader")),
        strike(clockJump("any node", 10_000)),
        strikeFor(8_000, badNetwork({ loss: 0.1, jitterMillis: 80 }))
      ),
      wait(10_000, 20_000)
    )
  ],
  recoveryMillis: 12_000,
  pace: { statusMillis: 1_000, treeMillis: 30_000 },
  checks: [...safety, boundedMemory({ mebibytesMax: 512 })]
}
