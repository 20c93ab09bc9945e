/** Does the suite find what it is there to find? Each bug is planted in a copy, and some seed has to show it. */
import { execFile } from "node:child_process"
import { join } from "node:path"
import { promisify } from "node:util"
import test, { type ExecutionContext } from "ava"
import { Effect, Schema } from "effect"
import { mutatedCopy } from "./mutated-copy.ts"
import { type Edit, mutations } from "./mutations.ts"

const Found = Schema.parseJson(
  Schema.NullOr(
    Schema.Struct({
      scenario: Schema.String,
      seed: Schema.Int,
      checks: Schema.Array(Schema.Struct({ check: Schema.String, lines: Schema.Array(Schema.String) }))
    })
  )
)

const huntMillisMax = 280_000

/** Of seeds from 1 on the first that shows something. */
const hunted = (edits: ReadonlyArray<Edit>, seeds: number, scenarios: ReadonlyArray<string>) =>
  Effect.gen(function* () {
    const folder = yield* mutatedCopy(edits)
    const main = join(folder, "chaos/mutations/hunt-main.ts")
    const { stdout } = yield* Effect.promise(() =>
      promisify(execFile)(process.execPath, [main, `${seeds}`, ...scenarios], {
        cwd: folder,
        timeout: huntMillisMax,
        maxBuffer: 16 * 1024 * 1024
      })
    )
    return yield* Schema.decode(Found)(stdout)
  }).pipe(Effect.scoped, Effect.runPromise)

for (const { bug, edits, foundBy, scenarios, seedsMax } of mutations) {
  test.serial(`it is found that ${bug}`, async (t: ExecutionContext) => {
    t.timeout(huntMillisMax + 20_000)
    const found = await hunted(edits, seedsMax, scenarios)
    if (found === null) return t.fail(`not found in ${seedsMax} seeds of ${scenarios.join(", ")}`)
    t.log(`seed ${found.seed} of ${found.scenario}: ${found.checks[0]?.lines[0]}`)
    const checks = found.checks.map(({ check }) => check)
    t.true(
      checks.some((check) => foundBy.includes(check)),
      `found by ${checks.join(", ")} and by none of ${foundBy.join(", ")}`
    )
  })
}

test.serial("without a bug the same scenarios pass, in a copy as well", async (t) => {
  t.timeout(huntMillisMax + 20_000)
  t.is(await hunted([], 1, [...new Set(mutations.flatMap(({ scenarios }) => scenarios))]), null)
})
