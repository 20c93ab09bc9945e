/**
 * The JSON gateway of etcd v3: every method that is served over gRPC, by POST under /v3/, and under /v3beta/ as
 * in etcd 3.4. Answers, errors and streams look as those of grpc-gateway, which etcd uses.
 */
import type { GrpcStatus, PlainReply, PlainRequest } from "#actors/kernel/ports/grpc.ts"
import { etcdErrors, GrpcCode } from "#protocols/wire/etcd/errors.ts"
import { LEASE, type Method, methods } from "#protocols/wire/etcd/methods.ts"
import { timeoutMillisOf } from "#protocols/wire/grpc.ts"
import { type GatewayCall, type GatewayRequest, openStream, openUnary, respondError } from "./gateway-call.ts"
import { type Route, type RoutedRequest, respondText } from "./http-routes.ts"
import type { Handlers } from "./inner-call.ts"

type AnyMethod = Method<object, object>

/** Of one member; each is a request that waits, or a stream that goes on. */
const openMax = 10_000

const prefixes = ["/v3/", "/v3beta/"]

/** Paths that methods of leases have besides their own. */
const moreOf: ReadonlyArray<readonly [rest: string, method: AnyMethod]> = [
  ["kv/lease/revoke", LEASE.revoke],
  ["kv/lease/timetolive", LEASE.timeToLive],
  ["kv/lease/leases", LEASE.leases]
]

/** By what is behind the prefix. */
const methodsByRest: ReadonlyMap<string, AnyMethod> = new Map([
  ...methods.flatMap(
    (method): ReadonlyArray<readonly [string, AnyMethod]> =>
      method.gateway === undefined ? [] : [[method.gateway.slice("/v3/".length), method]]
  ),
  ...moreOf
])

const stopped: GrpcStatus = { code: GrpcCode.unavailable, message: "the service stopped" }

export class EtcdGateway {
  readonly #handlers: Handlers
  /** Monotonic. */
  readonly #nowMillis: () => number
  readonly #openMax: number
  readonly #open = new Set<GatewayCall>()

  constructor(handlers: Handlers, nowMillis: () => number, max = openMax) {
    this.#handlers = handlers
    this.#nowMillis = nowMillis
    this.#openMax = max
  }

  get routes(): ReadonlyArray<Route> {
    return prefixes.map((path) => ({ path, handle: (request, reply) => this.#handle(request, reply) }))
  }

  /** Requests and streams that are not over. */
  get open(): number {
    return this.#open.size
  }

  /** Ends those whose deadline has passed. To be called now and then. */
  tick(): void {
    const nowMillis = this.#nowMillis()
    for (const call of this.#open) call.expire(nowMillis)
  }

  /** Nobody serves any more. */
  close(): void {
    for (const call of this.#open) call.abandon(stopped)
  }

  #handle(request: RoutedRequest, reply: PlainReply): void {
    const method = methodsByRest.get(request.rest)
    if (method === undefined) return respondText(reply, 404, "Not Found\n")
    if (request.method !== "POST") return respondText(reply, 405, "Method Not Allowed\n")
    if (this.#open.size >= this.#openMax) return respondError(reply, etcdErrors.tooManyRequests)
    const timeout = request.header("grpc-timeout")
    const timeoutMillis = timeout === undefined ? Number.POSITIVE_INFINITY : timeoutMillisOf(timeout)
    if (timeoutMillis === undefined) {
      return respondError(reply, {
        code: GrpcCode.invalidArgument,
        message: `invalid grpc-timeout: ${timeout}`
      })
    }
    this.#call(method, request, reply, this.#nowMillis() + timeoutMillis)
  }

  #call(method: AnyMethod, request: PlainRequest, reply: PlainReply, deadline: number): void {
    let call: GatewayCall | undefined
    const over = () => {
      if (call !== undefined) this.#open.delete(call)
    }
    call = this.#opened({ method, request, reply, deadline, over })
    if (call?.ended === false) this.#open.add(call)
  }

  #opened(asked: GatewayRequest): GatewayCall | undefined {
    const { path, streaming } = asked.method
    const unary = streaming === "unary" ? this.#handlers.unary[path] : undefined
    if (unary !== undefined) return openUnary(asked, unary)
    const stream = this.#handlers.streams[path]
    if (stream !== undefined) return openStream(asked, stream)
    respondError(asked.reply, { code: GrpcCode.unimplemented, message: `unknown method ${path}` })
    return undefined
  }
}
