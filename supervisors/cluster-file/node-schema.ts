/** A node in the cluster file: where it is, what it listens on, where it keeps its data. */
import { isIP } from "node:net"
import { Schema } from "effect"
import { Flag, Name, needed, optional, Port, section, Text, withDefault, word } from "./key.ts"

/** Where things are unless the file says otherwise. */
export const defaultPorts = { links: 7700, etcd: 2379, console: 7780 } as const

const Ip = Text.pipe(Schema.filter((text) => isIP(text) !== 0)).annotations({ title: "an IP address" })

const Advertised = Schema.Struct({
  host: optional(Text, "The name or address by which others reach it; without it `host`."),
  links: optional(Port, "The port where others reach `links`; without it that port."),
  etcd: optional(Port, "The port where others reach `etcd`; without it that port.")
}).annotations({ title: "a section of host, links and etcd" })

const Health = Schema.Struct({
  host: withDefault(
    Text,
    "127.0.0.1",
    "The name or address it listens on. Whoever reaches it may ask: there is no login, and no TLS."
  ),
  port: optional(
    Port,
    "The port; 0 is any that is free, and the log says which. Without it ten above `console`, and none where that is 0."
  )
}).annotations({ title: "a section of host and port" })

const Tls = Schema.Struct({
  certificate: needed(
    Text,
    "PEM file with the certificate of this node, made out to its name and to its host."
  ),
  key: needed(Text, "PEM file with the key of that certificate."),
  authority: needed(
    Text,
    "PEM file with the certificate of whoever signs those of the cluster and of its clients."
  ),
  clientCertificates: withDefault(
    word("optional", "needed"),
    "optional",
    "Whether clients of etcd have to show a certificate."
  )
}).annotations({ title: "a section of certificate, key and authority" })

export const Node = Schema.Struct({
  name: needed(Name, "By which the node is known, and told which of the nodes it is."),
  host: withDefault(
    Text,
    "127.0.0.1",
    "The name or address it listens on, for nodes and for clients. Off the loopback it needs `tls`."
  ),
  links: withDefault(
    Port,
    defaultPorts.links,
    "The port for other nodes, clients of the message API, and shells."
  ),
  etcd: withDefault(Port, defaultPorts.etcd, "The port for clients of etcd, gRPC and JSON."),
  console: withDefault(
    Port,
    defaultPorts.console,
    "The port of the web console, on the loopback of the node whatever its host is; 0 is none."
  ),
  health: section(Health, "Where programs ask how the node is, and read its numbers."),
  zone: withDefault(
    Text,
    "zone-a",
    "What fails together with it: a room, a rack, a power line. Members of a group belong into different ones."
  ),
  dataDirectory: withDefault(
    Text,
    "/var/lib/ultracloud",
    "The folder with all that it keeps. A relative one begins where the node was started."
  ),
  advertise: optional(
    Advertised,
    "Where others reach it, as far as that is not where it listens: behind a proxy, or a translation of addresses."
  ),
  dialFrom: optional(
    Ip,
    "The address of its own that links to other nodes leave from; without it the system picks one."
  ),
  tls: optional(Tls, "Certificates for nodes and clients. Without it everything is in clear text."),
  joins: withDefault(
    Flag,
    false,
    "It came later: it is no member with which chainfire begins, and has to be added to the group first."
  )
}).annotations({ title: "a node: a section with a name" })
export type Node = typeof Node.Type

/** As others know it. */
export const reachedAt = ({ advertise, etcd, host, links }: Node) => ({ host, links, etcd, ...advertise })

export const Nodes = Schema.NonEmptyArray(Node).annotations({ title: "a list of one node or more" })
