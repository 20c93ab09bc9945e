import { membershipAccurate } from "#chaos/checkers/membership-accurate.ts"
import { noUnexpectedCrash } from "#chaos/checkers/unexpected-crashes.ts"
import { badNetwork, kill } from "#chaos/faults/fault.ts"
import { everybodyIsUp, strikeFor, wait } from "#chaos/faults/schedule.ts"
import { clientLoad, safety } from "./client-load.ts"
import { type Scenario, threeNodes } from "./scenario.ts"

export const lossyMembership: Scenario = {
  name: "lossy-membership",
  says: "The network loses, delays and reorders. Nobody who lives is taken for dead because of it; and a node that does die meanwhile is found out all the same.",
  cluster: { ...threeNodes, nodes: 5 },
  workload: clientLoad,
  faults: [
    strikeFor(20_000, badNetwork({ loss: 0.05, jitterMillis: 60, reorder: 0.05, duplicate: 0.02 })),
    wait(10_000),
    strikeFor(8_000, kill(["node05"])),
    wait(10_000),
    everybodyIsUp,
    wait(4_000)
  ],
  recoveryMillis: 8_000,
  checks: [...safety, membershipAccurate(), noUnexpectedCrash()]
}
