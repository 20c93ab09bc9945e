/**
 * The gRPC listener: one port for gRPC over HTTP/2, and for plain requests over HTTP/2 and HTTP/1.1.
 *
 *   cleartext   the first bytes say which: `PRI` is HTTP/2 with prior knowledge, all else HTTP/1.1
 *   TLS         ALPN says which; a client certificate of our authority says who, a bad one is shut out
 *
 * HTTP/2 is spoken by http2-connection.ts, HTTP/1.1 by node:http (grpc-plain.ts). This file has the port,
 * the sockets, who serves what, the deadlines, and the end: streams are ended, calls may end by
 * themselves, and after `drainMillisMax` whoever is left is cut off.
 *
 * node:http2 was measured first, see grpc.bench.ts: it costs several times the CPU of a call.
 */
import type { Server as HttpServer } from "node:http"
import { createServer, type Server, type Socket } from "node:net"
import { createServer as createTlsServer, type TLSSocket } from "node:tls"
import { Cause, Deferred, Effect, Either, Layer, Predicate, Runtime, Schedule } from "effect"
import {
  defaultGrpcLimits,
  Grpc,
  type GrpcLimits,
  type GrpcPeer,
  type GrpcService
} from "#actors/kernel/ports/grpc.ts"
import { TimerWheel } from "#actors/kernel/timer-wheel.ts"
import { ListenFailed } from "#protocols/links.ts"
import { GrpcCode } from "#protocols/wire/etcd/errors.ts"
import { type LinkTls, presentedIdentity } from "./certificates.ts"
import { plainServer } from "./grpc-plain.ts"
import { Http2Connection, type Http2Host, type Served } from "./http2-connection.ts"
import { bufferBytes } from "./http2-outbox.ts"
import { linkAddress } from "./link-address.ts"

export interface GrpcListenerOptions {
  /** The loopback if nothing is said. */
  readonly host?: string
  /** 0 is any that is free. */
  readonly port?: number
  readonly tls?: LinkTls | undefined
  /** Whether only clients with a certificate of our authority are let in. */
  readonly certificateNeeded?: boolean
  readonly limits?: Partial<GrpcLimits>
}

/** Buffers that wait for the next turn: a turn with more connections makes more. */
const buffersMax = 256
const tickMillis = 1_000
const backlog = 4_096

export const grpcListener = (options: GrpcListenerOptions = {}): Layer.Layer<Grpc, ListenFailed> =>
  Layer.scoped(Grpc, openGrpc(options))

const openGrpc = (options: GrpcListenerOptions) =>
  Effect.gen(function* () {
    const runFork = Runtime.runFork(yield* Effect.runtime<never>())
    const desk = new Desk({ ...defaultGrpcLimits, ...options.limits }, (path, cause) =>
      runFork(Effect.logError(`a handler of ${path} threw`, Cause.die(cause)))
    )
    const { port } = yield* Effect.acquireRelease(listen(options, desk), ({ server }) =>
      closing(server, desk)
    )
    return {
      address: linkAddress(options.host ?? "127.0.0.1", port),
      serve: (service: GrpcService) =>
        Effect.asVoid(
          Effect.acquireRelease(
            Effect.sync(() => desk.admit(service)),
            (owner) => Effect.sync(() => desk.dismiss(owner))
          )
        )
    }
  })

/** Who serves what, and all that connections share. */
class Desk implements Http2Host {
  readonly limits: GrpcLimits
  readonly broke: (path: string, cause: unknown) => void
  readonly deadlines = new TimerWheel(Date.now())
  readonly connections = new Set<Http2Connection>()
  readonly sockets = new Set<Socket>()
  readonly http: HttpServer
  readonly #peers = new WeakMap<object, GrpcPeer>()
  readonly #served = new Map<string, Served>()
  readonly #plain: Array<NonNullable<ReturnType<Http2Host["plain"]>>> = []
  readonly #owners = new Set<object>()
  #dirty: Array<Http2Connection> = []
  readonly #buffers: Array<Buffer> = []
  #wakeMillis = Number.POSITIVE_INFINITY
  #wake: NodeJS.Timeout | undefined
  readonly #ticking: NodeJS.Timeout

