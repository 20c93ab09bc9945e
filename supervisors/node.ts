/**
 * One node: picks the real ports and runs a tree on them until it ends or is told to stop.
 *
 * For now what it has to do is the demonstration; the cluster around it is real. Ctrl-C interrupts, which
 * stops the tree in reverse order and says goodbye to the other nodes.
 */
import { randomUUID } from "node:crypto"
import { Cause, Effect, Layer, Queue } from "effect"
import { LinkDatagrams } from "#actors/cluster/links-actor.ts"
import { RegistryView } from "#actors/cluster/registry-actor.ts"
import { Datagrams } from "#actors/kernel/ports/datagrams.ts"
import { Links } from "#actors/kernel/ports/links.ts"
import type { ChildSpec } from "#actors/kernel/ports/supervision.ts"
import { describeCause } from "#actors/kernel/ref.ts"
import * as ActorSystem from "#actors/kernel/system.ts"
import type { OnRefused } from "#actors/platform/socketio-door.ts"
import { socketioLinks } from "#actors/platform/socketio-links.ts"
import { openTokens } from "#actors/platform/tokens.ts"
import { LinkRefused } from "#protocols/links.ts"
import { Metadata } from "#protocols/membership.ts"
import { protocolVersion } from "#protocols/wire/frames.ts"
import * as Supervisor from "./engine/supervisor.ts"
import { child } from "./engine/tree.ts"
import { type Live, live } from "./live.ts"
import { cluster } from "./trees/cluster.ts"

export interface NodeOptions {
  readonly name: string
  readonly cluster: string
  /** Holds the key of the cluster and the operator's token; see actors/platform/tokens.ts. */
  readonly dataDirectory: string
  readonly host?: string
  /** 0 is any that is free. */
  readonly port: number
  /** Addresses of nodes that may be there already. */
  readonly seeds: ReadonlyArray<string>
  readonly zone: string
  /** What the node has to do, started after the cluster. */
  readonly work: ReadonlyArray<ChildSpec<Live | Links | Datagrams>>
}

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
  use: (system: ActorSystem.ActorSystem, address: string) => Effect.Effect<A, E, R>
) =>
  Effect.gen(function* () {
    const { dataDirectory, host, name, port, seeds, work, zone } = options
    const tokens = yield* openTokens(dataDirectory, options.cluster)
    const self = { protocol: protocolVersion, cluster: options.cluster, name, bootId: randomUUID() }
    const datagrams = new LinkDatagrams()
    const refused = yield* Queue.sliding<Refusal>(refusalsMax)
    const onRefused: OnRefused = (introduction, fault) => {
      refused.unsafeOffer({ name: introduction?.name ?? "somebody", reason: fault.message })
    }
    const ports = Layer.mergeAll(
      live,
      socketioLinks({ self, tokens, port, onRefused, ...(host !== undefined && { host }) }),
      Layer.succeed(Datagrams, datagrams)
    )
    return yield* Effect.gen(function* () {
      const links = yield* Links
      const metadata = new Metadata({ roles: [], zone, version: "0.1.0", ports: {} })
      const view = new RegistryView()
      const tree = Supervisor.make(name, {
        strategy: "one-for-one",
        intensity: { restarts: 5, within: "10 seconds" },
        children: [child(cluster({ self: links.self, metadata, seeds, datagrams, view })), ...work]
      })
      const system = yield* ActorSystem.make(name, tree)
      yield* Effect.forkScoped(Effect.forever(Effect.flatMap(Queue.take(refused), publishTo(system))))
      yield* Effect.forkScoped(use(system, links.self.address))
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
