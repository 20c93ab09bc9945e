/**
 * One writer and many watchers of its key: how many events a second does one member deliver, and what does
 * one cost it, against one member of Debian's etcd?
 *
 *   npm run bench watch            the measurement, about a minute
 *   npm run bench watch 0.1        a quick look
 *
 * A thousand watchers, each a stream of its own, on four connections. The client is on the same machine and
 * decodes every event; it is the bottleneck of both, so the processor time of the server is told as well.
 */
import { type ChildProcess, spawn } from "node:child_process"
import { mkdtempSync, readFileSync, rmSync } from "node:fs"
import { type ClientHttp2Session, type ClientHttp2Stream, connect } from "node:http2"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { createInterface } from "node:readline"
import { fileURLToPath } from "node:url"
import { KV, WATCH } from "#protocols/wire/etcd/methods.ts"
import { WatchCreateRequest, WatchRequest, WatchResponse } from "#protocols/wire/etcd/watch.ts"
import { Etcd, EtcdClient, etcdInstalled } from "./fixtures/etcd.ts"

const scale = Number(process.argv[2] ?? 1)
const watchers = 1_000
const connections = 4
const changes = Math.max(5, Math.round(300 * scale))
const key = new TextEncoder().encode("bench")

const framed = (message: Uint8Array): Uint8Array => {
  const body = Buffer.alloc(5 + message.length)
  body.writeUInt32BE(message.length, 1)
  body.set(message, 5)
  return body
}

/** Calls back for each message of a stream. */
const messagesOf = (stream: ClientHttp2Stream, take: (message: Uint8Array) => void): void => {
  let rest: Buffer = Buffer.alloc(0)
  stream.on("data", (chunk: Buffer) => {
    rest = rest.length === 0 ? chunk : Buffer.concat([rest, chunk])
    while (rest.length >= 5 && rest.length >= 5 + rest.readUInt32BE(1)) {
      const end = 5 + rest.readUInt32BE(1)
      take(rest.subarray(5, end))
      rest = rest.subarray(end)
    }
  })
}

const open = (session: ClientHttp2Session, onResponse: (response: WatchResponse) => void): void => {
  const stream = session.request({
    ":method": "POST",
    ":path": WATCH.watch.path,
    "content-type": "application/grpc",
    te: "trailers"
  })
  stream.on("error", () => {})
  messagesOf(stream, (message) => onResponse(WatchResponse.decode(message)))
  const createRequest = WatchCreateRequest.make({ key })
  stream.write(framed(WatchRequest.encode(WatchRequest.make({ createRequest }))))
}

/** Of all threads, in milliseconds. */
const processorMillis = (pid: number): number => {
  const fields = readFileSync(`/proc/${pid}/stat`, "utf8").split(") ")[1]?.split(" ") ?? []
  return (Number(fields[11]) + Number(fields[12])) * 10
}

interface Measured {
  readonly eventsPerSecond: number
  readonly microsPerEvent: number
}

const measure = async (address: string, pid: number): Promise<Measured> => {
  const sessions = Array.from({ length: connections }, () => connect(`http://${address}`))
  const client = new EtcdClient(address)
  /** Watches that were created at first, and later events. */
  let seen = 0
  let wanted = watchers
  let reached = () => {}
  const until = (count: number) => {
    wanted = count
    return new Promise<void>((resolve) => {
      reached = resolve
      if (seen >= wanted) resolve()
    })
  }
  for (let watcher = 0; watcher < watchers; watcher++) {
    open(sessions[watcher % connections]!, (response) => {
      seen += response.created ? 1 : response.events.length
      if (seen >= wanted) reached()
    })
  }
  await until(watchers)
  const run = async (count: number): Promise<Measured> => {
    seen = 0
    const before = processorMillis(pid)
    const startMillis = performance.now()
    for (let change = 0; change < count; change++)
      await client.call(KV.put, { key, value: new Uint8Array(256) })
    await until(count * watchers)
    const seconds = (performance.now() - startMillis) / 1_000
    const events = count * watchers
    const microsPerEvent = ((processorMillis(pid) - before) * 1_000) / events
    return { eventsPerSecond: events / seconds, microsPerEvent }
  }
  await run(Math.ceil(changes / 5))
  const measured = await run(changes)
  for (const session of sessions) session.destroy()
  client.close()
  return measured
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

const show = (value: number, digits = 0): string =>
  value.toLocaleString("en", { maximumFractionDigits: digits, minimumFractionDigits: digits })

const main = async (): Promise<void> => {
  const folder = mkdtempSync(join(tmpdir(), "chainfire-bench-"))
  const etcd = await Etcd.start()
  const ours = await ourNode(folder)
  try {
    const own = await measure(ours.address, ours.process.pid ?? 0)
    const theirs = await measure(etcd.address, etcd.pid)
    const per = (one: number, other: number) => (one / other).toFixed(2)
    console.log(`| one writer, ${show(watchers)} watchers | ours | etcd | ours ÷ etcd |`)
    console.log("| --- | --- | --- | --- |")
    const rate = per(own.eventsPerSecond, theirs.eventsPerSecond)
    console.log(
      `| events/s delivered | ${show(own.eventsPerSecond)} | ${show(theirs.eventsPerSecond)} | ${rate}× |`
    )
    const cost = per(own.microsPerEvent, theirs.microsPerEvent)
    const [one, other] = [show(own.microsPerEvent, 1), show(theirs.microsPerEvent, 1)]
    console.log(`| processor time of the server for one, µs | ${one} | ${other} | ${cost}× |`)
  } finally {
    ours.process.kill("SIGKILL")
    await etcd.stop()
    rmSync(folder, { recursive: true, force: true })
  }
}

if (etcdInstalled()) await main()
else console.log("| nothing to compare with: apt-get install etcd-server |")
