/**
 * Everything that one node runs, above the ports it is given: the same tree on real ports and in the simulator.
 *
 *   cluster     what makes it one of many
 *   chainfire   the member of the coordination store on this node
 *   roles       what it needs of the store, and what one node at a time does for all
 *   work        whatever else it has to do
 *
 * Some of its actors share an object that is also a service for others, such as the datagrams of membership over
 * the links. These are made once for each start of the node, before its ports, and its tree when those are open.
 */
import { Effect, Encoding, Layer } from "effect"
import type { MemberArgs } from "#actors/chainfire/member-actor.ts"
import { MemberRecord } from "#actors/chainfire/member-records.ts"
import { TreeCoordination } from "#actors/cluster/coordination-actor.ts"
import { LinkDatagrams } from "#actors/cluster/links-actor.ts"
import { RegistryView } from "#actors/cluster/registry-actor.ts"
import type { SwimConfig } from "#actors/cluster/swim-config.ts"
import { leasesOn } from "#actors/kernel/coordination/coordination-leases.ts"
import type { Cells } from "#actors/kernel/ports/cell.ts"
import { WorldClock } from "#actors/kernel/ports/clock.ts"
import type { Coordination } from "#actors/kernel/ports/coordination.ts"
import { Datagrams } from "#actors/kernel/ports/datagrams.ts"
import { Leases } from "#actors/kernel/ports/leases.ts"
import type { Links } from "#actors/kernel/ports/links.ts"
import type { ChildSpec, Supervision } from "#actors/kernel/ports/supervision.ts"
import type { World } from "#actors/kernel/system.ts"
import type { RaftConfig } from "#actors/raft/raft-config.ts"
import type { Introduction } from "#protocols/links.ts"
import { Metadata } from "#protocols/membership.ts"
import type { NodeConfig } from "#protocols/operations.ts"
import { Sha256 } from "#protocols/wire/sha256.ts"
import manifest from "../../package.json" with { type: "json" }
import * as Supervisor from "../engine/supervisor.ts"
import { child } from "../engine/tree.ts"
import { chainfire, memberPath } from "./chainfire.ts"
import { type ClientLimits, cluster } from "./cluster.ts"
import { rolesTree } from "./roles.ts"

/** What the work of a node may need. */
export type NodeServices = World | Supervision | Cells | Links | Datagrams | Coordination | Leases

export interface NodeTreeOptions {
  readonly name: string
  readonly cluster: string
  readonly zone: string
  /** Addresses of nodes that may be there already. */
  readonly seeds: ReadonlyArray<string>
  /** Of which nodes chainfire's group consists; without it of this one alone. */
  readonly chainfire?: ChainfireMembers
  /** What the node has to do, started after the cluster and chainfire. */
  readonly work: ReadonlyArray<ChildSpec<NodeServices>>
  /** Each of them one node of the group has at a time; its components learn of it from the role agent. */
  readonly roles?: ReadonlyArray<string>
  readonly timing?: NodeTiming
  /** Of chainfire on this node. */
  readonly store?: StoreOptions
  /** Of the message API and of shells, each on its own. */
  readonly clients?: ClientLimits
  readonly shells?: Pick<ClientLimits, "clientsMax">
  /** Where all of this was read, and its digest; worked out from what is here where nothing is said. */
  readonly config?: ConfigSource
}

export interface ConfigSource {
  readonly file: string
  readonly digest: string
}

/** For networks and machines that are slower than these take for granted; the same on all nodes of a cluster. */
export interface NodeTiming {
  readonly chainfire?: Partial<Pick<RaftConfig, "electionMillis" | "heartbeatMillis">>
  readonly membership?: Partial<Pick<SwimConfig, "probeIntervalMillis" | "probeTimeoutMillis">>
}

/** What is not given is as by default. */
export type StoreOptions = Pick<MemberArgs, "log" | "origins" | "settings">

export interface ChainfireMembers {
  /** With which the group begins: the same list on all of them. Later changes are in the group itself. */
  readonly initial: ReadonlyArray<ChainfireMember>
  /** This node is to become a member of a group that is there, to which it has been added. */
  readonly joins?: boolean
}

