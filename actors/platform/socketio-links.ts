/**
 * Links over socket.io: one port for nodes, clients and shells, over websockets alone.
 *
 *   namespaces      /nodes   /actors   /ops, the entrances
 *   auth            { introduction, token? }
 *   welcome         { introduction, token? }, first of all; the token among nodes that have no certificates
 *   ready           from a node that likes what it heard; only then there is a link
 *   frames goodbye  the link, see socketio-link.ts
 *
 * Packets are in the form of packet-parser.ts. Who comes here passes socketio-door.ts, where we go is
 * socketio-dial.ts. This file opens the port, and ends all that there is when the layer closes: links say
 * goodbye, and what has not ended by itself half a second later is ended.
 */
import { createServer, type Server as HttpServer } from "node:http"
import { createServer as createTlsServer } from "node:https"
import type { Socket as TcpSocket } from "node:net"
import { hostname } from "node:os"
import { Deferred, Effect, FiberSet, Layer, Predicate, Schedule } from "effect"
import { type Doorkeeper, type Entrance, Links, type Opened } from "#actors/kernel/ports/links.ts"
import { pack, unpack } from "#protocols/client/packet-parser.ts"
import { type Introduction, ListenFailed, NeedsTls } from "#protocols/links.ts"
import { type LinkTls, systemIdentity } from "./certificates.ts"
import { defaultPort, isLoopback, isWildcard, linkAddress } from "./link-address.ts"
import { type Dialer, dial } from "./socketio-dial.ts"
import { closeDoor, type Door, type OnRefused, openDoor } from "./socketio-door.ts"
import { firstLine, handshakeMillisMax } from "./socketio-link.ts"
import type { Tokens } from "./tokens.ts"

export interface SocketioLinksOptions {
  /** How we introduce ourselves; the address follows from where we listen. */
  readonly self: Omit<Introduction, "address">
  /** See tokens.ts. Without TLS they are what nodes show each other, too. */
  readonly tokens: Tokens
  /** The loopback if nothing is said. */
  readonly host?: string
  /** 0 is any that is free. */
  readonly port?: number
  /** Where others reach us, as far as it is not where we listen. */
  readonly advertised?: { readonly host?: string; readonly port?: number }
  /** The address that we dial from; the system picks one if nothing is said. */
  readonly dialFrom?: string | undefined
  readonly tls?: LinkTls | undefined
  /** Lets links leave this machine without TLS. Anybody between the ends can then do anything. */
  readonly insecure?: boolean
  /** Of web pages that may connect, such as `http://127.0.0.1:7780`. */
  readonly origins?: ReadonlyArray<string>
  /** Connections in all, also of those that have not introduced themselves. */
  readonly connectionsMax?: number
  readonly onRefused?: OnRefused
}

const ownTokenLife = "1 minute"
export const defaultConnectionsMax = 10_000
/** For the other ends to hear goodbye when we close. */
const closeMillisMax = 500
const closeReason = "the node closed its links"

export const socketioLinks = (options: SocketioLinksOptions): Layer.Layer<Links, ListenFailed | NeedsTls> =>
  Layer.scoped(Links, openLinks(options))

const openLinks = (options: SocketioLinksOptions) =>
  Effect.gen(function* () {
    const { host = "127.0.0.1", insecure = false, port = defaultPort, tls, tokens } = options
    if (tls === undefined && !insecure && !isLoopback(host))
      return yield* new NeedsTls({ address: linkAddress(host, port) })

    const dialed: Dialed = { attempts: new Set(), sockets: new Set() }
    const run = yield* FiberSet.makeRuntime<never>()
    const listening = yield* Effect.acquireRelease(listen(options, host, port), (opened) =>
      endConnections(opened, dialed)
    )
    const { advertised = {}, dialFrom } = options
    const reachedAt = advertised.host ?? (isWildcard(host) ? hostname() : host)
    const address = linkAddress(reachedAt, advertised.port ?? listening.port)
    const self: Introduction = { ...options.self, address }
    const ownToken = tokens.sign(systemIdentity(self.name), { expiresIn: ownTokenLife })
    const door: Door = {
      self,
      tokens,
      ownToken: tls === undefined ? ownToken : Effect.succeed(undefined),
      origins: new Set(options.origins),
      onRefused: options.onRefused ?? (() => {}),
      run: (task) => void run(task),
      keepers: new Map(),
      links: new Set()
    }
    let closed = false
    yield* Effect.acquireRelease(
      Effect.sync(() => openDoor(listening.server, door)),
      (io) =>
        Effect.sync(() => {
          closed = true
          door.keepers.clear()
          for (const link of [...door.links]) link.close(closeReason)
          for (const attempt of [...dialed.attempts]) attempt.giveUp(closeReason)
          closeDoor(io)
        })
    )
    const dialer: Dialer = {
      ...dialed,
      self,
      tokens,
      tls,
      insecure,
      dialFrom,
      ownToken,
      closed: () => (closed ? closeReason : undefined)
    }

    return {
      self,
      packing: { pack, unpack },
      admit: (entrance: Entrance, keeper: Doorkeeper) =>
        Effect.asVoid(
          Effect.acquireRelease(
            Effect.sync(() => door.keepers.set(entrance, keeper)),
            () =>
              Effect.sync(() => {
                if (door.keepers.get(entrance) === keeper) door.keepers.delete(entrance)
              })
          )
        ),
      dial: (address: string, opened: Opened) => dial(dialer, address, opened)
    }
  })

