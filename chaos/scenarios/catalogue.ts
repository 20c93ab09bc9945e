/** All scenarios, in the order in which one would try them. */
import { allPowerLoss } from "./all-power-loss.ts"
import { breakerTrip } from "./breaker-trip.ts"
import { bridgePartition } from "./bridge-partition.ts"
import { brokenDiskOfLeader } from "./broken-disk.ts"
import { clockJumps } from "./clock-jump.ts"
import { compactionUnderWatch } from "./compaction-under-watch.ts"
import { crashLoop } from "./crash-loop.ts"
import { flappingLink } from "./flapping-link.ts"
import { fullDiskOfLeader } from "./full-disk.ts"
import { leaderKill } from "./leader-kill.ts"
import { leaderPowerLoss } from "./leader-power-loss.ts"
import { lossyMembership } from "./lossy-membership.ts"
import { majorityPartition } from "./majority-partition.ts"
import { memoryPressureOnLeader } from "./memory-pressure.ts"
import { minorityPartition } from "./minority-partition.ts"
import { oneWayPartition } from "./one-way-partition.ts"
import { orderlyShutdownOfLeader } from "./orderly-shutdown.ts"
import { pausedLeader } from "./paused-leader.ts"
import { powerLossMidFlush } from "./power-loss-mid-flush.ts"
import { randomHour } from "./random-hour.ts"
import { replaceNodeUnderFire } from "./replace-node-under-fire.ts"
import { roleFailover } from "./role-failover.ts"
import { rollingPowerLoss } from "./rolling-power-loss.ts"
import type { Scenario } from "./scenario.ts"
import { slowDiskOfLeader } from "./slow-disk.ts"
import { smoke } from "./smoke.ts"
import { threeBlows } from "./three-blows.ts"

export const scenarios: ReadonlyArray<Scenario> = [
  smoke,
  threeBlows,
  leaderKill,
  leaderPowerLoss,
  allPowerLoss,
  powerLossMidFlush,
  rollingPowerLoss,
  orderlyShutdownOfLeader,
  minorityPartition,
  majorityPartition,
  bridgePartition,
  oneWayPartition,
  flappingLink,
  slowDiskOfLeader,
  fullDiskOfLeader,
  brokenDiskOfLeader,
  memoryPressureOnLeader,
  pausedLeader,
  clockJumps,
  compactionUnderWatch,
  roleFailover,
  crashLoop,
  lossyMembership,
  replaceNodeUnderFire,
  breakerTrip,
  randomHour
]

export const scenarioNamed = (name: string): Scenario | undefined =>
  scenarios.find((scenario) => scenario.name === name)
