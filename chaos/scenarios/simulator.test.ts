/**
 * Every scenario in the simulator, with one seed after the other: five hundred runs in all, and what must hold after
 * each. A failure names the scenario and the seed; `npm run chaos -- run SCENARIO --seed N` shows the rest, with
 * `--for 8m` for those that are not played to their end here.
 *
 * `UC_SEEDS=1000` plays so many seeds of each, and `UC_FIRST_SEED=501` begins there.
 */
import { availableParallelism } from "node:os"
import test from "ava"
import { Effect } from "effect"
import { whyImpossible } from "#chaos/faults/schedule.ts"
import { quietRun } from "#chaos/harness/quiet-run.ts"
import type { RunOptions } from "#chaos/harness/run.ts"
import { cannotOf } from "#chaos/harness/run-scenario.ts"
import { SimWorkers } from "#chaos/harness/sim-workers.ts"
import { cannot as simCannot } from "#chaos/sim/sim-strikes.ts"
import { scenarios } from "./catalogue.ts"

const { UC_FIRST_SEED: first = "1", UC_SEEDS: given } = process.env
const seedsUsual = 24
/** Of those of which one seed takes as long as several of the others: five nodes, minutes, or large values. */
const seedsOfLong: Readonly<Record<string, number>> = {
  "rolling-power-loss": 20,
  "majority-partition": 16,
  "lossy-membership": 14,
  "role-failover": 10,
  "compaction-under-watch": 10,
  "full-disk": 8,
  "random-hour": 8
}
const seedsMin = 500
const seedsOf = (name: string): number => Number(given ?? seedsOfLong[name] ?? seedsUsual)
/** Instead of its hour: as many faults from more seeds. */
const minutesOf: Readonly<Record<string, number>> = { "random-hour": 8 }

const orderOf = (name: string, seed: number): RunOptions => {
  const minutes = given === undefined ? minutesOf[name] : undefined
  return { ...quietRun(seed), forMillis: minutes === undefined ? undefined : minutes * 60_000 }
}

const workers = new SimWorkers()
const processors = Effect.unsafeMakeSemaphore(availableParallelism())

/** The others need a machine. */
const playable = scenarios.filter(
  ({ faults }) => whyImpossible(faults, cannotOf({ cannot: simCannot })) === undefined
)

test("there are five hundred runs or more, and whatever is played more rarely is there to be played", (t) => {
  const names = playable.map(({ name }) => name)
  const runs = names.reduce((sum, name) => sum + seedsOf(name), 0)
  t.log(`${runs} runs of ${names.length} scenarios`)
  t.true(given !== undefined || runs >= seedsMin, `${runs} runs`)
  for (const name of Object.keys({ ...seedsOfLong, ...minutesOf })) t.true(names.includes(name), name)
})

for (const scenario of playable) {
  test(`${scenario.name} holds in the simulator`, async (t) => {
    t.timeout(30 * 60_000)
    const numbers = Array.from({ length: seedsOf(scenario.name) }, (_, index) => Number(first) + index)
    const play = (seed: number) =>
      Effect.map(
        processors.withPermits(1)(workers.play(scenario, orderOf(scenario.name, seed))),
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
