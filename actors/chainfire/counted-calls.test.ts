import test from "ava"
import { Metrics } from "#actors/kernel/metrics.ts"
import type { StreamCall, UnaryCall } from "#actors/kernel/ports/grpc.ts"
import { etcdErrors } from "#protocols/wire/etcd/errors.ts"
import { KV, WATCH } from "#protocols/wire/etcd/methods.ts"
import { readExposition } from "#protocols/wire/fixtures/exposition-reader.ts"
import { counted } from "./counted-calls.ts"
import { PlainRecorder, plainRequest } from "./fixtures/plain.ts"
import { openStream, openUnary } from "./gateway-call.ts"

test("calls are counted as they begin and as they end, and bytes as they pass", (t) => {
  const metrics = new Metrics()
  const unary: Array<UnaryCall> = []
  const streams: Array<StreamCall> = []
  const handlers = counted(
    {
      unary: { [KV.put.path]: (_bytes, call) => void unary.push(call) },
      streams: {
        [WATCH.watch.path]: (call) => {
          streams.push(call)
          return { onMessage: () => {}, onEnd: () => {} }
        }
      }
    },
    metrics
  )
  const replies = Array.from({ length: 5 }, () => new PlainRecorder())
  const about = { deadline: Number.POSITIVE_INFINITY, over: () => {} }
  for (const [index, reply] of replies.entries()) {
    const request = plainRequest("", "{}")
    if (index < 3) openUnary({ method: KV.put, request, reply, ...about }, handlers.unary[KV.put.path]!)
    else openStream({ method: WATCH.watch, request, reply, ...about }, handlers.streams[WATCH.watch.path]!)
  }
  // One is answered, one refused, and of the third the client went away, which its handler does not ask.
  unary[0]?.reply(Uint8Array.of(0x0a, 0))
  unary[1]?.fail(etcdErrors.emptyKey)
  replies[2]?.onCancel?.()
  unary[2]?.reply(new Uint8Array(0))
  streams[0]?.send(Uint8Array.of(0x18, 1))
  replies[3]?.onCancel?.()
  const families = new Map(readExposition(metrics.text()).map((family) => [family.name, family.samples]))
  const of = (name: string) =>
    (families.get(name) ?? []).map(({ labels, value }) =>
      [labels["grpc_method"], labels["grpc_type"], labels["grpc_code"], value].filter(
        (part) => part !== undefined
      )
    )
  t.deepEqual(of("grpc_server_started_total"), [
    ["Put", "unary", 3],
    ["Watch", "bidi_stream", 2]
  ])
  t.deepEqual(of("grpc_server_handled_total"), [
    ["Put", "unary", "OK", 1],
    ["Watch", "bidi_stream", "OK", 0],
    ["Put", "unary", "InvalidArgument", 1],
    ["Put", "unary", "Canceled", 1],
    ["Watch", "bidi_stream", "Canceled", 1]
  ])
  t.deepEqual(of("etcd_network_client_grpc_sent_bytes_total"), [[4]])
})
