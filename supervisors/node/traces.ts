/**
 * Where spans go: to a collector of OpenTelemetry, by OTLP over HTTP as JSON. What it takes is loaded only when a node
 * is told of a collector, so that a start without one is as quick as ever.
 *
 * Spans are dropped rather than slow the node: so many begin a second and no more, one that waits to be sent waits in
 * memory, and a collector that does not answer is left alone for a minute.
 */
import { Context, Duration, Effect, Exit, Option, type Scope, Tracer } from "effect"
import type { WorldClock } from "#actors/kernel/ports/clock.ts"
import type { Randomness } from "#actors/kernel/ports/randomness.ts"
import type { Span, SpanKind, Spans } from "#actors/kernel/tracing.ts"
import type { TraceContext } from "#protocols/wire/traceparent.ts"

export interface TraceOptions {
  /** Of the collector, such as `http://127.0.0.1:4318`; spans go to `/v1/traces` below it. */
  readonly endpoint: string
  /** Of the requests that come without a trace, which share gets one. */
  readonly ratio?: number
  /** How long spans are gathered, at most. */
  readonly intervalMillis?: number
}

export interface NodeLabels {
  readonly node: string
  readonly cluster: string
  readonly version: string
}

/** Traces a second that begin here, or come from clients. */
const tracesPerSecondMax = 200
/** What is part of a trace that a node has let begin. More come after a restart, which reads the log back. */
const partsPerSecondMax = 2_000
const batchSpansMax = 500
export const intervalMillisDefault = 2_000
/** All of them: so many a second are bounded anyway. */
export const ratioDefault = 1
const answerMillisMax = 5_000
const problemCharactersMax = 200

/** Whether a collector could be there. */
export const isEndpoint = (text: string): boolean =>
  URL.canParse(text) && ["http:", "https:"].includes(new URL(text).protocol)

export const openTraces = (
  { endpoint, intervalMillis = intervalMillisDefault, ratio = ratioDefault }: TraceOptions,
  { cluster, node, version }: NodeLabels,
  { clock: world, randomness }: { readonly clock: WorldClock; readonly randomness: Randomness }
): Effect.Effect<Spans, never, Scope.Scope> =>
  Effect.gen(function* () {
    const [OtlpTracer, OtlpSerialization, FetchHttpClient, HttpClient, { RequestError }] =
      yield* Effect.promise(() =>
        Promise.all([
          import("@effect/opentelemetry/OtlpTracer"),
          import("@effect/opentelemetry/OtlpSerialization"),
          import("@effect/platform/FetchHttpClient"),
          import("@effect/platform/HttpClient"),
          import("@effect/platform/HttpClientError")
        ])
      )
    /** A collector that hangs is given up, so that what waits for it does not pile up. */
    const patient = Effect.map(HttpClient.HttpClient, (client) =>
      HttpClient.transform(client, (response, request) =>
        Effect.timeoutFail(response, {
          duration: answerMillisMax,
          onTimeout: () =>
            new RequestError({ request, reason: "Transport", description: "the collector does not answer" })
        })
      )
    )
    const clock = yield* Effect.clock
    const tracer = yield* OtlpTracer.make({
      url: `${endpoint.replace(/\/$/, "")}/v1/traces`,
      resource: {
        serviceName: "ultracloud",
        serviceVersion: version,
        attributes: { "service.instance.id": node, "ultracloud.cluster": cluster }
      },
      exportInterval: Duration.millis(intervalMillis),
      maxBatchSize: batchSpansMax
    }).pipe(
      Effect.provideServiceEffect(HttpClient.HttpClient, patient),
      Effect.provide(FetchHttpClient.layer),
      Effect.provide(OtlpSerialization.layerJson)
    )
    const traces = new PerSecond(tracesPerSecondMax, () => world.nowMillis())
    const parts = new PerSecond(partsPerSecondMax, () => world.nowMillis())
    const begin = (name: string, kind: SpanKind, parent: TraceContext | undefined): Span | undefined => {
      if (parent === undefined && randomness.next() >= ratio) return undefined
      const share = parent === undefined || kind === "server" ? traces : parts
      if (!share.take()) return undefined
      const above = Option.map(Option.fromNullable(parent), (one) =>
        Tracer.externalSpan({ ...one, sampled: true })
      )
      // To OpenTelemetry a node that asks is a client as any other.
      const shown = kind === "peer" ? "server" : kind
      return spanOf(
        tracer.span(name, above, Context.empty(), [], clock.unsafeCurrentTimeNanos(), shown),
        () => clock.unsafeCurrentTimeNanos()
      )
    }
    return { begin }
  })

const spanOf = (span: Tracer.Span, nowNanos: () => bigint): Span => ({
  context: { traceId: span.traceId, spanId: span.spanId },
  attribute: (name, value) => span.attribute(name, value),
  end: (problem) =>
    span.end(
      nowNanos(),
      problem === undefined ? Exit.void : Exit.fail(new Error(problem.slice(0, problemCharactersMax)))
    )
})

class PerSecond {
  readonly #max: number
  readonly #nowMillis: () => number
  #sinceMillis = Number.NEGATIVE_INFINITY
  #taken = 0

  constructor(max: number, nowMillis: () => number) {
    this.#max = max
    this.#nowMillis = nowMillis
  }

  take(): boolean {
    const nowMillis = this.#nowMillis()
    if (nowMillis - this.#sinceMillis >= 1_000) {
      this.#sinceMillis = nowMillis
      this.#taken = 0
    }
    return this.#taken++ < this.#max
  }
}
