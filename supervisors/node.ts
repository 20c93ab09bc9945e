/**
 * One node: picks the real ports and runs a tree on them until it ends or is told to stop.
 *
 *   the lock of its data directory, the port for health, the ports for others, the tree in order, ready
 *
 * Interrupted it goes back the same way: it is not ready any more, hands over what it leads, stops the tree in reverse
 * order, which says goodbye to the other nodes, and closes its ports.
 */
import { randomUUID } from "node:crypto"
import { rmSync, writeFileSync } from "node:fs"
import { join } from "node:path"
import { Cause, Deferred, Duration, Effect, Fiber, Layer, Queue } from "effect"
import { WorldClock } from "#actors/kernel/ports/clock.ts"
import { Grpc, type GrpcLimits } from "#actors/kernel/ports/grpc.ts"
import { Links } from "#actors/kernel/ports/links.ts"
import { Randomness } from "#actors/kernel/ports/randomness.ts"
import { describeCause } from "#actors/kernel/ref.ts"
import * as ActorSystem from "#actors/kernel/system.ts"
import type { LinkTls } from "#actors/platform/certificates.ts"
import { fileJournals } from "#actors/platform/file-journal.ts"
import { grpcListener } from "#actors/platform/grpc-listener.ts"
import { linkAddress } from "#actors/platform/link-address.ts"
import { lmdbStores } from "#actors/platform/lmdb-stores.ts"
import { ScryptSecrets } from "#actors/platform/scrypt-secrets.ts"
import type { OnRefused } from "#actors/platform/socketio-door.ts"
import { socketioLinks } from "#actors/platform/socketio-links.ts"
import { openTokens } from "#actors/platform/tokens.ts"
import { AlreadyLinked, LinkRefused, ListenFailed } from "#protocols/links.ts"
import type { LogLevel } from "#protocols/operations.ts"
import { protocolVersion } from "#protocols/wire/frames.ts"
import { consoleTree } from "./console/console-tree.ts"
import { Sessions } from "./console/sessions.ts"
import { live } from "./live.ts"
import { holdDataDirectory } from "./node/data-directory.ts"
import { drain } from "./node/drain.ts"
import { healthPortBeside, openHealthPort } from "./node/health-port.ts"
import { type Say, sayAs } from "./node/node-log.ts"
import { reportComponents, reportReadiness } from "./node/node-reports.ts"
import { type NodeWatch, watchNode } from "./node/node-watch.ts"
import { portRefused } from "./node/port-refused.ts"
import { processFigures } from "./node/process-figures.ts"
import { stopDeadline } from "./node/stop-deadline.ts"
import { openTraces, type TraceOptions } from "./node/traces.ts"
import { type Door, doorFileName } from "./shell/door.ts"
import { type Addresses, type NodeTreeOptions, nodeTree, version } from "./trees/node.ts"

export interface NodeOptions extends NodeTreeOptions {
  /** Holds the key of the cluster and the operator's token; see actors/platform/tokens.ts. */
  readonly dataDirectory: string
  readonly host?: string
  /** Where others reach it, if that is not where it listens. */
  readonly advertised?: { readonly host: string; readonly links: number; readonly etcd: number }
  /** The address of its own that links to other nodes leave from. */
  readonly dialFrom?: string
  /** Needed for a host off the loopback: nodes then show each other certificates instead of tokens. */
  readonly tls?: LinkTls
  /** Whether clients of etcd have to show a certificate, where there is TLS. */
  readonly clientCertificates?: "optional" | "needed"
  /** 0 is any that is free. */
  readonly port: number
  /** Where clients of etcd find chainfire; 0 is any port that is free. */
  readonly clientPort: number
  /** Where browsers find the console, on the loopback; 0 is any port that is free. Without it there is none. */
  readonly consolePort?: number
  /** Of the port for clients of etcd: what is other than by default. */
  readonly etcdLimits?: Partial<GrpcLimits>
  /** Of other nodes, clients of the message API and shells together. */
  readonly linksMax?: number
  /** Of web pages that may be clients; none unless stated. */
  readonly origins?: ReadonlyArray<string>
  /**
   * Where programs ask how it is and read its numbers, see node/health-port.ts; 0 is any port that is free. Without it
   * ten above the console's, and where there is no console there is none. The node starts on no port that is taken.
   */
  readonly healthPort?: number
  /** On the loopback unless stated: it is there for everybody who reaches it. */
  readonly healthHost?: string
  /** What is logged at first, and all that is worse; an operator may change it. */
  readonly logLevel?: LogLevel
  /** Where spans go; without it nothing is traced. */
  readonly traces?: TraceOptions
  /** By when it has to have stopped, or the process ends at once; without it, it takes what it takes. */
  readonly stopMillis?: number
}

