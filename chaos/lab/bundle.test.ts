import { spawn } from "node:child_process"
import { once } from "node:events"
import { mkdtempSync, rmSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import test from "ava"
import { Effect } from "effect"
import { bundleNode } from "./bundle.ts"

test.serial("a bundled node starts by itself, keeps its data, and stops in order", async (t) => {
  t.timeout(120_000)
  const { folder } = await Effect.runPromise(bundleNode())
  const work = mkdtempSync(join(tmpdir(), "bundled-"))
  try {
    const path = join(work, "cluster.json")
    const address = { host: "127.0.0.1", links: 0, etcd: 0, zone: "a", dataDirectory: join(work, "data") }
    writeFileSync(path, JSON.stringify({ cluster: "west", nodes: [{ name: "node01", ...address }] }))
    for (let life = 1; life <= 2; life++) {
      const main = join(folder, "supervisors/main.js")
      const child = spawn(process.execPath, [main, "node", "--cluster", path, "--name", "node01"])
      const ended = once(child, "close")
      let text = ""
      child.stderr.on("data", (bytes: Buffer) => {
        text += bytes.toString()
      })
      child.stdout.on("data", (bytes: Buffer) => {
        text += bytes.toString()
        if (text.includes('"message":"ready ') && !child.killed) child.kill("SIGINT")
      })
      await ended
      t.is(child.exitCode, 0, text)
      t.regex(text, /"message":"stopped in order/)
    }
  } finally {
    rmSync(work, { recursive: true, force: true })
  }
})

test.serial("the same sources give the same bundle, without bundling again", async (t) => {
  const first = await Effect.runPromise(bundleNode())
  t.deepEqual(await Effect.runPromise(bundleNode()), first)
})
