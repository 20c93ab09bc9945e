/**
 * What a cluster consists of, as a file that is the same on all its nodes:
 *
 *   { "cluster": "west",
 *     "nodes": [ { "name": "node01", "host": "10.0.0.1", "links": 7700, "etcd": 2379,
 *                  "zone": "zone-a", "dataDirectory": "/var/lib/ultracloud" }, … ] }
 *
 * Chainfire begins with all nodes of the file as its members. A node with `"joins": true` came later: it
 * has to be added to the group first, and knows the others from here.
 */
import { readFileSync } from "node:fs"
import { isIP } from "node:net"
import { Effect, Either, ParseResult, Schema } from "effect"
import { type SwimConfig, defaultConfig as swimDefaults } from "#actors/cluster/swim-config.ts"
import { type RaftConfig, defaultConfig as raftDefaults } from "#actors/raft/raft-config.ts"
import type { NodeOptions } from "./node.ts"
import { type ChainfireMember, digestOf, type NodeTiming } from "./trees/node.ts"

/** Where the console of a node is unless somebody says otherwise. */
export const consolePort = 7780

const Port = Schema.Int.pipe(Schema.between(0, 65_535))
const Name = Schema.String.pipe(Schema.pattern(/^[a-z0-9][a-z0-9-]{0,62}$/))

const NodeSpec = Schema.Struct({
  name: Name,
  host: Schema.NonEmptyString,
  /** The port for other nodes, clients of the message API, and shells. */
  links: Port,
  /** The port for clients of etcd. */
  etcd: Port,
  /** Where others reach it, as far as that is not where it listens: behind a proxy, or a translation of addresses. */
  advertise: Schema.optionalWith(
    Schema.Struct({
      host: Schema.optionalWith(Schema.NonEmptyString, { exact: true }),
      links: Schema.optionalWith(Port, { exact: true }),
      etcd: Schema.optionalWith(Port, { exact: true })
    }),
    { exact: true }
  ),
  /** The address of its own that links to other nodes leave from; without it the system picks one. */
  dialFrom: Schema.optionalWith(
    Schema.String.pipe(Schema.filter((text) => isIP(text) !== 0 || "is no IP address")),
    {
      exact: true
    }
  ),
  zone: Schema.NonEmptyString,
  dataDirectory: Schema.NonEmptyString,
  /** PEM files. Needed for a host off the loopback. */
  tls: Schema.optional(
    Schema.Struct({
      certificate: Schema.NonEmptyString,
      key: Schema.NonEmptyString,
      /** Who signs the certificates of the cluster and of its clients. */
      authority: Schema.NonEmptyString,
      /** Whether clients of etcd have to show one. */
      clientCertificates: Schema.optionalWith(Schema.Literal("optional", "needed"), {
        default: () => "optional" as const
      })
    })
  ),
  /** The port of the console, on the loopback of the node whatever its host is; 0 for none. */
  console: Schema.optionalWith(Port, { default: () => consolePort }),
  joins: Schema.optionalWith(Schema.Boolean, { default: () => false })
})
export type NodeSpec = typeof NodeSpec.Type

const unlike =
  (what: string, of: (node: NodeSpec) => string) => (spec: { readonly nodes: ReadonlyArray<NodeSpec> }) => {
    const seen = new Set<string>()
    const twice = spec.nodes.find((node) => seen.size === seen.add(of(node)).size)
    return twice === undefined || `two nodes have the same ${what}, ${of(twice)}`
  }

const Millis = Schema.Int.pipe(Schema.between(1, 600_000))

/** For networks and machines that are slower than usual. What is not given is as by default. */
const Timing = Schema.Struct({
  chainfire: Schema.optional(
    Schema.Struct({
      /** Without a word from the leader for so long, up to twice, a member wants to be elected. */
      electionMillis: Schema.optionalWith(Millis, { exact: true }),
      heartbeatMillis: Schema.optionalWith(Millis, { exact: true })
    }).pipe(Schema.filter((given) => electionRefused({ ...raftDefaults, ...given })))
  ),
  membership: Schema.optional(
    Schema.Struct({
      probeIntervalMillis: Schema.optionalWith(Millis, { exact: true }),
      /** Until a member that does not answer is asked again, by others too. */
      probeTimeoutMillis: Schema.optionalWith(Millis, { exact: true })
    }).pipe(Schema.filter((given) => probesRefused({ ...swimDefaults, ...given })))
  )
})

const electionRefused = ({ electionMillis, heartbeatMillis }: RaftConfig) =>
  electionMillis >= 3 * heartbeatMillis ||
  `electionMillis is ${electionMillis}: at least three heartbeats of ${heartbeatMillis} ms`

const probesRefused = ({ probeIntervalMillis, probeTimeoutMillis }: SwimConfig) =>
  probeIntervalMillis >= 3 * probeTimeoutMillis ||
  `probeIntervalMillis is ${probeIntervalMillis}: at least three times the timeout of ${probeTimeoutMillis} ms`

/** As others know it. */
const reachedAt = ({ advertise, etcd, host, links }: NodeSpec) => ({ host, links, etcd, ...advertise })

