/** Three listeners, callers with addresses of their own, and what goes between them as the weather has it. */
import { once } from "node:events"
import { connect, createServer, type Socket } from "node:net"
import test from "ava"
import { Context, Effect, Layer, type Scope } from "effect"
import { comesAbout } from "#actors/kernel/fixtures/eventually.ts"
import { WorldClock } from "#actors/kernel/ports/clock.ts"
import { LiveWorld } from "#actors/platform/live-world.ts"
import { fairNetwork, Network } from "#chaos/faults/action.ts"
import { Prng } from "#chaos/sim/prng.ts"
import { freePorts } from "./free-ports.ts"
import { type ProxiedNode, StreamProxy } from "./stream-proxy.ts"
import { pairsOf, StreamWeather, windowBytes } from "./stream-weather.ts"

const names = ["a", "b", "c"]

const town = Effect.gen(function* () {
  const clock = Context.get(yield* Layer.build(LiveWorld), WorldClock)
  const ports = yield* freePorts(6, ["127.0.0.1"])
  const nodes = names.map(
    (name, index): ProxiedNode => ({
      name,
      reachedAt: { host: "127.0.0.1", port: ports[2 * index] ?? 0 },
      listensAt: { host: "127.0.0.1", port: ports[2 * index + 1] ?? 0 },
      dialsFrom: `127.0.0.${11 + index}`
    })
  )
  const weather = new StreamWeather(new Prng(1))
  const proxy = yield* StreamProxy.open(nodes, weather, clock)
  const opened = new Set<Socket>()
  const keep = (socket: Socket) => opened.add(socket.on("error", () => {}))
  yield* Effect.addFinalizer(() => Effect.sync(() => opened.forEach((socket) => void socket.destroy())))
  const find = (name: string): ProxiedNode => {
    const found = nodes.find((node) => node.name === name)
    if (found === undefined) throw new Error(`there is no ${name}`)
    return found
  }
  /** What came in there, one socket for each caller. */
  const listen = (name: string) =>
    Effect.acquireRelease(
      Effect.async<{ readonly callers: Array<Heard>; readonly close: () => void }>((resume) => {
        const callers: Array<Heard> = []
        const server = createServer({ allowHalfOpen: true }, (socket) => {
          keep(socket)
          callers.push(new Heard(socket))
        })
        const { host, port } = find(name).listensAt
        server.listen(port, host, () => resume(Effect.succeed({ callers, close: () => server.close() })))
      }),
      ({ close }) => Effect.sync(close)
    )
  const dial = (from: string, to: string): Heard => {
    const socket = connect({ ...find(to).reachedAt, localAddress: find(from).dialsFrom, allowHalfOpen: true })
    keep(socket)
    return new Heard(socket)
  }
  const change = (how: () => void) => {
    how()
    proxy.turn()
  }
  return { weather, proxy, listen, dial, change, nodes }
})

class Heard {
  readonly socket: Socket
  text = ""
  bytes = 0
  hasEnded = false
  how = ""
  constructor(socket: Socket) {
    this.socket = socket
    socket.on("data", (data: Buffer) => {
      this.bytes += data.length
      this.text = (this.text + data.toString()).slice(-100)
    })
    socket.on("end", () => {
      this.hasEnded = true
    })
    socket.on("close", (broken) => {
      this.how = broken ? "reset" : "closed"
    })
  }
}

const run = <A, E>(program: Effect.Effect<A, E, Scope.Scope>) => Effect.runPromise(Effect.scoped(program))

test("what is cut waits and comes in order once it is mended; the other way and others go on", (t) =>
  run(
    Effect.gen(function* () {
      const { change, dial, listen, weather } = yield* town
      const { callers } = yield* listen("b")
      const near = dial("a", "b")
      const far = yield* comesAbout("b has a caller", () => callers[0])
      const bystander = dial("c", "b")
      const there = yield* comesAbout("b has another", () => callers[1])
      change(() => weather.cut(pairsOf(["a"], ["b"])))
      near.socket.write("one ")
      near.socket.end("two")
      far.socket.write("back")
      bystander.socket.write("x")
      yield* comesAbout("the other way", () => near.text === "back")
      yield* comesAbout("somebody else", () => there.text === "x")
      t.deepEqual([far.text, far.hasEnded], ["", false])
      change(() => weather.mend(pairsOf(["a"], ["b"])))
      yield* comesAbout("all of it, and its end", () => far.text === "one two" && far.hasEnded)
      t.pass()
    })
  ))

