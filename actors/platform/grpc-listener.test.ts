/** The gRPC listener, visited by gRPC's own client for Node. */
import { connect } from "node:net"
import * as grpc from "@grpc/grpc-js"
import test from "ava"
import { Context, Effect, Exit, Layer, Scope } from "effect"
import { Grpc } from "../kernel/ports/grpc.ts"
import {
  ask,
  authority,
  echoes,
  type Heard,
  hello,
  identity,
  raw,
  until,
  visiting
} from "./fixtures/grpc-visits.ts"
import { grpcListener } from "./grpc-listener.ts"

const text = (value: string) => Buffer.from(value)

test("a unary call is answered, with the metadata of both", (t) =>
  visiting(async ({ calls, echo }) => {
    const metadata = new grpc.Metadata()
    metadata.set("token", "secret.1")
    const { error, trailers, value } = await ask(echo, "Echo", text("hello"), {}, metadata)
    t.is(error, undefined)
    t.is(String(value), "hello")
    t.deepEqual(trailers?.get("token-seen"), ["secret.1"])
    t.regex(calls[0]?.peer.address ?? "", /^127\.0\.0\.1:\d+$/)
    t.is(calls[0]?.peer.identity, undefined)
  }))

test("messages of no bytes, of many frames, and up to the limit arrive whole", (t) =>
  visiting(async ({ echo }) => {
    for (const size of [0, 1, 16_384, 70_000, 1_000_000, 2 * 1024 * 1024]) {
      const sent = Buffer.alloc(size, "abcdefg")
      const { error, value } = await ask(echo, "Echo", sent)
      t.is(error, undefined, String(size))
      t.true(value?.equals(sent), String(size))
    }
  }))

test("a message beyond the limit is refused, and the connection goes on", (t) =>
  visiting(async ({ echo }) => {
    const { error } = await ask(echo, "Echo", Buffer.alloc(2 * 1024 * 1024 + 1))
    t.is(error?.code, 8)
    t.is(error?.details, "grpc: received message larger than max (2097153 vs. 2097152)")
    t.is(String((await ask(echo, "Echo", text("still here"))).value), "still here")
  }))

test("an error arrives with its code, its words and its trailers", (t) =>
  visiting(async ({ echo }) => {
    const { error, trailers } = await ask(echo, "Refuse", text(""))
    t.is(error?.code, 9)
    t.is(error?.details, "not 100% of what was asked, éh?\n")
    t.deepEqual(trailers?.get("why"), ["because"])
  }))

test("a method that nobody serves is unimplemented, one that throws is an internal error", (t) =>
  visiting(async ({ echo }) => {
    const unknown = await ask(echo, "/test.Echo/Nothing", text(""))
    t.is(unknown.error?.code, 12)
    t.is(unknown.error?.details, "unknown method Nothing for service test.Echo")
    t.is((await ask(echo, "Throw", text(""))).error?.code, 13)
    t.is(String((await ask(echo, "Echo", text("on"))).value), "on")
  }))

test("a deadline ends the call for the handler, too", (t) =>
  visiting(async ({ calls, cancelled, echo }) => {
    await ask(echo, "Echo", text("the connection is there"))
    const { error } = await ask(echo, "Never", text(""), { deadline: Date.now() + 500 })
    t.is(error?.code, 4)
    t.true(await until(() => cancelled.length === 1))
    t.true(calls.at(-1)?.ended)
    t.true(Math.abs((calls.at(-1)?.deadlineMillis ?? 0) - Date.now()) < 5_000)
  }))

test("a deadline is kept where the client keeps none", (t) =>
  visiting(async ({ cancelled, port }) => {
    const fields =
      ":method POST :scheme http :path /test.Echo/Never content-type application/grpc grpc-timeout 80m"
    const client = raw(port, hello, request(1, fields.split(" ")), message(1, "x"))
    t.true(
      await until(() =>
        client.frames.some(({ flags, stream, type }) => type === 1 && stream === 1 && flags === 5)
      )
    )
    t.regex(
      String(client.frames.find(({ stream, type }) => type === 1 && stream === 1)?.payload),
      /grpc-status.4/
    )
    t.is(cancelled.length, 1)
    client.socket.destroy()
  }))

test("a call taken back tells the handler, once", (t) =>
  visiting(async ({ calls, cancelled, echo }) => {
    const call = echo.makeUnaryRequest("/test.Echo/Never", identity, identity, text(""), () => {})
    await until(() => calls.length === 1)
    call.cancel()
    t.true(await until(() => cancelled.length === 1))
    calls[0]?.fail({ code: 5, message: "too late" })
    t.is(cancelled.length, 1)
  }))

test("a stream goes both ways until both are done", (t) =>
  visiting(async ({ echo }) => {
    const call = echo.makeBidiStreamRequest("/test.Echo/Chat", identity, identity)
    const heard: Array<string> = []
    const ended = new Promise<grpc.StatusObject>((resolve) => call.on("status", resolve))
    call.on("data", (message: Buffer) => heard.push(String(message)))
    for (const word of ["one", "two", "", "four"]) call.write(text(word))
    await until(() => heard.length === 4)
    call.end()
    const status = await ended
    t.deepEqual(heard, ["one", "two", "", "four"])
    t.is(status.code, 0)
    t.deepEqual(status.metadata.get("said"), ["goodbye"])
  }))

