/** How many a node serves at once, and how much of each; beyond it others are refused. The same on all nodes. */
import { Schema } from "effect"
import { defaultClientsMax, defaultMessageBytesMax } from "#actors/cluster/clients-actor.ts"
import { defaultGrpcLimits } from "#actors/kernel/ports/grpc.ts"
import { defaultConnectionsMax } from "#actors/platform/socketio-links.ts"
import { shellsMax } from "../trees/cluster.ts"
import { bytes, section, whole, withDefault } from "./key.ts"

const mebibyte = 1024 * 1024

const Etcd = Schema.Struct({
  connectionsMax: withDefault(
    whole(1, 1_000_000, "connections"),
    defaultGrpcLimits.connectionsMax,
    "A connection above it is closed at once."
  ),
  streamsPerConnectionMax: withDefault(
    whole(1, 100_000, "streams"),
    defaultGrpcLimits.streamsPerConnectionMax,
    "Calls and streams that one connection has open."
  )
}).annotations({ title: "a section of connectionsMax and streamsPerConnectionMax" })

const Links = Schema.Struct({
  connectionsMax: withDefault(
    whole(10, 1_000_000, "connections"),
    defaultConnectionsMax,
    "Of other nodes, clients and shells together, also of those that have not said who they are."
  )
}).annotations({ title: "a section of connectionsMax" })

const Clients = Schema.Struct({
  clientsMax: withDefault(
    whole(0, 1_000_000, "clients"),
    defaultClientsMax,
    "Clients of the message API; one more is told why it is not let in."
  ),
  messageBytesMax: withDefault(
    bytes(65_536, 64 * mebibyte),
    defaultMessageBytesMax,
    "Of one message of a client."
  )
}).annotations({ title: "a section of clientsMax and messageBytesMax" })

const Shells = Schema.Struct({
  clientsMax: withDefault(whole(1, 10_000, "shells"), shellsMax, "Ops shells that are attached.")
}).annotations({ title: "a section of clientsMax" })

export const Limits = Schema.Struct({
  etcd: section(Etcd, "The port for clients of etcd."),
  links: section(Links, "The port for nodes, clients of the message API and shells."),
  clients: section(Clients, "Clients of the message API."),
  shells: section(Shells, "Ops shells.")
}).annotations({ title: "a section of limits" })
export type Limits = typeof Limits.Type
