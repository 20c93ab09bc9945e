/** A lab that is killed with -9, and what the next one finds of it: nothing, once it has begun. */
import { type ChildProcess, spawn } from "node:child_process"
import { once } from "node:events"
import {
  appendFileSync,
  chmodSync,
  existsSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync
} from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { createInterface } from "node:readline"
import { fileURLToPath } from "node:url"
import test from "ava"
import { Effect } from "effect"
import { processStart } from "#actors/platform/data-lock.ts"
import { openRecord, reap } from "./reaper.ts"

const inFolder = async (body: (folder: string) => Promise<void>): Promise<void> => {
  const folder = mkdtempSync(join(tmpdir(), "reaper-"))
  try {
    await body(folder)
  } finally {
    rmSync(folder, { recursive: true, force: true })
  }
}

interface Runner {
  readonly process: ChildProcess
  /** Of what it has started. */
  readonly child: number
}

const started = async (labs: string, folder: string): Promise<Runner> => {
  const main = fileURLToPath(import.meta.resolve("./fixtures/littering-runner.ts"))
  const runner = spawn(process.execPath, [main, labs, folder], { stdio: ["ignore", "pipe", "inherit"] })
  for await (const line of createInterface({ input: runner.stdout })) {
    if (line.startsWith("{")) return { process: runner, child: Number(JSON.parse(line).child) }
  }
  throw new Error("the runner ended before it had started anything")
}

const killed = async ({ process }: Runner): Promise<void> => {
  const ended = once(process, "exit")
  process.kill("SIGKILL")
  await ended
}

const reaped = async (labs: string): Promise<ReadonlyArray<string>> => {
  const lines: Array<string> = []
  await Effect.runPromise(reap((line) => void lines.push(line), labs))
  return lines
}

const isMounted = (folder: string): boolean => readFileSync("/proc/self/mountinfo", "utf8").includes(folder)

const onLinux = process.platform === "linux" ? test : test.skip

onLinux(
  "what a killed lab has left behind goes when the next one begins, and what a living one has stays",
  async (t) => {
    t.timeout(60_000)
    await inFolder(async (folder) => {
      const labs = join(folder, "labs")
      const [dead, alive] = [join(folder, "dead"), join(folder, "alive")]
      const living = await started(labs, alive)
      try {
        const littering = await started(labs, dead)
        await killed(littering)
        t.not(processStart(littering.child), undefined, "nobody else ends it")
        t.true(existsSync(dead))

        const lines = await reaped(labs)
        t.is(processStart(littering.child), undefined)
        t.false(existsSync(dead))
        t.false(isMounted(dead))
        t.true(lines.some((line) => line.includes(`process ${littering.child} (sleep) is killed`)))
        t.not(processStart(living.child), undefined)
        t.true(existsSync(alive))
        t.is(readdirSync(labs).length, 1)
      } finally {
        await killed(living)
        await reaped(labs)
        t.is(processStart(living.child), undefined)
        t.deepEqual(readdirSync(labs), [])
      }
    })
  }
)

onLinux("a lab that closes clears what it has itself", async (t) => {
  await inFolder(async (folder) => {
    const labs = join(folder, "labs")
    const child = await Effect.gen(function* () {
      const record = yield* openRecord(() => {}, labs)
      const sleeping = spawn("sleep", ["600"], { stdio: "ignore" })
      record.process(sleeping.pid ?? 0, "sleep")
      record.folder(join(folder, "never made"))
      t.not(processStart(sleeping.pid ?? 0), undefined)
      return sleeping.pid ?? 0
    }).pipe(Effect.scoped, Effect.runPromise)
    t.is(processStart(child), undefined)
    t.deepEqual(readdirSync(labs), [])
  })
})

onLinux("a process that only has the number of one that was ours is left alone", async (t) => {
  await inFolder(async (folder) => {
    const labs = join(folder, "labs")
    await reaped(labs)
    const boot = readFileSync("/proc/sys/kernel/random/boot_id", "utf8").trim()
    const gone = { pid: process.pid, start: "1", boot }
    const another = { pid: process.pid, start: processStart(process.pid), boot: "another boot" }
    const lines = [{ runner: gone }, { process: gone, what: "a" }, { process: another, what: "b" }]
    appendFileSync(join(labs, "x.jsonl"), lines.map((line) => `${JSON.stringify(line)}\n`).join(""))
    const said = await reaped(labs)
    t.deepEqual(said.length, 1, "and this process lives to tell")
    t.deepEqual(readdirSync(labs), [])
  })
})

onLinux("records that somebody else could have written are not read", async (t) => {
  await inFolder(async (folder) => {
    const labs = join(folder, "labs")
    await reaped(labs)
    chmodSync(labs, 0o777)
    const refused = await Effect.runPromise(Effect.flip(reap(() => {}, labs)))
    t.regex(refused.message, /cannot hold the records of labs: others may write to it; see to it/)
  })
})