test("a stream that the client leaves is cancelled, by call and by connection", (t) =>
  visiting(async ({ calls, cancelled, echo, port }) => {
    // Not one that ends when the client has said all, as a client that cancels does first.
    const call = echo.makeBidiStreamRequest("/test.Echo/Flood", identity, identity)
    call.on("error", () => {})
    await until(() => calls.length === 1)
    call.cancel()
    t.true(await until(() => cancelled.length === 1))
    const fields = ":method POST :scheme http :path /test.Echo/Chat content-type application/grpc"
    const client = raw(port, hello, request(1, fields.split(" ")))
    await until(() => client.frames.length > 1)
    client.socket.destroy()
    t.true(await until(() => cancelled.length === 2))
  }))

test("who sends no faster than the client reads loses nothing", (t) =>
  visiting(async ({ echo, sent }) => {
    const call = echo.makeBidiStreamRequest("/test.Echo/Flood", identity, identity)
    let bytes = 0
    const ended = new Promise<grpc.StatusObject>((resolve) => call.on("status", resolve))
    call.write(Buffer.from([0, 0, 1, 0x90]))
    await new Promise((resolve) => setTimeout(resolve, 100))
    // Nobody reads yet: what was sent is what windows and queue hold, and not all of it.
    t.true(sent.length < 100, String(sent.length))
    call.on("data", (message: Buffer) => {
      bytes += message.length
    })
    t.is((await ended).code, 0)
    t.is(bytes, 400 * 64 * 1024)
  }))

test("who sends on and on to a client that does not read loses the stream, and only that", (t) =>
  visiting(async ({ cancelled, echo }) => {
    const call = echo.makeBidiStreamRequest("/test.Echo/Reckless", identity, identity)
    const ended = new Promise<grpc.StatusObject>((resolve) => call.on("status", resolve))
    call.on("error", () => {})
    call.write(text("go"))
    t.true(await until(() => cancelled.length === 1))
    t.is(String((await ask(echo, "Echo", text("others"))).value), "others")
    call.on("data", () => {})
    t.is((await ended).code, 8)
  }))

test("a paused stream holds the client up, and gets everything in order", (t) =>
  visiting(async ({ echo }) => {
    const call = echo.makeBidiStreamRequest("/test.Echo/Slow", identity, identity)
    const sizes: Array<number> = []
    const ended = new Promise<grpc.StatusObject>((resolve) => call.on("status", resolve))
    call.on("data", (message: Buffer) => sizes.push(message[0]!))
    for (let index = 0; index < 60; index++) call.write(Buffer.alloc(65_536 + index))
    call.end()
    t.is((await ended).code, 0)
    t.deepEqual(
      sizes,
      Array.from({ length: 60 }, (_, index) => index)
    )
  }))

test("compressed messages are refused, with what would be taken", (t) =>
  visiting(async ({ address, echo }) => {
    const zipping = new grpc.Client(address, grpc.credentials.createInsecure(), {
      "grpc.default_compression_algorithm": 2
    })
    const { error, trailers } = await ask(zipping, "Echo", Buffer.alloc(1_000))
    zipping.close()
    t.is(error?.code, 12)
    t.regex(error?.details ?? "", /"gzip"/)
    t.deepEqual(trailers?.get("grpc-accept-encoding"), ["identity"])
    t.is(String((await ask(echo, "Echo", text("plain"))).value), "plain")
  }))

test("a hundred calls at once on one connection, and fifty connections at once", (t) =>
  visiting(async ({ address, echo }) => {
    const many = await Promise.all(Array.from({ length: 100 }, (_, n) => ask(echo, "Later", text(String(n)))))
    t.deepEqual(
      many.map(({ value }) => Number(value)),
      Array.from({ length: 100 }, (_, n) => n)
    )
    const options = { "grpc.use_local_subchannel_pool": 1 }
    const clients = Array.from(
      { length: 50 },
      () => new grpc.Client(address, grpc.credentials.createInsecure(), options)
    )
    const each = await Promise.all(clients.map((client, n) => ask(client, "Later", text(String(n)))))
    t.deepEqual(
      each.map(({ value }) => Number(value)),
      Array.from({ length: 50 }, (_, n) => n)
    )
    for (const client of clients) client.close()
  }))

test("more streams at once than allowed wait, or are refused, and none is lost", (t) =>
  visiting(
    async ({ echo }) => {
      const many = await Promise.all(
        Array.from({ length: 40 }, (_, n) => ask(echo, "Later", text(String(n))))
      )
      t.true(many.every(({ error }) => error === undefined))
    },
    { limits: { streamsPerConnectionMax: 8 } }
  ))

