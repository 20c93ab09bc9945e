/**
 * How fast does one client of the typed messages write and read on one member of chainfire, against one member of
 * Debian's etcd under h2load?
 *
 *   npm run bench native           the measurement, about a minute
 *   npm run bench native 0.01      a quick look, too short to compare
 *
 * The client is a node of its own in this process, over one link with authentication; etcd gets as many
 * connections as there are requests under way. Values of 256 bytes, fsync on for both, data on the same file
 * system. Each figure is the best of three.
 */
import { type ChildProcess, execFile, fork, spawnSync } from "node:child_process"
import { once } from "node:events"
import { mkdtempSync, rmSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { promisify } from "node:util"
import { Effect, Schedule } from "effect"
import { askWith, type Request } from "#actors/kernel/ask.ts"
import type { ActorRef } from "#actors/kernel/ref.ts"
import { withCallbacks } from "#chaos/harness/remoting/contender.ts"
import { newKey, node } from "#chaos/harness/remoting/ours.ts"
import { address } from "#protocols/address.ts"
import { type KeysRequest, keysRequests, PutKey, RangeKeys } from "#protocols/chainfire-keys.ts"
import { KV } from "#protocols/wire/etcd/methods.ts"
import { Etcd, etcdInstalled } from "./fixtures/etcd.ts"

const scale = Number(process.argv[2] ?? 1)
const rounds = 3
const h2loadInstalled = spawnSync("h2load", ["--version"]).status === 0

interface Load {
  readonly what: string
  readonly inFlight: number
  readonly calls: number
  readonly request: Request & KeysRequest
  readonly path: string
  readonly body: string
}

const best = async (measure: () => Promise<number>): Promise<number> => {
  let most = 0
  for (let round = 0; round < rounds; round++) most = Math.max(most, await measure())
  return most
}

const countOf = ({ calls, inFlight }: Load): number => Math.max(inFlight * 2, Math.round(calls * scale))

/** Calls a second over the link. */
const native = async (keys: ActorRef<KeysRequest>, load: Load): Promise<number> => {
  let failed: unknown
  const asks = withCallbacks((done) =>
    askWith(keys, load.request, 30_000, (answered) => {
      if (answered._tag === "Failure") failed = answered.cause
      done()
    })
  )
  const startMillis = performance.now()
  await asks(countOf(load), load.inFlight, () => {})
  if (failed !== undefined) throw new Error(`an ask failed: ${String(failed)}`)
  return countOf(load) / ((performance.now() - startMillis) / 1_000)
}

const overGrpc = async (where: string, load: Load): Promise<number> => {
  const { body, inFlight, path } = load
  const { stdout } = await promisify(execFile)(
    "h2load",
    [
      ...["-n", `${countOf(load)}`, "-c", `${inFlight}`, "-m", "1", "-t", "1", "-d", body],
      ...["-H", "content-type: application/grpc", "-H", "te: trailers", `http://${where}${path}`]
    ],
    { timeout: 120_000 }
  )
  const [, rate] = /finished in [^,]+, ([\d.]+) req\/s/.exec(stdout) ?? []
  const [, succeeded] = /(\d+) succeeded/.exec(stdout) ?? []
  if (rate === undefined || Number(succeeded) !== countOf(load)) throw new Error(`h2load failed:\n${stdout}`)
  return Number(rate)
}

const framed = (message: Uint8Array): Uint8Array => {
  const body = Buffer.alloc(5 + message.length)
  body.writeUInt32BE(message.length, 1)
  body.set(message, 5)
  return body
}

const show = (value: number): string => value.toLocaleString("en", { maximumFractionDigits: 0 })

const startMember = async (
  key: string,
  folder: string
): Promise<[ChildProcess, links: string, etcd: string]> => {
  const child = fork(new URL("fixtures/linked-member-main.ts", import.meta.url), [key, join(folder, "data")])
  const [{ etcd, links }] = await once(child, "message")
  return [child, links, etcd]
}

const measure = async (): Promise<void> => {
  const folder = mkdtempSync(join(tmpdir(), "chainfire-native-"))
  const linkKey = newKey()
  const etcd = await Etcd.start()
  const [member, links, ours] = await startMember(linkKey, folder)
  const { ports, started } = node("near", linkKey)
  try {
    const key = new TextEncoder().encode("bench")
    const value = new Uint8Array(256)
    const files = { put: join(folder, "put"), range: join(folder, "range") }
    writeFileSync(files.put, framed(KV.put.request.encode(KV.put.request.make({ key, value }))))
    writeFileSync(files.range, framed(KV.range.request.encode(KV.range.request.make({ key }))))
    const put = { request: new PutKey({ key, value }), path: KV.put.path, body: files.put }
    const range = { request: new RangeKeys({ key }), path: KV.range.path, body: files.range }
    const loads: ReadonlyArray<Load> = [
      { what: "puts/s, 64 in flight", inFlight: 64, calls: 40_000, ...put },
      { what: "puts/s, 256 in flight", inFlight: 256, calls: 60_000, ...put },
      { what: "linearizable reads/s, 64 in flight", inFlight: 64, calls: 60_000, ...range },
      { what: "linearizable reads/s, 256 in flight", inFlight: 256, calls: 60_000, ...range }
    ]
    await Effect.gen(function* () {
      const { datagrams, system } = yield* started
      const keys = system.at(address("/far/chainfire/keys", ...keysRequests))
      datagrams.send(links, "hello")
      const warm: Load = { ...loads[0]!, calls: 1 }
      yield* Effect.tryPromise(() => native(keys, warm)).pipe(
        Effect.retry({ times: 200, schedule: Schedule.spaced("50 millis") })
      )
      console.log("| one member | native | ours, gRPC | etcd, gRPC | native ÷ etcd |")
      console.log("| --- | --: | --: | --: | --: |")
      for (const load of loads) {
        yield* Effect.promise(() => native(keys, { ...load, calls: load.calls / 5 }))
        const own = yield* Effect.promise(() => best(() => native(keys, load)))
        const grpc = yield* Effect.promise(() => best(() => overGrpc(ours, load)))
        const theirs = yield* Effect.promise(() => best(() => overGrpc(etcd.address, load)))
        const cells = [show(own), show(grpc), show(theirs), `${(own / theirs).toFixed(2)}×`]
        console.log(`| ${load.what} | ${cells.join(" | ")} |`)
      }
    }).pipe(Effect.scoped, Effect.provide(ports), Effect.runPromise)
  } finally {
    member.kill("SIGKILL")
    await etcd.stop()
    rmSync(folder, { recursive: true, force: true })
  }
}

if (etcdInstalled() && h2loadInstalled) await measure()
else console.log("| nothing to compare with: apt-get install etcd-server nghttp2-client |")
