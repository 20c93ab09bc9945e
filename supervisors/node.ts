/**
 * One node: picks the real ports and runs a tree on them until it ends or is told to stop.
 *
 * For now what it has to do is the demonstration; the cluster around it is real. Ctrl-C interrupts, which
 * stops the tree in reverse order and says goodbye to the other nodes.
 */
import { createHash, randomUUID } from "node:crypto"
import { Cause, Effect, Layer, Queue } from "effect"
import type { MemberArgs } from "#actors/chainfire/member-actor.ts"
import { MemberRecord } from "#actors/chainfire/member-records.ts"
import { TreeCoordination } from "#actors/cluster/coordination-actor.ts"
import { LinkDatagrams } from "#actors/cluster/links-actor.ts"
import { RegistryView } from "#actors/cluster/registry-actor.ts"
import { leasesOn } from "#actors/kernel/coordination/coordination-leases.ts"
import { WorldClock } from "#actors/kernel/ports/clock.ts"
import type { Coordination } from "#actors/kernel/ports/coordination.ts"
import { Datagrams } from "#actors/kernel/ports/datagrams.ts"
import { Grpc } from "#actors/kernel/ports/grpc.ts"
import { Leases } from "#actors/kernel/ports/leases.ts"
import { Links } from "#actors/kernel/ports/links.ts"
import type { ChildSpec } from "#actors/kernel/ports/supervision.ts"
import { describeCause } from "#actors/kernel/ref.ts"
import * as ActorSystem from "#actors/kernel/system.ts"
import type { LinkTls } from "#actors/platform/certificates.ts"
import { fileJournals } from "#actors/platform/file-journal.ts"
import { grpcListener } from "#actors/platform/grpc-listener.ts"
import { lmdbStores } from "#actors/platform/lmdb-stores.ts"
import { ScryptSecrets } from "#actors/platform/scrypt-secrets.ts"
import type { OnRefused } from "#actors/platform/socketio-door.ts"
import { socketioLinks } from "#actors/platform/socketio-links.ts"
import { openTokens } from "#actors/platform/tokens.ts"
import { LinkRefused } from "#protocols/links.ts"
import { Metadata } from "#protocols/membership.ts"
import { protocolVersion } from "#protocols/wire/frames.ts"
import * as Supervisor from "./engine/supervisor.ts"
import { child } from "./engine/tree.ts"
import { type Live, live } from "./live.ts"
import { chainfire, memberPath } from "./trees/chainfire.ts"
import { cluster } from "./trees/cluster.ts"
import { rolesTree } from "./trees/roles.ts"

export interface NodeOptions {
  readonly name: string
  readonly cluster: string
  /** Holds the key of the cluster and the operator's token; see actors/platform/tokens.ts. */
  readonly dataDirectory: string
  readonly host?: string
  /** Needed for a host off the loopback: nodes then show each other certificates instead of tokens. */
  readonly tls?: LinkTls
  /** Whether clients of etcd have to show a certificate, where there is TLS. */
  readonly clientCertificates?: "optional" | "needed"
  /** 0 is any that is free. */
  readonly port: number
  /** Addresses of nodes that may be there already. */
  readonly seeds: ReadonlyArray<string>
  readonly zone: string
  /** Where clients of etcd find chainfire; 0 is any port that is free. */
  readonly clientPort: number
  /** Of which nodes chainfire's group consists; without it of this one alone. */
  readonly chainfire?: ChainfireMembers
  /** What the node has to do, started after the cluster and chainfire. */
  readonly work: ReadonlyArray<ChildSpec<Live | Links | Datagrams | Coordination | Leases>>
  /** Each of them one node of the group has at a time; its components learn of it from the role agent. */
  readonly roles?: ReadonlyArray<string>
}

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

const memberArgs = (options: NodeOptions, addresses: Addresses): Omit<MemberArgs, "pathOf"> => {
  const { chainfire: members, cluster, name, tls } = options
  const scheme = tls === undefined ? "http" : "https"
  const own = { name, ...addresses }
  const initial = members?.initial ?? [own]
  return {
    name,
    clusterId: idOf(cluster),
    peerUrl: `${scheme}://${addresses.links}`,
    clientUrl: `${scheme}://${addresses.etcd}`,
    initial: initial.map((member) =>
      MemberRecord.make({
        // Raft counts its members in numbers of 53 bits.
        ID: idOf(`${cluster}/${member.name}/${member.links}`) >> 11n,
        name: member.name,
        peerURLs: [`${scheme}://${member.links}`],
        clientURLs: [`${scheme}://${member.etcd}`]
      })
    ),
    joins: members?.joins ?? false
  }
}

