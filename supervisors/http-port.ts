/**
 * A small HTTP server of a node, for its console and for those who look after it: bounded in connections, headers and
 * time, and closed with its scope, whoever is connected.
 */
import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http"
import { Effect, type Scope } from "effect"
import { ListenFailed } from "#protocols/links.ts"

export interface HttpPortOptions {
  readonly host: string
  /** 0 is any that is free. */
  readonly port: number
  readonly connectionsMax: number
  readonly headerBytesMax: number
  /** For the headers to arrive. */
  readonly headersMillisMax: number
  /** For all of a request to arrive. */
  readonly requestMillisMax: number
  /** Connections that are silent for so long are closed. */
  readonly idleMillisMax: number
  readonly serve: (request: IncomingMessage, response: ServerResponse) => void
}

const portMax = 65_535

/** Serves for as long as the scope is open, and gives the port. */
export const openHttpPort = (options: HttpPortOptions): Effect.Effect<number, ListenFailed, Scope.Scope> =>
  Effect.map(
    Effect.acquireRelease(listening(options), (server) =>
      Effect.sync(() => {
        server.close()
        server.closeAllConnections()
      })
    ),
    (server) => {
      const address = server.address()
      return typeof address === "object" && address !== null ? address.port : options.port
    }
  )

const listening = (options: HttpPortOptions): Effect.Effect<Server, ListenFailed> =>
  Effect.async((resume) => {
    const { host, port } = options
    const failed = (reason: string) =>
      resume(Effect.fail(new ListenFailed({ address: `${host}:${port}`, reason })))
    // Ports are counted on from others, and may end up beyond the last.
    if (port > portMax) return failed(`the last port there is, is ${portMax}`)
    const server = createServer(
      {
        maxHeaderSize: options.headerBytesMax,
        headersTimeout: options.headersMillisMax,
        requestTimeout: options.requestMillisMax,
        keepAliveTimeout: options.idleMillisMax
      },
      options.serve
    )
    server.maxConnections = options.connectionsMax
    server.on("clientError", (_cause, socket) => socket.destroy())
    // Also once it listens, where it tells of connections that it could not accept, and nobody has to do anything.
    server.on("error", (cause) => {
      const code = "code" in cause ? cause.code : undefined
      failed(code === "EADDRINUSE" ? "the port is in use" : cause.message)
    })
    server.listen(port, host, () => resume(Effect.succeed(server)))
  })

const loopback = /^(?:127\.0\.0\.1|localhost|\[::1\])(?::\d{1,5})?$/

/** Asked by a name of the loopback, whatever port a tunnel gave it: no name server can give that name to others. */
export const isAskedOnLoopback = ({ headers }: IncomingMessage): boolean => loopback.test(headers.host ?? "")
