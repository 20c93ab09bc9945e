/**
 * Where programs that look after a node ask how it is, by plain HTTP and without login:
 *
 *   GET /healthz    200 while it is alive, 503 when its tree has ended
 *   GET /readyz     200 while it can do its work, 503 with the reasons, one line each; ?verbose: all components
 *   GET /metrics    its numbers, as Prometheus reads them
 *
 * It is a port of its own: it is there before the tree and after it, it does not depend on the console, and it may be
 * opened to the network, where scrapers are, while the console is for the loopback alone. It tells nothing secret and
 * takes no orders. On the loopback it answers nobody who asks by another name: a page of the web may have had a name of
 * its own point there. Bounded in connections, in time and in work: answers are at most a second old and made once.
 */
import type { IncomingMessage, ServerResponse } from "node:http"
import { Effect, type Scope } from "effect"
import type { ListenFailed } from "#protocols/links.ts"
import { expositionType } from "#protocols/wire/prometheus-text.ts"
import { isAskedOnLoopback, openHttpPort } from "../http-port.ts"
import { liveText, readyText } from "./health.ts"
import type { NodeWatch } from "./node-watch.ts"

/** How far it is from the console's, where nobody says otherwise. */
const offset = 10

export const healthPortBeside = (consolePort: number): number =>
  consolePort === 0 ? 0 : consolePort + offset

const patienceMillis = 5_000

export interface HealthPortOptions {
  readonly host: string
  /** 0 is any that is free. */
  readonly port: number
}

/** Answers for as long as the scope is open, and gives its `host:port`. */
export const openHealthPort = (
  { host, port }: HealthPortOptions,
  watch: NodeWatch
): Effect.Effect<string, ListenFailed, Scope.Scope> =>
  Effect.map(
    openHttpPort({
      host,
      port,
      connectionsMax: 64,
      headerBytesMax: 8 * 1024,
      headersMillisMax: patienceMillis,
      requestMillisMax: patienceMillis,
      idleMillisMax: patienceMillis,
      serve: (request, response) => {
        if (isMeant(host, request)) answer(request, response, watch)
        else say(response, 421, `it is asked as ${host} or localhost\n`)
      }
    }),
    (opened) => `${host}:${opened}`
  )

/** All of 127.0.0.0/8 is the loopback; who names no host is no browser. */
const isMeant = (host: string, request: IncomingMessage): boolean => {
  const asked = request.headers.host
  const isOnLoopback = host === "localhost" || host === "::1" || host.startsWith("127.")
  if (!isOnLoopback || asked === undefined) return true
  return isAskedOnLoopback(request) || asked === host || asked.startsWith(`${host}:`)
}

const answer = (request: IncomingMessage, response: ServerResponse, watch: NodeWatch): void => {
  const [path = "", query = ""] = (request.url ?? "").split("?", 2)
  response.setHeader("cache-control", "no-store")
  response.setHeader("x-content-type-options", "nosniff")
  if (request.method !== "GET" && request.method !== "HEAD") {
    response.setHeader("allow", "GET, HEAD")
    return say(response, 405, "it can only be read\n")
  }
  const answered = answers[path]
  if (answered === undefined) return say(response, 404, "there are /healthz, /readyz and /metrics\n")
  const saying = Effect.tap(answered(watch, new URLSearchParams(query)), ({ status, text, type }) =>
    Effect.sync(() => say(response, status, text, type))
  )
  Effect.runFork(
    Effect.catchAllCause(saying, (cause) =>
      Effect.zipRight(
        Effect.logError(`${path} could not be answered`, cause),
        Effect.sync(() => say(response, 500, "see the log of the node\n"))
      )
    )
  )
}

interface Answer {
  readonly status: number
  readonly text: string
  readonly type?: string
}

const answers: Readonly<Record<string, (watch: NodeWatch, query: URLSearchParams) => Effect.Effect<Answer>>> =
  {
    // Not even the components are asked: whoever is slow is not dead.
    "/healthz": ({ phase }) =>
      Effect.succeed({ status: phase === "ended" ? 503 : 200, text: liveText(phase !== "ended") }),
    "/readyz": ({ health }, query) =>
      Effect.map(health, (seen) => ({
        status: seen.ready ? 200 : 503,
        text: readyText(seen, query.has("verbose"))
      })),
    "/metrics": ({ metrics }) => Effect.map(metrics, (text) => ({ status: 200, text, type: expositionType }))
  }

const say = (
  response: ServerResponse,
  status: number,
  text: string,
  type = "text/plain; charset=utf-8"
): void => {
  if (response.headersSent || response.destroyed) return
  response.writeHead(status, { "content-type": type, "content-length": Buffer.byteLength(text) })
  response.end(response.req.method === "HEAD" ? undefined : text)
}
