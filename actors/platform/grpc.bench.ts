/**
 * What does a unary call cost the server, against node:http2, gRPC's own server for Node, and etcd?
 *
 *   npm run bench grpc            about a minute
 *   npm run bench grpc 0.05       a quick look, too short to compare
 *
 * Expected: three times the calls of node:http2 at least, for a quarter of its CPU. Each server runs in a
 * process of its own and echoes a put of 256 bytes; h2load calls over 1, 64 and 256 connections, one call at
 * a time on each. CPU is the server's, user and system, over all of that. etcd really puts, with fsync, so
 * its line is what is to be reached by a store, and no contest.
 */
import { type ChildProcess, spawn, spawnSync } from "node:child_process"
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs"
import { createServer } from "node:http2"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { fileURLToPath } from "node:url"
import * as grpc from "@grpc/grpc-js"
import { Effect } from "effect"
import { PutRequest } from "#protocols/wire/etcd/kv-fast.ts"
import { KV } from "#protocols/wire/etcd/methods.ts"
import { Grpc } from "../kernel/ports/grpc.ts"
import { grpcListener } from "./grpc-listener.ts"

const identity = (bytes: Buffer): Buffer => bytes

/** The contenders print their port, and live until they are killed. */
const contenders: Readonly<Record<string, () => Promise<void>>> = {
  ours: () =>
    Effect.gen(function* () {
      const { address, serve } = yield* Grpc
      yield* serve({ unary: { [KV.put.path]: (request, call) => call.reply(request) } })
      console.log(address.split(":").at(-1))
      yield* Effect.never
    }).pipe(Effect.scoped, Effect.provide(grpcListener()), Effect.runPromise),
  "node:http2": async () => {
    const head = { ":status": 200, "content-type": "application/grpc" }
    const server = createServer({ settings: { initialWindowSize: 1024 * 1024 } })
    server.on("stream", (stream) => {
      const parts: Array<Buffer> = []
      stream.on("data", (part: Buffer) => parts.push(part))
      stream.on("end", () => {
        stream.respond(head, { waitForTrailers: true })
        stream.on("wantTrailers", () => stream.sendTrailers({ "grpc-status": "0" }))
        stream.end(parts.length === 1 ? parts[0] : Buffer.concat(parts))
      })
    })
    server.listen(0, "127.0.0.1", () => {
      const bound = server.address()
      console.log(typeof bound === "object" ? bound?.port : bound)
    })
  },
  "grpc-js": async () => {
    const server = new grpc.Server()
    const put = {
      path: KV.put.path,
      requestStream: false,
      responseStream: false,
      requestSerialize: identity,
      requestDeserialize: identity,
      responseSerialize: identity,
      responseDeserialize: identity
    }
    const echo: grpc.handleUnaryCall<Buffer, Buffer> = (call, done) => done(null, call.request)
    server.addService({ put }, { put: echo })
    server.bindAsync("127.0.0.1:0", grpc.ServerCredentials.createInsecure(), (_error, port) =>
      console.log(port)
    )
  }
}

const [argument = "1"] = process.argv.slice(2)
const contender = contenders[argument]

const started = (child: ChildProcess): Promise<string> =>
  new Promise((resolve) => child.stdout?.once("data", (line) => resolve(String(line).trim())))

/** Of a process, in seconds: fields 14 and 15 of its stat, in hundredths. */
const cpuSeconds = (pid: number): number => {
  const fields = readFileSync(`/proc/${pid}/stat`, "utf8").split(") ")[1]?.split(" ") ?? []
  return (Number(fields[11]) + Number(fields[12])) / 100
}

const callsPerSecond = (port: string, body: string, connections: number, calls: number): number => {
  const fields = ["-H", "content-type: application/grpc", "-H", "te: trailers"]
  const load = ["-n", String(calls), "-c", String(connections), "-m", "1", "-t", "1", "-d", body, ...fields]
  const { stdout } = spawnSync("h2load", [...load, `http://127.0.0.1:${port}${KV.put.path}`], {
    encoding: "utf8",
    timeout: 300_000
  })
  const succeeded = Number(/ (\d+) succeeded/.exec(stdout)?.[1] ?? 0)
  if (succeeded !== calls) throw new Error(`of ${calls} calls ${succeeded} succeeded: ${stdout}`)
  return Number(/([\d.]+) req\/s/.exec(stdout)?.[1])
}

const measured = async (child: ChildProcess, port: string, scale: number, body: string): Promise<string> => {
  const scaled = (calls: number) => Math.max(512, Math.round(calls * scale))
  callsPerSecond(port, body, 64, scaled(20_000))
  const before = cpuSeconds(child.pid!)
  const rates = [
    callsPerSecond(port, body, 1, scaled(20_000)),
    callsPerSecond(port, body, 64, scaled(100_000)),
    callsPerSecond(port, body, 256, scaled(100_000))
  ]
  const micros = ((cpuSeconds(child.pid!) - before) * 1e6) / (scaled(20_000) + 2 * scaled(100_000))
  return `${rates.map((rate) => Math.round(rate).toLocaleString("en")).join(" | ")} | ${micros.toFixed(1)} |`
}

const etcdLine = async (directory: string, scale: number, body: string): Promise<string> => {
  const [client, peer] = ["127.0.0.1:17790", "http://127.0.0.1:17791"]
  const child = spawn("etcd", [
    ...["--data-dir", join(directory, "etcd"), "--listen-peer-urls", peer],
    ...["--listen-client-urls", `http://${client}`, "--advertise-client-urls", `http://${client}`]
  ])
  await new Promise((resolve) => setTimeout(resolve, 3_000))
  const line = await measured(child, client.split(":")[1] ?? "", scale / 4, body)
  child.kill("SIGKILL")
  return line
}

const main = async (scale: number): Promise<void> => {
  console.log("| server | 1 client, calls/s | 64 clients | 256 clients | CPU µs a call |")
  console.log("| --- | --- | --- | --- | --- |")
  if (spawnSync("h2load", ["--version"]).status !== 0) {
    console.log("| skipped: h2load is missing (apt-get install nghttp2-client) | – | – | – | – |")
    return
  }
  const directory = mkdtempSync(join(tmpdir(), "grpc-bench-"))
  const body = join(directory, "body")
  const message = PutRequest.encode(
    PutRequest.make({ key: new Uint8Array(16).fill(107), value: new Uint8Array(256) })
  )
  const prefix = Buffer.alloc(5)
  prefix.writeUInt32BE(message.length, 1)
  writeFileSync(body, Buffer.concat([prefix, message]))
  for (const name of Object.keys(contenders)) {
    const child = spawn(process.execPath, [fileURLToPath(import.meta.url), name], {
      stdio: ["ignore", "pipe", "inherit"]
    })
    console.log(`| ${name} | ${await measured(child, await started(child), scale, body)}`)
    child.kill("SIGKILL")
  }
  if (spawnSync("etcd", ["--version"]).status === 0) {
    console.log(`| etcd, one member, Put | ${await etcdLine(directory, scale, body)}`)
  } else console.log("| skipped: etcd is missing (apt-get install etcd-server) | – | – | – | – |")
  rmSync(directory, { recursive: true, force: true })
}

await (contender === undefined ? main(Number(argument)) : contender())
