/**
 * Traces: what was done for one request, on however many nodes, as spans that know their trace and what they are a
 * part of; the words are OpenTelemetry's.
 *
 * A system has nothing of this unless its node was told where spans go, and then most requests have no span: whoever
 * begins one may get none. From other programs a context comes as W3C's `traceparent` has it.
 *
 * What a client asks of an actor is a span, and what that asks of others in turn is part of it, for as long as it is
 * asked on a node that has heard of the trace: contexts stay on their node.
 */
import { Cause, Context, Effect, Exit, type Tracer } from "effect"

export interface TraceContext {
  /** 32 hexadecimal digits. */
  readonly traceId: string
  /** 16 hexadecimal digits. */
  readonly spanId: string
}

export interface Span {
  readonly context: TraceContext
  /** Nothing that a client sent, and no secret. */
  attribute(name: string, value: string | number | boolean): void
  /** Once. `problem`: why it did not go well. One that is never ended is never shown. */
  end(problem?: string): void
}

/** `server`: on behalf of somebody outside of this node. */
export type SpanKind = "server" | "internal"

export interface Spans {
  /** Undefined: this one is not traced. What is part of a trace is, as long as there is room. */
  readonly begin: (name: string, kind: SpanKind, parent: TraceContext | undefined) => Span | undefined
}

const traceparent = /^00-([0-9a-f]{32})-([0-9a-f]{16})-([0-9a-f]{2})$/

/** `undefined`: it says nothing that is understood. `null`: its trace is not recorded. */
export const parseTraceparent = (text: string | undefined): TraceContext | null | undefined => {
  const [, traceId, spanId, flags] = traceparent.exec(text ?? "") ?? []
  if (traceId === undefined || spanId === undefined || flags === undefined) return undefined
  if (/^0+$/.test(traceId) || /^0+$/.test(spanId)) return undefined
  return (Number.parseInt(flags, 16) & 1) === 1 ? { traceId, spanId } : null
}

/** For a span of something that has ended. */
export const problemOf = (exit: Exit.Exit<unknown, unknown>): string | undefined => {
  if (Exit.isSuccess(exit)) return undefined
  const failure = exit.cause._tag === "Fail" ? exit.cause.error : Cause.squash(exit.cause)
  return failure instanceof Error && "_tag" in failure ? String(failure._tag) : "it crashed"
}

/** A request to an actor, as part of whatever is traced. */
export const spanOfAsk = (
  spans: Spans | undefined,
  path: string,
  request: string,
  parent: TraceContext | undefined
): Span | undefined => {
  const span = spans?.begin(`ask ${request}`, parent === undefined ? "server" : "internal", parent)
  span?.attribute("actor.path", path)
  return span
}

/** The span that an effect is part of, for what it asks. */
class Above implements Tracer.ExternalSpan {
  readonly _tag = "ExternalSpan"
  readonly sampled = true
  readonly context = Context.empty()
  readonly traceId: string
  readonly spanId: string
  readonly spans: Spans

  constructor({ spanId, traceId }: TraceContext, spans: Spans) {
    this.traceId = traceId
    this.spanId = spanId
    this.spans = spans
  }
}

export const partOf = <A, E, R>(
  effect: Effect.Effect<A, E, R>,
  { context }: Span,
  spans: Spans
): Effect.Effect<A, E, R> => Effect.withParentSpan(effect, new Above(context, spans))

/** What an effect asks, as part of what it is part of. */
export const spanWithin = (
  above: Tracer.AnySpan | undefined,
  path: string,
  request: string
): Span | undefined => (above instanceof Above ? spanOfAsk(above.spans, path, request, above) : undefined)
