/**
 * What a cluster is for. A profile changes what a file need not say, and demands what such a cluster cannot do
 * without; what the file says goes before what the profile would say.
 */
import { isAbsolute } from "node:path"
import { Predicate, type Schema } from "effect"
import { isLoopback, isWildcard } from "#actors/platform/link-address.ts"
import { type Node, reachedAt } from "./node-schema.ts"

export const profileNames = ["single-node-dev", "three-node-control-plane", "bare-metal-bootstrap"] as const
export type ProfileName = (typeof profileNames)[number]

interface Profiled {
  readonly profile?: ProfileName
  readonly nodes: ReadonlyArray<Node>
}

type Issues = ReadonlyArray<Schema.FilterIssue>

interface Demand {
  readonly says: string
  readonly missed: (nodes: ReadonlyArray<Node>) => Issues
}

interface Profile {
  readonly purpose: string
  /** What the file need not say, as people read it. */
  readonly fixes: ReadonlyArray<string>
  readonly defaults: object
  /** Of a node, as the file says it. */
  readonly nodeDefaults: (written: object) => object
  readonly demands: ReadonlyArray<Demand>
}

/** What stays of the past in a store that nobody compacts would fill it. */
const compacted = { components: { chainfire: { autoCompaction: { mode: "periodic", retention: "1h" } } } }
const compactedSaid = 'components.chainfire.autoCompaction.retention is "1h"'
const certified = (written: object): object =>
  "tls" in written ? { tls: { clientCertificates: "needed" } } : {}
const certifiedSaid = 'tls.clientCertificates of each node is "needed"'

const knownPorts: Demand = {
  says: "Ports for others are said: `links` and `etcd` are not 0.",
  missed: (nodes) =>
    nodes.flatMap((node, index) =>
      (["links", "etcd"] as const).flatMap((key) =>
        node[key] === 0
          ? [{ path: ["nodes", index, key], message: "expected a port that others know, 1 to 65535, got 0" }]
          : []
      )
    )
}

const votersOf = (nodes: ReadonlyArray<Node>) => nodes.filter(({ joins }) => !joins)

export const profiles: Readonly<Record<ProfileName, Profile>> = {
  "single-node-dev": {
    purpose: "One node on this machine, to develop against. Nothing else is needed in the file.",
    fixes: [
      '`cluster` is "dev"',
      "`nodes` is one, node01",
      "dataDirectory of a node is work/ and its name, below where it was started"
    ],
    defaults: { cluster: "dev", nodes: [{ name: "node01" }] },
    nodeDefaults: (written) => ({
      dataDirectory: "name" in written && Predicate.isString(written.name) ? `work/${written.name}` : "work"
    }),
    demands: [
      {
        says: "There is one node.",
        missed: ({ length }) =>
          length === 1 ? [] : [{ path: ["nodes"], message: `expected one node, got ${length}` }]
      },
      {
        says: "It listens on the loopback.",
        missed: (nodes) =>
          nodes.flatMap(({ health, host }, index) => {
            const message = (at: string) => `expected an address of the loopback, got ${at}`
            return [
              ...(isLoopback(host) ? [] : [{ path: ["nodes", index, "host"], message: message(host) }]),
              ...(isLoopback(health.host)
                ? []
                : [{ path: ["nodes", index, "health", "host"], message: message(health.host) }])
            ]
          })
      }
    ]
  },
  "three-node-control-plane": {
    purpose: "A group that goes on when one machine is lost, or two of five, or one zone.",
    fixes: [compactedSaid, certifiedSaid],
    defaults: compacted,
    nodeDefaults: certified,
    demands: [
      {
        says: "Three nodes do not join, or five: with these chainfire begins.",
        missed: (nodes) => {
          const { length } = votersOf(nodes)
          return length === 3 || length === 5
            ? []
            : [{ path: ["nodes"], message: `expected 3 or 5 nodes that do not join, got ${length}` }]
        }
      },
      {
        says: "No zone has so many of them that its loss is the loss of the majority: of three each is alone in its zone.",
        missed: (nodes) => {
          const most = Math.max(1, Math.floor((votersOf(nodes).length - 1) / 2))
          const seen = new Map<string, number>()
          return nodes.flatMap(({ joins, zone }, index) => {
            if (joins) return []
            const count = (seen.get(zone) ?? 0) + 1
            seen.set(zone, count)
            return count <= most
              ? []
              : [
                  {
                    path: ["nodes", index, "zone"],
                    message: `expected another zone, got ${zone}, which has ${most} already`
                  }
                ]
          })
        }
      },
      knownPorts
    ]
  },
  "bare-metal-bootstrap": {
    purpose: "The first machine of a site, from which others are installed; they join it one by one.",
    fixes: [compactedSaid, certifiedSaid],
    defaults: compacted,
    nodeDefaults: certified,
    demands: [
      {
        says: "One node does not join: with it chainfire begins.",
        missed: (nodes) => {
          const { length } = votersOf(nodes)
          return length === 1
            ? []
            : [{ path: ["nodes"], message: `expected one node that does not join, got ${length}` }]
        }
      },
      {
        says: "Each is reached by others: not on the loopback, nor by an address that is all of them.",
        missed: (nodes) =>
          nodes.flatMap((node, index) => {
            const { host } = reachedAt(node)
            return isLoopback(host) || isWildcard(host)
              ? [
                  {
                    path: ["nodes", index, "host"],
                    message: `expected an address that other machines reach, got ${host}`
                  }
                ]
              : []
          })
      },
      {
        says: "Data directories are absolute: a service does not begin anywhere.",
        missed: (nodes) =>
          nodes.flatMap(({ dataDirectory }, index) =>
            isAbsolute(dataDirectory)
              ? []
              : [
                  {
                    path: ["nodes", index, "dataDirectory"],
                    message: `expected an absolute path, got ${dataDirectory}`
                  }
                ]
          )
      },
      knownPorts
    ]
  }
}

export const demandsOf = ({ nodes, profile }: Profiled): Issues =>
  profile === undefined
    ? []
    : profiles[profile].demands.flatMap(({ missed }) =>
        missed(nodes).map(({ message, path }) => ({ path, message: `${message}; ${profile} demands it` }))
      )

const isProfile = (name: unknown): name is ProfileName => profileNames.some((one) => one === name)

/** What a file says, and for what it does not say what its profile does. What makes no sense stays as it is. */
export const profiled = (written: unknown): unknown => {
  if (!isSection(written) || !("profile" in written) || !isProfile(written.profile)) return written
  const { defaults, nodeDefaults } = profiles[written.profile]
  const whole = under(written, defaults)
  if (!("nodes" in whole) || !Array.isArray(whole.nodes)) return whole
  const nodes: ReadonlyArray<unknown> = whole.nodes
  return { ...whole, nodes: nodes.map((node) => (isSection(node) ? under(node, nodeDefaults(node)) : node)) }
}

const isSection = (value: unknown): value is object =>
  Predicate.isRecord(value) && Object.getPrototypeOf(value) === Object.prototype

const under = (written: object, defaults: object): object => {
  const whole = new Map<string, unknown>(Object.entries(written))
  for (const [key, value] of Object.entries(defaults)) {
    const given = whole.get(key)
    if (given === undefined) whole.set(key, value)
    else if (isSection(given) && isSection(value)) whole.set(key, under(given, value))
  }
  return Object.fromEntries(whole)
}
