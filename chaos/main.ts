/** The chaos command over the scenarios and worlds that there are. */
import { Effect } from "effect"
import { runChaos } from "./command.ts"
import { runScenario } from "./harness/run-scenario.ts"
import { scenarios } from "./scenarios/catalogue.ts"
import { cannot as simCannot } from "./sim/sim-strikes.ts"
import { inSimulation } from "./sim/simulation.ts"

runChaos({
  scenarios,
  cannot: { sim: simCannot, process: () => "not there yet", qemu: () => "not there yet" },
  play: (scenario, _world, options) =>
    Effect.sync(() => inSimulation(options.seed, (maker) => runScenario(scenario, maker, options)))
})
