/**
 * Traces: what was done for one request, on however many nodes, as spans that know their trace and what they are a
 * part of; the words are OpenTelemetry's.
 *
 * A system has nothing of this unless its node was told where spans go, and then most requests have no span: whoever
 * begins one may get none. A context travels with messages as W3C's `traceparent` has it.
 */

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
