/** The client over real sockets: nodes that restart, are killed, hang, or are no nodes at all. */
import { execFileSync, spawn } from "node:child_process"
import { once } from "node:events"
import { mkdtempSync, readFileSync, rmSync } from "node:fs"
import { createServer } from "node:http"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { createInterface } from "node:readline"
import { fileURLToPath } from "node:url"
import test from "ava"
import { Chunk, Effect, Exit, Fiber, Schema, Scope, Stream } from "effect"
import { WebSocketServer } from "ws"
import { ActorCrashed, LinkLost } from "../delivery.ts"
import { NeedsTls, Unauthenticated, Unreachable } from "../links.ts"
import { about } from "../message.ts"
import * as Client from "./client.ts"
import { Blob, GetTime, Overwound, Strike, Struck, Wind } from "./fixtures/clock-messages.ts"
import { liveNode, operatorToken } from "./fixtures/live-node.ts"
import { connect } from "./promises.ts"

const run = <A, E>(effect: Effect.Effect<A, E, Scope.Scope>): Promise<A> =>
  Effect.runPromise(Effect.scoped(effect))

const urlOf = (port: number) => `http://127.0.0.1:${port}`

const connected = (port: number, options: Partial<Client.ConnectOptions> = {}) =>
  Effect.flatMap(operatorToken, (token) => Client.connect({ url: urlOf(port), token, ...options }))

test("with a token: asks, tells and events over a real link", (t) =>
  run(
    Effect.gen(function* () {
      const { port } = yield* liveNode()
      const cloud = yield* connected(port)
      t.deepEqual(cloud.state, { _tag: "connected", node: "node01", url: urlOf(port) })
      t.is(yield* cloud.ask("/node01/clock", new GetTime({ afterMillis: 0 }), "1 second"), "node01")
      const fault = yield* Effect.flip(cloud.ask("/node01/clock", new Wind({ afterMillis: -1 }), "1 second"))
      t.true(fault instanceof Overwound)

      const events = yield* Effect.fork(
        cloud.subscribe("/node01", [Struck], { capacity: 50 }).pipe(Stream.take(60), Stream.runCollect)
      )
      yield* cloud.ask("/node01/clock", new GetTime({ afterMillis: 20 }), "1 second")
      yield* cloud.tell("/node01/clock", new Strike({ hours: 40 }))
      yield* cloud.ask("/node01/clock", new GetTime({ afterMillis: 20 }), "1 second")
      yield* cloud.tell("/node01/clock", new Strike({ hours: 20 }))
      const hours = Chunk.toReadonlyArray(yield* Fiber.join(events)).map((item) =>
        item._tag === "Struck" ? item.hour : item._tag
      )
      t.deepEqual(hours, [...Array(40).keys(), ...Array(20).keys()])
      t.is(cloud.counters.malformed, 0)
    })
  ))

test("who is not let in hears why", (t) =>
  run(
    Effect.gen(function* () {
      const { port } = yield* liveNode({ clientsMax: 1 })
      const refused = (options: Partial<Client.ConnectOptions>) => Effect.flip(connected(port, options))
      const forged = yield* refused({ token: "forged" })
      t.true(forged instanceof Unauthenticated)
      t.regex(forged.message, /^node01 lets nobody in .*the token is malformed/)
      t.is((yield* refused({ cluster: "another" }))._tag, "ClusterMismatch")
      t.true((yield* refused({ url: "http://10.0.0.1:7700" })) instanceof NeedsTls)
      t.true((yield* refused({ url: "nonsense" })) instanceof Unreachable)
      const nobody = yield* refused({ url: urlOf(1) })
      t.regex(nobody.message, /^no link to http:\/\/127.0.0.1:1: connect ECONNREFUSED/)
      yield* connected(port)
      t.is((yield* refused({}))._tag, "TooManyClients")
      t.is((yield* refused({ url: [urlOf(1), urlOf(port)] }))._tag, "TooManyClients")
    })
  ))

test("what answers may be anything", async (t) => {
  const http = createServer((_request, response) => response.end("hello"))
  const mute = new WebSocketServer({ port: 0, host: "127.0.0.1" })
  const babbling = new WebSocketServer({ port: 0, host: "127.0.0.1" })
  babbling.on("connection", (socket) => socket.send("0nonsense"))
  await Promise.all([once(http.listen(0, "127.0.0.1"), "listening")])
  const portOf = (server: { address(): unknown }) => Number(Reflect.get(Object(server.address()), "port"))
  const fault = (server: { address(): unknown }) => run(Effect.flip(connected(portOf(server))))
  t.true((await fault(http)) instanceof Unreachable)
  t.regex((await fault(babbling)).message, /what answered is no node/)
  t.regex((await fault(mute)).message, /no answer within 5 s|timeout/)
  http.close()
  mute.close()
  babbling.close()
})

