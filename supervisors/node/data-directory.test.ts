/** Somebody starts a node a second time: two real processes, and what a process that died leaves behind. */
import { type ChildProcess, spawn } from "node:child_process"
import { once } from "node:events"
import { existsSync, mkdtempSync, rmSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { createInterface } from "node:readline"
import { fileURLToPath } from "node:url"
import test from "ava"
import { processStart } from "#actors/platform/data-lock.ts"

test("a second start on a data directory is refused in one line that names the node, the process and the way out", async (t) => {
  t.timeout(120_000)
  await inFolder(async (start, dataDirectory) => {
    const first = start("node01")
    await first.listens
    const second = start("node02")
    t.not(await second.ended, 0)
    t.is(
      second.errors(),
      `ultracloud: NodeRunsAlready: node02 cannot start: process ${first.pid} runs node01 on ${dataDirectory} already; ` +
        `stop that process (kill ${first.pid}), or give node02 another data directory\n`
    )

    // The first does not even notice, and leaves nothing behind when it stops.
    first.process.kill("SIGTERM")
    t.is(await first.ended, 0)
    t.false(existsSync(join(dataDirectory, "lock")))
  })
})

test("what a process that died left behind refuses nobody, whoever has its id by now", async (t) => {
  t.timeout(120_000)
  await inFolder(async (start, dataDirectory) => {
    const killed = start("node01")
    await killed.listens
    killed.process.kill("SIGKILL")
    await killed.ended
    t.true(existsSync(join(dataDirectory, "lock")), "it could not clean up")

    // This test has its id now, and is another program.
    writeFileSync(join(dataDirectory, "lock"), `${process.pid} 1 \n`)
    const again = start("node01")
    await again.listens
    again.process.kill("SIGTERM")
    t.is(await again.ended, 0)

    // The machine was booted anew, and by chance this test began as long after that as the node did before.
    const began = processStart(process.pid) ?? ""
    writeFileSync(
      join(dataDirectory, "lock"),
      `${process.pid} ${began} 00000000-0000-4000-8000-000000000000\n`
    )
    const later = start("node01")
    await later.listens
    later.process.kill("SIGTERM")
    t.is(await later.ended, 0)
  })
})

interface Started {
  readonly process: ChildProcess
  readonly pid: number | undefined
  /** Its ports are open. */
  readonly listens: Promise<void>
  readonly ended: Promise<number | null>
  readonly errors: () => string
}

const inFolder = async (
  body: (start: (name: string) => Started, dataDirectory: string) => Promise<void>
): Promise<void> => {
  const folder = mkdtempSync(join(tmpdir(), "data-directory-"))
  const dataDirectory = join(folder, "data")
  const started: Array<ChildProcess> = []
  const start = (name: string): Started => {
    const file = fileURLToPath(import.meta.resolve("../fixtures/node-process.ts"))
    const options = { name, dataDirectory, port: 0, seeds: [] }
    const child = spawn(process.execPath, [file, JSON.stringify(options)], {
      stdio: ["ignore", "pipe", "pipe"]
    })
    started.push(child)
    const errors: Array<string> = []
    child.stderr.on("data", (chunk) => errors.push(String(chunk)))
    const ended = once(child, "close").then(([code]): number | null => code)
    const listens = new Promise<void>((resolve, reject) => {
      createInterface({ input: child.stdout }).on("line", (line) => {
        if ("listening" in JSON.parse(line)) resolve()
      })
      void ended.then((code) => reject(new Error(`${name} ended with ${code}: ${errors.join("")}`)))
    })
    // Not everybody waits for it.
    listens.catch(() => {})
    return { process: child, pid: child.pid, listens, ended, errors: () => errors.join("") }
  }
  try {
    await body(start, dataDirectory)
  } finally {
    for (const child of started) child.kill("SIGKILL")
    rmSync(folder, { recursive: true, force: true })
  }
}
