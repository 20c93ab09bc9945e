/** The command as an operator and his scripts use it. */
import { execFile } from "node:child_process"
import { mkdtempSync, rmSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { fileURLToPath } from "node:url"
import test from "ava"
import { Either } from "effect"
import { clusterDigest } from "../cluster-spec.ts"
import { clusterOf } from "./cluster-file.ts"
import { profileNames } from "./profiles.ts"
import { nodeText, profileText, wholeText } from "./rendered.ts"

const main = fileURLToPath(import.meta.resolve("#supervisors/main.ts"))

interface Ended {
  readonly code: number
  readonly out: string
  readonly err: string
}

const cluster = (...args: ReadonlyArray<string>): Promise<Ended> =>
  new Promise((resolve) => {
    const child = execFile(process.execPath, [main, "cluster", ...args], { timeout: 60_000 }, (_, out, err) =>
      resolve({ code: child.exitCode ?? -1, out, err })
    )
  })

const taken = (text: string, file = "c.yaml") =>
  Either.getOrThrowWith(clusterOf(text, file), ({ message }) => new Error(message))

test("files are validated together, and what is rendered is the same cluster", async (t) => {
  t.timeout(120_000)
  const folder = mkdtempSync(join(tmpdir(), "cluster-file-"))
  try {
    const [good, bad, whole] = ["good.yaml", "bad.json", "whole.json"].map((name) => join(folder, name))
    if (good === undefined || bad === undefined || whole === undefined) throw new Error("there are three")
    writeFileSync(good, "cluster: west\nnodes: [{name: node01}]\n")
    writeFileSync(bad, '{ "cluster": "west",\n  "nodes": [{ "name": "node01", "ectd": 1 }] }\n')
    const both = await cluster("validate", bad, good)
    t.is(both.code, 1)
    t.is(both.err, `${bad}:2:33: at nodes.0.ectd: is no key that is known; did you mean etcd?\n`)
    t.regex(both.out, /^\S+good\.yaml: the cluster west of 1 node, digest [0-9a-f]{64}\n$/)
    const rendered = await cluster("render", good, "--format", "json")
    t.is(rendered.code, 0)
    writeFileSync(whole, rendered.out)
    const again = await cluster("validate", whole)
    t.is(again.code, 0)
    t.is(again.out.split("digest ")[1], both.out.split("digest ")[1])
    const nobody = await cluster("render", good, "--node", "node07")
    t.deepEqual(
      [nobody.code, nobody.err],
      [1, "ultracloud: the cluster west has no node node07, only node01\n"]
    )
    for (const args of [
      [],
      [good, "--profile", "single-node-dev"],
      ["--profile", "single-node-dev", "--node", "node01"]
    ]) {
      const unclear = await cluster("render", ...args)
      t.deepEqual([unclear.code, unclear.out], [2, ""], args.join(" "))
      t.regex(unclear.err, /^ultracloud: .+\n$/)
    }
  } finally {
    rmSync(folder, { recursive: true, force: true })
  }
})

test("each profile is a file to begin with, in either language", (t) => {
  for (const name of profileNames) {
    const [yaml, json] = [taken(profileText(name, "yaml")), taken(profileText(name, "json"), "c.json")]
    t.is(yaml.profile, name)
    t.is(clusterDigest(yaml), clusterDigest(json))
    t.true(wholeText(yaml, "yaml").startsWith(`# digest: ${clusterDigest(yaml)}\n`))
  }
})

test("a profile says what the file does not, and only that", (t) => {
  const group = taken(profileText("three-node-control-plane", "yaml"))
  t.is(group.components.chainfire.autoCompaction.retention, "1h")
  t.deepEqual(
    group.nodes.map(({ tls }) => tls?.clientCertificates),
    ["needed", "needed", "needed"]
  )
  const own = taken("profile: single-node-dev\nnodes: [{ name: mine, etcd: 2400 }]\n")
  t.like(own, { cluster: "dev", nodes: [{ name: "mine", etcd: 2400, dataDirectory: "work/mine" }] })
  const kept = taken(
    "profile: single-node-dev\ncluster: mine\ncomponents: { chainfire: { autoCompaction: { mode: revision } } }\n"
  )
  t.like(kept, { cluster: "mine", components: { chainfire: { autoCompaction: { mode: "revision" } } } })
})

test("what a profile demands is said at what is missing", (t) => {
  const lines = (text: string) =>
    Either.match(clusterOf(text, "c.yaml"), {
      onLeft: ({ message }) => message.split("\n"),
      onRight: () => []
    })
  const group = (...zones: ReadonlyArray<string>) => {
    const nodes = zones.map(
      (zone, index) =>
        `  - { name: n${index}, zone: ${zone}, links: ${index + 1}, etcd: ${index + 11}, console: 0, dataDirectory: /${index} }`
    )
    return lines(`profile: three-node-control-plane\ncluster: west\nnodes:\n${nodes.join("\n")}\n`)
  }
  t.deepEqual(group("a", "b", "c"), [])
  t.deepEqual(group("a", "a", "b", "b", "c"), [])
  t.deepEqual(group("a", "b", "b"), [
    "c.yaml:6:23: at nodes.2.zone: expected another zone, got b, which has 1 already; three-node-control-plane demands it"
  ])
  t.deepEqual(group("a", "b"), [
    "c.yaml:4:3: at nodes: expected 3 or 5 nodes that do not join, got 2; three-node-control-plane demands it"
  ])
  t.deepEqual(lines("profile: single-node-dev\nnodes: [{ name: a, host: 0.0.0.0 }]\n"), [
    "c.yaml:2:9: at nodes.0.tls: expected tls for a host off the loopback, got none for 0.0.0.0",
    "c.yaml:2:26: at nodes.0.host: expected an address of the loopback, got 0.0.0.0; single-node-dev demands it"
  ])
  const metal =
    "profile: bare-metal-bootstrap\ncluster: west\nnodes: [{ name: a, links: 0, dataDirectory: work }]\n"
  t.deepEqual(lines(metal), [
    "c.yaml:3:9: at nodes.0.host: expected an address that other machines reach, got 127.0.0.1; bare-metal-bootstrap demands it",
    "c.yaml:3:27: at nodes.0.links: expected a port that others know, 1 to 65535, got 0; bare-metal-bootstrap demands it",
    "c.yaml:3:45: at nodes.0.dataDirectory: expected an absolute path, got work; bare-metal-bootstrap demands it"
  ])
})

test("a node is shown what it makes of the file", (t) => {
  const group = taken(profileText("three-node-control-plane", "yaml"))
  const text = Either.getOrThrow(nodeText(group, "node02", "json"))
  t.like(JSON.parse(text), {
    digest: clusterDigest(group),
    seeds: ["192.0.2.1:7700", "192.0.2.3:7700"],
    knownAs: { etcd: "192.0.2.2:2379" },
    chainfire: { joins: false, settings: { autoCompactionRetention: "1h" } }
  })
})
