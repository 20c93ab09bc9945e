/** `ultracloud bench`: the benchmarks, which are where the chaos suite is. */
import { fileURLToPath } from "node:url"
import * as Args from "@effect/cli/Args"
import * as Command from "@effect/cli/Command"
import { Effect } from "effect"
import { runSourceProgram } from "./source-program.ts"

const benchmarks = {
  what: "the benchmark suite",
  main: fileURLToPath(new URL("../chaos/harness/bench-main.ts", import.meta.url)),
  instead: "npm run bench"
}

const chosen = Args.text({ name: "name" }).pipe(
  Args.withDescription(
    "how its file begins, and what it takes itself, such as a scale; without it all of them"
  ),
  Args.repeated
)

export const bench = Command.make("bench", { chosen }, ({ chosen }) =>
  runSourceProgram(benchmarks, chosen, (line) => process.stderr.write(`ultracloud: ${line}\n`)).pipe(
    Effect.andThen((code) =>
      Effect.sync(() => {
        process.exitCode = code
      })
    ),
    Effect.uninterruptible
  )
).pipe(Command.withDescription("run benchmarks beside their peers; for example: ultracloud bench runtime"))
