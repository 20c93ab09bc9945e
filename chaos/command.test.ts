/** What whoever types it, or a script around it, relies on. The runs are made up; everything else is the real thing. */
import { spawn } from "node:child_process"
import { existsSync, mkdtempSync, readdirSync, readFileSync, realpathSync, rmSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import test, { type ExecutionContext } from "ava"
import { Schema } from "effect"
import { ResultJson } from "./harness/report/result.ts"

const main = join(import.meta.dirname, "harness/fixtures/made-up-lab-main.ts")

interface Ended {
  readonly code: number | null
  readonly out: string
  readonly err: string
}

interface Chaos {
  readonly folder: string
  readonly reports: string
  /** `madeUp` are the only scenarios there are; `at` stops it in order once that was printed. */
  readonly run: (command: string, options?: { madeUp?: string; at?: string }) => Promise<Ended>
}

const withChaos = async (t: ExecutionContext, use: (chaos: Chaos) => Promise<void>) => {
  t.timeout(150_000)
  const folder = mkdtempSync(join(tmpdir(), "chaos-command-"))
  const run: Chaos["run"] = (command, { at, madeUp } = {}) =>
    new Promise((resolve) => {
      const child = spawn(process.execPath, [main, ...command.split(" ")], {
        cwd: folder,
        env: { ...process.env, ...(madeUp !== undefined && { MADE_UP: madeUp }) }
      })
      const ended = { out: "", err: "" }
      const deadline = setTimeout(() => child.kill("SIGKILL"), 60_000)
      child.stdout.setEncoding("utf8").on("data", (text: string) => {
        const was = ended.out
        ended.out += text
        if (at !== undefined && ended.out.includes(at) && !was.includes(at)) child.kill("SIGINT")
      })
      child.stderr.setEncoding("utf8").on("data", (text: string) => {
        ended.err += text
      })
      child.once("close", (code) => {
        clearTimeout(deadline)
        resolve({ code, ...ended })
      })
    })
  try {
    await use({ folder, reports: join(folder, "work/chaos"), run })
  } finally {
    rmSync(folder, { recursive: true, force: true })
  }
}

const resultIn = (folder: string) =>
  Schema.decodeSync(ResultJson)(readFileSync(join(folder, "result.json"), "utf8"))

test.serial("a run that passes ends with 0, and its report is the latest", async (t) => {
  await withChaos(t, async ({ reports, run }) => {
    const { code, out } = await run("run passes --seed 3")
    t.is(code, 0)
    t.regex(out, /passes in sim, seed 3: passed/)
    const latest = realpathSync(join(reports, "latest"))
    t.regex(latest, /\d{8}T\d{6}Z-passes-sim-3$/)
    const found = readdirSync(latest).toSorted()
    t.deepEqual(found, [
      "findings.jsonl",
      "history.jsonl",
      "nodes",
      "report.html",
      "result.json",
      "timeline.jsonl"
    ])
    const { plan, seed, state, success } = resultIn(latest)
    t.deepEqual([state, success, seed, plan?.scenario], ["passed", true, 3, "passes"])
  })
})

test.serial(
  "a failure ends with 1, says the shortest schedule, and is played again by what it prints",
  async (t) => {
    await withChaos(t, async ({ reports, run }) => {
      const failed = await run("run fails --seed 3")
      t.is(failed.code, 1)
      t.regex(failed.out, /2 of 4 actions/)
      t.regex(failed.out, /the power of node01 is cut/)
      t.notRegex(failed.out, /the network/)
      const commands = [...failed.out.matchAll(/npm run chaos -- (replay (\S+))/g)]
      t.is(commands.length, 2)
      for (const [, command = ""] of commands) {
        const again = await run(command)
        t.is(again.code, 1)
        t.regex(again.out, /the history is identical to the recorded one, 600 operations/)
      }
      t.is(resultIn(realpathSync(join(reports, "latest"))).plan?.from, commands[1]?.[2])
      const [, , folder = ""] = commands[0] ?? []
      const shrunk = await run(`shrink ${folder}`)
      t.is(shrunk.code, 0)
      t.regex(shrunk.out, /2 of 4 actions/)
    })
  }
)

test.serial("what cannot be played is neither a success nor a failure", async (t) => {
  await withChaos(t, async ({ reports, run }) => {
    const blocked = await run("run is-blocked")
    t.is(blocked.code, 3)
    t.regex(blocked.out, /qemu is not installed; install it/)
    const skipped = await run("run is-skipped")
    t.is(skipped.code, 3)
    t.regex(skipped.out, /skipped: it has no memory to take/)
    t.is(resultIn(realpathSync(join(reports, "latest"))).state, "skipped")
    const both = await run("run is-skipped passes --seeds 5")
    t.is(both.code, 0)
    t.regex(both.out, /5 passed, 1 skipped/)
  })
})

test.serial("what nobody understands ends with 2, and says what to do", async (t) => {
  await withChaos(t, async ({ folder, run }) => {
    const asked = [
      ["run nothing-like-it", /choose one of passes, fails/],
      ["run", /--help/],
      ["run passes --for ever", /write a duration as/],
      ["replay work/chaos/nowhere", /name a folder in/],
      ["frobnicate", /'list', 'run', 'replay'/]
    ] as const
    for (const [command, remedy] of asked) {
      const { code, err, out } = await run(command)
      t.is(code, 2, command)
      t.is(out, "", command)
      t.regex(err, remedy)
    }
    t.false(existsSync(join(folder, "work")))
  })
})

test.serial("a run that breaks is a failure with its reason, and the next one is played", async (t) => {
  await withChaos(t, async ({ run }) => {
    const { code, out } = await run("run all --seeds 2", { madeUp: "breaks,passes" })
    t.is(code, 1)
    t.regex(out, /the simulation goes round in circles/)
    t.regex(out, /2 passed, 2 failed/)
  })
})

test.serial("with --json the results are all that is printed, one a line", async (t) => {
  await withChaos(t, async ({ run }) => {
    const { code, out } = await run("run passes fails --seeds 2 --seed 10 --json --shrink-for 0s")
    t.is(code, 1)
    const results = out
      .trimEnd()
      .split("\n")
      .map((line) => Schema.decodeSync(ResultJson)(line))
    t.deepEqual(results.map(({ lane, seed, state }) => [lane, seed, state]).toSorted(), [
      ["chaos/fails", 10, "failed"],
      ["chaos/fails", 11, "failed"],
      ["chaos/passes", 10, "passed"],
      ["chaos/passes", 11, "passed"]
    ])
  })
})

test.serial("interrupted, it closes the world first, and ends with 130", async (t) => {
  await withChaos(t, async ({ run }) => {
    const { code, out } = await run("run hangs", { at: "100 answered" })
    t.is(code, 130)
    t.regex(out, /the world is closed/)
  })
})

test.serial("of many reports the newest twenty are kept", async (t) => {
  await withChaos(t, async ({ reports, run }) => {
    t.is((await run("run fails --seeds 30 --seed 1 --shrink-for 0s")).code, 1)
    const kept = readdirSync(reports).filter((name) => name !== "latest")
    t.is(kept.length, 20)
    for (const name of kept) t.true(existsSync(join(reports, name, "result.json")))
  })
})

test.serial("a soak plays all in turn until its time is over, keeps what failed, and counts", async (t) => {
  await withChaos(t, async ({ reports, run }) => {
    const { code, out } = await run("soak --for 2s --seed 1 --jobs 1", { madeUp: "passes,fails,is-skipped" })
    t.is(code, 1)
    t.regex(out, /is-skipped is skipped/)
    t.regex(out, /^all +\d+ +\d+ +\d+ +0 +1 /m)
    const { metrics, state, steps } = resultIn(realpathSync(join(reports, "latest")))
    t.is(state, "failed")
    const { failed = 0, passed = 0, runs = 0 } = metrics
    t.true(passed > 0 && failed > 0 && runs === passed + failed)
    for (const path of steps.find(({ name }) => name === "fails")?.evidence ?? [])
      t.regex(path, /runs\/\d{8}T\d{6}Z-fails-sim-\d+/)
    t.true(readdirSync(join(reports, "latest/runs")).length <= 21)
  })
})

test.serial("a soak that is interrupted leaves a report of what it has done", async (t) => {
  await withChaos(t, async ({ reports, run }) => {
    const { code, out } = await run("soak --for 1h --seed 1 --jobs 1", {
      madeUp: "fails,hangs",
      at: "replay"
    })
    t.is(code, 130)
    t.regex(out, /^fails +1 +0 +1 /m)
    t.is(resultIn(realpathSync(join(reports, "latest"))).lane, "chaos/soak")
  })
})
