import test from "ava"
import { Either } from "effect"
import type { StreamCall } from "#actors/kernel/ports/grpc.ts"
import { etcdErrors, GrpcCode } from "#protocols/wire/etcd/errors.ts"
import { KV, LEASE } from "#protocols/wire/etcd/methods.ts"
import { somebody } from "./fixtures/plain.ts"
import { askAs, type Handlers, InnerStream } from "./inner-call.ts"

const caller = { peer: somebody, header: (name: string) => (name === "token" ? "mine" : undefined) }

const { put } = KV

test("a call inside has the rights of its caller, and one answer", (t) => {
  const handlers: Handlers = {
    unary: {
      [put.path]: (bytes, call) => {
        t.is(new TextDecoder().decode(put.request.decode(bytes).key), "k")
        t.is(call.header("token"), "mine")
        call.reply(put.response.encode({ header: undefined, prevKv: undefined }))
        call.fail(etcdErrors.noLeader)
      }
    },
    streams: {}
  }
  const answers: Array<unknown> = []
  askAs(handlers, caller)(put, { key: new TextEncoder().encode("k") }, (answer) => answers.push(answer))
  t.deepEqual(answers, [Either.right({ header: undefined, prevKv: undefined })])
})

test("what is not served is refused", (t) => {
  const refused: Array<number> = []
  const nothing: Handlers = { unary: {}, streams: {} }
  askAs(nothing, caller)(put, {}, (answer) => {
    if (Either.isLeft(answer)) refused.push(answer.left.code)
  })
  new InnerStream(nothing, caller, LEASE.keepAlive, {
    answered: () => true,
    ended: (status) => void refused.push(status?.code ?? 0)
  })
  t.deepEqual(refused, [GrpcCode.unimplemented, GrpcCode.unimplemented])
})

test("a stream inside says whether there is room, and is left when nobody wants to know any more", (t) => {
  const calls: Array<StreamCall> = []
  const asked: Array<bigint> = []
  const seen: Array<string> = []
  const handlers: Handlers = {
    unary: {},
    streams: {
      [LEASE.keepAlive.path]: (call) => {
        calls.push(call)
        call.onDrain = () => void seen.push("drained")
        call.onCancel = () => void seen.push("left")
        return {
          onMessage: (bytes) => void asked.push(LEASE.keepAlive.request.decode(bytes).ID),
          onEnd: () => {}
        }
      }
    }
  }
  let hasRoom = true
  const stream = new InnerStream(handlers, caller, LEASE.keepAlive, {
    answered: ({ TTL }) => {
      seen.push(`ttl ${TTL}`)
      return hasRoom
    },
    ended: () => void seen.push("ended")
  })
  stream.ask({ ID: 7n })
  const answer = LEASE.keepAlive.response.encode({ header: undefined, ID: 7n, TTL: 9 })
  t.true(calls[0]?.send(answer))
  hasRoom = false
  t.false(calls[0]?.send(answer))
  stream.drained()
  stream.close()
  stream.close()
  calls[0]?.send(answer)
  calls[0]?.end()
  t.deepEqual(asked, [7n])
  t.deepEqual(seen, ["ttl 9", "ttl 9", "drained", "left"])
})
