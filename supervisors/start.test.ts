/** What somebody sees who starts nodes by hand or by a unit: ready is one thing, and a port that is taken is said. */
import { type ChildProcess, execFile, spawn, spawnSync } from "node:child_process"
import { once } from "node:events"
import { mkdtempSync, rmSync } from "node:fs"
import { createServer } from "node:net"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { fileURLToPath } from "node:url"
import { promisify } from "node:util"
import test from "ava"
import { Effect } from "effect"
import { eventually } from "#actors/kernel/fixtures/eventually.ts"
import { nodeCommand, writeCluster } from "#chaos/lab/processes/cluster-files.ts"
import { freePorts } from "#chaos/lab/processes/free-ports.ts"

const main = fileURLToPath(import.meta.resolve("./main.ts"))
/** A network of its own, where the ports of `ultracloud up` are free whatever else runs here. */
const alone = ["--net", "sh", "-c", 'ip link set lo up && exec "$@"', "sh"]
// Skipped where nobody may have a network of his own (unshare, as root).
const aloneTest = spawnSync("unshare", [...alone, "true"]).status === 0 ? test : test.skip

interface Started {
  readonly child: ChildProcess
  readonly said: () => string
  readonly errors: () => string
}

/** Runs a program in a folder of its own; whatever becomes of it, it is gone in the end. */
const withProgram = async (
  program: string,
  args: ReadonlyArray<string>,
  body: (started: Started) => Promise<void>
): Promise<void> => {
  const folder = mkdtempSync(join(tmpdir(), "start-"))
  const child = spawn(program, [...args], { cwd: folder, stdio: ["ignore", "pipe", "pipe"] })
  let [out, err] = ["", ""]
  child.stdout.on("data", (text: Buffer) => {
    out += text
  })
  child.stderr.on("data", (text: Buffer) => {
    err += text
  })
  const closed = once(child, "close")
  try {
    await body({ child, said: () => out + err, errors: () => err })
  } finally {
    // It stops its own processes, which a kill would leave.
    child.kill("SIGINT")
    await closed
    rmSync(folder, { recursive: true, force: true })
  }
}

const readyz = async ({ child }: Started, port: number): Promise<string> => {
  const url = `http://127.0.0.1:${port}/readyz`
  const asked = ["--net", `--target=${child.pid}`, "curl", "--silent", "--max-time", "10", url]
  const { stdout } = await promisify(execFile)("nsenter", asked)
  return stdout
}

for (const [args, line, ports] of [
  [["up"], "node01 is ready", [7790]],
  [["up", "--nodes", "3"], "3 nodes are ready", [7790, 7791, 7792]]
] as const) {
  aloneTest(`${args.join(" ")} says that it is ready when /readyz does`, async (t) => {
    t.timeout(180_000)
    await withProgram("unshare", [...alone, process.execPath, main, ...args], async (started) => {
      await eventually(
        () => started.said(),
        () => started.said().includes(line) || undefined
      )
      for (const port of ports) t.is(await readyz(started, port), "ok\n")
    })
  })
}

aloneTest("up on a machine where something has its port for health says so, and ends", async (t) => {
  t.timeout(120_000)
  // Who holds it is there before the node, which takes the place of the shell.
  const held = `require("node:net").createServer().listen(7790, "127.0.0.1", () => {
    process.exitCode = require("node:child_process").spawnSync(process.execPath, process.argv.slice(1), { stdio: "inherit" }).status
    process.exit()
  })`
  const node = [process.execPath, "-e", held, main, "up"]
  await withProgram("unshare", [...alone, ...node], async ({ child, errors }) => {
    await once(child, "close")
    t.is(child.exitCode, 1)
    t.regex(
      errors(),
      /^ultracloud: PortRefused: cannot listen on 127\.0\.0\.1:7790: the port is in use; .*`ss -ltnp sport = :7790`.*cluster file.*health\.port.*\n$/
    )
  })
})

test("a node of a cluster whose port is taken is told which key says another, and does not start", async (t) => {
  t.timeout(120_000)
  const folder = mkdtempSync(join(tmpdir(), "start-file-"))
  const holder = createServer()
  try {
    holder.listen(0, "127.0.0.1")
    await once(holder, "listening")
    const address = holder.address()
    const taken = typeof address === "object" && address !== null ? address.port : 0
    const [free = 0, other = 0] = await Effect.runPromise(freePorts(2, ["127.0.0.1"]))
    const own = { name: "node01", host: "127.0.0.1", zone: "zone-a", console: 0 }
    const dataDirectory = join(folder, "node01")
    const cases = [
      ["health.port", { links: free, etcd: other, health: { port: taken } }],
      ["links", { links: taken, etcd: other }],
      ["etcd", { links: free, etcd: taken }]
    ] as const
    for (const [key, ports] of cases) {
      const files = await Effect.runPromise(
        writeCluster(folder, { cluster: "west", nodes: [{ ...own, ...ports, dataDirectory }] })
      )
      const { args, program } = nodeCommand(files, "node01")
      await withProgram(program, args, async ({ child, errors }) => {
        await once(child, "close")
        t.is(child.exitCode, 1)
        const [line = "", ...more] = errors().trimEnd().split("\n")
        t.deepEqual(more, [])
        t.true(
          line.startsWith(`ultracloud: PortRefused: cannot listen on 127.0.0.1:${taken}: the port is in use;`)
        )
        t.regex(
          line,
          new RegExp(`give node01 another port as its ${key.replace(".", "\\.")} in .*cluster\\.json$`)
        )
      })
    }
  } finally {
    holder.close()
    rmSync(folder, { recursive: true, force: true })
  }
})
