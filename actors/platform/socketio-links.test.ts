/** Links for real: sockets, processes that hang and die, garbage on the wire. */
import { spawn } from "node:child_process"
import { connect as connectTcp, createServer, type Server } from "node:net"
import { createInterface } from "node:readline"
import { fileURLToPath } from "node:url"
import test from "ava"
import { Effect, Exit, Option, Predicate, Scope } from "effect"
import { WebSocketServer } from "ws"
import { packetParser } from "#protocols/client/packet-parser.ts"
import { linksContract } from "../kernel/fixtures/links-contract.ts"
import { silenceMillisMax } from "../kernel/ports/links.ts"
import {
  eventually,
  everybody,
  guarded,
  heardOf,
  introduction,
  keyText,
  node,
  operator,
  run,
  silent,
  tokens,
  visit
} from "./fixtures/link-visits.ts"
import { endpointOf } from "./link-address.ts"

for (const { check, title } of linksContract) {
  test(`${title} (contract)`, (t) =>
    run(
      Effect.gen(function* () {
        yield* check({
          node: (self) => node(self.name, { self })
        })
        t.pass()
      })
    ))
}

// Accidents

const fixture = (name: string, order: string, address = "") =>
  Effect.acquireRelease(
    Effect.sync(() => {
      const path = fileURLToPath(new URL("./fixtures/linked-node.ts", import.meta.url))
      const child = spawn(process.execPath, [path, keyText, name, order, address], {
        stdio: ["ignore", "pipe", "pipe"]
      })
      const said: Array<unknown> = []
      let errors = ""
      createInterface(child.stdout).on("line", (line) => said.push(JSON.parse(line)))
      child.stderr.on("data", (chunk) => {
        errors += String(chunk)
      })
      const find = (property: string) =>
        said.find((value) => Predicate.hasProperty(value, property)) as Record<string, unknown> | undefined
      return {
        child,
        errors: () => errors,
        says: (property: string) =>
          Effect.map(
            eventually(() => find(property) !== undefined),
            () => String(find(property)?.[property])
          )
      }
    }),
    ({ child }) => Effect.sync(() => child.kill("SIGKILL"))
  )

test("a process that hangs is missed in time, whoever dialed, and misses us when it wakes", (t) =>
  run(
    Effect.gen(function* () {
      const { links } = yield* guarded("near")
      const dialedUs = heardOf()
      yield* links.admit("nodes", { refuses: () => undefined, opened: () => dialedUs.listener })
      const caller = yield* fixture("caller", "dial", links.self.address)
      yield* caller.says("linked")
      const callee = yield* fixture("callee", "serve")
      const weDialed = heardOf()
      const link = yield* links.dial(yield* callee.says("address"), () => weDialed.listener)
      link.send([["withdraw", 1]])
      yield* eventually(() => weDialed.batches.length === 1)

      const stoppedMillis = performance.now()
      process.kill(caller.child.pid ?? 0, "SIGSTOP")
      process.kill(callee.child.pid ?? 0, "SIGSTOP")
      const noticed: Array<number> = []
      yield* eventually(() => {
        const count = dialedUs.closed.length + weDialed.closed.length
        if (count > noticed.length) noticed.push(performance.now() - stoppedMillis)
        return count === 2
      })
      t.log(`noticed after ${noticed.map((millis) => millis.toFixed(0)).join(" and ")} ms`)
      for (const millis of noticed) t.true(millis <= silenceMillisMax)
      t.deepEqual(
        [...dialedUs.closed, ...weDialed.closed],
        Array(2).fill("nothing was heard from the other end for 5.5 s")
      )
      process.kill(caller.child.pid ?? 0, "SIGCONT")
      process.kill(callee.child.pid ?? 0, "SIGCONT")
      yield* Effect.all([caller.says("closed"), callee.says("closed")])
    })
  ))

test("kill -9 of the other end is heard at once, whoever dialed", (t) =>
  run(
    Effect.gen(function* () {
      const { links } = yield* guarded("near")
      const dialedUs = heardOf()
      yield* links.admit("nodes", { refuses: () => undefined, opened: () => dialedUs.listener })
      const caller = yield* fixture("caller", "dial", links.self.address)
      const callee = yield* fixture("callee", "serve")
      const weDialed = heardOf()
      yield* links.dial(yield* callee.says("address"), () => weDialed.listener)
      yield* caller.says("linked")

      const killedMillis = performance.now()
      caller.child.kill("SIGKILL")
      callee.child.kill("SIGKILL")
      yield* eventually(() => dialedUs.closed.length + weDialed.closed.length === 2)
      const millis = performance.now() - killedMillis
      t.log(`heard after ${millis.toFixed(0)} ms`)
      t.true(millis < 1_000)
    })
  ))