const memberOf = (node: NodeSpec): ChainfireMember => {
  const { etcd, host, links } = reachedAt(node)
  return { name: node.name, links: `${host}:${links}`, etcd: `${host}:${etcd}` }
}

export const ClusterSpec = Schema.Struct({
  cluster: Name,
  nodes: Schema.NonEmptyArray(NodeSpec),
  timing: Schema.optional(Timing),
  /** Each of them one node at a time has; see docs/clustering.md, failover. */
  roles: Schema.optionalWith(Schema.Array(Name), { default: () => [] })
}).pipe(
  Schema.filter(unlike("name", ({ name }) => name)),
  Schema.filter(unlike("address of links", ({ host, links }) => `${host}:${links}`)),
  Schema.filter(unlike("address for clients of etcd", ({ etcd, host }) => `${host}:${etcd}`)),
  Schema.filter(unlike("advertised address of links", (node) => memberOf(node).links))
)
export type ClusterSpec = typeof ClusterSpec.Type

export class SpecRefused extends Schema.TaggedError<SpecRefused>()("SpecRefused", {
  path: Schema.String,
  reason: Schema.String
}) {
  override get message() {
    return `${this.path} describes no cluster: ${this.reason}; see docs/clustering.md for one that does`
  }
}

const reasonOf = (cause: unknown): string => (cause instanceof Error ? cause.message : String(cause))

export const readSpec = (path: string): Effect.Effect<ClusterSpec, SpecRefused> =>
  Effect.try({
    try: (): unknown => JSON.parse(readFileSync(path, "utf8")),
    catch: (cause) => new SpecRefused({ path, reason: reasonOf(cause) })
  }).pipe(
    Effect.flatMap((given) =>
      Either.mapLeft(
        Schema.decodeUnknownEither(ClusterSpec)(given, { onExcessProperty: "error" }),
        (error) => {
          const [issue] = ParseResult.ArrayFormatter.formatErrorSync(error)
          const where = issue === undefined || issue.path.length === 0 ? "" : `at ${issue.path.join(".")}: `
          return new SpecRefused({ path, reason: `${where}${issue?.message ?? error.message}` })
        }
      )
    )
  )

/** What one node of it is to do. */
export const nodeOptions = (
  spec: ClusterSpec,
  name: string,
  file = ""
): Effect.Effect<NodeOptions, SpecRefused> =>
  Effect.gen(function* () {
    const own = spec.nodes.find((node) => node.name === name)
    if (own === undefined) {
      const known = spec.nodes.map((one) => one.name).join(", ")
      return yield* new SpecRefused({ path: spec.cluster, reason: `it has no node ${name}, only ${known}` })
    }
    const { advertise, console, dataDirectory, dialFrom, etcd, host, joins, links, tls, zone } = own
    const others = spec.nodes.filter((node) => node !== own)
    return {
      name,
      cluster: spec.cluster,
      dataDirectory,
      host,
      ...(advertise !== undefined && { advertised: reachedAt(own) }),
      ...(dialFrom !== undefined && { dialFrom }),
      ...(tls !== undefined && {
        tls: {
          cert: yield* readText(tls.certificate),
          key: yield* readText(tls.key),
          ca: yield* readText(tls.authority)
        },
        clientCertificates: tls.clientCertificates
      }),
      port: links,
      seeds: others.map((node) => memberOf(node).links),
      zone,
      clientPort: etcd,
      ...(console !== 0 && { consolePort: console }),
      // Of what was understood: spaces, order of keys and defaults that were written out do not matter.
      config: { file, digest: digestOf(spec) },
      chainfire: { initial: spec.nodes.filter((node) => !node.joins).map(memberOf), joins },
      ...(spec.timing !== undefined && { timing: timingOf(spec.timing) }),
      roles: spec.roles,
      work: []
    }
  })

const timingOf = ({ chainfire, membership }: typeof Timing.Type): NodeTiming => ({
  ...(chainfire !== undefined && { chainfire }),
  ...(membership !== undefined && { membership })
})

const readText = (path: string): Effect.Effect<string, SpecRefused> =>
  Effect.try({
    try: () => readFileSync(path, "utf8"),
    catch: (cause) => new SpecRefused({ path, reason: reasonOf(cause) })
  })

/** Nodes on this machine, in one folder; each has ports of its own. */
export const localSpec = (count: number, folder: string): ClusterSpec => {
  const nodes = Array.from({ length: count }, (_, index): NodeSpec => {
    const name = `node${String(index + 1).padStart(2, "0")}`
    return {
      name,
      host: "127.0.0.1",
      links: 7700 + 10 * index,
      etcd: 2379 + 10 * index,
      console: consolePort + index,
      zone: `zone-${"abc"[index % 3]}`,
      dataDirectory: `${folder}/${name}`,
      joins: false
    }
  })
  const [first, ...others] = nodes
  if (first === undefined) throw new RangeError("a cluster has at least one node")
  return { cluster: "local", nodes: [first, ...others], roles: [] }
}