const loopback = "127.0.0.1"

interface Refusal {
  readonly name: string
  readonly reason: string
  /** Two nodes that greet each other at once keep one link: nobody's business but a debugger's. */
  readonly isUsual: boolean
}

/** Who knocks without end is not reported without end. */
const refusalsMax = 100

const publishTo =
  (system: ActorSystem.ActorSystem) =>
  ({ isUsual, name, reason }: Refusal): Effect.Effect<void> =>
    Effect.sync(() => {
      system.events.publish(new LinkRefused({ name, reason, atMillis: system.clock.wallMillis() }))
      system.log(isUsual ? "debug" : "warn", `${name} was not let in: ${reason}`)
    })

/**
 * Tells shells on this machine where the node is; see shell/door.ts. What a process that was killed leaves behind
 * leads nowhere, and is overwritten by the next.
 */
const announceDoor = (dataDirectory: string, door: Door) =>
  Effect.acquireRelease(
    Effect.sync(() => {
      const path = join(dataDirectory, doorFileName)
      writeFileSync(path, `${JSON.stringify(door)}\n`, { mode: 0o600 })
      return path
    }),
    (path) => Effect.sync(() => rmSync(path, { force: true }))
  )

/**
 * Starts a node and gives it to `use`, with an effect that waits until it is ready; runs until interrupted. Fails when
 * the tree gives up, with the reason, which it has said in one line.
 */
