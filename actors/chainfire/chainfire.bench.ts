/**
 * How fast does one member of chainfire take puts and linearizable reads, against one member of Debian's etcd?
 *
 *   npm run bench chainfire           the measurement, about a minute
 *   npm run bench chainfire 0.01      a quick look, too short to compare
 *
 * The same load on both, one after the other: h2load with gRPC bodies, 256-byte values, fsync on for both, data
 * on the same file system. Groups of three members are not measured yet.
 */
import { type ChildProcess, execFile, spawn, spawnSync } from "node:child_process"
import { mkdtempSync, rmSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { createInterface } from "node:readline"
import { fileURLToPath } from "node:url"
import { promisify } from "node:util"
import { KV } from "#protocols/wire/etcd/methods.ts"
import { Etcd, etcdInstalled } from "./fixtures/etcd.ts"

const scale = Number(process.argv[2] ?? 1)
const h2loadInstalled = spawnSync("h2load", ["--version"]).status === 0

interface Load {
  readonly what: string
  readonly path: string
  readonly body: string
  readonly clients: number
  readonly calls: number
}

const framed = (message: Uint8Array): Uint8Array => {
  const body = Buffer.alloc(5 + message.length)
  body.writeUInt32BE(message.length, 1)
  body.set(message, 5)
  return body
}

const callsPerSecond = async (address: string, { body, calls, clients, path }: Load): Promise<number> => {
  const count = Math.max(clients * 2, Math.round(calls * scale))
  const { stdout } = await promisify(execFile)(
    "h2load",
    [
      ...["-n", `${count}`, "-c", `${clients}`, "-m", "1", "-t", "1", "-d", body],
      ...["-H", "content-type: application/grpc", "-H", "te: trailers", `http://${address}${path}`]
    ],
    { timeout: 120_000 }
  )
  const [, rate] = /finished in [^,]+, ([\d.]+) req\/s/.exec(stdout) ?? []
  const [, succeeded] = /(\d+) succeeded/.exec(stdout) ?? []
  if (rate === undefined || Number(succeeded) !== count) throw new Error(`h2load did not succeed:\n${stdout}`)
  return Number(rate)
}

const ourNode = async (
  folder: string
): Promise<{ readonly address: string; readonly process: ChildProcess }> => {
  const file = fileURLToPath(import.meta.resolve("#supervisors/fixtures/node-process.ts"))
  const options = { name: "node01", dataDirectory: join(folder, "node01"), port: 0, seeds: [] }
  const child = spawn(process.execPath, [file, JSON.stringify(options)], {
    stdio: ["pipe", "pipe", "inherit"]
  })
  for await (const line of createInterface({ input: child.stdout })) {
    const { etcd } = JSON.parse(line)
    if (typeof etcd === "string") return { address: etcd, process: child }
  }
  throw new Error("the node said nothing")
}

const show = (value: number): string => value.toLocaleString("en", { maximumFractionDigits: 0 })

const measure = async (): Promise<void> => {
  const folder = mkdtempSync(join(tmpdir(), "chainfire-bench-"))
  const etcd = await Etcd.start()
  const ours = await ourNode(folder)
  try {
    const key = new TextEncoder().encode("bench")
    const put = join(folder, "put")
    const range = join(folder, "range")
    writeFileSync(
      put,
      framed(KV.put.request.encode(KV.put.request.make({ key, value: new Uint8Array(256) })))
    )
    writeFileSync(range, framed(KV.range.request.encode(KV.range.request.make({ key }))))
    const loads: ReadonlyArray<Load> = [
      { what: "puts/s, 1 client", path: KV.put.path, body: put, clients: 1, calls: 3_000 },
      { what: "puts/s, 64 clients", path: KV.put.path, body: put, clients: 64, calls: 40_000 },
      { what: "puts/s, 256 clients", path: KV.put.path, body: put, clients: 256, calls: 60_000 },
      {
        what: "linearizable reads/s, 64 clients",
        path: KV.range.path,
        body: range,
        clients: 64,
        calls: 60_000
      }
    ]
    console.log("| one member | ours | etcd | ours ÷ etcd |")
    console.log("| --- | --- | --- | --- |")
    for (const load of loads) {
      await callsPerSecond(ours.address, { ...load, calls: load.calls / 5 })
      const own = await callsPerSecond(ours.address, load)
      const theirs = await callsPerSecond(etcd.address, load)
      console.log(`| ${load.what} | ${show(own)} | ${show(theirs)} | ${(own / theirs).toFixed(2)}× |`)
    }
  } finally {
    ours.process.kill("SIGKILL")
    await etcd.stop()
    rmSync(folder, { recursive: true, force: true })
  }
}

if (etcdInstalled() && h2loadInstalled) await measure()
else console.log("| nothing to compare with: apt-get install etcd-server nghttp2-client |")
