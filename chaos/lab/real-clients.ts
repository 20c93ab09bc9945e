/**
 * Clients of a cluster that runs for real, be it in processes or in guests: etcd over gRPC, calls and watches, and
 * the message API as an operator. They come from outside of the cluster, each node has a connection of its own, and
 * a node that does not answer holds up nobody who asks another.
 *
 *   const { ask, etcd, isReady } = yield* realClients({ nodes, token, tls, seed, slowness })
 */
import {
  Deferred,
  Effect,
  Either,
  type Fiber,
  FiberId,
  FiberSet,
  Predicate,
  Schedule,
  type Schema
} from "effect"
import { CallFailed, framed, LeanClient } from "#actors/chainfire/fixtures/lean-grpc.ts"
import type { Success } from "#actors/kernel/ask.ts"
import type { GrpcStatus } from "#actors/kernel/ports/grpc.ts"
import { Prng } from "#chaos/sim/prng.ts"
import * as Client from "#protocols/client/client.ts"
import { etcdErrors, GrpcCode } from "#protocols/wire/etcd/errors.ts"
import { KV, MAINTENANCE, WATCH } from "#protocols/wire/etcd/methods.ts"
import { WatchCreateRequest, WatchRequest, WatchResponse } from "#protocols/wire/etcd/watch.ts"
import { type EtcdAccess, type NodeName, Unanswered, type WatchOptions, type World } from "./world.ts"

/** Where this process reaches a node, each `host:port`. */
export interface RealNode {
  readonly name: NodeName
  /** Of links, and so of clients of the message API. */
  readonly links: string
  readonly etcd: string
}

export interface RealClientsOptions {
  readonly nodes: ReadonlyArray<RealNode>
  /** The operator's, from the data directory of a node. */
  readonly token: string
  /** As PEM texts; the certificate where clients of etcd have to show one. */
  readonly tls: { readonly ca: string; readonly cert?: string; readonly key?: string } | undefined
  /** Of how long slow clients take. */
  readonly seed: number
  readonly slowness: number
}

export interface RealClients extends Pick<World, "ask" | "etcd"> {
  /** It knows a leader and answers a linearizable read. */
  readonly isReady: (node: NodeName) => Effect.Effect<boolean>
}

const callMillisMax = 30_000
const askMillisMax = 5_000
const readyMillisMax = 2_000
const connectAgainMillis = 500
/** A node that is paused, or whose machine went dark, closes nothing. */
const silenceMillisMax = 5_000
/** Little enough that a client who reads slowly holds up the member soon. */
const watchWindowBytes = 4_096
/** From this many on that a client has not taken yet there is no room for more. */
const responsesWaitingMax = 4

export const realClients = (options: RealClientsOptions) =>
  Effect.gen(function* () {
    const run = yield* FiberSet.makeRuntime<never>()
    const etcd = yield* Effect.acquireRelease(
      Effect.sync(() => new RealEtcd(options, run)),
      (opened) => Effect.sync(() => opened.close())
    )
    const doors = new Map<NodeName, Door>()
    for (const node of options.nodes) doors.set(node.name, yield* openDoor(node, options))
    const ask = <Asked extends Schema.TaggedRequest.All>(node: NodeName, path: string, request: Asked) =>
      known(doors, node).ask(path, request)
    const clients: RealClients = { ask, etcd, isReady: (node) => etcd.isReady(node) }
    return clients
  })

const known = <A>(nodes: ReadonlyMap<NodeName, A>, name: NodeName): A => {
  const found = nodes.get(name)
  if (found === undefined) throw new Error(`there is no node ${name}, only ${[...nodes.keys()].join(", ")}`)
  return found
}

// The message API

interface Door {
  readonly ask: <Asked extends Schema.TaggedRequest.All>(
    path: string,
    request: Asked
  ) => Effect.Effect<Success<Asked>, Unanswered>
}

/** Connects when it is first asked, tries for as long as it takes, and stays connected from then on. */
const openDoor = ({ links, name: node }: RealNode, { slowness, tls, token }: RealClientsOptions) =>
  Effect.gen(function* () {
    const url = `${tls === undefined ? "http" : "https"}://${links}`
    const ca = tls === undefined ? {} : { ca: tls.ca }
    const connected = yield* Deferred.make<Client.Client>()
    // What an attempt that failed has opened is closed with it.
    const attempt = Effect.scoped(
      Client.connect({ url, token, name: "chaos", ...ca }).pipe(
        Effect.flatMap((client) => Deferred.succeed(connected, client)),
        Effect.zipRight(Effect.never)
      )
    )
    const wanted = yield* Deferred.make<void>()
    // Whoever asks first may be one that cannot be interrupted, which is not to be handed down.
    yield* Effect.forkScoped(
      Effect.interruptible(
        Effect.zipRight(Deferred.await(wanted), Effect.retry(attempt, Schedule.spaced(connectAgainMillis)))
      )
    )
    const millis = askMillisMax * slowness
    const unanswered = (reason: string) => new Unanswered({ node, reason })
    const door: Door = {
      ask: (path, request) =>
        Effect.zipRight(Deferred.succeed(wanted, undefined), Deferred.await(connected)).pipe(
          Effect.timeoutFail({
            duration: millis,
            onTimeout: () => unanswered(`it takes no clients of the message API at ${links}`)
          }),
          Effect.flatMap((client) => client.ask(path, request, millis)),
          Effect.mapError((fault) => (fault instanceof Unanswered ? fault : unanswered(reasonOf(fault))))
        )
    }
    return door
  })

