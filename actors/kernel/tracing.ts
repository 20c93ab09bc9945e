/**
 * Traces: what was done for one request, on however many nodes, as spans that know their trace and what they are a
 * part of; the words are OpenTelemetry's.
 *
 *   client ── ask ──► node01  "ask Sell"  ── ask ──► node02  "ask Price"      one trace: each is part of the one before
 *            traceparent                 traceparent
 *
 * A system has nothing of this unless its node was told where spans go, and then most requests have no span: whoever
 * begins one may get none. What is part of a trace that is recorded says so on every link, and a node that was not told
 * where spans go, or a cell, passes on what it was told: behind it the trace goes on. From programs that are no nodes a
 * context comes as W3C's `traceparent` has it.
 *
 * What a client asks, tells or subscribes to is a span, and what that asks of others in turn is part of it until it is
 * answered. So is what it tells actors of other nodes; what one actor tells another on the same node is not.
 */
import { Cause, Context, Effect, Exit, Fiber, Option, type Tracer } from "effect"
import { parseTraceparent, type TraceContext, traceparentOf } from "#protocols/wire/traceparent.ts"
import type { Tagged } from "./ask.ts"
import { isEffect } from "./run-effect.ts"

export interface Span {
  readonly context: TraceContext
  /** Nothing that a client sent, and no secret. */
  attribute(name: string, value: string | number | boolean): void
  /** Once. `problem`: why it did not go well. One that is never ended is never shown. */
  end(problem?: string): void
}

/** `server`: on behalf of a client. `peer`: on behalf of another node, which has said how much may be traced. */
export type SpanKind = "server" | "peer" | "internal"

export interface Spans {
  /** Undefined: this one is not traced. What is part of a trace is, as long as there is room. */
  readonly begin: (name: string, kind: SpanKind, parent: TraceContext | undefined) => Span | undefined
}

/** For a span of something that has ended. */
export const problemOf = (exit: Exit.Exit<unknown, unknown>): string | undefined => {
  if (Exit.isSuccess(exit)) return undefined
  const failure = exit.cause._tag === "Fail" ? exit.cause.error : Cause.squash(exit.cause)
  return failure instanceof Error && "_tag" in failure ? String(failure._tag) : "it crashed"
}

/** Nothing is recorded here, and whoever is asked next hears of the trace all the same. */
const passing = (context: TraceContext): Span => ({ context, attribute: () => {}, end: () => {} })

/** What is asked on behalf of something that is traced. */
export const spanOfAsk = (
  spans: Spans | undefined,
  path: string,
  request: string,
  parent: TraceContext
): Span | undefined => {
  if (spans === undefined) return passing(parent)
  const span = spans.begin(`ask ${request}`, "internal", parent)
  span?.attribute("actor.path", path)
  return span
}

/** What has come over a link, from a client or from another node. */
export interface Arrival {
  readonly what: "ask" | "tell" | "subscribe"
  readonly path: string
  /** Empty for a subscription. */
  readonly request: string
  readonly trace: string | undefined
}

/** Of a client it is part of its trace, or begins one; of a node it is part of the one that came with it, or of none. */
export const spanOfArrival = (
  spans: Spans | undefined,
  from: "client" | "node",
  { path, request, trace, what }: Arrival
): Span | undefined => {
  const parent = parseTraceparent(trace)
  if (parent === null || (parent === undefined && from === "node")) return undefined
  if (spans === undefined) return parent && passing(parent)
  const name = request === "" ? what : `${what} ${request}`
  const span = spans.begin(name, from === "client" ? "server" : "peer", parent)
  span?.attribute("actor.path", path)
  return span
}

/** What has a span for as long as it lasts: an ask until it is answered. */
export interface Traced {
  readonly span: Span | undefined
}

/** The span that an effect is part of, for what it asks. */
class Above implements Tracer.ExternalSpan {
  readonly _tag = "ExternalSpan"
  readonly sampled = true
  readonly context = Context.empty()
  readonly traceId: string
  readonly spanId: string
  readonly traced: Traced
  readonly spans: Spans | undefined

  constructor({ spanId, traceId }: TraceContext, traced: Traced, spans: Spans | undefined) {
    this.traceId = traceId
    this.spanId = spanId
    this.traced = traced
    this.spans = spans
  }
}

export const partOf = <A, E, R>(
  effect: Effect.Effect<A, E, R>,
  traced: Traced,
  spans: Spans | undefined
): Effect.Effect<A, E, R> =>
  traced.span === undefined
    ? effect
    : Effect.withParentSpan(effect, new Above(traced.span.context, traced, spans))

/** What an effect asks, as part of what it is part of. */
export const spanWithin = (
  above: Tracer.AnySpan | undefined,
  path: string,
  request: string
): Span | undefined => {
  const context = above instanceof Above ? above.traced.span?.context : undefined
  return above instanceof Above && context !== undefined
    ? spanOfAsk(above.spans, path, request, context)
    : undefined
}

/** Where a step is handled: what it is part of, while it runs. */
export interface Handling {
  handling: Span | undefined
}

/** A step as part of a span, which whoever it tells or asks hears of. */
export const within =
  <Given extends ReadonlyArray<unknown>, A>(
    system: Handling,
    span: Span,
    step: (...given: Given) => A
  ): ((...given: Given) => A) =>
  (...given) => {
    const before = system.handling
    system.handling = span
    try {
      return step(...given)
    } finally {
      system.handling = before
    }
  }

/** What runs right now is part of, a step or an effect, as links carry it. */
export const traceOfNow = ({ handling }: Handling): string | undefined => {
  if (handling !== undefined) return traceparentOf(handling.context)
  const above = Option.getOrUndefined(Fiber.getCurrentFiber())?.currentSpan
  const span = above instanceof Above ? above.traced.span : undefined
  return span && traceparentOf(span.context)
}

/** In a mailbox: a tell of a client or another node that is part of a trace. Its span ends when it was handled. */
export class TracedTell implements Traced {
  readonly _tag = undefined
  readonly message: Tagged
  #span: Span | undefined

  constructor(message: Tagged, span: Span) {
    this.message = message
    this.#span = span
  }

  get span(): Span | undefined {
    return this.#span
  }

  /** What handles it, as part of it. */
  handles<Given extends ReadonlyArray<unknown>>(
    system: Handling & { readonly spans: Spans | undefined },
    step: (...given: Given) => unknown
  ): (...given: Given) => unknown {
    const span = this.#span
    if (span === undefined) return step
    return (...given) => {
      let next: unknown
      try {
        next = within(system, span, step)(...given)
      } catch (defect) {
        this.end("it crashed")
        throw defect
      }
      if (!isEffect(next)) {
        this.end()
        return next
      }
      const ending = (exit: Exit.Exit<unknown, unknown>) => Effect.sync(() => this.end(problemOf(exit)))
      return Effect.onExit(partOf(next, this, system.spans), ending)
    }
  }

  end(problem?: string): void {
    const span = this.#span
    this.#span = undefined
    span?.end(problem)
  }
}

/** Of a stream, from its begin to its end, with how much came: shown when it is over. */
export class StreamSpan {
  readonly #span: Span
  #items = 0
  #missed = 0

  constructor(span: Span) {
    this.#span = span
  }

  count(items: number): void {
    this.#items += items
  }

  /** Left out for want of credit. */
  miss(items: number): void {
    this.#missed += items
  }

  /** Once. */
  end(problem?: string): void {
    this.#span.attribute("stream.items", this.#items)
    if (this.#missed > 0) this.#span.attribute("stream.missed", this.#missed)
    this.#span.end(problem)
  }
}
