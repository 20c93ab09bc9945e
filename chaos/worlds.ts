/** The scenarios and the worlds that there are, as the chaos command plays them. */
import { cannotOf, runScenario } from "./harness/run-scenario.ts"
import type { Lab } from "./harness/session.ts"
import { SimWorkers } from "./harness/sim-workers.ts"
import { processWorld } from "./lab/processes/process-world.ts"
import { qemuWorld } from "./lab/qemu/qemu-world.ts"
import { scenarios } from "./scenarios/catalogue.ts"
import { cannot as simCannot } from "./sim/sim-strikes.ts"

const makers = { process: processWorld, qemu: qemuWorld() }

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
