import { execFile } from "node:child_process"
import { globSync } from "node:fs"
import { basename, join } from "node:path"
import { promisify } from "node:util"
import test from "ava"

const root = join(import.meta.dirname, "../..")
const run = promisify(execFile)

for (const file of globSync("{protocols,actors,supervisors,chaos}/**/*.bench.ts", { cwd: root })) {
  const name = basename(file, ".bench.ts")
  test(`the benchmark ${name} still runs, on a thousandth of its work`, async (t) => {
    const { stdout } = await run(process.execPath, [
      join(import.meta.dirname, "bench-main.ts"),
      name,
      "0.001"
    ])
    t.regex(stdout, /\|/, "it prints a table")
  })
}

test("an unknown benchmark is an error that names the known ones", async (t) => {
  const failed = await t.throwsAsync(
    run(process.execPath, [join(import.meta.dirname, "bench-main.ts"), "nothing"])
  )
  t.regex(failed.message, /choose one of .*runtime/)
})