test("once its links are closed nothing keeps a process alive, and nothing was logged", (t) =>
  run(
    Effect.gen(function* () {
      const { links } = yield* guarded("near")
      const leaving = yield* fixture("leaving", "leave", links.self.address)
      const exit = new Promise((resolve) => leaving.child.once("exit", resolve))
      t.is(yield* Effect.promise(() => exit), 0)
      t.is(leaving.errors(), "")
    })
  ))

test("a message that is too large ends its own link only, at both ends", (t) =>
  run(
    Effect.gen(function* () {
      const far = yield* node("far")
      const inside = heardOf()
      yield* far.admit("nodes", { refuses: () => undefined, opened: () => inside.listener })
      const [one, two] = [heardOf(), heardOf()]
      const near = yield* node("near")
      const large = yield* near.dial(far.self.address, () => one.listener)
      const small = yield* near.dial(far.self.address, () => two.listener)
      large.send([["part", new Uint8Array(5 * 1024 * 1024)]])
      yield* eventually(() => one.closed.length === 1 && inside.closed.length === 1)
      small.send([["withdraw", 1]])
      yield* eventually(() => inside.batches.length === 1)
      t.deepEqual(two.closed, [])
      t.log(one.closed, inside.closed)
    })
  ))

test("garbage on the wire harms nobody else", (t) =>
  run(
    Effect.gen(function* () {
      const far = yield* node("far")
      const inside = heardOf()
      yield* far.admit("nodes", { refuses: () => undefined, opened: () => inside.listener })
      yield* far.admit("actors", everybody)
      const near = yield* node("near")
      const outside = heardOf()
      const link = yield* near.dial(far.self.address, () => outside.listener)

      const { port = 0 } = endpointOf(far.self.address) ?? {}
      const upgrade =
        "GET /socket.io/?EIO=4&transport=websocket HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"
      const rawly = (...chunks: ReadonlyArray<string | Uint8Array>) =>
        Effect.async<void>((resume) => {
          const socket = connectTcp(port, "127.0.0.1", () => {
            for (const chunk of chunks) socket.write(chunk)
          })
          socket.on("error", () => {}).on("data", () => {})
          const overdue = setTimeout(() => socket.resetAndDestroy(), 300)
          socket.once("close", () => {
            clearTimeout(overdue)
            resume(Effect.void)
          })
        })
      const masked = (opcode: number, payload: Uint8Array) =>
        Uint8Array.of(0x80 | opcode, 0x80 | payload.length, 0, 0, 0, 0, ...payload)
      const bytes = (text: string) => new TextEncoder().encode(text)
      const noise = Uint8Array.from({ length: 5_000 }, (_, index) => (index * 7919) % 256)
      yield* Effect.all(
        [
          rawly("\u0000\u0001garbage\r\n\r\n"),
          rawly("GET /other HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n"),
          rawly("GET /socket.io/?EIO=3&transport=websocket HTTP/1.1\r\nHost: x\r\n\r\n"),
          rawly(upgrade, noise),
          rawly(upgrade, masked(2, noise.subarray(0, 100))),
          rawly(upgrade, masked(1, bytes("2probe"))),
          rawly(upgrade, masked(1, bytes('4["frames"]')), masked(1, bytes("9"))),
          // A frame that says it is 2^60 bytes long.
          rawly(upgrade, Uint8Array.of(0x82, 0xff, 0x10, 0, 0, 0, 0, 0, 0, 0, 1, 2, 3, 4)),
          // Frames before it is in, and a connect without its data.
          rawly(
            upgrade,
            masked(
              2,
              packetParser.Encoder.prototype.encode({ type: 2, nsp: "/nodes", data: ["frames", []] })[0]!
            )
          ),
          rawly(upgrade, masked(2, packetParser.Encoder.prototype.encode({ type: 0, nsp: "/nodes" })[0]!))
        ],
        { concurrency: "unbounded" }
      )

      // One that is in, and sends what is no packet: it is told so as a batch that is none.
      const client = heardOf()
      yield* far.admit("ops", { refuses: () => undefined, opened: () => client.listener })
      const auth = { introduction, token: yield* tokens.sign(operator) }
      const { manager } = yield* visit(far.self.address, { entrance: "ops", auth })
      manager.engine.write(Buffer.from([0xc1]))
      manager.engine.write("text")
      yield* eventually(() => client.batches.length === 2)
      t.deepEqual(client.batches, [undefined, undefined])
      t.deepEqual(client.closed, [])

      link.send([["withdraw", 1]])
      yield* eventually(() => inside.batches.length === 1)
      t.deepEqual([...inside.closed, ...outside.closed], [])
    })
  ))

