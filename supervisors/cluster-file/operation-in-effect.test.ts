/** What the file says about health, log and traces is what a node's process does, unless its environment says otherwise. */
import { type ChildProcess, spawn } from "node:child_process"
import { once } from "node:events"
import { mkdtempSync, readFileSync, rmSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import test from "ava"
import { Effect, Either } from "effect"
import { LeanClient } from "#actors/chainfire/fixtures/lean-grpc.ts"
import { eventually } from "#actors/kernel/fixtures/eventually.ts"
import { nodeCommand, writeCluster } from "#chaos/lab/processes/cluster-files.ts"
import { freePorts } from "#chaos/lab/processes/free-ports.ts"
import { KV } from "#protocols/wire/etcd/methods.ts"
import { type ClusterSpec, nodeOptions } from "../cluster-spec.ts"
import { withCollector } from "../node/fixtures/collector.ts"
import { clusterOf } from "./cluster-file.ts"
import { stopMillisMax } from "./operation-schema.ts"

interface Life {
  readonly code: number | null
  readonly lines: ReadonlyArray<string>
}

/** One life of a node: until it is ready, a put, and until it has stopped in order. */
type Live = (environment: Readonly<Record<string, string>>) => Promise<Life>

/** No variable of whoever runs this test is meant for the node. */
const ours = /^(ULTRACLOUD|OTEL)_/
const inherited = Object.fromEntries(Object.entries(process.env).filter(([name]) => !ours.test(name)))

const withNode = async (
  said: Pick<ClusterSpec, "log" | "stopMillis" | "telemetry">,
  body: (live: Live) => Promise<void>
): Promise<void> => {
  const folder = mkdtempSync(join(tmpdir(), "operation-"))
  const started: Array<ChildProcess> = []
  try {
    const [links = 0, etcd = 0, health = 0] = await Effect.runPromise(
      freePorts(3, ["127.0.0.1", "127.0.0.7"])
    )
    const own = { name: "node01", host: "127.0.0.1", links, etcd, zone: "zone-a", console: 0 }
    const node = {
      ...own,
      dataDirectory: join(folder, "node01"),
      health: { host: "127.0.0.7", port: health }
    }
    const files = await Effect.runPromise(writeCluster(folder, { cluster: "west", nodes: [node], ...said }))
    const { args, program } = nodeCommand(files, "node01")
    await body(async (environment) => {
      const child = spawn(program, args, {
        stdio: ["ignore", "pipe", "pipe"],
        env: { ...inherited, ...environment }
      })
      started.push(child)
      let [out, err] = ["", ""]
      child.stdout.on("data", (text: Buffer) => {
        out += text
      })
      child.stderr.on("data", (text: Buffer) => {
        err += text
      })
      const closed = once(child, "close")
      await eventually(
        () => `it is ready at the address of its health: ${out}${err}`,
        async () => {
          if (child.exitCode !== null) throw new Error(`it has ended: ${out}${err}`)
          // Not yet.
          const answer = await fetch(`http://127.0.0.7:${health}/readyz`).catch(() => undefined)
          return answer?.status === 200 ? true : undefined
        }
      )
      const client = new LeanClient(`127.0.0.1:${etcd}`)
      await client.call(KV.put, { key: new Uint8Array([1]) }, 5_000)
      client.close()
      child.kill("SIGTERM")
      await closed
      return { code: child.exitCode, lines: out.split("\n").filter((line) => line !== "") }
    })
  } finally {
    for (const child of started) {
      if (child.exitCode !== null || child.signalCode !== null) continue
      const closed = once(child, "close")
      child.kill("SIGKILL")
      await closed
    }
    rmSync(folder, { recursive: true, force: true })
  }
}

test("level, format, health and traces are as the file says, and as the environment says where it does", async (t) => {
  t.timeout(180_000)
  await withCollector(async (collector) => {
    const puts = () => collector.spans.filter(({ name }) => name === "etcdserverpb.KV/Put").length
    await withNode(
      {
        log: { level: "warn", format: "pretty" },
        telemetry: { otlp: collector.endpoint, intervalMillis: 200 }
      },
      async (live) => {
        const quiet = await live({})
        t.is(quiet.code, 0)
        t.deepEqual(
          quiet.lines.filter((line) => !/^\d\d:\d\d:\d\d\.\d{3} warn /.test(line)),
          [],
          "warnings, if any"
        )
        t.is(puts(), 1)

        const pretty = await live({ ULTRACLOUD_LOG_LEVEL: "info" })
        t.regex(pretty.lines[0] ?? "", /^\d\d:\d\d:\d\d\.\d{3} info .*health and metrics are at/)
        t.is(puts(), 2)

        const other = { ULTRACLOUD_LOG_FORMAT: "json", OTEL_TRACES_SAMPLER_ARG: "0" }
        const json = await live({ ULTRACLOUD_LOG_LEVEL: "info", ...other })
        t.like(JSON.parse(json.lines[0] ?? ""), { level: "info", node: "node01" })
        t.is(puts(), 2, "of the share that the environment says")
      }
    )
    t.deepEqual(collector.problems, [])
  })
})

test("without a collector in the file there may be one in the environment, and the share is the file's", async (t) => {
  t.timeout(120_000)
  await withCollector(async (collector) => {
    const puts = () => collector.spans.filter(({ name }) => name === "etcdserverpb.KV/Put").length
    await withNode({ telemetry: { ratio: 0 } }, async (live) => {
      const told = await live({ OTEL_EXPORTER_OTLP_ENDPOINT: collector.endpoint })
      t.like(JSON.parse(told.lines[0] ?? ""), { level: "info" }, "JSON where nobody says it, and no terminal")
      t.is(puts(), 0)
      await live({ OTEL_EXPORTER_OTLP_ENDPOINT: collector.endpoint, OTEL_TRACES_SAMPLER_ARG: "1" })
      t.is(puts(), 1)
    })
  })
})

const optionsOf = (text: string) =>
  Effect.runPromise(nodeOptions(Either.getOrThrow(clusterOf(text, "c.yaml")), "node01"))

test("what a node does is what the file says, and what it does not say is as ever", async (t) => {
  const said = await optionsOf(`cluster: west
nodes: [{ name: node01, health: { host: 0.0.0.0, port: 9100 } }]
log: { level: error, format: json }
telemetry: { otlp: "https://collector:4318", ratio: 0.25, intervalMillis: 500 }
stopMillis: 20000
`)
  t.like(said, {
    ...{ healthHost: "0.0.0.0", healthPort: 9_100, logLevel: "error", logFormat: "json", stopMillis: 20_000 },
    traces: { endpoint: "https://collector:4318", ratio: 0.25, intervalMillis: 500 }
  })
  const unsaid = await optionsOf("cluster: west\nnodes: [{ name: node01 }]\n")
  t.like(unsaid, { healthHost: "127.0.0.1", logLevel: "info", stopMillis: 15_000 })
  t.deepEqual(unsaid.traces, { ratio: 1, intervalMillis: 2_000 })
  t.deepEqual([unsaid.healthPort, unsaid.logFormat], [undefined, undefined])
})

test("what makes no sense there is told", (t) => {
  const lines = (more: string, node = "name: a") =>
    Either.match(clusterOf(`cluster: west\nnodes: [{${node}}]\n${more}\n`, "c.yaml"), {
      onLeft: ({ message }) => message.split("\n"),
      onRight: () => []
    })
  t.deepEqual(lines("telemetry: {otlp: collector, ratio: 1.5}"), [
    'c.yaml:3:19: at telemetry.otlp: expected an address of a collector such as http://127.0.0.1:4318, got "collector"',
    "c.yaml:3:37: at telemetry.ratio: expected a share, 0 to 1, got 1.5"
  ])
  t.deepEqual(lines("stopMillis: 30000"), [
    "c.yaml:3:13: at stopMillis: expected milliseconds, 1000 to 25000, got 30000"
  ])
  t.deepEqual(lines("log: {level: loud}"), [
    'c.yaml:3:14: at log.level: expected "debug", "info", "warn", "error", got "loud"'
  ])
  const health = "health: {port: 9100}"
  const other = "name: b, links: 1, etcd: 2, console: 0, dataDirectory: /b"
  t.deepEqual(lines("", `name: a, ${health}}, {${other}, ${health}`), [
    "c.yaml:2:110: at nodes.1.health: expected another address for health on that host than that of health of a, got 127.0.0.1:9100 of 127.0.0.1"
  ])
  t.deepEqual(
    lines("", `name: a, ${health}}, {${other}, host: 127.0.0.2, ${health}`),
    [],
    "another machine, maybe"
  )
  t.deepEqual(lines("profile: single-node-dev", "name: a, health: {host: 0.0.0.0}"), [
    "c.yaml:2:34: at nodes.0.health.host: expected an address of the loopback, got 0.0.0.0; single-node-dev demands it"
  ])
})

test("whoever runs nodes waits for longer than a file may let them take to stop", (t) => {
  // The service of NixOS says what the unit says: docs/nix.test.ts.
  const path = join(import.meta.dirname, "../../nix/systemd/ultracloud@.service")
  const seconds = Number(/^TimeoutStopSec=(\d+)$/m.exec(readFileSync(path, "utf8"))?.[1])
  t.true(seconds * 1_000 > stopMillisMax, `${path} waits for ${seconds} s`)
})