/** By any member; the one of this node comes first. */
const coordinationOf = ({ chainfire, name }: NodeOptions): TreeCoordination => {
  const others = (chainfire?.initial ?? []).filter((member) => member.name !== name)
  return new TreeCoordination({
    members: [name, ...others.map((member) => member.name)].map(memberPath)
  })
}

const idOf = (name: string): bigint => createHash("sha256").update(name).digest().readBigUInt64BE(0)

interface Refusal {
  readonly name: string
  readonly reason: string
}

/** Who knocks without end is not reported without end. */
const refusalsMax = 100

const publishTo =
  (system: ActorSystem.ActorSystem) =>
  (refusal: Refusal): Effect.Effect<void> =>
    Effect.sync(() => {
      system.events.publish(new LinkRefused({ ...refusal, atMillis: system.clock.wallMillis() }))
      system.log("warn", `${refusal.name} was not let in: ${refusal.reason}`)
    })

/** Starts a node and gives it to `use`; runs until interrupted. Fails when the tree gives up, with the reason, which it has said in one line. */
export const runNode = <A, E, R>(
  options: NodeOptions,
  use: (system: ActorSystem.ActorSystem, addresses: Addresses) => Effect.Effect<A, E, R>
) =>
  Effect.gen(function* () {
    const { clientPort, dataDirectory, host, name, port, roles = [], seeds, tls, work, zone } = options
    const tokens = yield* openTokens(dataDirectory, options.cluster)
    const self = { protocol: protocolVersion, cluster: options.cluster, name, bootId: randomUUID() }
    const datagrams = new LinkDatagrams()
    const refused = yield* Queue.sliding<Refusal>(refusalsMax)
    const onRefused: OnRefused = (introduction, fault) => {
      refused.unsafeOffer({ name: introduction?.name ?? "somebody", reason: fault.message })
    }
    const coordination = coordinationOf(options)
    const leases = Layer.effect(
      Leases,
      Effect.map(WorldClock, (clock) => leasesOn(coordination.coordination, clock))
    )
    const where = { ...(host !== undefined && { host }), ...(tls !== undefined && { tls }) }
    const ports = Layer.mergeAll(
      socketioLinks({ self, tokens, port, onRefused, ...where }),
      grpcListener({
        port: clientPort,
        certificateNeeded: options.clientCertificates === "needed",
        ...where
      }),
      fileJournals(dataDirectory),
      lmdbStores(dataDirectory),
      ScryptSecrets,
      Layer.succeed(Datagrams, datagrams),
      coordination.layer,
      leases
    ).pipe(Layer.provideMerge(live))
    return yield* Effect.gen(function* () {
      const links = yield* Links
      const metadata = new Metadata({ roles: [], zone, version: "0.1.0", ports: {} })
      const view = new RegistryView()
      const grpc = yield* Grpc
      const addresses = { links: links.self.address, etcd: grpc.address }
      const tree = Supervisor.make(name, {
        strategy: "one-for-one",
        intensity: { restarts: 5, within: "10 seconds" },
        children: [
          child(cluster({ self: links.self, metadata, seeds, datagrams, view })),
          child(chainfire(memberArgs(options, addresses))),
          child(
            rolesTree({ self: links.self, coordination, roles, isGroup: options.chainfire !== undefined })
          ),
          ...work
        ]
      })
      const system = yield* ActorSystem.make(name, tree)
      yield* Effect.forkScoped(Effect.forever(Effect.flatMap(Queue.take(refused), publishTo(system))))
      yield* Effect.forkScoped(use(system, addresses))
      // Stops here rather than with the scope, so that whoever watches still sees it.
      const ended = yield* Effect.onInterrupt(system.ended, () => system.stop)
      if (!Cause.isEmpty(ended.cause)) yield* Effect.failCause(ended.cause)
    }).pipe(Effect.provide(ports))
  }).pipe(
    Effect.scoped,
    Effect.tapErrorCause((cause) =>
      Effect.sync(() => {
        if (Cause.isInterruptedOnly(cause)) return
        process.stderr.write(`ultracloud: ${describeCause(cause)}\n`)
      })
    )
  )
