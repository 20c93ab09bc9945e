import { mkdtempSync, rmSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import test from "ava"
import { Effect, Either } from "effect"
import { localSpec, nodeOptions, readSpec } from "./cluster-spec.ts"

const withFile = async (content: string, body: (path: string) => Promise<void>): Promise<void> => {
  const folder = mkdtempSync(join(tmpdir(), "spec-"))
  try {
    const path = join(folder, "cluster.json")
    writeFileSync(path, content)
    await body(path)
  } finally {
    rmSync(folder, { recursive: true, force: true })
  }
}

const refusalOf = async (content: string): Promise<string> => {
  let reason = "it was taken"
  await withFile(content, async (path) => {
    const read = await Effect.runPromise(Effect.either(readSpec(path)))
    if (Either.isLeft(read)) reason = read.left.message
  })
  return reason
}

const node = {
  name: "node01",
  host: "127.0.0.1",
  links: 7700,
  etcd: 2379,
  zone: "zone-a",
  dataDirectory: "work/node01"
}

test("a file that was written from a cluster is that cluster again", async (t) => {
  const spec = localSpec(3, "work/three")
  await withFile(JSON.stringify(spec), async (path) => {
    const read = await Effect.runPromise(readSpec(path))
    t.deepEqual(read, spec)
    const options = await Effect.runPromise(nodeOptions(read, "node02"))
    t.deepEqual(options.seeds, ["127.0.0.1:7700", "127.0.0.1:7720"])
    t.deepEqual(
      options.chainfire?.initial.map(({ name }) => name),
      ["node01", "node02", "node03"]
    )
  })
})

test("a node that joins is none with which the group begins, and knows those", async (t) => {
  const spec = localSpec(3, "work/three")
  const [first, second, third] = spec.nodes
  if (second === undefined || third === undefined) throw new Error("there are three")
  const grown = { ...spec, nodes: [first, second, { ...third, joins: true }] as const }
  const options = await Effect.runPromise(nodeOptions(grown, "node03"))
  t.true(options.chainfire?.joins)
  t.deepEqual(
    options.chainfire?.initial.map(({ name }) => name),
    ["node01", "node02"]
  )
})

test("a node behind a proxy is known to others by what it advertises, and dials from where it is told to", async (t) => {
  const spec = localSpec(3, "work/three")
  const [first, second, third] = spec.nodes
  if (second === undefined || third === undefined) throw new Error("there are three")
  const hidden = { ...second, host: "127.0.0.12", dialFrom: "127.0.0.12", advertise: { links: 7000 } }
  const moved = { ...third, advertise: { host: "127.0.0.99", etcd: 4000 } }
  await withFile(JSON.stringify({ ...spec, nodes: [first, hidden, moved], roles: ["dns"] }), async (path) => {
    const read = await Effect.runPromise(readSpec(path))
    const seen = await Effect.runPromise(nodeOptions(read, "node01"))
    t.deepEqual(seen.seeds, ["127.0.0.12:7000", "127.0.0.99:7720"])
    t.deepEqual(seen.chainfire?.initial[2], {
      name: "node03",
      links: "127.0.0.99:7720",
      etcd: "127.0.0.99:4000"
    })
    t.deepEqual([seen.advertised, seen.dialFrom, seen.roles], [undefined, undefined, ["dns"]])
    const own = await Effect.runPromise(nodeOptions(read, "node02"))
    t.like(own, { host: "127.0.0.12", port: 7710, dialFrom: "127.0.0.12", clientPort: 2389 })
    t.deepEqual(own.advertised, { host: "127.0.0.12", links: 7000, etcd: 2389 })
  })
})

test("what is wrong with a file is said, with the place", async (t) => {
  t.regex(await refusalOf("{"), /JSON/)
  t.regex(await refusalOf(JSON.stringify({ cluster: "west", nodes: [] })), /at nodes/)
  const typo = { cluster: "west", nodes: [{ ...node, etdc: 1 }] }
  t.regex(await refusalOf(JSON.stringify(typo)), /at nodes\.0\.etdc: is unexpected/)
  const high = { cluster: "west", nodes: [{ ...node, etcd: 70_000 }] }
  t.regex(await refusalOf(JSON.stringify(high)), /at nodes\.0\.etcd: .*65535/)
  const twins = { cluster: "west", nodes: [node, { ...node, links: 1, etcd: 2 }] }
  t.regex(await refusalOf(JSON.stringify(twins)), /two nodes have the same name, node01/)
  const behind = { ...node, name: "node02", links: 1, etcd: 2, advertise: { links: 7700 } }
  const hidden = { cluster: "west", nodes: [node, behind] }
  t.regex(await refusalOf(JSON.stringify(hidden)), /two nodes have the same advertised address of links/)
  const named = { cluster: "west", nodes: [{ ...node, dialFrom: "localhost" }] }
  t.regex(await refusalOf(JSON.stringify(named)), /at nodes\.0\.dialFrom: is no IP address/)
  const clash = { cluster: "west", nodes: [node, { ...node, name: "node02", links: 1 }] }
  t.regex(await refusalOf(JSON.stringify(clash)), /two nodes have the same address for clients of etcd/)
})

test("a node that is not in the file, or whose certificate is not there, is refused", async (t) => {
  const spec = localSpec(2, "work/two")
  const absent = await Effect.runPromise(Effect.either(nodeOptions(spec, "node07")))
  t.regex(Either.isLeft(absent) ? absent.left.message : "", /it has no node node07, only node01, node02/)
  const [first] = spec.nodes
  const tls = {
    certificate: "/nowhere.pem",
    key: "/nowhere.key",
    authority: "/ca.pem",
    clientCertificates: "needed" as const
  }
  const secret = { ...spec, nodes: [{ ...first, tls }] as const }
  const unread = await Effect.runPromise(Effect.either(nodeOptions(secret, "node01")))
  t.regex(Either.isLeft(unread) ? unread.left.message : "", /nowhere\.pem/)
})

test("a cluster on slow machines says how patient its nodes are, and is told where that cannot work", async (t) => {
  const timing = {
    chainfire: { electionMillis: 5_000, heartbeatMillis: 500 },
    membership: { probeIntervalMillis: 5_000 }
  }
  await withFile(JSON.stringify({ cluster: "west", nodes: [node], timing }), async (path) => {
    const options = await Effect.runPromise(
      Effect.flatMap(readSpec(path), (spec) => nodeOptions(spec, "node01"))
    )
    t.deepEqual(options.timing, timing)
  })
  const refused = (given: object) =>
    refusalOf(JSON.stringify({ cluster: "west", nodes: [node], timing: given }))
  t.regex(
    await refused({ chainfire: { electionMillis: 299 } }),
    /at timing\.chainfire: .*three heartbeats of 100 ms/
  )
  t.regex(await refused({ membership: { probeTimeoutMillis: 400 } }), /at timing\.membership: .*of 400 ms/)
  t.regex(await refused({ chainfire: { electionMilis: 1 } }), /electionMilis: is unexpected/)
})