test("nobody behind a cut hears that the other end was killed, until it is mended", (t) =>
  run(
    Effect.gen(function* () {
      const { change, dial, listen, proxy, weather } = yield* town
      const { callers } = yield* listen("b")
      const near = dial("a", "b")
      const far = yield* comesAbout("b has a caller", () => callers[0])
      change(() => weather.cut([...pairsOf(["a"], ["b"]), ...pairsOf(["b"], ["a"])]))
      near.socket.resetAndDestroy()
      const witness = dial("c", "b")
      witness.socket.write("x")
      yield* comesAbout("others are heard", () => callers[1]?.text === "x")
      t.is(far.how, "")
      change(() => weather.mend(pairsOf(["a"], ["b"])))
      yield* comesAbout("it hears of it", () => far.how !== "")
      far.socket.destroy()
      change(() => weather.mend(pairsOf(["b"], ["a"])))
      witness.socket.destroy()
      yield* comesAbout("b gives up the other one", () => callers[1]?.hasEnded)
      callers[1]?.socket.end()
      yield* comesAbout("nothing is left of them", () => proxy.connections.length === 0)
      t.pass()
    })
  ))

test("through a cut no connection is made; one that waits for it gets through, one that gave up has never been", (t) =>
  run(
    Effect.gen(function* () {
      const { change, dial, listen, proxy, weather } = yield* town
      const { callers } = yield* listen("b")
      change(() => weather.cut(pairsOf(["b"], ["a"])))
      const patient = dial("a", "b")
      patient.socket.write("patient")
      const other = dial("a", "b")
      other.socket.end("other")
      yield* comesAbout("one waits", () => proxy.connections.length === 1 && other.how !== "")
      t.is(callers.length, 0)
      change(() => weather.mend(pairsOf(["b"], ["a"])))
      yield* comesAbout("it got through", () => callers[0]?.text === "patient")
      t.is(callers.length, 1)
    })
  ))

test("where nobody listens the caller is refused, and who is none of the cluster too", (t) =>
  run(
    Effect.gen(function* () {
      const { dial, nodes, proxy } = yield* town
      const refused = dial("a", "b")
      yield* comesAbout("it is refused", () => refused.how !== "")
      const stranger = connect({ ...(nodes[1]?.reachedAt ?? { port: 0 }), localAddress: "127.0.0.99" })
      yield* Effect.promise(() => once(stranger, "close"))
      t.deepEqual(proxy.connections, [])
    })
  ))

test("a sender to whom nothing comes back is held up, and what waits is bounded", (t) =>
  run(
    Effect.gen(function* () {
      const { change, dial, listen, weather } = yield* town
      const { callers } = yield* listen("b")
      const near = dial("a", "b")
      const far = yield* comesAbout("b has a caller", () => callers[0])
      change(() => weather.cut(pairsOf(["b"], ["a"])))
      const mebibyte = Buffer.alloc(1024 * 1024)
      const sent = 64
      for (let count = 0; count < sent; count++) near.socket.write(mebibyte)
      yield* comesAbout("a window came", () => far.bytes >= windowBytes)
      yield* Effect.sleep("100 millis")
      t.true(far.bytes < 2 * 1024 * 1024, `${far.bytes}`)
      t.true(near.socket.writableLength > 0, "the kernel takes no more")
      change(() => weather.mend(pairsOf(["b"], ["a"])))
      yield* comesAbout("all came", () => far.bytes === sent * mebibyte.length)
      t.pass()
    })
  ))

test("a network that delays and loses delivers all of it, later", (t) =>
  run(
    Effect.gen(function* () {
      const { change, dial, listen, weather } = yield* town
      const { callers } = yield* listen("b")
      const near = dial("a", "b")
      const far = yield* comesAbout("b has a caller", () => callers[0])
      change(() => weather.set(new Network({ ...fairNetwork, delayMillis: 50, jitterMillis: 20, loss: 0.1 })))
      const beganMillis = performance.now()
      const text = Array.from({ length: 20 }, (_, index) => `${index} `)
      for (const word of text) near.socket.write(word)
      yield* comesAbout("all came", () => far.text === text.join(""))
      t.true(performance.now() - beganMillis >= 50)
    })
  ))