/** A node and its addresses, each `host:port`. */
export interface ChainfireMember extends Addresses {
  readonly name: string
}

/** `host:port` of what a node listens on. */
export interface Addresses {
  readonly links: string
  readonly etcd: string
}

/** Once its ports are open. */
export interface Opened {
  readonly self: Introduction
  readonly addresses: Addresses
  /** Of the addresses that it tells others. */
  readonly scheme: "http" | "https"
  /** Which process it is, where it is one. */
  readonly process?: { readonly pid: number; readonly startedAtMillis: number }
}

/** For one start of a node: the services that its own actors give to others, and then its tree. */
export const nodeTree = (options: NodeTreeOptions) => {
  const { name, roles = [], seeds, timing, work, zone } = options
  const datagrams = new LinkDatagrams()
  const view = new RegistryView()
  const coordination = coordinationOf(options)
  const leases = Layer.effect(
    Leases,
    Effect.map(WorldClock, (clock) => leasesOn(coordination.coordination, clock))
  )
  return {
    services: Layer.mergeAll(Layer.succeed(Datagrams, datagrams), coordination.layer, leases),
    tree: (opened: Opened) =>
      Supervisor.make(name, {
        strategy: "one-for-one",
        intensity: { restarts: 5, within: "10 seconds" },
        children: [
          child(
            cluster({
              self: opened.self,
              metadata: new Metadata({ roles: [], zone, version, ports: {} }),
              seeds,
              datagrams,
              view,
              swim: timing?.membership ?? {},
              ...(options.clients !== undefined && { clients: options.clients }),
              ...(options.shells !== undefined && { shells: options.shells }),
              config: configOf(options, opened)
            })
          ),
          child(chainfire(memberArgs(options, opened))),
          child(
            rolesTree({
              self: opened.self,
              coordination,
              roles,
              isGroup: options.chainfire !== undefined
            })
          ),
          ...work
        ]
      })
  }
}

/** Of all that is here: what package.json says. */
export const { version } = manifest

const configOf = (
  { cluster: name, config, name: node, zone }: NodeTreeOptions,
  { addresses, process: running }: Opened
): NodeConfig => ({
  node,
  cluster: name,
  zone,
  version,
  file: config?.file ?? "",
  digest: config?.digest ?? digestOf({ cluster: name, node, zone }),
  ...addresses,
  pid: running?.pid ?? 0,
  startedAtMillis: running?.startedAtMillis ?? 0
})

/** In hexadecimal, of the value as JSON. */
export const digestOf = (value: unknown): string => {
  const hash = new Sha256()
  hash.update(new TextEncoder().encode(JSON.stringify(value)))
  return Encoding.encodeHex(hash.digest())
}

const memberArgs = (
  { chainfire: members, cluster: group, name, store, timing }: NodeTreeOptions,
  { addresses, scheme }: Opened
): Omit<MemberArgs, "pathOf"> => {
  const initial = members?.initial ?? [{ name, ...addresses }]
  return {
    name,
    clusterId: idOf(group),
    peerUrl: `${scheme}://${addresses.links}`,
    clientUrl: `${scheme}://${addresses.etcd}`,
    initial: initial.map((member) =>
      MemberRecord.make({
        // Raft counts its members in numbers of 53 bits.
        ID: idOf(`${group}/${member.name}/${member.links}`) >> 11n,
        name: member.name,
        peerURLs: [`${scheme}://${member.links}`],
        clientURLs: [`${scheme}://${member.etcd}`]
      })
    ),
    joins: members?.joins ?? false,
    config: timing?.chainfire ?? {},
    ...store
  }
}

/** By any member; the one of this node comes first. */
const coordinationOf = ({ chainfire: members, name }: NodeTreeOptions): TreeCoordination => {
  const others = (members?.initial ?? []).filter((member) => member.name !== name)
  return new TreeCoordination({
    members: [name, ...others.map((member) => member.name)].map(memberPath)
  })
}

const idOf = (name: string): bigint => {
  const hash = new Sha256()
  hash.update(new TextEncoder().encode(name))
  const digest = hash.digest()
  return new DataView(digest.buffer, digest.byteOffset).getBigUint64(0)
}
