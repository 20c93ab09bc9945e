/**
 * What the nodes of a cluster do, as its file says; the file itself is read in cluster-file/cluster-file.ts, and
 * docs/cluster-file.md has every key of it.
 *
 * Chainfire begins with all nodes of the file as its members. A node with `"joins": true` came later: it
 * has to be added to the group first, and knows the others from here.
 */
import { readFileSync } from "node:fs"
import { Effect, Schema } from "effect"
import { linkAddress } from "#actors/platform/link-address.ts"
import type { Cluster, WrittenCluster } from "./cluster-file/cluster-schema.ts"
import { defaultPorts, type Node, reachedAt } from "./cluster-file/node-schema.ts"
import type { OperatedOptions } from "./node/operated.ts"
import type { TraceOptions } from "./node/traces.ts"
import {
  type ChainfireMember,
  type ChainfireMembers,
  digestOf,
  type NodeTiming,
  type StoreOptions
} from "./trees/node.ts"

/** A node as programs write it, who know where it listens and what it keeps its data in. */
export type NodeSpec = Omit<WrittenNode, "tls"> &
  Pick<Node, "dataDirectory" | "etcd" | "host" | "links" | "zone"> & {
    readonly tls?: WrittenNode["tls"] | undefined
  }
type WrittenNode = WrittenCluster["nodes"][number]

/** A cluster as programs write it into a file. */
export interface ClusterSpec extends Omit<WrittenCluster, "nodes" | "timing"> {
  readonly nodes: readonly [NodeSpec, ...ReadonlyArray<NodeSpec>]
  readonly timing?: NodeTiming | undefined
}

/** What the file says cannot be done on this machine. */
export class SpecRefused extends Schema.TaggedError<SpecRefused>()("SpecRefused", {
  cluster: Schema.String,
  reason: Schema.String
}) {
  override get message() {
    return `the cluster ${this.cluster}: ${this.reason}`
  }
}

/** As others know it. */
export const memberOf = (node: Node): ChainfireMember => {
  const { etcd, host, links } = reachedAt(node)
  return { name: node.name, links: linkAddress(host, links), etcd: linkAddress(host, etcd) }
}

/** Of what was understood: spaces, order of keys and defaults that were written out do not matter. */
export const clusterDigest = (cluster: Cluster): string => digestOf(cluster)

/** What one node of it is to do. */
export const nodeOptions = (
  cluster: Cluster,
  name: string,
  file = ""
): Effect.Effect<OperatedOptions, SpecRefused> =>
  Effect.gen(function* () {
    const own = cluster.nodes.find((node) => node.name === name)
    if (own === undefined) {
      const known = cluster.nodes.map((one) => one.name).join(", ")
      return yield* new SpecRefused({
        cluster: cluster.cluster,
        reason: `it has no node ${name}, only ${known}`
      })
    }
    const { advertise, console, dataDirectory, dialFrom, etcd, health, host, links, tls, zone } = own
    const { limits, log, stopMillis, telemetry, timing } = cluster
    const read = (path: string) => readText(cluster, path)
    return {
      name,
      cluster: cluster.cluster,
      dataDirectory,
      host,
      ...(advertise !== undefined && { advertised: reachedAt(own) }),
      ...(dialFrom !== undefined && { dialFrom }),
      ...(tls !== undefined && {
        tls: {
          cert: yield* read(tls.certificate),
          key: yield* read(tls.key),
          ca: yield* read(tls.authority)
        },
        clientCertificates: tls.clientCertificates
      }),
      port: links,
      seeds: seedsOf(cluster, own),
      zone,
      clientPort: etcd,
      ...(console !== 0 && { consolePort: console }),
      healthHost: health.host,
      ...(health.port !== undefined && { healthPort: health.port }),
      config: { file, digest: clusterDigest(cluster) },
      chainfire: chainfireOf(cluster, own),
      store: storeOf(cluster),
      clients: limits.clients,
      shells: limits.shells,
      linksMax: limits.links.connectionsMax,
      origins: cluster.origins,
      etcdLimits: { ...limits.etcd, ...messageLimits(cluster) },
      timing,
      roles: cluster.roles,
      logLevel: log.level,
      ...(log.format !== undefined && { logFormat: log.format }),
      traces: tracesOf(telemetry),
      stopMillis,
      work: []
    }
  })

/** Where it looks for others. */
export const seedsOf = ({ nodes }: Cluster, own: Node): ReadonlyArray<string> =>
  nodes.filter((node) => node !== own).map((node) => memberOf(node).links)

/** With whom the group begins. */
export const chainfireOf = ({ nodes }: Cluster, { joins }: Node): ChainfireMembers => ({
  initial: nodes.filter((node) => !node.joins).map(memberOf),
  joins
})

export const storeOf = ({ components: { chainfire } }: Cluster): StoreOptions => {
  const { autoCompaction, log, origins, ...settings } = chainfire
  return {
    log,
    origins,
    settings: {
      ...settings,
      autoCompactionMode: autoCompaction.mode,
      autoCompactionRetention: autoCompaction.retention
    }
  }
}

const tracesOf = ({ otlp, ...others }: Cluster["telemetry"]): Partial<TraceOptions> => ({
  ...others,
  ...(otlp !== undefined && { endpoint: otlp })
})

/** Around a request, as etcd has it; and for a plain one, which is in base64. */
const messageLimits = ({ components: { chainfire } }: Cluster) => {
  const messageBytesMax = chainfire.requestBytesMax + 512 * 1024
  return { messageBytesMax, plainBytesMax: Math.ceil(messageBytesMax * 1.5) }
}

const readText = ({ cluster }: Cluster, path: string): Effect.Effect<string, SpecRefused> =>
  Effect.try({
    try: () => readFileSync(path, "utf8"),
    catch: (cause) =>
      new SpecRefused({ cluster, reason: cause instanceof Error ? cause.message : String(cause) })
  })

/** Nodes on this machine, in one folder; each has ports of its own. */
export const localSpec = (count: number, folder: string): ClusterSpec => {
  const nodes = Array.from({ length: count }, (_, index): NodeSpec => {
    const name = `node${String(index + 1).padStart(2, "0")}`
    return {
      name,
      host: "127.0.0.1",
      links: defaultPorts.links + 10 * index,
      etcd: defaultPorts.etcd + 10 * index,
      console: defaultPorts.console + index,
      zone: `zone-${"abc"[index % 3]}`,
      dataDirectory: `${folder}/${name}`
    }
  })
  const [first, ...others] = nodes
  if (first === undefined) throw new RangeError("a cluster has at least one node")
  return { cluster: "local", nodes: [first, ...others] }
}