export const runNode = <A, E, R>(
  options: NodeOptions,
  use: (
    system: ActorSystem.ActorSystem,
    addresses: Addresses,
    ready: Effect.Effect<void>
  ) => Effect.Effect<A, E, R>
) =>
  Effect.gen(function* () {
    const { advertised, clientPort, dataDirectory, dialFrom, host, name, port, tls } = options
    const logLevel = options.logLevel ?? "info"
    yield* holdDataDirectory(name, dataDirectory)
    const build = { version, node: name, cluster: options.cluster, zone: options.zone }
    const watch = yield* watchNode(build, yield* processFigures)
    const say = sayAs(name, () => watch.system?.logLevel ?? logLevel)
    const stopTimer = yield* stopDeadline(name, options.stopMillis, watch)
    yield* serveHealth(options, watch, say)
    const tokens = yield* openTokens(dataDirectory, options.cluster)
    const self = { protocol: protocolVersion, cluster: options.cluster, name, bootId: randomUUID() }
    const { consolePort, work } = options
    const console =
      consolePort === undefined
        ? []
        : [
            consoleTree({
              node: name,
              cluster: options.cluster,
              port: consolePort,
              tokens,
              sessions: new Sessions()
            })
          ]
    const node = nodeTree({ ...options, work: [...console, ...work] })
    const refused = yield* Queue.sliding<Refusal>(refusalsMax)
    const onRefused: OnRefused = (introduction, fault) => {
      const name = introduction?.name ?? "somebody"
      refused.unsafeOffer({ name, reason: fault.message, isUsual: fault instanceof AlreadyLinked })
    }
    const where = { ...(host !== undefined && { host }), ...(tls !== undefined && { tls }) }
    const ports = Layer.mergeAll(
      socketioLinks({
        ...{ self, tokens, port, dialFrom, onRefused },
        ...(options.linksMax !== undefined && { connectionsMax: options.linksMax }),
        ...(options.origins !== undefined && { origins: options.origins }),
        ...(advertised !== undefined && { advertised: { host: advertised.host, port: advertised.links } }),
        ...where
      }),
      grpcListener({
        port: clientPort,
        certificateNeeded: options.clientCertificates === "needed",
        ...(options.etcdLimits !== undefined && { limits: options.etcdLimits }),
        ...where
      }),
      fileJournals(dataDirectory),
      lmdbStores(dataDirectory),
      ScryptSecrets,
      node.services
    ).pipe(Layer.provideMerge(live))
    return yield* Effect.gen(function* () {
      const links = yield* Links
      const grpc = yield* Grpc
      const etcd = advertised === undefined ? grpc.address : linkAddress(advertised.host, advertised.etcd)
      const addresses = { links: links.self.address, etcd }
      const scheme = tls === undefined ? "http" : "https"
      const started = { pid: process.pid, startedAtMillis: Date.now() }
      const tree = node.tree({ self: links.self, addresses, scheme, process: started })
      yield* announceDoor(dataDirectory, {
        node: name,
        url: `${scheme}://${links.self.address}`,
        ca: tls?.ca
      })
      const world = { clock: yield* WorldClock, randomness: yield* Randomness }
      const spans = options.traces && (yield* openTraces(options.traces, build, world))
      yield* say(
        "info",
        `listens for nodes at ${addresses.links}, for clients of etcd at ${addresses.etcd}`,
        {
          ...addresses
        }
      )
      // As for all supervisors: what it starts has deadlines of its own, and on a slow machine their sum is no matter.
      const system = yield* ActorSystem.begin(name, tree, { startDeadline: Duration.infinity })
      system.logLevel = logLevel
      system.spans = spans
      watch.system = system
      yield* Effect.addFinalizer(() => stopTimer)
      const run = Effect.gen(function* () {
        yield* reportComponents(system, watch, say)
        yield* system.started
        watch.phase = "running"
        const isReady = yield* Deferred.make<void>()
        yield* Effect.forkScoped(reportReadiness(watch, say, isReady))
        yield* Effect.forkScoped(Effect.forever(Effect.flatMap(Queue.take(refused), publishTo(system))))
        yield* Effect.forkScoped(use(system, addresses, Deferred.await(isReady)))
        return yield* system.ended
      })
      // Also while it starts. Stops here rather than with the scope, so that whoever watches still sees it.
      const ended = yield* Effect.onInterrupt(run, () =>
        Effect.zipRight(stopTimer, stopInOrder(system, watch, say))
      )
      watch.phase = "ended"
      if (!Cause.isEmpty(ended.cause)) yield* Effect.failCause(ended.cause)
      // A scope of its own: whatever was begun here ends before the ports close.
    }).pipe(Effect.scoped, Effect.provide(ports))
  }).pipe(
    Effect.scoped,
    Effect.mapError((fault) => (fault instanceof ListenFailed ? portRefused(fault, options) : fault)),
    Effect.tapErrorCause((cause) =>
      Effect.sync(() => {
        if (Cause.isInterruptedOnly(cause)) return
        process.stderr.write(`ultracloud: ${describeCause(cause)}\n`)
      })
    )
  )

/** Without it nobody could tell how the node is: it does not start on a port that is not to be had. */
const serveHealth = (options: NodeOptions, watch: NodeWatch, say: Say) => {
  const { consolePort, healthHost, healthPort } = options
  const port = healthPort ?? (consolePort === undefined ? undefined : healthPortBeside(consolePort))
  if (port === undefined) return Effect.void
  return openHealthPort({ host: healthHost ?? loopback, port }, watch).pipe(
    Effect.flatMap((at) => say("info", `health and metrics are at http://${at}`, { health: at }))
  )
}

const stopInOrder = (system: ActorSystem.ActorSystem, watch: NodeWatch, say: Say) =>
  Effect.gen(function* () {
    const fromMillis = performance.now()
    watch.phase = "draining"
    yield* say("info", "is told to stop: it takes no new work")
    // In a fiber of its own: the one that was interrupted waits for nothing any more that could be interrupted.
    yield* Fiber.await(yield* Effect.forkDaemon(Effect.interruptible(drain(system, system.name, say))))
    watch.phase = "stopping"
    yield* system.stop
    watch.phase = "ended"
    const millis = Math.round(performance.now() - fromMillis)
    yield* say("info", `stopped in order in ${millis} ms`, { millis })
  })
