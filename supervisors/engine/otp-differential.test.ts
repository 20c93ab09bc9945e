/**
 * The same scenarios on OTP's own supervisors and on ours: whatever a person can see must be the same.
 *
 *   UC_SCENARIOS=100000 ava --timeout=1h supervisors/engine/otp-differential.test.ts    more of them
 *   UC_SCENARIOS=1 UC_SEED=4711 ava …                                      the one that failed
 *
 * What is left out, and why: the header of supervision-traces.ts, and the comments where
 * supervision-scenarios.ts draws.
 */
import { randomInt } from "node:crypto"
import test from "ava"
import { otpAvailable, runOnOtp, type Scenario } from "#chaos/harness/otp-oracle.ts"
import { play } from "#chaos/harness/supervision-player.ts"
import { randomScenario, shrunk, told } from "#chaos/harness/supervision-scenarios.ts"
import { difference, written } from "#chaos/harness/supervision-traces.ts"
import { playModel } from "#chaos/models/supervision-model.ts"
import { Prng } from "#chaos/sim/prng.ts"

const scenarioCount = Number(process.env["UC_SCENARIOS"] ?? 1_500)
const firstSeed = Number(process.env["UC_SEED"] ?? randomInt(1_000_000_000))

const compared = otpAvailable() ? test : test.skip

if (!otpAvailable()) {
  test("without Erlang there is nothing to compare with", (t) => {
    t.log("skipped: erl and erlc are not on the path")
    t.pass()
  })
}

compared("our supervisors do what OTP's do", async (t) => {
  t.log(`${scenarioCount} scenarios from seed ${firstSeed}`)
  const found = await firstDifference(scenarioCount, (scenario, seed) => play(scenario, seed))
  t.is(found, undefined)
})

compared("and so does the model of supervision", async (t) => {
  const found = await firstDifference(scenarioCount, ({ actions, root }) => playModel(root, actions))
  t.is(found, undefined)
})

compared("a supervisor that forgets to stop a group is found out, and told in a few lines", async (t) => {
  const forgetful = ({ actions, root }: Scenario, seed: number) => {
    const strategy = root.strategy === "one-for-all" ? "one-for-one" : root.strategy
    return play({ root: { ...root, strategy }, actions }, seed)
  }
  const found = await firstDifference(300, forgetful)
  t.regex(found ?? "", /one-for-all/)
  t.true((found ?? "").split("\n").length < 25, found)
})

// Fixtures

/** Plays a scenario on something that is to do what OTP does. */
type Rival = (scenario: Scenario, seed: number) => ReturnType<typeof play>

const batchMax = 1_000

/** What a person needs to know of the first scenario that differs, made as small as it gets. */
const firstDifference = async (count: number, rival: Rival): Promise<string | undefined> => {
  for (let begin = 0; begin < count; begin += batchMax) {
    const seeds = Array.from(
      { length: Math.min(batchMax, count - begin) },
      (_, index) => firstSeed + begin + index
    )
    const scenarios = seeds.map((seed) => randomScenario(new Prng(seed)))
    const differences = await differencesOf(scenarios, (scenario, index) =>
      rival(scenario, seeds[index] ?? 0)
    )
    const index = differences.findIndex((difference) => difference !== undefined)
    const scenario = scenarios[index]
    const seed = seeds[index]
    if (scenario === undefined || seed === undefined) continue
    const again = (all: ReadonlyArray<Scenario>) => differencesOf(all, (each) => rival(each, seed))
    const small = await shrunk(scenario, async (all) =>
      (await again(all)).map((difference) => difference !== undefined)
    )
    const [shown] = await again([small])
    return [`seed ${seed}`, told(small), shown].join("\n")
  }
  return undefined
}

const differencesOf = async (
  scenarios: ReadonlyArray<Scenario>,
  rival: (scenario: Scenario, index: number) => ReturnType<typeof play>
): Promise<ReadonlyArray<string | undefined>> => {
  const traces = await runOnOtp(scenarios)
  return scenarios.map((scenario, index) =>
    difference(written(scenario, traces[index] ?? []), written(scenario, rival(scenario, index)))
  )
}