test("a node restarts on its port: what it cannot answer any more ends, what was asked meanwhile is answered, events go on", (t) =>
  run(
    Effect.gen(function* () {
      const life = yield* Scope.make()
      const { port } = yield* Scope.extend(liveNode(), life)
      const cloud = yield* connected(port)
      const states: Array<string> = []
      yield* Effect.forkScoped(
        Stream.runForEach(cloud.states, ({ _tag }) => Effect.sync(() => states.push(_tag)))
      )
      const items: Array<unknown> = []
      yield* Effect.forkScoped(
        Stream.runForEach(cloud.subscribe("/node01", [Struck]), (item) => Effect.sync(() => items.push(item)))
      )
      const winding = yield* Effect.fork(
        Effect.flip(cloud.ask("/node01/clock", new Wind({ afterMillis: 300 }), "10 seconds"))
      )
      yield* Effect.sleep("100 millis")
      yield* Scope.close(life, Exit.void)
      // A node that stops in order says so, if its link lives long enough to carry it.
      const ended = yield* Fiber.join(winding)
      t.true(ended instanceof ActorCrashed || ended instanceof LinkLost, ended.message)
      const looking = yield* Effect.fork(
        cloud.ask("/node01/clock", new GetTime({ afterMillis: 0 }), "10 seconds")
      )
      yield* Effect.sleep("100 millis")
      yield* liveNode({ port })
      t.is(yield* Fiber.join(looking), "node01")
      yield* cloud.tell("/node01/clock", new Strike({ hours: 1 }))
      yield* cloud.ask("/node01/clock", new GetTime({ afterMillis: 20 }), "1 second")
      t.deepEqual(
        items.map((item) => Reflect.get(Object(item), "_tag")),
        ["Resumed", "Struck"]
      )
      t.is(states[0], "connected")
      t.true(states.includes("reconnecting"))
      t.is(states.at(-1), "connected")
    })
  ))

test("a node's process is killed, and another takes its place", (t) =>
  run(
    Effect.gen(function* () {
      const first = yield* nodeProcess(0)
      const cloud = yield* connected(first.port)
      const winding = yield* Effect.fork(
        Effect.flip(cloud.ask("/node01/clock", new Wind({ afterMillis: 60_000 }), "60 seconds"))
      )
      const looking = yield* Effect.fork(
        cloud.ask("/node01/clock", new GetTime({ afterMillis: 1_000 }), "20 seconds")
      )
      yield* Effect.sleep("200 millis")
      first.child.kill("SIGKILL")
      t.true((yield* Fiber.join(winding)) instanceof LinkLost)
      const quick = yield* Effect.flip(
        cloud.ask("/node01/clock", new GetTime({ afterMillis: 0 }), "50 millis")
      )
      t.like(quick, { _tag: "ActorUnavailable", definite: true })
      yield* nodeProcess(first.port)
      t.is(yield* Fiber.join(looking), "node01")
    })
  ))

test("a node that hangs is missed in time, and asks of it end", (t) =>
  run(
    Effect.gen(function* () {
      const { child, port } = yield* nodeProcess(0)
      const cloud = yield* connected(port)
      child.kill("SIGSTOP")
      const startedMillis = performance.now()
      const lost = yield* Effect.flip(cloud.ask("/node01/clock", new Wind({ afterMillis: 0 }), "1 minute"))
      t.true(lost instanceof LinkLost)
      t.true(performance.now() - startedMillis < 7_000)
      child.kill("SIGCONT")
      t.is(yield* cloud.ask("/node01/clock", new GetTime({ afterMillis: 0 }), "20 seconds"), "node01")
    })
  ))

test("large messages cross both ways while small ones go on, and many asks go at once", (t) =>
  run(
    Effect.gen(function* () {
      const { port } = yield* liveNode()
      const cloud = yield* connected(port)
      const bytes = new Uint8Array(10 * 1024 * 1024).fill(7)
      const blob = yield* Effect.fork(cloud.ask("/node01/clock", new Blob({ bytes }), "20 seconds"))
      t.is(yield* cloud.ask("/node01/clock", new GetTime({ afterMillis: 0 }), "20 seconds"), "node01")
      t.deepEqual((yield* Fiber.join(blob)).length, bytes.length)
      const tooLarge = new Blob({ bytes: new Uint8Array(17 * 1024 * 1024) })
      t.is((yield* Effect.flip(cloud.ask("/node01/clock", tooLarge, "1 second")))._tag, "MessageTooLarge")

      const asks = 20_000
      const startedMillis = performance.now()
      const small = new Blob({ bytes: new Uint8Array(8) })
      yield* Effect.forEach(Array(asks), () => cloud.ask("/node01/clock", small, "20 seconds"), {
        concurrency: 500,
        discard: true
      })
      const millis = performance.now() - startedMillis
      t.log(`${Math.round((asks / millis) * 1_000)} asks a second, 500 at a time, node in the same process`)
      t.is(cloud.counters.pending, 0)
    })
  ))

// Promises

