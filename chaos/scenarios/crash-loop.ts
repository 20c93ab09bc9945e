import { escalations } from "#chaos/checkers/escalations.ts"
import { recoveryTime } from "#chaos/checkers/recovery-time.ts"
import { crash } from "#chaos/faults/fault.ts"
import { repeat, strike, wait } from "#chaos/faults/schedule.ts"
import { clientLoad, safety } from "./client-load.ts"
import { type Scenario, threeNodes } from "./scenario.ts"

/** Of its supervisor in supervisors/trees/roles.ts: ten restarts within a minute, and no more. */
const restartsMax = 10

export const crashLoop: Scenario = {
  name: "crash-loop",
  says: "One component of one node crashes again as soon as it is up. Its supervisor restarts it up to its limit, then gives up and is restarted itself; the rest of the node, and chainfire on it, never notice.",
  cluster: threeNodes,
  workload: clientLoad,
  faults: [repeat(restartsMax + 1, strike(crash(["node01"], "roles/role-agent")), wait(300)), wait(3_000)],
  recoveryMillis: 5_000,
  checks: [...safety, recoveryTime({ withinMillis: 2_000 }), escalations({ expected: [/^\/node01\/roles$/] })]
}
