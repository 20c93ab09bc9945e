/**
 * Calls that are answered once, traced on their way through, for a node that was told where spans go: each call is a
 * span of the client's trace, or of one of its own. What it proposes goes on in the same trace; see traced-command.ts.
 * A call of which there is no span is handed on as it came.
 */
import type { GrpcCall, GrpcPeer, GrpcStatus, Metadata, Unary, UnaryCall } from "#actors/kernel/ports/grpc.ts"
import type { Span, Spans } from "#actors/kernel/tracing.ts"
import { GrpcCode } from "#protocols/wire/etcd/errors.ts"
import { parseTraceparent, type TraceContext } from "#protocols/wire/traceparent.ts"
import type { Handlers } from "./inner-call.ts"

export const traced = (handlers: Handlers, spans: Spans): Handlers => ({
  ...handlers,
  unary: Object.fromEntries(
    Object.entries(handlers.unary).map(([path, handle]) => [path, tracedUnary(path, handle, spans)])
  )
})

const tracedUnary = (path: string, handle: Unary, spans: Spans): Unary => {
  const name = path.slice(1)
  const [service = "", method = ""] = name.split("/")
  return (request, call) => {
    const parent = parseTraceparent(call.header("traceparent"))
    const span = parent === null ? undefined : spans.begin(name, "server", parent)
    if (span === undefined) return handle(request, call)
    span.attribute("rpc.system", "grpc")
    span.attribute("rpc.service", service)
    span.attribute("rpc.method", method)
    handle(request, new TracedUnary(call, span))
  }
}

/** Of a call, as its handler has it. */
export const traceOfCall = (call: GrpcCall): TraceContext | undefined =>
  call instanceof TracedUnary ? call.trace : undefined

class TracedUnary implements UnaryCall {
  readonly #call: UnaryCall
  readonly #span: Span
  #isOver = false
  #onCancel: (() => void) | undefined = undefined

  constructor(call: UnaryCall, span: Span) {
    this.#call = call
    this.#span = span
    this.onCancel = undefined
  }

  get trace(): TraceContext {
    return this.#span.context
  }

  get path(): string {
    return this.#call.path
  }

  get peer(): GrpcPeer {
    return this.#call.peer
  }

  get deadlineMillis(): number | undefined {
    return this.#call.deadlineMillis
  }

  get ended(): boolean {
    return this.#call.ended
  }

  get onCancel(): (() => void) | undefined {
    return this.#onCancel
  }

  set onCancel(callback: (() => void) | undefined) {
    this.#onCancel = callback
    this.#call.onCancel = () => {
      this.#over(GrpcCode.canceled, "the client went away")
      this.#onCancel?.()
    }
  }

  header(name: string): string | undefined {
    return this.#call.header(name)
  }

  reply(response: Uint8Array, trailers?: Metadata): void {
    this.#over(GrpcCode.ok)
    this.#call.reply(response, trailers)
  }

  fail(status: GrpcStatus, trailers?: Metadata): void {
    this.#over(status.code, status.message)
    this.#call.fail(status, trailers)
  }

  #over(code: number, problem?: string): void {
    if (this.#isOver) return
    this.#isOver = true
    this.#span.attribute("rpc.grpc.status_code", code)
    this.#span.end(problem)
  }
}
