/**
 * Random trees under random crashes, without Erlang: ours against a model that is plain functions.
 *
 *   UC_SCENARIOS=100000 ava --timeout=1h supervisors/engine/supervisor.property.test.ts    more of them
 *   UC_SCENARIOS=1 UC_SEED=4711 ava …                                         the one that failed
 */
import { randomInt } from "node:crypto"
import test from "ava"
import { play, playAtOnce, type Storm } from "#chaos/harness/supervision-player.ts"
import {
  placesOf,
  randomScenario,
  randomTimedScenario,
  shrunk,
  type TimedScenario,
  told
} from "#chaos/harness/supervision-scenarios.ts"
import { difference, written } from "#chaos/harness/supervision-traces.ts"
import { playModel } from "#chaos/models/supervision-model.ts"
import { Prng } from "#chaos/sim/prng.ts"

const scenarioCount = Number(process.env["UC_SCENARIOS"] ?? 3_000)
const stormCount = Math.ceil(scenarioCount / 3)
const firstSeed = Number(process.env["UC_SEED"] ?? randomInt(1_000_000_000))

test("one thing after the other, a tree does what the model says", async (t) => {
  const found = await firstProblem(scenarioCount, randomTimedScenario, (scenario, seed) => {
    const expected = written(scenario, playModel(scenario.root, scenario.actions))
    return difference(expected, written(scenario, play(scenario, seed)))
  })
  t.log(`${scenarioCount} scenarios from seed ${firstSeed}`)
  t.is(found, undefined)
})

test("whatever happens at once: no child has two lives, and supervisors know their children", async (t) => {
  const found = await firstProblem(stormCount, randomScenario, (scenario, seed) => {
    const { answers, violations } = playAtOnce(scenario, seed)
    return problem([...violations, ...(answers.includes("DeadlineExceeded") ? ["an ask had no answer"] : [])])
  })
  t.is(found, undefined)
})

test("after any crashes at once, whoever supervises has its permanent children", async (t) => {
  const onlyExits = (prng: Prng) => {
    const { actions, root } = randomScenario(prng)
    return { root, actions: actions.filter(({ kind }) => kind === "exit") }
  }
  const found = await firstProblem(stormCount, onlyExits, (scenario, seed) =>
    problem(missingPermanents(scenario, playAtOnce(scenario, seed)))
  )
  t.is(found, undefined)
})

test("after its end a tree has left nothing behind, nor after a boot that failed", async (t) => {
  const found = await firstProblem(stormCount, randomScenario, ({ actions, root }, seed) => {
    const end = { kind: "exit", path: [], reason: seed % 2 === 0 ? "kill" : "shutdown" } as const
    const { rootEnding, tree, violations } = playAtOnce({ root, actions: [...actions, end] }, seed)
    return problem([...violations, ...(rootEnding === null || tree.length > 0 ? ["it did not end"] : [])])
  })
  t.is(found, undefined)
})

// Fixtures

const firstProblem = async (
  count: number,
  draw: (prng: Prng) => TimedScenario,
  problemOf: (scenario: TimedScenario, seed: number) => string | undefined
): Promise<string | undefined> => {
  for (let seed = firstSeed; seed < firstSeed + count; seed++) {
    const scenario = draw(new Prng(seed))
    if (problemOf(scenario, seed) === undefined) continue
    const small = await shrunk(scenario, async (all) =>
      all.map((each) => problemOf(each, seed) !== undefined)
    )
    return [`seed ${seed}`, told(small), problemOf(small, seed)].join("\n")
  }
  return undefined
}

const problem = (violations: ReadonlyArray<string>): string | undefined =>
  violations.length === 0 ? undefined : violations.join("\n")

const missingPermanents = (scenario: TimedScenario, { tree }: Storm): ReadonlyArray<string> => {
  const places = placesOf(scenario)
  const stopped = (nodes: Storm["tree"], path: ReadonlyArray<string>): ReadonlyArray<string> =>
    nodes.flatMap(({ children = [], name, state }) => {
      const at = [...path, name]
      return state === "undefined" ? [at.join("/")] : stopped(children, at)
    })
  const down = new Set(stopped(tree, []))
  return places.flatMap(({ path, spec: { ignoreStarts, restart } }) =>
    restart === "permanent" && ignoreStarts?.length === 0 && down.has(path.join("/"))
      ? [`${path.join("/")} does not run`]
      : []
  )
}
