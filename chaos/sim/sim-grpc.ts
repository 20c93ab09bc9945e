/**
 * gRPC in the simulator: what nodes serve, and clients outside of the cluster that call it over a network that
 * takes time.
 *
 *   client ── unary, stream ──► address ──► handler of the node, in its process
 *      ▲                                       │ reply, send: whole, in order, a while later
 *      └───────────────────────────────────────┘
 *
 * Where nobody listens, a call is refused, and nothing has happened. A process that is killed is missed at once,
 * since its kernel says so; a machine that loses its power only by its silence. One that stands still answers when
 * it goes on. What has left a node arrives. Plain HTTP is not simulated.
 */
import { Effect, Either, Layer } from "effect"
import {
  defaultGrpcLimits,
  Grpc,
  type GrpcPeer,
  type GrpcService,
  type GrpcStatus,
  type OpenStream,
  type StreamCall,
  type StreamListener,
  type Unary,
  type UnaryCall
} from "#actors/kernel/ports/grpc.ts"
import { GrpcCode } from "#protocols/wire/etcd/errors.ts"
import type { Prng } from "./prng.ts"
import type { SimWorld } from "./world.ts"

/** Nobody was there to take it. */
export const connectionRefused: GrpcStatus = { code: GrpcCode.unavailable, message: "connection refused" }
const connectionReset: GrpcStatus = { code: GrpcCode.unavailable, message: "connection reset" }
const silent: GrpcStatus = { code: GrpcCode.unavailable, message: "keepalive ping failed" }
const stopped: GrpcStatus = { code: GrpcCode.unavailable, message: "the service stopped" }

/** By its pings a client finds out that a machine is gone. */
const silenceMillisMax = 10_000
/** So little that a client which reads slowly is noticed. */
const sendQueueBytes = 1_024

const somebody: GrpcPeer = {
  address: "client:1",
  identity: undefined,
  commonName: undefined,
  encrypted: false
}

export interface CallOptions {
  /** Of its metadata, names in lower case. */
  readonly headers?: Readonly<Record<string, string>>
  /** How long the client takes over each message of a stream, at most. */
  readonly slowMillisMax?: number
}

export interface Answers {
  readonly onMessage: (message: Uint8Array) => void
  /** Once, unless the client cancels; without a status it ended well. */
  readonly onEnd: (status: GrpcStatus | undefined) => void
}

/** The client's end of a stream. */
export interface ClientStream {
  readonly send: (message: Uint8Array) => void
  /** There will be no more messages from here. */
  readonly end: () => void
  readonly cancel: () => void
}

interface Served {
  readonly owner: object
  readonly unary?: Unary
  readonly stream?: OpenStream
}

/** How a process hears of the world: now, later when it stands still, or never when it is dead. */
export type Tell = (task: () => void) => void

class Listener {
  readonly served = new Map<string, Served>()
  readonly calls = new Set<SimCall>()
  readonly tell: Tell

  constructor(tell: Tell) {
    this.tell = tell
  }

  admit(service: GrpcService): object {
    const owner = {}
    const { streams = {}, unary = {} } = service
    for (const path of [...Object.keys(unary), ...Object.keys(streams)])
      if (this.served.has(path)) throw new Error(`${path} is served already`)
    for (const [path, handle] of Object.entries(unary)) this.served.set(path, { owner, unary: handle })
    for (const [path, open] of Object.entries(streams)) this.served.set(path, { owner, stream: open })
    return owner
  }

  dismiss(owner: object): void {
    for (const [path, served] of this.served) if (served.owner === owner) this.served.delete(path)
    for (const call of [...this.calls]) if (call.owner === owner) call.abandon(stopped)
  }
}

export class SimGrpc {
  latencyMillisMax = 3
  readonly world: SimWorld
  readonly #prng: Prng
  readonly #listeners = new Map<string, Listener>()

  constructor(world: SimWorld) {
    this.world = world
    this.#prng = world.prng.fork()
  }

