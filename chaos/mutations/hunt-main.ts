/**
 * Plays scenarios in the simulator with one seed after the other, until a check fails or the seeds are used up, and
 * prints what was found as one line of JSON. Run in a copy of our source that has a bug.
 *
 *   node hunt-main.ts SEEDS SCENARIO...
 */
import { runScenario } from "#chaos/harness/run-scenario.ts"
import { scenarioNamed } from "#chaos/scenarios/catalogue.ts"
import { inSimulation } from "#chaos/sim/simulation.ts"

export interface Found {
  readonly scenario: string
  readonly seed: number
  readonly checks: ReadonlyArray<{ readonly check: string; readonly lines: ReadonlyArray<string> }>
}

const [seeds = "1", ...names] = process.argv.slice(2)

const hunt = (): Found | null => {
  for (let seed = 1; seed <= Number(seeds); seed++) {
    for (const name of names) {
      const checks = failedChecks(name, seed)
      if (checks.length > 0) return { scenario: name, seed, checks }
    }
  }
  return null
}

const failedChecks = (name: string, seed: number): Found["checks"] => {
  const scenario = scenarioNamed(name)
  if (scenario === undefined) throw new Error(`there is no scenario ${name}`)
  try {
    const run = inSimulation(seed, (maker) =>
      runScenario(scenario, maker, {
        seed,
        nodes: undefined,
        forMillis: undefined,
        playBack: undefined,
        folder: undefined,
        nowMillis: () => performance.now(),
        wallMillis: () => Date.now(),
        onProgress: () => {},
        onNote: () => {}
      })
    )
    if (run.evidence === undefined) return [{ check: run.outcome, lines: [run.reason ?? ""] }]
    return run.findings.flatMap(({ check, lines, verdict }) =>
      verdict === "failed" ? [{ check, lines: lines.slice(0, 3) }] : []
    )
  } catch (cause) {
    // An invariant of the core that throws has found the bug too.
    return [
      { check: "the simulation ended", lines: [cause instanceof Error ? cause.message : String(cause)] }
    ]
  }
}

process.stdout.write(`${JSON.stringify(hunt())}\n`)
