/** Whoever has a role is cut off until its lease is over. */
import { rolesTakenOver } from "#chaos/checkers/roles-taken-over.ts"
import { partition } from "#chaos/faults/fault.ts"
import { everybodyIsUp, strikeFor, wait } from "#chaos/faults/schedule.ts"
import { clientLoad, safety } from "./client-load.ts"
import { type Scenario, threeNodes } from "./scenario.ts"

export const roleFailover: Scenario = {
  name: "role-failover",
  says: "One node after the other is cut off for longer than the leases of roles last, the coordinator of failover among them. Somebody else takes over, under a larger epoch, and the coordinator of failover not before the one that is cut off has given up.",
  cluster: threeNodes,
  workload: clientLoad,
  faults: ["node01", "node02", "node03"].flatMap((node) => [
    strikeFor(25_000, partition([node])),
    wait(32_000),
    everybodyIsUp
  ]),
  recoveryMillis: 5_000,
  pace: { statusMillis: 200, treeMillis: 5_000 },
  checks: [...safety, rolesTakenOver({ withinMillis: 24_000 })]
}
