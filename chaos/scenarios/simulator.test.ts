/**
 * Every scenario in the simulator, with one seed after the other: five hundred runs in all, and what must hold after
 * each. A failure names the scenario and the seed; `npm run chaos -- run SCENARIO --seed N` shows the rest.
 *
 * `UC_SEEDS=1000` plays so many seeds of each, and `UC_FIRST_SEED=501` begins there.
 */
import { availableParallelism } from "node:os"
import test from "ava"
import { Effect } from "effect"
import { whyImpossible } from "#chaos/faults/schedule.ts"
import { quietRun } from "#chaos/harness/quiet-run.ts"
import { cannotOf } from "#chaos/harness/run-scenario.ts"
import { SimWorkers } from "#chaos/harness/sim-workers.ts"
import { cannot as simCannot } from "#chaos/sim/sim-strikes.ts"
import { scenarios } from "./catalogue.ts"

const { UC_FIRST_SEED: first = "1", UC_SEEDS: seeds } = process.env
/** One seed of these takes as long as several of the others: five nodes, minutes, or large values. */
const long = new Set([
  "full-disk",
  "lossy-membership",
  "majority-partition",
  "breaker-trip",
  "role-failover",
  "random-hour"
])
const seedsOf = (name: string) => Number(seeds ?? (long.has(name) ? 2 : 35))

const workers = new SimWorkers()
const processors = Effect.unsafeMakeSemaphore(availableParallelism())

/** The others need a machine. */
const playable = scenarios.filter(
  ({ faults }) => whyImpossible(faults, cannotOf({ cannot: simCannot })) === undefined
)

for (const scenario of playable) {
  test(`${scenario.name} holds in the simulator`, async (t) => {
    t.timeout(30 * 60_000)
    const numbers = Array.from({ length: seedsOf(scenario.name) }, (_, index) => Number(first) + index)
    const play = (seed: number) =>
      Effect.map(
        processors.withPermits(1)(workers.play(scenario, quietRun(seed))),
        ({ findings, outcome, reason }) => {
          const wrong = findings.filter(({ verdict }) => verdict !== "passed")
          const lines = wrong.flatMap(({ check, lines }) =>
            lines.slice(0, 3).map((line) => `${check}: ${line}`)
          )
          return outcome === "passed" ? [] : [`seed ${seed} ${outcome}: ${lines.join("\n  ") || reason}`]
        }
      )
    const problems = await Effect.runPromise(Effect.forEach(numbers, play, { concurrency: "unbounded" }))
    t.deepEqual(problems.flat(), [])
  })
}