  /** The port of a node that listens there. */
  layer(address: string, tell: Tell = (task) => task()): Layer.Layer<Grpc> {
    return Layer.scoped(
      Grpc,
      Effect.map(
        Effect.acquireRelease(
          Effect.sync(() => {
            const listener = new Listener(tell)
            this.#listeners.set(address, listener)
            return listener
          }),
          (listener) =>
            Effect.sync(() => {
              for (const call of [...listener.calls]) call.abandon(stopped)
              if (this.#listeners.get(address) === listener) this.#listeners.delete(address)
            })
        ),
        (listener) => ({
          address,
          serve: (service: GrpcService) =>
            Effect.asVoid(
              Effect.acquireRelease(
                Effect.sync(() => listener.admit(service)),
                (owner) => Effect.sync(() => listener.dismiss(owner))
              )
            )
        })
      )
    )
  }

  /** Calls back once, or never. Returns what takes it back; then it calls back no more. */
  unary(
    address: string,
    path: string,
    request: Uint8Array,
    done: (answer: Either.Either<Uint8Array, GrpcStatus>) => void,
    options: CallOptions = {}
  ): () => void {
    const call = new SimUnaryCall(this, path, options, done)
    this.#open(address, call, ({ unary }) => unary?.(request.slice(), call))
    return () => call.cancel()
  }

  stream(address: string, path: string, answers: Answers, options: CallOptions = {}): ClientStream {
    const call = new SimStreamCall(this, path, options, answers)
    this.#open(address, call, ({ stream }) => {
      if (stream !== undefined) call.opened(stream(call))
    })
    return {
      send: (message) => call.fromClient(message.slice()),
      end: () => call.fromClient(undefined),
      cancel: () => call.cancel()
    }
  }

  /** What `kill -9` does: the kernel lives on and resets the connections. */
  kill(address: string): void {
    this.#die(address, (call) => call.lost(connectionReset, this.latency()))
  }

  /** What a loss of power does: nobody is told. */
  powerOff(address: string): void {
    this.#die(address, (call) => call.lost(silent, silenceMillisMax))
  }

  latency(): number {
    return this.#prng.next() * this.latencyMillisMax
  }

  slowness(millisMax: number): number {
    return this.#prng.next() * millisMax
  }

  #die(address: string, lost: (call: SimCall) => void): void {
    const listener = this.#listeners.get(address)
    if (listener === undefined) return
    this.#listeners.delete(address)
    for (const call of listener.calls) lost(call)
    listener.calls.clear()
  }

  #open(address: string, call: SimCall, open: (served: Served) => void): void {
    this.world.clock.alarm(this.latency(), () => {
      if (call.ended) return
      const listener = this.#listeners.get(address)
      if (listener === undefined) return call.lost(connectionRefused, this.latency())
      call.taken(listener)
      listener.tell(() => {
        if (call.ended) return
        const served = listener.served.get(call.path)
        if (served === undefined) return call.fail(unimplemented(call.path))
        call.owner = served.owner
        call.guarded(() => open(served))
      })
    })
  }
}

const unimplemented = (path: string): GrpcStatus => {
  const [, service = "", method = ""] = path.split("/")
  return { code: GrpcCode.unimplemented, message: `unknown method ${method} for service ${service}` }
}

/** Both ends of a call; which of them ends it is the end of both. */
abstract class SimCall {
  readonly path: string
  readonly peer = somebody
  readonly deadlineMillis = undefined
  /** For the handler: nobody waits any more. */
  ended = false
  /** For the client: it has been told, or does not want to be. */
  over = false
  onCancel: (() => void) | undefined
  owner: object | undefined
  protected readonly grpc: SimGrpc
  readonly #headers: Readonly<Record<string, string>>
  protected listener: Listener | undefined

  constructor(grpc: SimGrpc, path: string, { headers = {} }: CallOptions) {
    this.grpc = grpc
    this.path = path
    this.#headers = headers
  }

  /** Tells the client, after all that it was sent before. */
  protected abstract tellEnd(status: GrpcStatus, afterMillis: number): void

  header(name: string): string | undefined {
    return this.#headers[name]
  }

  taken(listener: Listener): void {
    this.listener = listener
    listener.calls.add(this)
  }

  /** Its handler runs, and answers for what it throws. */
  guarded(task: () => void): void {
    try {
      task()
    } catch (cause) {
      if (this.ended) throw cause
      this.fail({
        code: GrpcCode.internal,
        message: `the handler of ${this.path} broke: ${cause instanceof Error ? cause.message : String(cause)}`
      })
    }
  }

  fail(status: GrpcStatus): void {
    if (this.finish()) this.tellEnd(status, this.grpc.latency())
  }

  /** By the service: the handler is told too. */
  abandon(status: GrpcStatus): void {
    const { onCancel } = this
    if (!this.finish()) return
    this.tellEnd(status, this.grpc.latency())
    onCancel?.()
  }

  /** The handler is dead. */
  lost(status: GrpcStatus, afterMillis: number): void {
    this.ended = true
    this.tellEnd(status, afterMillis)
  }

  /** By the client. */
  cancel(): void {
    if (this.over) return
    this.over = true
    const { listener } = this
    if (listener === undefined) {
      this.ended = true
      return
    }
    this.grpc.world.clock.alarm(this.grpc.latency(), () =>
      listener.tell(() => {
        const { onCancel } = this
        if (this.finish()) onCancel?.()
      })
    )
  }

