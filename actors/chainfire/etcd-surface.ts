/**
 * All that a member serves, put together: the services that are there, Lock and Election on top of them, every
 * call counted, and traced where the node is told to, the same once more as JSON, and the plain HTTP beside it.
 *
 *   KV, Lease, Watch, ... ─┬─► Lock, Election ─┬─► counted ─┬─► gRPC
 *                          └───────────────────┘            └─► /v3/...
 */
import { Metrics } from "#actors/kernel/metrics.ts"
import type { GrpcService } from "#actors/kernel/ports/grpc.ts"
import { counted } from "./counted-calls.ts"
import type { Endpoint } from "./etcd-calls.ts"
import { electionCalls, electionStreams } from "./etcd-election.ts"
import { EtcdGateway } from "./etcd-gateway.ts"
import { EtcdHttp } from "./etcd-http.ts"
import { lockCalls } from "./etcd-lock.ts"
import { type Route, routed } from "./http-routes.ts"
import type { Handlers } from "./inner-call.ts"
import { showMember } from "./member-metrics.ts"
import { RestKv } from "./rest-kv.ts"
import { memberRoutes } from "./rest-members.ts"
import { traced } from "./traced-calls.ts"
import { WaitingLines } from "./waiting-line.ts"

export interface SurfaceOptions {
  readonly endpoint: Pick<Endpoint, "member" | "storeBytes" | "spans">
  /** The services that others are built on. */
  readonly handlers: Handlers
  /** Names of the alarms that are raised. */
  readonly alarms: () => ReadonlyArray<string>
  /** Of pages that may call, see http-routes.ts. */
  readonly origins: ReadonlyArray<string>
  /** Rows besides our own. */
  readonly routes?: ReadonlyArray<Route>
  /** Monotonic. */
  readonly nowMillis: () => number
}

export class EtcdSurface {
  readonly metrics = new Metrics()
  readonly service: GrpcService
  readonly #gateway: EtcdGateway
  readonly #http: EtcdHttp
  readonly #rest: RestKv

  constructor({ alarms, endpoint, handlers, nowMillis, origins, routes = [] }: SurfaceOptions) {
    const { metrics } = this
    const { member, spans, storeBytes } = endpoint
    const lines = new WaitingLines(handlers)
    const all: Handlers = {
      unary: { ...handlers.unary, ...lockCalls(handlers, lines), ...electionCalls(handlers, lines) },
      streams: { ...handlers.streams, ...electionStreams(handlers) }
    }
    const served = counted(spans === undefined ? all : traced(all, spans), metrics)
    this.#gateway = new EtcdGateway(served, nowMillis)
    this.#http = new EtcdHttp({ member, alarms, metrics, nowMillis })
    this.#rest = new RestKv(handlers)
    showMember(metrics, { member, storeBytes })
    metrics.gauge(
      "chainfire_waiting_in_line",
      "Calls that wait for a lock or an election.",
      () => lines.waiting
    )
    metrics.gauge(
      "chainfire_gateway_open",
      "Calls of the JSON gateway that are not over.",
      () => this.#gateway.open
    )
    const rows = [
      ...this.#gateway.routes,
      ...this.#http.routes,
      ...this.#rest.routes,
      ...memberRoutes(handlers),
      ...routes
    ]
    this.service = { ...served, plain: routed(rows, origins) }
  }

  /** Ends what has waited for long enough. To be called several times a second. */
  tick(): void {
    this.#gateway.tick()
    this.#http.tick()
  }

  /** Ends what HTTP/1.1 keeps open, which nobody else does. */
  close(): void {
    this.#gateway.close()
    this.#http.close()
    this.#rest.close()
  }
}
