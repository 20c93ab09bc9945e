import test from "ava"
import type { StreamCall, UnaryCall } from "#actors/kernel/ports/grpc.ts"
import { etcdErrors } from "#protocols/wire/etcd/errors.ts"
import { KV, LEASE, type Method, WATCH } from "#protocols/wire/etcd/methods.ts"
import { PlainRecorder, plainRequest } from "./fixtures/plain.ts"
import { type GatewayRequest, openStream, openUnary } from "./gateway-call.ts"

const asked = (
  method: Method<object, object>,
  body: string,
  headers: Readonly<Record<string, string>> = {}
): { readonly asked: GatewayRequest; readonly reply: PlainRecorder; over: number } => {
  const reply = new PlainRecorder()
  const state = {
    over: 0,
    reply,
    asked: {
      method,
      request: plainRequest(method.gateway ?? "", body, "POST", headers),
      reply,
      deadline: 1_000,
      over: () => void state.over++
    }
  }
  return state
}

const put = KV.put

test("JSON goes in, JSON comes out, and the handler sees a gRPC call", (t) => {
  const state = asked(put, '{"key":"YQ==","lease":9007199254740993}', { authorization: "secret" })
  openUnary(state.asked, (bytes, call) => {
    t.is(put.request.decode(bytes).lease, 9007199254740993n)
    t.is(call.path, "/etcdserverpb.KV/Put")
    t.is(call.header("token"), "secret")
    call.reply(put.response.encode({ header: undefined, prevKv: undefined }))
    call.fail(etcdErrors.noLeader)
  })
  t.like(state.reply, { status: 200, text: "{}", isOver: true })
  t.is(state.over, 1)
})

test("headers arrive as grpc-gateway hands them on", (t) => {
  const headers = {
    "grpc-metadata-hasleader": "true",
    authorization: "a",
    "grpc-metadata-token": "b",
    host: "h"
  }
  openUnary(asked(put, "{}", headers).asked, (_bytes, call) => {
    t.deepEqual(
      ["hasleader", "authorization", "token", "host", "grpcgateway-host"].map((name) => call.header(name)),
      ["true", "a", "b", undefined, "h"]
    )
    call.fail(etcdErrors.emptyKey)
  })
})

test("an error has its status and says what etcd says", (t) => {
  const state = asked(put, "{}")
  openUnary(state.asked, (_bytes, call) => call.fail(etcdErrors.leaseExists))
  t.is(state.reply.status, 412)
  t.is(
    state.reply.text,
    '{"error":"etcdserver: lease already exists","message":"etcdserver: lease already exists","code":9}'
  )
})

test("what is no JSON reaches no handler", (t) => {
  const one = asked(put, '{"key":5}')
  openUnary(one.asked, () => t.fail("it was called"))
  t.is(one.reply.status, 400)
  const stream = asked(WATCH.watch, "{")
  openStream(stream.asked, () => {
    t.fail("it was opened")
    return { onMessage: () => {}, onEnd: () => {} }
  })
  t.is(stream.reply.status, 500)
  t.is(stream.over, 1)
})

test("a stream is a line for each answer, of all that was asked before the client said something else", (t) => {
  const state = asked(LEASE.keepAlive, '{"ID":1} {"ID":2}{')
  const seen: Array<string> = []
  openStream(state.asked, (call) => ({
    onMessage: (bytes) => {
      const { ID } = LEASE.keepAlive.request.decode(bytes)
      seen.push(String(ID))
      call.send(LEASE.keepAlive.response.encode({ header: undefined, ID, TTL: 0 }))
    },
    onEnd: () => {
      seen.push("end")
      call.end()
    }
  }))
  t.deepEqual(seen, ["1", "2", "end"])
  t.is(state.reply.text, '{"result":{"ID":"1"}}\n{"result":{"ID":"2"}}\n')
  t.true(state.reply.isOver)
})

const openedStream = (state: ReturnType<typeof asked>): StreamCall => {
  const opened: Array<StreamCall> = []
  openStream(state.asked, (call) => {
    opened.push(call)
    return { onMessage: () => {}, onEnd: () => {} }
  })
  if (opened[0] === undefined) throw new Error("it was not opened")
  return opened[0]
}

const response = WATCH.watch.response.encode(WATCH.watch.response.make({ created: true }))

test("a client that does not read holds up the handler, until it reads", (t) => {
  const state = asked(WATCH.watch, "{}")
  const call = openedStream(state)
  let drained = 0
  call.onDrain = () => void drained++
  t.true(call.send(response))
  state.reply.hasRoom = false
  t.false(call.send(response))
  t.true(call.queuedBytes > 0)
  state.reply.onDrain?.()
  t.deepEqual([drained, call.queuedBytes], [1, 0])
})

test("requests wait for a handler that pauses", (t) => {
  const state = asked(LEASE.keepAlive, '{"ID":1}{"ID":2}')
  let asks = 0
  const opened: Array<StreamCall> = []
  openStream(state.asked, (call) => {
    opened.push(call)
    return {
      onMessage: () => {
        asks++
        call.pause()
      },
      onEnd: () => call.end()
    }
  })
  t.is(asks, 1)
  opened[0]?.resume()
  t.deepEqual([asks, state.reply.isOver], [2, false])
  opened[0]?.resume()
  t.true(state.reply.isOver)
})

test("a stream that breaks says so in its last line, and one that has not begun in its status", (t) => {
  const begun = asked(WATCH.watch, "{}")
  const call = openedStream(begun)
  call.send(response)
  call.fail(etcdErrors.noLeader)
  t.regex(begun.reply.text, /\n\{"error":\{"grpc_code":14,"http_code":503,"message":"etcdserver: no leader"/)
  const fresh = asked(WATCH.watch, "{}")
  openedStream(fresh).fail(etcdErrors.noLeader)
  t.is(fresh.reply.status, 503)
  t.regex(fresh.reply.text, /^\{"error":\{"grpc_code":14/)
})

test("a client that goes away is told to the handler, once, and nothing more is said", (t) => {
  const state = asked(put, "{}")
  let gone = 0
  const calls: Array<UnaryCall> = []
  openUnary(state.asked, (_bytes, call) => {
    calls.push(call)
    call.onCancel = () => void gone++
  })
  state.reply.onCancel?.()
  state.reply.onCancel?.()
  calls[0]?.fail(etcdErrors.noLeader)
  t.deepEqual([gone, state.over, state.reply.status], [1, 1, undefined])
})

test("a call ends for both sides when its deadline passes", (t) => {
  const state = asked(put, "{}")
  let gone = 0
  const call = openUnary(state.asked, (_bytes, opened) => {
    opened.onCancel = () => void gone++
  })
  call.expire(999)
  t.is(state.reply.status, undefined)
  call.expire(1_000)
  t.deepEqual([gone, state.over, state.reply.status], [1, 1, 504])
  t.regex(state.reply.text, /context deadline exceeded/)
})