  /** Whether it was under way. */
  protected finish(): boolean {
    if (this.ended) return false
    this.ended = true
    this.listener?.calls.delete(this)
    return true
  }
}

class SimUnaryCall extends SimCall implements UnaryCall {
  readonly #done: (answer: Either.Either<Uint8Array, GrpcStatus>) => void

  constructor(
    grpc: SimGrpc,
    path: string,
    options: CallOptions,
    done: (answer: Either.Either<Uint8Array, GrpcStatus>) => void
  ) {
    super(grpc, path, options)
    this.#done = done
  }

  reply(response: Uint8Array): void {
    if (!this.finish()) return
    const answer = Either.right(response.slice())
    this.#tell(answer, this.grpc.latency())
  }

  protected override tellEnd(status: GrpcStatus, afterMillis: number): void {
    this.#tell(Either.left(status), afterMillis)
  }

  #tell(answer: Either.Either<Uint8Array, GrpcStatus>, afterMillis: number): void {
    this.grpc.world.clock.alarm(afterMillis, () => {
      if (this.over) return
      this.over = true
      this.#done(answer)
    })
  }
}

class SimStreamCall extends SimCall implements StreamCall {
  queuedBytes = 0
  onDrain: (() => void) | undefined
  readonly #answers: Answers
  readonly #slowMillisMax: number
  #messages: StreamListener | undefined
  #isFull = false
  #isPaused = false
  /** From the client, and not yet handed to the handler; undefined is their end. */
  #arrived: Array<Uint8Array | undefined> = []
  /** When the last message of each direction is there. */
  #toServerMillis = 0
  #toClientMillis = 0
  #readMillis = 0

  constructor(grpc: SimGrpc, path: string, options: CallOptions, answers: Answers) {
    super(grpc, path, options)
    this.#answers = answers
    this.#slowMillisMax = options.slowMillisMax ?? 0
  }

  // From the client

  fromClient(message: Uint8Array | undefined): void {
    if (this.over) return
    const { clock, nowMillis } = this.grpc.world
    this.#toServerMillis = Math.max(this.#toServerMillis, nowMillis + this.grpc.latency())
    clock.alarm(this.#toServerMillis - nowMillis, () => {
      if (this.ended) return
      this.#arrived.push(message)
      this.listener?.tell(() => this.#handOver())
    })
  }

  opened(messages: StreamListener): void {
    this.#messages = messages
    this.#handOver()
  }

  #handOver(): void {
    const messages = this.#messages
    if (messages === undefined) return
    while (!this.ended && !this.#isPaused && this.#arrived.length > 0) {
      const message = this.#arrived.shift()
      this.guarded(() => (message === undefined ? messages.onEnd() : messages.onMessage(message)))
    }
  }

  pause(): void {
    this.#isPaused = true
  }

  resume(): void {
    this.#isPaused = false
    this.#handOver()
  }

  // To the client

  send(message: Uint8Array): boolean {
    if (this.ended) return false
    const bytes = message.slice()
    this.queuedBytes += bytes.length
    if (this.queuedBytes > defaultGrpcLimits.sendQueueBytesMax) {
      this.abandon({ code: GrpcCode.resourceExhausted, message: "the client does not read its stream" })
      return false
    }
    this.#read(() => {
      this.queuedBytes -= bytes.length
      if (!this.over) this.#answers.onMessage(bytes)
      if (!this.#isFull || this.queuedBytes > sendQueueBytes / 2) return
      this.#isFull = false
      this.listener?.tell(() => {
        if (!this.ended) this.onDrain?.()
      })
    })
    this.#isFull ||= this.queuedBytes > sendQueueBytes
    return !this.#isFull
  }

  end(): void {
    if (this.finish()) this.#end(undefined, 0)
  }

  protected override tellEnd(status: GrpcStatus, afterMillis: number): void {
    this.#end(status, afterMillis)
  }

  #end(status: GrpcStatus | undefined, afterMillis: number): void {
    const { clock, nowMillis } = this.grpc.world
    const tell = () => {
      if (this.over) return
      this.over = true
      this.#answers.onEnd(status)
    }
    clock.alarm(Math.max(this.#readMillis - nowMillis, afterMillis), tell)
  }

  /** When it has arrived, and the client has read all before it. */
  #read(task: () => void): void {
    const { clock, nowMillis } = this.grpc.world
    this.#toClientMillis = Math.max(this.#toClientMillis, nowMillis + this.grpc.latency())
    this.#readMillis =
      Math.max(this.#readMillis, this.#toClientMillis) + this.grpc.slowness(this.#slowMillisMax)
    clock.alarm(this.#readMillis - nowMillis, task)
  }
}
