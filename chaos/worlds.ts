/** The scenarios and the worlds that there are, as the chaos command plays them. */
import { Effect } from "effect"
import { cannotOf, runScenario } from "./harness/run-scenario.ts"
import type { Lab } from "./harness/session.ts"
import { SimWorkers } from "./harness/sim-workers.ts"
import { processWorld } from "./lab/processes/process-world.ts"
import { WorldBlocked, type WorldKind, type WorldMaker } from "./lab/world.ts"
import { scenarios } from "./scenarios/catalogue.ts"
import { cannot as simCannot } from "./sim/sim-strikes.ts"

const notThere = (kind: WorldKind): WorldMaker => ({
  kind,
  cannot: () => `the world "${kind}" is not there yet`,
  open: () =>
    Effect.fail(new WorldBlocked({ world: kind, missing: "it is not there yet", remedy: "play it in sim" }))
})

const makers = { process: processWorld, qemu: notThere("qemu") }

const simWorkers = new SimWorkers()

export const lab: Lab = {
  scenarios,
  cannot: {
    sim: cannotOf({ cannot: simCannot }),
    process: cannotOf(makers.process),
    qemu: cannotOf(makers.qemu)
  },
  play: (scenario, world, options) =>
    world === "sim" ? simWorkers.play(scenario, options) : runScenario(scenario, makers[world], options)
}
