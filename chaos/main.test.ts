/** The command over what is really there: a scenario in the simulator, and its report played again. */
import { execFile } from "node:child_process"
import { mkdtempSync, rmSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { promisify } from "node:util"
import test from "ava"
import { scenarios } from "./scenarios/catalogue.ts"

const run = promisify(execFile)

test("every scenario is listed, and one that is played in the simulator is the same run when it is played again", async (t) => {
  t.timeout(240_000)
  const folder = mkdtempSync(join(tmpdir(), "chaos-main-"))
  const chaos = async (...args: ReadonlyArray<string>) => {
    const main = join(import.meta.dirname, "main.ts")
    const { stdout } = await run(process.execPath, [main, ...args], { cwd: folder, timeout: 110_000 })
    return stdout
  }
  try {
    const listed = await chaos("list")
    for (const { name, says } of scenarios) t.true(listed.includes(name) && listed.includes(says), name)
    t.regex(await chaos("run", "leader-kill", "--seed", "2"), /leader-kill in sim, seed 2: passed/)
    const again = await chaos("replay", "work/chaos/latest")
    t.regex(again, /the history is identical to the recorded one, \d{3,} operations/)
    // One thread plays both.
    const both = await chaos("run", "leader-kill", "--seed", "3", "--seeds", "2", "--jobs", "1", "--json")
    t.is(both.trimEnd().split("\n").length, 2)
  } finally {
    rmSync(folder, { recursive: true, force: true })
  }
})
