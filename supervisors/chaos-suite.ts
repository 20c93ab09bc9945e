/** `ultracloud chaos …`: the chaos suite, where it is. */
import { fileURLToPath } from "node:url"
import type { Effect } from "effect"
import { runSourceProgram } from "./source-program.ts"

const suite = {
  what: "the chaos suite",
  main: fileURLToPath(new URL("../chaos/main.ts", import.meta.url)),
  instead: "npm run chaos"
}

/** What the suite exits with; not to be interrupted. */
export const runChaosSuite = (
  args: ReadonlyArray<string>,
  complain: (line: string) => void
): Effect.Effect<number> => runSourceProgram(suite, args, complain)
