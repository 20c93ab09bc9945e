/** Whoever traces a client's request finds the call that answered it, and whether it went well. */
import test from "ava"
import { notedSpans } from "#actors/kernel/fixtures/noted-spans.ts"
import type { GrpcStatus, UnaryCall } from "#actors/kernel/ports/grpc.ts"
import { traced, traceOfCall } from "./traced-calls.ts"

const traceId = "4bf92f3577b34da6a3ce929d0e0e4736"
const spanId = "00f067aa0ba902b7"
const path = "/etcdserverpb.KV/Put"

class Called implements UnaryCall {
  readonly path = path
  readonly peer = { address: "127.0.0.1:1", identity: undefined, commonName: undefined, encrypted: false }
  readonly deadlineMillis = undefined
  readonly ended = false
  readonly said: Array<GrpcStatus | Uint8Array> = []
  readonly #traceparent: string | undefined
  onCancel: (() => void) | undefined = undefined

  constructor(traceparent?: string) {
    this.#traceparent = traceparent
  }
  header(name: string): string | undefined {
    return name === "traceparent" ? this.#traceparent : undefined
  }
  reply(response: Uint8Array): void {
    this.said.push(response)
  }
  fail(status: GrpcStatus): void {
    this.said.push(status)
  }
}

const calling = (call: Called, handle: (call: UnaryCall) => void) => {
  const { noted, spans } = notedSpans()
  traced({ unary: { [path]: (_request, one) => handle(one) }, streams: {} }, spans).unary[path]?.(
    new Uint8Array(),
    call
  )
  return noted
}

test("a call is a span of its client's trace, from its begin to its answer", (t) => {
  const answer = new Uint8Array([1])
  const call = new Called(`00-${traceId}-${spanId}-01`)
  const [span, ...more] = calling(call, (one) => {
    t.is(traceOfCall(one)?.traceId, traceId)
    one.reply(answer)
  })
  t.deepEqual(more, [])
  t.like(span, { name: "etcdserverpb.KV/Put", parent: { traceId, spanId }, problem: "" })
  t.like(span?.attributes, { "rpc.method": "Put", "rpc.grpc.status_code": 0 })
  t.deepEqual(call.said, [answer])
})

test("one that is refused, or that its client leaves, says so", (t) => {
  const refused = calling(new Called(), (one) => one.fail({ code: 14, message: "no leader" }))
  t.like(refused[0], { parent: undefined, problem: "no leader", attributes: { "rpc.grpc.status_code": 14 } })
  const call = new Called()
  const left = calling(call, (one) => {
    one.onCancel = () => t.pass()
    call.onCancel?.()
    one.reply(new Uint8Array())
  })
  t.is(left[0]?.problem, "the client went away")
})

test("a client that says its trace is not recorded costs nothing", (t) => {
  const call = new Called(`00-${traceId}-${spanId}-00`)
  const noted = calling(call, (one) => {
    t.is(one, call)
    t.is(traceOfCall(one), undefined)
  })
  t.deepEqual(noted, [])
})
