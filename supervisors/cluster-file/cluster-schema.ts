/**
 * What a cluster consists of: the file that is the same on all its nodes. docs/cluster-file.md has every key.
 *
 *   profile      what the cluster is for: other defaults, and demands; see profiles.ts
 *   cluster      its name
 *   nodes        who they are and where; see node-schema.ts
 *   roles        what one node at a time has
 *   components   what can be set of the parts that nodes run
 *   limits       how much a node serves at once
 *   origins      which web pages may be clients
 *   timing       how patient nodes are with each other
 *   log, telemetry, stopMillis   what nodes tell, and how long they may take to stop; see operation-schema.ts
 *
 * What holds between keys is checked here when each of them alone is as it should be.
 */
import { Schema } from "effect"
import { isLoopback } from "#actors/platform/link-address.ts"
import { healthPortBeside } from "../node/health-port.ts"
import { stopMillisDefault } from "../node/stop-deadline.ts"
import { Components, PageOrigins } from "./components-schema.ts"
import { Name, needed, optional, section, withDefault, word } from "./key.ts"
import { Limits } from "./limits-schema.ts"
import { type Node, Nodes, reachedAt } from "./node-schema.ts"
import { Log, StopMillis, Telemetry } from "./operation-schema.ts"
import { demandsOf, profileNames } from "./profiles.ts"
import { Timing } from "./timing-schema.ts"

const Keys = Schema.Struct({
  profile: optional(
    word(...profileNames),
    "What the cluster is for. It changes defaults, and demands what such a cluster cannot do without. Without it nothing more is demanded."
  ),
  cluster: needed(Name, "The name of the cluster. Nodes of another one are not let in."),
  nodes: needed(Nodes, "All nodes. Chainfire begins with those as its members that do not join."),
  roles: withDefault(
    Schema.Array(Name).pipe(Schema.maxItems(1_024), Schema.annotations({ title: "a list of names" })),
    [],
    "Each of them one node at a time has; who, failover decides."
  ),
  components: section(Components, "What can be set of the parts that nodes run."),
  limits: section(Limits, "How much a node serves at once."),
  origins: withDefault(
    PageOrigins,
    [],
    'Of web pages that may be clients of the message API, such as "https://dashboard.example".'
  ),
  timing: section(Timing, "How patient nodes are with each other."),
  log: section(Log, "What nodes log, and how."),
  telemetry: section(Telemetry, "Where traces go, and how many."),
  stopMillis: withDefault(
    StopMillis,
    stopMillisDefault,
    "What a node that is told to stop may take, all in all; then it says who had not ended, and the process ends."
  )
})
type Keys = typeof Keys.Type

/** Of what no two nodes may have the same; undefined is nothing that anybody could have. */
const unlike =
  (what: string, key: keyof Node, of: (node: Node) => string | undefined) =>
  ({ nodes }: Keys): ReadonlyArray<Schema.FilterIssue> => {
    const owners = new Map<string, string>()
    return nodes.flatMap((node, index) => {
      const own = of(node)
      if (own === undefined) return []
      const owner = owners.get(own)
      if (owner === undefined) owners.set(own, node.name)
      return owner === undefined
        ? []
        : [
            {
              path: ["nodes", index, key],
              message: `expected another ${what} than that of ${owner}, got ${own}`
            }
          ]
    })
  }

/** Where a console is, wherever its node is. */
const loopback = "127.0.0.1"

/** A port of 0 is any that is free. */
const placeOf = (host: string, port: number, name: string): string =>
  port === 0 ? `a free port of ${name}` : `${host}:${port}`

/** Consoles and ports for health of one host, also those that follow from others. Of a node the first that clashes. */
const apart = ({ nodes }: Keys): ReadonlyArray<Schema.FilterIssue> => {
  const owners = new Map<string, string>()
  return nodes.flatMap(({ console, health, host, name }, index) => {
    const beside = health.port === undefined
    const listening = [
      { key: "console", whose: "the console", at: loopback, port: console },
      {
        key: beside ? "console" : "health",
        whose: "health",
        at: health.host,
        port: health.port ?? healthPortBeside(console)
      }
    ].filter(({ port }) => port !== 0)
    const issues = listening.flatMap(({ at, key, port, whose }) => {
      const own = `${at}:${port} of ${host}`
      const owner = owners.get(own)
      if (owner === undefined) owners.set(own, `${whose} of ${name}`)
      const way = beside && whose === "health" ? ", ten above it," : ""
      const message = `expected another address for ${whose}${way} on that host than that of ${owner}, got ${own}`
      return owner === undefined ? [] : [{ path: ["nodes", index, key], message }]
    })
    return issues.slice(0, 1)
  })
}

const safe = ({ nodes }: Keys): ReadonlyArray<Schema.FilterIssue> =>
  nodes.flatMap(({ host, tls }, index) =>
    tls !== undefined || isLoopback(host)
      ? []
      : [
          {
            path: ["nodes", index, "tls"],
            message: `expected tls for a host off the loopback, got none for ${host}`
          }
        ]
  )

const begins = ({ nodes }: Keys): ReadonlyArray<Schema.FilterIssue> =>
  nodes.some(({ joins }) => !joins)
    ? []
    : [
        {
          path: ["nodes"],
          message: "expected a node that does not join, got none with which chainfire could begin"
        }
      ]

const checks: ReadonlyArray<(keys: Keys) => ReadonlyArray<Schema.FilterIssue>> = [
  unlike("name", "name", ({ name }) => name),
  unlike("address of links", "links", ({ host, links, name }) => placeOf(host, links, name)),
  unlike("address for clients of etcd", "etcd", ({ etcd, host, name }) => placeOf(host, etcd, name)),
  unlike(
    "data directory on that host",
    "dataDirectory",
    ({ dataDirectory, host }) => `${dataDirectory} of ${host}`
  ),
  apart,
  unlike("advertised address of links", "advertise", (node) => {
    const { host, links } = reachedAt(node)
    return placeOf(host, links, node.name)
  }),
  safe,
  begins,
  demandsOf
]

export const Cluster = Keys.pipe(
  Schema.filter((keys) => checks.flatMap((check) => check(keys))),
  Schema.annotations({ title: "a cluster: a section with cluster and nodes" })
)
export type Cluster = typeof Cluster.Type
/** As it is written, where what is as by default may be left out. */
export type WrittenCluster = typeof Cluster.Encoded
