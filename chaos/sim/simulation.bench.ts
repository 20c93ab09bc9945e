/**
 * How much faster than real time does a simulated cluster of three whole nodes run?
 *
 *   npm run bench simulation          an hour of virtual time, and a little more
 *   npm run bench simulation 0.1      a tenth of it; the beginning is slower than what follows
 *
 * `warm` is after the run before it, when V8 has compiled what a cluster does. `light` is two clients with an operation
 * a second each and a fault a minute, which is what a scenario of hours is made of; `heavy` is clients that do not
 * pause.
 */
import { badNetwork, crash, kill, partition, pause, powerLoss } from "#chaos/faults/fault.ts"
import { draw, repeat, type Step, strikeFor, wait } from "#chaos/faults/schedule.ts"
import { type Played, played, problemsOf } from "./fixtures/played.ts"

const scale = Number(process.argv[2] ?? 1)

const row = (cells: ReadonlyArray<string | number>) => console.log(`| ${cells.join(" | ")} |`)

const measure = (what: string, play: () => Played): void => {
  globalThis.gc?.()
  const cpu = process.cpuUsage()
  const fromMillis = performance.now()
  const run = play()
  const tookMillis = performance.now() - fromMillis
  const { system, user } = process.cpuUsage(cpu)
  const { endedMillis, history } = run
  const problems = problemsOf(run)
  row([
    what,
    Math.round(endedMillis / 1_000),
    history.length,
    (tookMillis / 1_000).toFixed(1),
    Math.round(endedMillis / tookMillis),
    Math.round(endedMillis / ((system + user) / 1_000)),
    problems.length === 0 ? "well" : (problems[0] ?? "")
  ])
}

const faultAMinute: Step = repeat(
  Math.max(1, Math.round(60 * scale)),
  draw(
    strikeFor(10_000, powerLoss("the leader")),
    strikeFor(10_000, kill("any node")),
    strikeFor(10_000, partition("the leader")),
    strikeFor(10_000, pause("a follower")),
    strikeFor(10_000, badNetwork({ loss: 0.1, delayMillis: 20, jitterMillis: 50 })),
    strikeFor(10_000, crash("any node", "chainfire/member"))
  ),
  wait(60_000)
)

row(["load", "virtual s", "operations", "real s", "times real time", "by CPU time", "clients saw"])
row(["---", "---", "---", "---", "---", "---", "---"])
const light = { clients: 2, pauseMillisMax: 2_000, looksMillis: 5_000 }
const idle = (seed: number) => played([wait(3_600_000 * scale)], { ...light, seed, clients: 0 })
measure("none", () => idle(1))
measure("none, warm", () => idle(4))
measure("light", () => played([faultAMinute], { ...light, seed: 2 }))
measure("heavy", () =>
  played([wait(120_000 * scale)], { seed: 3, clients: 8, pauseMillisMax: 0, looksMillis: 5_000 })
)