type Dialed = Pick<Dialer, "attempts" | "sockets">

interface Listening {
  readonly server: HttpServer
  readonly port: number
  /** All that came in, whatever became of it. */
  readonly connections: ReadonlySet<TcpSocket>
}

const listen = (
  options: SocketioLinksOptions,
  host: string,
  port: number
): Effect.Effect<Listening, ListenFailed> =>
  Effect.async((resume) => {
    const failed = (cause: unknown) =>
      resume(Effect.fail(new ListenFailed({ address: linkAddress(host, port), reason: whyNot(cause) })))
    let server: HttpServer
    try {
      server = createHttp(options.tls)
    } catch (cause) {
      return failed(cause)
    }
    const connections = new Set<TcpSocket>()
    const keep = (connection: TcpSocket) => {
      connections.add(connection)
      connection.once("close", () => connections.delete(connection))
      // Without a listener, a connection that breaks between two owners would end the process.
      connection.on("error", () => connection.destroy())
    }
    server.on("connection", keep).on("secureConnection", keep)
    server.maxConnections = options.connectionsMax ?? defaultConnectionsMax
    // Once we listen, this is a connection that could not be taken: too many open files, say. The one who
    // tried finds out, and may try again.
    server.on("error", failed)
    server.listen(port, host, () => {
      const bound = server.address()
      const realPort = typeof bound === "object" && bound !== null ? bound.port : port
      resume(Effect.succeed({ server, port: realPort, connections }))
    })
    return Effect.sync(() => server.close())
  })

const createHttp = (tls: LinkTls | undefined): HttpServer => {
  const patience = {
    headersTimeout: handshakeMillisMax,
    requestTimeout: handshakeMillisMax,
    connectionsCheckingInterval: 1_000
  }
  const server =
    tls === undefined
      ? createServer(patience)
      : createTlsServer({
          ...patience,
          key: tls.key,
          cert: tls.cert,
          ca: tls.ca,
          minVersion: "TLSv1.3",
          handshakeTimeout: handshakeMillisMax,
          requestCert: true,
          // Who shows none may have a token, and who shows a bad one is told so.
          rejectUnauthorized: false
        })
  return server.on("request", (_request, response) => response.writeHead(404).end())
}

/** What TLS says about keys may quote them; a code does not. */
const whyNot = (cause: unknown): string => {
  const code = Predicate.hasProperty(cause, "code") ? String(cause.code) : undefined
  return code === "EADDRINUSE" ? "the port is in use" : (code ?? firstLine(cause))
}

const endConnections = ({ connections, server }: Listening, { sockets }: Dialed): Effect.Effect<void> =>
  Effect.gen(function* () {
    const stopped = yield* Deferred.make<void>()
    server.close(() => Deferred.unsafeDone(stopped, Effect.void))
    yield* Effect.sync(() => connections.size === 0 && sockets.size === 0).pipe(
      Effect.repeat({ until: Predicate.isTruthy, schedule: Schedule.spaced("5 millis") }),
      // A finalizer is not interruptible, and the end of patience is an interruption.
      Effect.interruptible,
      Effect.timeoutOption(closeMillisMax)
    )
    for (const socket of sockets) socket.terminate()
    for (const connection of connections) connection.destroy()
    yield* Deferred.await(stopped)
  })
