import { spawnSync } from "node:child_process"
import { fileURLToPath } from "node:url"
import test from "ava"

for (const [what, slackBytes] of [
  ["spawned-and-stopped", 3_000_000],
  ["spawned-and-crashed", 3_000_000],
  ["asked-and-interrupted", 3_000_000],
  ["restarted", 3_000_000],
  ["timers-and-watches", 3_000_000]
] as const) {
  test(`nothing is left in memory of 100,000 that were ${what.replaceAll("-", " ")}`, (t) => {
    const fixture = fileURLToPath(new URL("../../chaos/sim/fixtures/leaks.ts", import.meta.url))
    const { status, stderr, stdout } = spawnSync(process.execPath, ["--expose-gc", fixture, what], {
      encoding: "utf8",
      timeout: 60_000
    })
    t.is(status, 0, stderr)
    const { grownBytes, actors, timers } = JSON.parse(stdout)
    t.log(`${grownBytes} bytes`)
    t.true(grownBytes < slackBytes, `${grownBytes} bytes more than before`)
    t.is(actors, 3, "the root, the keeper and the kept")
    t.is(timers, 0)
  })
}
