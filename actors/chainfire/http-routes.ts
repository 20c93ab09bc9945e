/**
 * Plain HTTP beside gRPC: a table of routes, and what is said to whoever finds none. A component adds to what it
 * answers by a row.
 *
 * Pages of other origins are shut out unless they are named. etcd lets in all of them when nothing is said,
 * which hands the store to any page that somebody opens on a machine that reaches it.
 */
import type { Metadata, Plain, PlainReply, PlainRequest } from "#actors/kernel/ports/grpc.ts"
import { jsonText } from "#protocols/wire/json-text.ts"

export interface RoutedRequest extends PlainRequest {
  /** Behind the path of the route; empty where that is the whole one. Still with its percent signs. */
  readonly rest: string
  readonly query: URLSearchParams
}

export interface Route {
  /** The whole path; one that ends in a slash is everything below it. */
  readonly path: string
  /** Any, where none is named. */
  readonly methods?: ReadonlyArray<string>
  readonly handle: (request: RoutedRequest, reply: PlainReply) => void
}

/** `origins`: of pages that may call, `*` for all of them. */
export const routed = (routes: ReadonlyArray<Route>, origins: ReadonlyArray<string>): Plain => {
  const whole = new Map(routes.filter(({ path }) => !path.endsWith("/")).map((route) => [route.path, route]))
  // The longest first, so that it is the closest that is found.
  const below = routes
    .filter(({ path }) => path.endsWith("/"))
    .toSorted((one, other) => other.path.length - one.path.length)
  return (request, reply) => {
    const origin = request.header("origin")
    const allowed = origins.includes("*") ? "*" : origins.find((known) => known === origin)
    const answers = withHeaders(reply, allowed === undefined ? [] : allowOrigin(allowed))
    if (allowed === undefined && origin !== undefined && !isOwn(origin, request.header("host"))) {
      return respondText(
        answers,
        403,
        `pages of ${origin} may not call this; its origins are set where it is\n`
      )
    }
    if (request.method === "OPTIONS") return answers.respond(200, [], noBytes)
    const [path = "", query = ""] = splitAt(request.path, "?")
    const route = whole.get(path) ?? below.find((candidate) => path.startsWith(candidate.path))
    if (route === undefined) return respondText(answers, 404, "404 page not found\n")
    if (route.methods !== undefined && !route.methods.includes(request.method)) {
      return respondText(answers, 405, "Method Not Allowed\n", ["allow", route.methods.join(", ")])
    }
    const { body, header, method, peer } = request
    const rest = path.slice(route.path.length)
    const routedRequest = { body, method, path, peer, header: header.bind(request), rest }
    route.handle({ ...routedRequest, query: new URLSearchParams(query) }, answers)
  }
}

/** A page that this very host has sent. */
const isOwn = (origin: string, host: string | undefined): boolean =>
  host !== undefined && (origin === `http://${host}` || origin === `https://${host}`)

const allowOrigin = (origin: string): Metadata => [
  ...["access-control-allow-origin", origin],
  ...["access-control-allow-methods", "POST, GET, OPTIONS, PUT, DELETE"],
  ...["access-control-allow-headers", "accept, content-type, authorization"]
]

const withHeaders = (reply: PlainReply, more: Metadata): PlainReply =>
  more.length === 0
    ? reply
    : {
        respond: (status, headers, body) => reply.respond(status, [...more, ...headers], body),
        begin: (status, headers) => reply.begin(status, [...more, ...headers]),
        send: (bytes) => reply.send(bytes),
        end: () => reply.end(),
        get onDrain() {
          return reply.onDrain
        },
        set onDrain(callback) {
          reply.onDrain = callback
        },
        get onCancel() {
          return reply.onCancel
        },
        set onCancel(callback) {
          reply.onCancel = callback
        }
      }

const splitAt = (text: string, mark: string): ReadonlyArray<string> => {
  const at = text.indexOf(mark)
  return at < 0 ? [text] : [text.slice(0, at), text.slice(at + mark.length)]
}

const utf8 = new TextEncoder()
const noBytes = new Uint8Array(0)

/** As Go's http.Error. */
export const respondText = (reply: PlainReply, status: number, text: string, headers: Metadata = []): void =>
  reply.respond(
    status,
    ["content-type", "text/plain; charset=utf-8", "x-content-type-options", "nosniff", ...headers],
    utf8.encode(text)
  )

export const respondJson = (
  reply: PlainReply,
  status: number,
  value: unknown,
  headers: Metadata = []
): void =>
  reply.respond(status, ["content-type", "application/json", ...headers], utf8.encode(jsonText(value)))