  constructor(limits: GrpcLimits, broke: (path: string, cause: unknown) => void) {
    this.limits = limits
    this.broke = broke
    this.http = plainServer(this, (socket) => this.#peers.get(socket) ?? nobody)
    this.#ticking = setInterval(() => {
      const nowMillis = Date.now()
      for (const connection of this.connections) connection.tick(nowMillis)
    }, tickMillis).unref()
  }

  // Services

  admit(service: GrpcService): object {
    const owner = {}
    const paths = [...Object.keys(service.unary ?? {}), ...Object.keys(service.streams ?? {})]
    for (const path of paths) if (this.#served.has(path)) throw new Error(`${path} is served already`)
    this.#owners.add(owner)
    for (const [path, unary] of Object.entries(service.unary ?? {})) this.#served.set(path, { owner, unary })
    for (const [path, stream] of Object.entries(service.streams ?? {})) {
      this.#served.set(path, { owner, stream })
    }
    if (service.plain !== undefined) this.#plain.unshift({ owner, handle: service.plain })
    return owner
  }

  dismiss(owner: object): void {
    this.#owners.delete(owner)
    for (const [path, served] of this.#served) if (served.owner === owner) this.#served.delete(path)
    const at = this.#plain.findIndex((plain) => plain.owner === owner)
    if (at >= 0) this.#plain.splice(at, 1)
    const stopped = { code: GrpcCode.unavailable, message: "the service stopped" }
    for (const connection of this.connections) {
      for (const stream of [...connection.streams.values()]) {
        if (stream.owner === owner) stream.abandon(stopped)
      }
    }
  }

  served(path: string): Served | undefined {
    return this.#served.get(path)
  }

  plain() {
    return this.#plain[0]
  }

  serving(): boolean {
    return this.#served.size > 0
  }

  // Turns

  nowMillis(): number {
    return Date.now()
  }

  dirty(connection: Http2Connection): void {
    if (this.#dirty.push(connection) === 1) queueMicrotask(() => this.#flush())
  }

  #flush(): void {
    const dirty = this.#dirty
    this.#dirty = []
    for (const connection of dirty) connection.flush()
  }

  buffer(): Buffer {
    return this.#buffers.pop() ?? Buffer.allocUnsafeSlow(bufferBytes)
  }

  giveBack(buffer: Buffer): void {
    if (this.#buffers.length < buffersMax) this.#buffers.push(buffer)
  }

  // Deadlines

  deadlineSet(dueMillis: number): void {
    if (dueMillis >= this.#wakeMillis) return
    clearTimeout(this.#wake)
    this.#wakeMillis = dueMillis
    const inMillis = Math.min(Math.max(dueMillis - Date.now(), 1), 2 ** 31 - 1)
    this.#wake = setTimeout(() => this.#advance(), inMillis).unref()
  }

  #advance(): void {
    this.#wakeMillis = Number.POSITIVE_INFINITY
    this.deadlines.advance(Date.now())
    const next = this.deadlines.nextMillis()
    if (next !== undefined) this.deadlineSet(next)
  }

  // Sockets

  keep(socket: Socket): void {
    this.sockets.add(socket)
    socket.once("close", () => this.sockets.delete(socket))
    // Without a listener, a connection that breaks would end the process.
    socket.on("error", () => socket.destroy())
  }

  http2(socket: Socket, peer: GrpcPeer, first: Buffer | undefined): void {
    socket.setTimeout(0)
    socket.setNoDelay(true)
    const connection = new Http2Connection(this, socket, peer)
    this.connections.add(connection)
    socket.once("close", () => this.connections.delete(connection))
    if (first !== undefined) connection.receive(first)
  }

  http1(socket: Socket, peer: GrpcPeer): void {
    socket.setTimeout(0)
    this.#peers.set(socket, peer)
    this.http.emit("connection", socket)
  }

  stop(): void {
    const stopped = { code: GrpcCode.unavailable, message: "the server is shutting down" }
    for (const connection of this.connections) {
      for (const stream of [...connection.streams.values()]) if (stream.longLived) stream.abandon(stopped)
      connection.drain()
    }
    this.http.closeIdleConnections()
  }

  end(): void {
    clearInterval(this.#ticking)
    clearTimeout(this.#wake)
    for (const socket of this.sockets) socket.destroy()
    this.http.close()
  }
}

const nobody: GrpcPeer = { address: "", identity: undefined, commonName: undefined, encrypted: false }

/** Cleartext says with its first bytes what it is. */
const sniff = (desk: Desk, socket: Socket): void => {
  desk.keep(socket)
  const peer = { ...nobody, address: addressOf(socket) }
  let seen: Buffer | undefined
  const look = (chunk: Buffer) => {
    seen = seen === undefined ? chunk : Buffer.concat([seen, chunk])
    const known = Math.min(seen.length, priorKnowledge.length)
    const http2 = seen.subarray(0, known).equals(priorKnowledge.subarray(0, known))
    if (http2 && known < priorKnowledge.length) return
    socket.off("data", look)
    if (http2) return desk.http2(socket, peer, seen)
    socket.pause()
    socket.unshift(seen)
    desk.http1(socket, peer)
    socket.resume()
  }
  socket.setTimeout(desk.limits.handshakeMillisMax, () => socket.destroy())
  socket.on("data", look)
  socket.once("end", () => {
    if (socket.listenerCount("data", look) > 0) socket.destroy()
  })
}

/** No HTTP/1.1 method begins with these. */
const priorKnowledge = Buffer.from("PRI * ")

const welcome = (desk: Desk, socket: TLSSocket): void => {
  const presented = presentedIdentity(socket)
  if (Either.isLeft(presented)) {
    socket.destroy()
    return
  }
  const identity = presented.right
  const peer: GrpcPeer = {
    address: addressOf(socket),
    identity,
    commonName: identity?.actorId.slice("SYSTEM::".length),
    encrypted: true
  }
  if (socket.alpnProtocol === "h2") desk.http2(socket, peer, undefined)
  else desk.http1(socket, peer)
}

const addressOf = (socket: Socket): string => linkAddress(socket.remoteAddress ?? "", socket.remotePort ?? 0)

interface Listening {
  readonly server: Server
  readonly port: number
}

const listen = (options: GrpcListenerOptions, desk: Desk): Effect.Effect<Listening, ListenFailed> =>
  Effect.async((resume) => {
    const { host = "127.0.0.1", port = 0 } = options
    const failed = (cause: unknown) => {
      desk.end()
      const reason = whyNot(cause)
      resume(Effect.fail(new ListenFailed({ address: linkAddress(host, port), reason })))
    }
    let server: Server
    try {
      server = serverFor(options, desk)
    } catch (cause) {
      return failed(cause)
    }
    server.maxConnections = desk.limits.connectionsMax
    server.once("error", failed)
    server.listen({ port, host, backlog }, () => {
      server.off("error", failed)
      // From here on it is a connection that could not be taken: too many open files, say.
      server.on("error", () => {})
      const bound = server.address()
      resume(
        Effect.succeed({ server, port: typeof bound === "object" && bound !== null ? bound.port : port })
      )
    })
    return Effect.sync(() => server.close())
  })

const serverFor = ({ certificateNeeded = false, tls }: GrpcListenerOptions, desk: Desk): Server => {
  if (tls === undefined) {
    return createServer({ noDelay: true, allowHalfOpen: true }, (socket) => sniff(desk, socket))
  }
  const server = createTlsServer({
    key: tls.key,
    cert: tls.cert,
    ca: tls.ca,
    minVersion: "TLSv1.2",
    handshakeTimeout: desk.limits.handshakeMillisMax,
    ALPNProtocols: ["h2", "http/1.1"],
    requestCert: true,
    // Who shows none may name a user, and who shows a bad one is shut out in `welcome`.
    rejectUnauthorized: certificateNeeded
  })
  server.on("connection", (socket: Socket) => desk.keep(socket))
  server.on("secureConnection", (socket) => {
    desk.keep(socket)
    welcome(desk, socket)
  })
  // Who does not get through the handshake is told by TLS.
  server.on("tlsClientError", (_cause, socket) => socket.destroy())
  return server
}

/** What TLS says about keys may quote them; a code does not. */
const whyNot = (cause: unknown): string => {
  const code = Predicate.hasProperty(cause, "code") ? String(cause.code) : undefined
  return code === "EADDRINUSE" ? "the port is in use" : (code ?? "the certificate or its key is not good")
}

const closing = (server: Server, desk: Desk): Effect.Effect<void> =>
  Effect.gen(function* () {
    const stopped = yield* Deferred.make<void>()
    server.close(() => Deferred.unsafeDone(stopped, Effect.void))
    desk.stop()
    yield* Effect.sync(() => desk.sockets.size === 0).pipe(
      // A finalizer is not interrupted, so a timeout around it would wait for it.
      Effect.repeat({
        until: Predicate.isTruthy,
        schedule: Schedule.spaced("5 millis").pipe(Schedule.upTo(desk.limits.drainMillisMax))
      })
    )
    desk.end()
    yield* Deferred.await(stopped)
  })