const reasonOf = (fault: unknown): string =>
  Predicate.hasProperty(fault, "message") ? String(fault.message) : String(fault)

// etcd

/** The server understood and refused. */
const refusals: ReadonlySet<number> = new Set([
  GrpcCode.invalidArgument,
  GrpcCode.failedPrecondition,
  GrpcCode.outOfRange,
  GrpcCode.notFound
])

/** And so it has with these words: nothing was proposed, or what was proposed is certainly dropped. */
const refusalWords: ReadonlySet<string> = new Set(
  [etcdErrors.noLeader, etcdErrors.leaderChanged, etcdErrors.tooManyRequests].map(({ message }) => message)
)

export const neverSent = "no connection was made for it: "

export const isDefinite = ({ code, message }: GrpcStatus): boolean =>
  refusals.has(code) || refusalWords.has(message) || message.startsWith(neverSent)

type Run = (task: Effect.Effect<void>) => Fiber.RuntimeFiber<void>

/** Alarms in real time, for as long as the fibers of `run` may live. */
export const alarmsOf =
  (run: Run): EtcdAccess["after"] =>
  (millis, ring) => {
    const fiber = run(Effect.delay(Effect.sync(ring), millis))
    return () => fiber.unsafeInterruptAsFork(FiberId.none)
  }

class RealEtcd implements EtcdAccess {
  readonly #calls = new Map<NodeName, LeanClient>()
  readonly #watches = new Map<NodeName, LeanClient>()
  readonly #options: RealClientsOptions
  readonly #prng: Prng
  readonly #run: Run

  constructor(options: RealClientsOptions, run: Run) {
    const { nodes, seed, slowness, tls } = options
    this.#options = options
    this.#run = run
    this.#prng = new Prng(seed)
    const shared = { tls, silenceMillisMax: silenceMillisMax * slowness }
    for (const { etcd, name } of nodes) {
      this.#calls.set(name, new LeanClient(etcd, shared))
      this.#watches.set(name, new LeanClient(etcd, { ...shared, windowBytes: watchWindowBytes }))
    }
  }

  readonly call: EtcdAccess["call"] = (node, method, request, done) => {
    const { slowness } = this.#options
    known(this.#calls, node)
      .call(method, request, callMillisMax * slowness)
      .then(
        (answer) => done(Either.right(answer)),
        (problem: unknown) => done(Either.left(statusOf(problem)))
      )
  }

  watch(options: WatchOptions): () => void {
    const client = known(this.#watches, options.node)
    const watch = new SlowWatch(client, options, (take) =>
      this.#run(Effect.delay(Effect.sync(take), this.#prng.next() * options.slowMillisMax))
    )
    return () => watch.cancel()
  }

  get after(): EtcdAccess["after"] {
    return alarmsOf(this.#run)
  }

  readonly isDefinite = isDefinite

  isReady(node: NodeName): Effect.Effect<boolean> {
    const client = known(this.#calls, node)
    const millis = readyMillisMax * this.#options.slowness
    return Effect.promise(async () => {
      try {
        const { leader } = await client.call(MAINTENANCE.status, {}, millis)
        if (leader === 0n) return false
        await client.call(KV.range, { key: new Uint8Array([0]) }, millis)
        return true
      } catch (problem) {
        // Throws what is no answer but a bug.
        statusOf(problem)
        return false
      }
    })
  }

  close(): void {
    for (const client of [...this.#calls.values(), ...this.#watches.values()]) client.close()
  }
}

const statusOf = (problem: unknown): GrpcStatus => {
  if (!(problem instanceof CallFailed)) throw problem
  const { code, reason, unsent } = problem
  return { code, message: unsent ? `${neverSent}${reason}` : reason }
}

/** Takes one response after the other, each when `later` has it do so. */
class SlowWatch {
  readonly #options: WatchOptions
  readonly #later: (take: () => void) => void
  readonly #stream: ReturnType<LeanClient["stream"]>
  readonly #waiting: Array<Buffer> = []
  #isTaking = false
  #isOver = false
  #isCancelled = false

  constructor(client: LeanClient, options: WatchOptions, later: (take: () => void) => void) {
    this.#options = options
    this.#later = later
    this.#stream = client.stream(
      WATCH.watch,
      (bytes) => this.#arrived(bytes),
      () => {
        this.#isOver = true
        this.#next()
      }
    )
    const createRequest = WatchCreateRequest.make(options.request)
    this.#stream.write(framed(WatchRequest.encode(WatchRequest.make({ createRequest }))))
  }

  cancel(): void {
    this.#isCancelled = true
    this.#stream.cancel()
  }

  #arrived(bytes: Buffer): void {
    this.#waiting.push(bytes)
    if (this.#waiting.length >= responsesWaitingMax) this.#stream.pause()
    this.#next()
  }

  #next(): void {
    if (this.#isTaking || this.#isCancelled) return
    if (this.#waiting.length === 0) {
      if (this.#isOver) this.#options.onEnd()
      else this.#stream.resume()
      return
    }
    this.#isTaking = true
    this.#later(() => this.#take())
  }

  #take(): void {
    this.#isTaking = false
    const bytes = this.#waiting.shift()
    if (bytes === undefined || this.#isCancelled) return
    this.#options.onResponse(WatchResponse.decode(bytes))
    this.#next()
  }
}
