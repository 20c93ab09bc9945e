/**
 * What makes a node one of many, in start order:
 *
 *   links            without it no other node is reached; its links come back by themselves, asks fail meanwhile
 *   membership       restarted it knows nobody, and is told everything by the next node that it asks
 *   registry         restarted it knows what other nodes claim within seconds; actors of its own register anew
 *   fleet-breaker    while it is down nothing may act by itself
 *   introspection    answers about the tree
 *   clients, shells  whoever is connected is cut off and connects again
 *
 * One for one: each is told what it needs to know by the others, and none keeps what another has lost.
 */
import { Clients, type ClientsArgs } from "#actors/cluster/clients-actor.ts"
import { FleetBreakerActor } from "#actors/cluster/fleet-breaker-actor.ts"
import { type LinkDatagrams, NodeLinks } from "#actors/cluster/links-actor.ts"
import { Membership } from "#actors/cluster/membership-actor.ts"
import { ClusterRegistry, type RegistryView } from "#actors/cluster/registry-actor.ts"
import type { SwimConfig } from "#actors/cluster/swim-config.ts"
import { Introspection } from "#actors/kernel/introspection.ts"
import { address } from "#protocols/address.ts"
import { catalogue, catalogueEntries } from "#protocols/catalogue.ts"
import type { Introduction } from "#protocols/links.ts"
import { Members, type Metadata } from "#protocols/membership.ts"
import type { NodeConfig } from "#protocols/operations.ts"
import * as Supervisor from "../engine/supervisor.ts"
import { child } from "../engine/tree.ts"

export interface ClusterTreeOptions {
  readonly self: Introduction
  readonly metadata: Metadata
  /** Addresses of nodes that may be there already. */
  readonly seeds: ReadonlyArray<string>
  readonly datagrams: LinkDatagrams
  readonly view: RegistryView
  /** What the node was started with, for operators. */
  readonly config?: NodeConfig
  /** Of membership: what is other than by default. */
  readonly swim?: Partial<SwimConfig>
  readonly clients?: ClientLimits
  readonly shells?: Pick<ClientLimits, "clientsMax">
}

/** What is not given is as by default. */
export type ClientLimits = Partial<Pick<ClientsArgs, "clientsMax" | "messageBytesMax">>

/** Shells at once, unless somebody says otherwise. */
export const shellsMax = 100

export const cluster = (options: ClusterTreeOptions) => {
  const { clients = {}, config, datagrams, metadata, seeds, self, shells = {}, swim = {}, view } = options
  const { address: own, bootId, name } = self
  return Supervisor.make("cluster", {
    strategy: "one-for-one",
    intensity: { restarts: 10, within: "1 minute" },
    children: [
      child(NodeLinks, { args: { datagrams } }),
      child(Membership, { args: { name, address: own, bootId, metadata, seeds, config: swim } }),
      child(ClusterRegistry, { args: { node: name, bootId, view } }),
      child(FleetBreakerActor, { args: { members: address(`/${name}/cluster/membership`, Members) } }),
      child(Introspection, { args: { catalogueEntries, ...(config && { config }) } }),
      child(Clients, { args: { catalogue, ...clients } }),
      child(Clients, {
        name: "shells",
        args: { catalogue, entrance: "ops", clientsMax: shellsMax, eventPauseMillis: 250, ...shells }
      })
    ]
  })
}
