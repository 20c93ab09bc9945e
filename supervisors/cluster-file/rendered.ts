/** Clusters as text again: with all defaults, as one node sees it, or as a file to begin with. */
import { Either, Schema } from "effect"
import { stringify } from "yaml"
import { chainfireOf, clusterDigest, memberOf, seedsOf, storeOf } from "../cluster-spec.ts"
import { Cluster } from "./cluster-schema.ts"
import { type ProfileName, profiled } from "./profiles.ts"

export type Format = "json" | "yaml"

const written = (value: unknown, format: Format, digest: string): string =>
  format === "json"
    ? `${JSON.stringify(value, undefined, 2)}\n`
    : `# digest: ${digest}\n${stringify(value, { lineWidth: 120, aliasDuplicateObjects: false })}`

/** Read again it is the same cluster, with the same digest. JSON has no place for the digest: validate shows it. */
export const wholeText = (cluster: Cluster, format: Format): string =>
  written(Schema.encodeSync(Cluster)(cluster), format, clusterDigest(cluster))

export class NoSuchNode extends Schema.TaggedError<NoSuchNode>()("NoSuchNode", {
  node: Schema.String,
  cluster: Schema.String,
  known: Schema.Array(Schema.String)
}) {
  override get message() {
    return `ultracloud: the cluster ${this.cluster} has no node ${this.node}, only ${this.known.join(", ")}`
  }
}

/** What the node makes of the file: its own part, whom it looks for, with whom chainfire begins. */
export const nodeText = (
  cluster: Cluster,
  name: string,
  format: Format
): Either.Either<string, NoSuchNode> => {
  const own = cluster.nodes.find((node) => node.name === name)
  if (own === undefined) {
    const known = cluster.nodes.map((node) => node.name)
    return Either.left(new NoSuchNode({ node: name, cluster: cluster.cluster, known }))
  }
  const digest = clusterDigest(cluster)
  const { limits, log, roles, stopMillis, telemetry, timing } = cluster
  const node = {
    cluster: cluster.cluster,
    digest,
    node: own,
    knownAs: memberOf(own),
    seeds: seedsOf(cluster, own),
    chainfire: { ...chainfireOf(cluster, own), ...storeOf(cluster) },
    roles,
    limits,
    timing,
    log,
    telemetry,
    stopMillis
  }
  return Either.right(written(node, format, digest))
}

/** What somebody who knows nothing of the place can write: names, and addresses that are nobody's. */
const beginnings: Readonly<Record<ProfileName, object>> = {
  "single-node-dev": {},
  "three-node-control-plane": {
    cluster: "my-cluster",
    nodes: ["a", "b", "c"].map((letter, index) => ({
      ...placed(index + 1),
      zone: `zone-${letter}`
    }))
  },
  "bare-metal-bootstrap": { cluster: "my-cluster", nodes: [placed(1), { ...placed(2), joins: true }] }
}

function placed(number: number) {
  const tls = { certificate: "node.pem", key: "node.key", authority: "ca.pem" }
  const paths = Object.entries(tls).map(([key, file]) => [key, `/etc/ultracloud/${file}`])
  // Of a network that is for documentation.
  return { name: `node0${number}`, host: `192.0.2.${number}`, tls: Object.fromEntries(paths) }
}

export const profileText = (profile: ProfileName, format: Format): string =>
  wholeText(Schema.decodeUnknownSync(Cluster)(profiled({ profile, ...beginnings[profile] })), format)