test("what answers a dial may be anything", (t) =>
  run(
    Effect.gen(function* () {
      const near = yield* node("near")
      const openings = ["0garbage", "0null", '0{"sid":"x","upgrades":[],"pingInterval":1e9}', "4", "2", ""]
      for (const opening of openings) {
        const server = yield* websocketServer(opening)
        const dialing = near.dial(`127.0.0.1:${portOf(server.address())}`, () => silent)
        if (opening === "") {
          // It says nothing: the dialer gives up, and leaves nothing.
          t.true(Option.isNone(yield* Effect.timeoutOption(dialing, "200 millis")))
        } else
          t.like(yield* Effect.flip(dialing), { _tag: "Unreachable", reason: "what answered is no node" })
        yield* eventually(() => server.clients.size === 0)
      }
    })
  ))

const websocketServer = (opening: string) =>
  Effect.acquireRelease(
    Effect.async<WebSocketServer>((resume) => {
      const server: WebSocketServer = new WebSocketServer({ port: 0, host: "127.0.0.1" }, () =>
        resume(Effect.succeed(server))
      )
      server.on("connection", (socket) => opening !== "" && socket.send(opening))
    }),
    (server) =>
      Effect.sync(() => {
        for (const client of server.clients) client.terminate()
        server.close()
      })
  )

const portOf = (bound: unknown): number =>
  Predicate.hasProperty(bound, "port") && typeof bound.port === "number" ? bound.port : 0

test("closing the links gives up what is being dialed", (t) =>
  run(
    Effect.gen(function* () {
      const scope = yield* Scope.make()
      const near = yield* Scope.extend(node("near"), scope)
      let answered = 0
      const mute = yield* Effect.acquireRelease(
        Effect.async<Server>((resume) => {
          const server = createServer((socket) => {
            answered++
            socket.on("error", () => {})
          }).listen(0, "127.0.0.1", () => resume(Effect.succeed(server)))
        }),
        (server) => Effect.sync(() => server.close())
      )
      const port = portOf(mute.address())
      const dialing = yield* Effect.fork(Effect.flip(near.dial(`127.0.0.1:${port}`, () => silent)))
      yield* eventually(() => answered === 1)
      yield* Scope.close(scope, Exit.void)
      const fault = yield* dialing
      t.regex(fault.message, /the node closed its links/)
      t.regex((yield* Effect.flip(near.dial("127.0.0.1:1", () => silent))).message, /closed its links/)
    })
  ))

test("links leave the machine only under TLS, or when somebody insists", (t) =>
  run(
    Effect.gen(function* () {
      const fault = yield* Effect.flip(node("far", { host: "0.0.0.0" }))
      t.like(fault, { _tag: "NeedsTls", address: "0.0.0.0:0" })
      const near = yield* node("near")
      t.like(yield* Effect.flip(near.dial("10.1.2.3:7700", () => silent)), { _tag: "NeedsTls" })
      t.like(yield* Effect.flip(near.dial("node02:7700", () => silent)), { _tag: "NeedsTls" })
      t.like(yield* Effect.flip(near.dial("node02", () => silent)), { _tag: "Unreachable" })
      const open = yield* node("far", { host: "0.0.0.0", insecure: true })
      t.regex(open.self.address, /^[^:]+:[1-9]\d*$/)
    })
  ))

test("a port that is in use cannot be opened, nor one with a key that is none", (t) =>
  run(
    Effect.gen(function* () {
      const { self } = yield* node("far")
      const { port = 0 } = endpointOf(self.address) ?? {}
      const fault = yield* Effect.flip(node("far", { port }))
      t.is(
        fault.message,
        `cannot listen on ${self.address}: the port is in use; free the port or choose another`
      )
      const bad = { key: "secret secret", cert: "none", ca: "none" }
      const fault2 = yield* Effect.flip(node("far", { tls: bad }))
      t.is(fault2._tag, "ListenFailed")
      t.false(fault2.message.includes("secret"))
    })
  ))
