/** @grpc/grpc-js unary calls as a contender: two processes, one connection, no TLS. */
import { fork } from "node:child_process"
import { once } from "node:events"
import { Client, credentials } from "@grpc/grpc-js"
import { measure, mebibyte, withCallbacks } from "./contender.ts"
import { limits, service } from "./grpc.ts"

const answers = fork(new URL("./grpc-answers-main.ts", import.meta.url))
const [port] = await once(answers, "message")
const client = new Client(`127.0.0.1:${port}`, credentials.createInsecure(), limits)

const call = (
  { path, requestSerialize, responseDeserialize }: typeof service.add,
  request: Buffer,
  done: () => void
) =>
  client.makeUnaryRequest(
    path,
    requestSerialize,
    responseDeserialize,
    request,
    { deadline: Date.now() + 10_000 },
    (error) => {
      if (error !== null) throw error
      done()
    }
  )

const number = Buffer.alloc(4)
const bytes = Buffer.alloc(mebibyte)

await measure(
  {
    asks: withCallbacks((done) => call(service.add, number, done)),
    transfers: async (count) => {
      for (let sent = 0; sent < count; sent++)
        await new Promise<void>((resolve) => call(service.store, bytes, resolve))
    },
    stop: async () => {
      client.close()
      answers.disconnect()
    }
  },
  Number(process.argv[2] ?? 1),
  0.1
)
