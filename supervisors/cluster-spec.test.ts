import test from "ava"
import { Effect, Either } from "effect"
import { clusterOf } from "./cluster-file/cluster-file.ts"
import type { Cluster } from "./cluster-file/cluster-schema.ts"
import { clusterDigest, localSpec, nodeOptions } from "./cluster-spec.ts"

/** As nodes read it. */
const read = (spec: object): Cluster =>
  Either.getOrThrowWith(clusterOf(JSON.stringify(spec), "cluster.json"), ({ message }) => new Error(message))

const node = { name: "node01", zone: "zone-a", dataDirectory: "work/node01" }

test("what a program wrote is that cluster: its nodes know each other and with whom chainfire begins", async (t) => {
  const options = await Effect.runPromise(nodeOptions(read(localSpec(3, "work/three")), "node02"))
  t.deepEqual(options.seeds, ["127.0.0.1:7700", "127.0.0.1:7720"])
  t.deepEqual(
    options.chainfire?.initial.map(({ name }) => name),
    ["node01", "node02", "node03"]
  )
})

test("the digest is of what a file says, and not of how", (t) => {
  const digest = (text: string, file = "c.yaml") =>
    clusterDigest(Either.getOrThrowWith(clusterOf(text, file), ({ message }) => new Error(message)))
  const plain = digest('{"cluster":"west","nodes":[{"name":"node01","etcd":2379}]}', "c.json")
  t.is(digest("nodes:\n  - etcd: 2379\n    name: node01\ncluster: west # ours\n"), plain)
  t.is(digest("cluster: west\nnodes: [{name: node01, zone: zone-a}]\nroles: []\n"), plain)
  t.not(digest("cluster: west\nnodes: [{name: node01, zone: zone-b}]\n"), plain)
  t.not(digest("cluster: west\nnodes: [{name: node01}]\nlimits: {shells: {clientsMax: 1}}\n"), plain)
})

test("a node that joins is none with which the group begins, and knows those", async (t) => {
  const spec = localSpec(3, "work/three")
  const [first, second, third] = spec.nodes
  if (second === undefined || third === undefined) throw new Error("there are three")
  const grown = { ...spec, nodes: [first, second, { ...third, joins: true }] as const }
  const options = await Effect.runPromise(nodeOptions(read(grown), "node03"))
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
  const cluster = read({ ...spec, nodes: [first, hidden, moved], roles: ["dns"] })
  const seen = await Effect.runPromise(nodeOptions(cluster, "node01"))
  t.deepEqual(seen.seeds, ["127.0.0.12:7000", "127.0.0.99:7720"])
  t.deepEqual(seen.chainfire?.initial[2], {
    name: "node03",
    links: "127.0.0.99:7720",
    etcd: "127.0.0.99:4000"
  })
  t.deepEqual([seen.advertised, seen.dialFrom, seen.roles], [undefined, undefined, ["dns"]])
  const own = await Effect.runPromise(nodeOptions(cluster, "node02"))
  t.like(own, { host: "127.0.0.12", port: 7710, dialFrom: "127.0.0.12", clientPort: 2389 })
  t.deepEqual(own.advertised, { host: "127.0.0.12", links: 7000, etcd: 2389 })
})

test("a node that is not in the file, or whose certificate is not there, is refused", async (t) => {
  const spec = localSpec(2, "work/two")
  const absent = await Effect.runPromise(Effect.either(nodeOptions(read(spec), "node07")))
  t.regex(Either.isLeft(absent) ? absent.left.message : "", /it has no node node07, only node01, node02/)
  const [first] = spec.nodes
  const tls = {
    certificate: "/nowhere.pem",
    key: "/nowhere.key",
    authority: "/ca.pem",
    clientCertificates: "needed" as const
  }
  const secret = { ...spec, nodes: [{ ...first, tls }] as const }
  const unread = await Effect.runPromise(Effect.either(nodeOptions(read(secret), "node01")))
  t.regex(Either.isLeft(unread) ? unread.left.message : "", /nowhere\.pem/)
})

test("a cluster on slow machines says how patient its nodes are, and the rest is as usual", async (t) => {
  const timing = {
    chainfire: { electionMillis: 5_000, heartbeatMillis: 500 },
    membership: { probeIntervalMillis: 5_000 }
  }
  const options = await Effect.runPromise(
    nodeOptions(read({ cluster: "west", nodes: [node], timing }), "node01")
  )
  t.deepEqual(options.timing, {
    chainfire: timing.chainfire,
    membership: { probeIntervalMillis: 5_000, probeTimeoutMillis: 200 }
  })
})
