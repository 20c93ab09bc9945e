import { breakerTrips } from "#chaos/checkers/breaker-trips.ts"
import { noUnexpectedCrash } from "#chaos/checkers/unexpected-crashes.ts"
import { kill } from "#chaos/faults/fault.ts"
import { strikeFor, wait } from "#chaos/faults/schedule.ts"
import { clientLoad, safety } from "./client-load.ts"
import { type Scenario, threeNodes } from "./scenario.ts"

export const breakerTrip: Scenario = {
  name: "breaker-trip",
  says: "Two of the three nodes of a zone die within a minute. The fleet breaker of the third stops automation, and lets it go on when most nodes are healthy again.",
  cluster: { ...threeNodes, zones: ["zone-a"] },
  workload: clientLoad,
  faults: [strikeFor(70_000, kill(["node02"])), strikeFor(70_000, kill(["node03"])), wait(80_000)],
  recoveryMillis: 14_000,
  checks: [
    ...safety,
    breakerTrips({ downMin: 2, opensWithinMillis: 60_000, closesWithinMillis: 8_000 }),
    noUnexpectedCrash()
  ]
}
