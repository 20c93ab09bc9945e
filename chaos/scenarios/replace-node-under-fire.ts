import { replaced } from "#chaos/checkers/replaced.ts"
import { noUnexpectedCrash } from "#chaos/checkers/unexpected-crashes.ts"
import { kill, replacement } from "#chaos/faults/fault.ts"
import { somebodyLeads, strike, strikeFor, wait } from "#chaos/faults/schedule.ts"
import { clientLoad, safety } from "./client-load.ts"
import { type Scenario, threeNodes } from "./scenario.ts"

export const replaceNodeUnderFire: Scenario = {
  name: "replace-node-under-fire",
  says: "A spare takes the place of node03 while clients write, and while it does whoever leads is killed. The next leader goes on with it, and the quorum is never at risk.",
  cluster: { ...threeNodes, spares: 1 },
  workload: clientLoad,
  faults: [
    somebodyLeads,
    strike(replacement(["node03"], "node04")),
    wait(700),
    strikeFor(3_000, kill("the leader")),
    wait(12_000)
  ],
  recoveryMillis: 10_000,
  checks: [...safety, replaced({ node: "node03", by: "node04" }), noUnexpectedCrash()]
}