test("with TLS the certificate says who calls, and a bad one is shut out", async (t) => {
  const ours = authority("ours")
  const theirs = authority("theirs")
  const server = ours.issue("node01")
  const client = (tls: { key?: string; cert?: string }) =>
    grpc.credentials.createSsl(
      Buffer.from(server.ca),
      tls.key === undefined ? null : Buffer.from(tls.key),
      tls.cert === undefined ? null : Buffer.from(tls.cert)
    )
  await visiting(
    async ({ calls, port }) => {
      const visit = async (credentials: grpc.ChannelCredentials) => {
        const guest = new grpc.Client(`localhost:${port}`, credentials)
        const answer = await ask(guest, "Echo", Buffer.alloc(100_000, "x"), { deadline: Date.now() + 8_000 })
        guest.close()
        return answer
      }
      t.is((await visit(client(ours.issue("alice")))).value?.length, 100_000)
      t.is(calls.at(-1)?.peer.commonName, "alice")
      t.is(calls.at(-1)?.peer.identity?.actorId, "SYSTEM::alice")
      t.is((await visit(client({}))).error, undefined)
      t.is(calls.at(-1)?.peer.commonName, undefined)
      t.is((await visit(client(theirs.issue("mallory")))).error?.code, 14)
      t.is(calls.length, 2)
    },
    { tls: server }
  )
  ours.remove()
  theirs.remove()
})

test("a service that stops fails its calls as unavailable, and new ones, too", (t) =>
  visiting(
    async ({ address, echo }) => {
      t.is((await ask(echo, "Echo", text(""))).error?.code, 14)
      t.regex(address, /:\d+$/)
    },
    {},
    () => ({})
  ).then(async () => {
    const stopped = await Effect.runPromise(
      Effect.scoped(
        Effect.gen(function* () {
          const { address, serve } = yield* Grpc
          const scope = yield* Scope.make()
          const cancelled: Array<string> = []
          const calls: Heard["calls"] = []
          yield* Scope.extend(serve(echoes({ calls, cancelled, sent: [] })), scope)
          const client = new grpc.Client(address, grpc.credentials.createInsecure())
          const pending = ask(client, "Never", text(""))
          yield* Effect.promise(() => until(() => calls.length === 1))
          yield* Scope.close(scope, Exit.void)
          const { error } = yield* Effect.promise(() => pending)
          client.close()
          return { code: error?.code, cancelled }
        })
      ).pipe(Effect.provide(grpcListener({ limits: { drainMillisMax: 200 } })))
    )
    t.deepEqual(stopped, { code: 14, cancelled: ["/test.Echo/Never"] })
  }))

test("closing lets calls end, ends streams, says GOAWAY and then closes", async (t) => {
  const outcome = await Effect.runPromise(
    Effect.gen(function* () {
      const scope = yield* Scope.make()
      const built = yield* Layer.buildWithScope(grpcListener({ limits: { drainMillisMax: 1_000 } }), scope)
      const { address, serve } = Context.get(built, Grpc)
      // For as long as the process: what is closed here is the listener.
      const forever = yield* Scope.make()
      const calls: Heard["calls"] = []
      yield* Scope.extend(serve(echoes({ calls, cancelled: [], sent: [] })), forever)
      const port = Number(address.split(":").at(-1))
      const client = new grpc.Client(address, grpc.credentials.createInsecure())
      const later = ask(client, "Later", text("in time"))
      const idle = raw(port, hello)
      const half = connect(port, "127.0.0.1")
      half.on("error", () => {})
      half.write("GE")
      yield* Effect.promise(() => until(() => calls.length === 1 && idle.frames.length > 1))
      const startMillis = Date.now()
      yield* Scope.close(scope, Exit.void)
      const { error, value } = yield* Effect.promise(() => later)
      client.close()
      half.destroy()
      return {
        error: error?.message,
        value: String(value),
        goaway: idle.frames.some(({ type }) => type === 7),
        millis: Date.now() - startMillis
      }
    })
  )
  t.is(outcome.error, undefined)
  t.is(outcome.value, "in time")
  t.true(outcome.goaway)
  t.true(outcome.millis < 3_000)
})

test("a port that is taken fails to open by its name", (t) =>
  visiting(async ({ port }) => {
    const exit = await Effect.runPromiseExit(Effect.scoped(Grpc).pipe(Effect.provide(grpcListener({ port }))))
    t.true(Exit.isFailure(exit))
    t.regex(String(exit), /the port is in use/)
  }))

// Requests by hand

const request = (stream: number, fields: ReadonlyArray<string>): Buffer => {
  const block = fields.flatMap((field, index) => {
    const bytes = [...Buffer.from(field)]
    return index % 2 === 0 ? [0, bytes.length, ...bytes] : [bytes.length, ...bytes]
  })
  const head = Buffer.from([0, 0, 0, 1, 4, 0, 0, 0, stream])
  head.writeUIntBE(block.length, 0, 3)
  return Buffer.concat([head, Buffer.from(block)])
}

const message = (stream: number, body: string): Buffer => {
  const head = Buffer.from([0, 0, 0, 0, 1, 0, 0, 0, stream, 0, 0, 0, 0, body.length])
  head.writeUIntBE(5 + body.length, 0, 3)
  return Buffer.concat([head, Buffer.from(body)])
}