test("with promises: the same, rejected with the fault itself", async (t) => {
  const scope = Effect.runSync(Scope.make())
  const { port } = await Effect.runPromise(Scope.extend(liveNode(), scope))
  const token = await Effect.runPromise(operatorToken)
  await t.throwsAsync(connect({ url: urlOf(port), token: "forged" }), { instanceOf: Unauthenticated })
  const cloud = await connect({ url: urlOf(port), token })
  const time: string = await cloud.ask("/node01/clock", new GetTime({ afterMillis: 0 }), "1 second")
  t.is(time, "node01")
  await t.throwsAsync(cloud.ask("/node01/clock", new Wind({ afterMillis: -1 }), 1_000), {
    instanceOf: Overwound,
    message: "it is wound up already"
  })
  const aborting = new AbortController()
  const aborted = cloud.ask("/node01/clock", new Wind({ afterMillis: 60_000 }), "1 minute", aborting)
  setTimeout(() => aborting.abort(new Error("never mind")), 50)
  await t.throwsAsync(aborted, { message: "never mind" })
  t.is(cloud.counters.pending, 0)

  const seen: Array<number> = []
  const struck = cloud.subscribe("/node01", [Struck])
  setTimeout(() => void cloud.tell("/node01/clock", new Strike({ hours: 9 })), 100)
  for await (const item of struck) {
    if (item._tag === "Struck") seen.push(item.hour)
    if (seen.length === 5) break
  }
  t.deepEqual(seen, [0, 1, 2, 3, 4])
  const stopping = new AbortController()
  setTimeout(() => stopping.abort(), 50)
  for await (const _ of cloud.subscribe("/node01", [Struck], stopping)) t.fail()

  await cloud.tell("/node01/nobody", new Strike({ hours: 1 }))
  await cloud.close()
  t.is(cloud.state._tag, "closed")
  await t.throwsAsync(cloud.ask("/node01/clock", new GetTime({ afterMillis: 0 }), 1_000), {
    message: /link lost/
  })
  await Effect.runPromise(Scope.close(scope, Exit.void))
})

test("a program that closes its client ends by itself", async (t) => {
  const scope = Effect.runSync(Scope.make())
  const { port } = await Effect.runPromise(Scope.extend(liveNode(), scope))
  const token = await Effect.runPromise(operatorToken)
  const program = `
    import { connect } from "#protocols/client/promises.ts"
    const cloud = await connect({ url: "${urlOf(port)}", token: "${token}" })
    await cloud.close()
    process.stdout.write(cloud.state._tag)
  `
  const child = spawn(process.execPath, ["--input-type=module-typescript", "-e", program], {
    cwd: fileURLToPath(new URL("../..", import.meta.url)),
    stdio: ["ignore", "pipe", "inherit"]
  })
  const said: Array<string> = []
  createInterface(child.stdout).on("line", (line) => said.push(line))
  const [code] = await once(child, "close", { signal: AbortSignal.timeout(10_000) })
  t.deepEqual([code, said], [0, ["closed"]])
  await Effect.runPromise(Scope.close(scope, Exit.void))
})

test("under TLS a node is believed if its certificate is from the authority, and is its own", (t) =>
  run(
    Effect.gen(function* () {
      const tls = certificateOf("node01")
      const { port } = yield* liveNode({ tls })
      const url = `https://127.0.0.1:${port}`
      const cloud = yield* connected(port, { url, ca: tls.ca })
      t.is(yield* cloud.ask("/node01/clock", new GetTime({ afterMillis: 0 }), "1 second"), "node01")
      t.regex((yield* Effect.flip(connected(port, { url }))).message, /certificate/)
      const { ca } = certificateOf("node01")
      t.regex((yield* Effect.flip(connected(port, { url, ca }))).message, /certificate/)
      const impostor = yield* liveNode({ tls, name: "node02" })
      const fault = yield* Effect.flip(
        connected(port, { url: `https://127.0.0.1:${impostor.port}`, ca: tls.ca })
      )
      t.is(fault._tag, "NotANode")
    })
  ))

test("requests say themselves whether they may be repeated", (t) => {
  t.deepEqual([about(GetTime).repeatable, about(Wind).repeatable], [true, false])
  t.true(Schema.isSchema(GetTime))
})

/** Signed by itself, which makes it its own authority. */
const certificateOf = (name: string) => {
  const directory = mkdtempSync(join(tmpdir(), "client-tls-"))
  try {
    const files = ["-keyout", "key.pem", "-out", "cert.pem"]
    const curve = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1"]
    execFileSync(
      "openssl",
      ["req", "-x509", "-nodes", "-days", "2", ...curve, ...files, "-subj", `/CN=${name}`],
      {
        cwd: directory,
        stdio: "pipe"
      }
    )
    const read = (file: string) => readFileSync(join(directory, file), "utf8")
    return { key: read("key.pem"), cert: read("cert.pem"), ca: read("cert.pem") }
  } finally {
    rmSync(directory, { recursive: true })
  }
}

const nodeProcess = (port: number) =>
  Effect.acquireRelease(
    Effect.promise(async () => {
      const path = fileURLToPath(new URL("./fixtures/live-node.ts", import.meta.url))
      const child = spawn(process.execPath, [path, String(port)], { stdio: ["ignore", "pipe", "inherit"] })
      const [line] = await once(createInterface(child.stdout), "line", {
        signal: AbortSignal.timeout(20_000)
      })
      return { child, port: Number(line) }
    }),
    ({ child }) => Effect.sync(() => child.kill("SIGKILL"))
  )
