/** Who is let in and who is not: tokens, certificates, entrances. Certificates are made with openssl. */
import { execFileSync } from "node:child_process"
import { readFileSync } from "node:fs"
import { connect as connectTcp, createServer, type Server } from "node:net"
import { join } from "node:path"
import { inspect } from "node:util"
import test from "ava"
import { Deferred, Effect, Predicate, Redacted } from "effect"
import { UnsecuredJWT } from "jose"
import { WebSocket } from "ws"
import { packetParser } from "#protocols/client/packet-parser.ts"
import type { Entrance, Link } from "../kernel/ports/links.ts"
import type { LinkTls } from "./certificates.ts"
import {
  admin,
  claims,
  cluster,
  eventually,
  guarded,
  introduction,
  jwt,
  node,
  nowSeconds,
  operator,
  run,
  silent,
  temporaryDirectory,
  tokens,
  visit
} from "./fixtures/link-visits.ts"
import { endpointOf } from "./link-address.ts"
import { type Tokens, tokensOf } from "./tokens.ts"

// biome-ignore format: a matrix
const unauthenticated: ReadonlyArray<readonly [title: string, token: () => Promise<unknown> | unknown, reason: RegExp]> = [
  ["no token", () => undefined, /neither/],
  ["an empty token", () => "", /malformed/],
  ["garbage for a token", () => "garbage.garbage.garbage", /malformed/],
  ["a token of another key", () => jwt(claims, cluster, new Uint8Array(32)), /another key/],
  ["a token for another cluster", () => jwt(claims, "elsewhere"), /another cluster/],
  ["an expired token", () => jwt({ ...claims, exp: nowSeconds() - 60 }), /expired/],
  ["a token that is not yet good", () => jwt({ ...claims, nbf: nowSeconds() + 600 }), /nbf/],
  ["an unsigned token", () => new UnsecuredJWT(claims).setIssuer(cluster).encode(), /not signed with HS256|malformed/],
  ["a token of another algorithm", () => jwt(claims, cluster, new Uint8Array(64), "HS512"), /not signed with HS256/],
  ["a token of nobody", () => jwt({ grants: admin }), /whose/],
  ["a token without grants", () => jwt({ sub: "HUMAN::operator" }), /grants/],
  ["a token with strange grants", () => jwt({ ...claims, grants: [{ permission: "god", prefix: "/" }] }), /grants/],
  ["a huge token", () => "x".repeat(20_000), /too long/]
]

for (const [title, token, reason] of unauthenticated) {
  test(`${title} opens no door, and both ends know why`, (t) =>
    run(
      Effect.gen(function* () {
        const { links, refused } = yield* guarded("far")
        const shown = yield* Effect.promise(async () => token())
        const auth = shown === undefined ? { introduction } : { introduction, token: shown }
        const { events, fault } = yield* visit(links.self.address, { auth })
        t.true(Predicate.hasProperty(fault, "reason") && Predicate.hasProperty(fault, "_tag"))
        t.like(fault, { _tag: "Unauthenticated", node: "far" })
        t.regex(String(Predicate.hasProperty(fault, "reason") && fault.reason), reason)
        t.deepEqual(
          refused.map(([name, { _tag }]) => [name, _tag]),
          [["visitor", "Unauthenticated"]]
        )
        t.deepEqual(events, [])
        if (typeof shown === "string" && shown.length > 0) t.false(inspect(fault).includes(shown))
      })
    ))
}

test("who is refused hears why, nothing else, and is cut off", (t) =>
  run(
    Effect.gen(function* () {
      const { links } = yield* guarded("far")
      const heard: Array<unknown> = []
      const decoder = new packetParser.Decoder().on("decoded", (packet) => heard.push(packet))
      const socket = new WebSocket(`ws://${links.self.address}/socket.io/?EIO=4&transport=websocket`)
      const closed = new Promise((resolve) => socket.once("close", resolve))
      socket.on("message", (data, isBinary) => {
        if (isBinary) return decoder.add(data)
        const auth = { introduction, token: "no" }
        for (const bytes of new packetParser.Encoder().encode({ type: 0, nsp: "/ops", data: auth }))
          socket.send(bytes)
      })
      yield* Effect.promise(() => closed)
      t.is(heard.length, 1)
      t.like(heard[0], { type: 4, nsp: "/ops", data: { data: { _tag: "Unauthenticated" } } })
    })
  ))

test("who does not introduce himself is nobody", (t) =>
  run(
    Effect.gen(function* () {
      const { links, refused } = yield* guarded("far")
      const token = yield* tokens.sign(operator)
      for (const auth of [
        {},
        { token },
        { introduction: 7, token },
        { introduction: { name: "x" }, token }
      ]) {
        const { fault } = yield* visit(links.self.address, { auth })
        t.like(fault, { _tag: "Unauthenticated", reason: "there was no introduction" })
      }
      t.deepEqual(
        refused.map(([name]) => name),
        [undefined, undefined, undefined, undefined]
      )
    })
  ))

test("a client comes in at its entrances, is not shown our token, and not among nodes", (t) =>
  run(
    Effect.gen(function* () {
      const { links, refused } = yield* guarded("far")
      const auth = { introduction, token: yield* tokens.sign(operator) }
      for (const entrance of ["actors", "ops"] as const) {
        const { events } = yield* visit(links.self.address, { entrance, auth })
        t.deepEqual(events, [["welcome", { introduction: links.self }]])
      }
      const { fault } = yield* visit(links.self.address, { entrance: "nodes", auth })
      t.like(fault, { _tag: "NotANode", actorId: "HUMAN::operator", name: "visitor" })
      t.is(refused.length, 1)
    })
  ))

test("a node does not come in under another's name", (t) =>
  run(
    Effect.gen(function* () {
      const { links } = yield* guarded("far")
      const token = yield* tokens.sign({ actorId: "SYSTEM::someone", grants: admin })
      const { fault } = yield* visit(links.self.address, { entrance: "nodes", auth: { introduction, token } })
      t.like(fault, { _tag: "NotANode", actorId: "SYSTEM::someone", name: "visitor" })
    })
  ))

test("a service that was given less than everything does not come in as a node, whatever it is called", (t) =>
  run(
    Effect.gen(function* () {
      const { links } = yield* guarded("far")
      for (const grants of [
        [],
        [{ permission: "observe", prefix: "/" }],
        [{ permission: "admin", prefix: "/far/store" }]
      ] as const) {
        const token = yield* tokens.sign({ actorId: "SYSTEM::visitor", grants })
        const { fault } = yield* visit(links.self.address, {
          entrance: "nodes",
          auth: { introduction, token }
        })
        t.like(fault, { _tag: "NotANode", actorId: "SYSTEM::visitor", name: "visitor" })
      }
    })
  ))

test("there is no other entrance, no second try, and no polling", (t) =>
  run(
    Effect.gen(function* () {
      const { links } = yield* guarded("far")
      const auth = { introduction, token: yield* tokens.sign(operator) }
      const { address } = links.self
      t.regex(String((yield* visit(address, { entrance: "", auth })).fault), /close|disconnect/)
      t.is((yield* visit(address, { entrance: "cellar" as Entrance, auth })).fault, "Invalid namespace")
      t.regex(String((yield* visit(address, { auth, transports: ["polling"] })).fault), /xhr poll error/)

      const { events, manager } = yield* visit(address, { auth })
      manager.socket("/ops", { auth })
      yield* eventually(() => events.some(([name]) => name === "disconnect"))
      t.pass()
    })
  ))

test("pages from origins that are not listed may not connect", (t) =>
  run(
    Effect.gen(function* () {
      const { links } = yield* guarded("far", { origins: ["http://console.example"] })
      const auth = { introduction, token: yield* tokens.sign(operator) }
      const good = { origin: "http://console.example" }
      t.is((yield* visit(links.self.address, { auth, headers: good })).fault, undefined)
      const bad = { origin: "http://evil.example" }
      t.not((yield* visit(links.self.address, { auth, headers: bad })).fault, undefined)
    })
  ))

test("a dialing node does not believe a node with another key", (t) =>
  run(
    Effect.gen(function* () {
      // It lets everybody in, and says that it is far.
      const gullible: Tokens = {
        sign: (identity) => tokensOf(Redacted.make(new Uint8Array(32)), cluster).sign(identity),
        verify: () => Effect.succeed({ actorId: "SYSTEM::near", grants: admin })
      }
      const { links } = yield* guarded("far", { tokens: gullible })
      const near = yield* node("near")
      const opened: Array<Link> = []
      const fault = yield* Effect.flip(
        near.dial(links.self.address, (link) => {
          opened.push(link)
          return silent
        })
      )
      t.is(fault._tag, "Unauthenticated")
      t.regex(fault.message, /of 127.0.0.1:\d+, the token was signed with another key/)
      t.deepEqual(opened, [])
    })
  ))

test("a node that is dialed shows its own token, not one of another", (t) =>
  run(
    Effect.gen(function* () {
      const other: Tokens = {
        ...tokens,
        sign: () => tokens.sign({ actorId: "SYSTEM::other", grants: admin })
      }
      const { links } = yield* guarded("far", { tokens: other })
      const near = yield* node("near")
      const fault = yield* Effect.flip(near.dial(links.self.address, () => silent))
      t.like(fault, { _tag: "NotANode", actorId: "SYSTEM::other", name: "far" })
    })
  ))

// Certificates

interface Authority {
  readonly issue: (name: string) => LinkTls
}

/** With openssl, in a directory that goes when the test ends. */
const authorityOf = (title: string) =>
  Effect.map(temporaryDirectory(), (directory): Authority => {
    const openssl = (...args: ReadonlyArray<string>) =>
      execFileSync("openssl", [...args], { cwd: directory, stdio: "pipe" })
    const curve = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes"]
    openssl(
      "req",
      "-x509",
      ...curve,
      "-keyout",
      "ca.key",
      "-out",
      "ca.pem",
      "-days",
      "2",
      "-subj",
      `/CN=${title}`
    )
    const read = (file: string) => readFileSync(join(directory, file), "utf8")
    return {
      issue: (name) => {
        openssl("req", "-new", ...curve, "-keyout", "leaf.key", "-out", "leaf.csr", "-subj", `/CN=${name}`)
        openssl(
          ...["x509", "-req", "-in", "leaf.csr", "-CA", "ca.pem", "-CAkey", "ca.key", "-CAcreateserial"],
          ...["-days", "2", "-out", "leaf.pem"]
        )
        return { key: read("leaf.key"), cert: read("leaf.pem"), ca: read("ca.pem") }
      }
    }
  })

test("with certificates of one authority nodes link, on any interface, and know each other", (t) =>
  run(
    Effect.gen(function* () {
      const { issue } = yield* authorityOf("ours")
      const far = { tls: issue("far"), host: "0.0.0.0", advertised: { host: "127.0.0.1" } }
      const { links } = yield* guarded("far", far)
      const near = yield* node("near", { tls: issue("near") })
      const heard = yield* Deferred.make<string>()
      const link = yield* near.dial(links.self.address, () => ({
        ...silent,
        onClosed: (reason) => Deferred.unsafeDone(heard, Effect.succeed(reason))
      }))
      t.deepEqual(link.identity, { actorId: "SYSTEM::far", grants: admin })
      link.close("seen")
      t.is(yield* Deferred.await(heard), "seen")
    })
  ))

test("a node behind a proxy is introduced by what it advertises, and dials from the address that it is told", (t) =>
  run(
    Effect.gen(function* () {
      const callers: Array<string | undefined> = []
      const { links: far } = yield* guarded("far")
      const { address } = far.self
      const behind = yield* Effect.acquireRelease(
        Effect.async<Server>((resume) => {
          const proxy = createServer((caller) => {
            callers.push(caller.remoteAddress)
            const onward = connectTcp(Number(address.split(":")[1]), "127.0.0.1")
            caller.on("error", () => onward.destroy()).pipe(onward)
            onward.on("error", () => caller.destroy()).pipe(caller)
          }).listen(0, "127.0.0.1", () => resume(Effect.succeed(proxy)))
        }),
        (proxy) => Effect.sync(() => proxy.close())
      )
      const bound = behind.address()
      const port = typeof bound === "object" && bound !== null ? bound.port : 0
      const near = yield* node("near", { dialFrom: "127.0.0.77", advertised: { port } })
      t.is(near.self.address, `127.0.0.1:${port}`)
      const link = yield* near.dial(`127.0.0.1:${port}`, () => silent)
      t.is(link.introduction.name, "far")
      t.deepEqual(callers, ["127.0.0.77"])
    })
  ))

test("certificates: another authority, none at all, another's name", (t) =>
  run(
    Effect.gen(function* () {
      const { issue } = yield* authorityOf("ours")
      const foreign = yield* authorityOf("theirs")
      const { links, refused } = yield* guarded("far", { tls: issue("far") })
      const { address } = links.self

      // The dialing node finds out that it is not of our authority, before it says anything.
      const stranger = yield* node("near", { tls: foreign.issue("near") })
      const distrust = yield* Effect.flip(stranger.dial(address, () => silent))
      t.is(distrust._tag, "Unreachable")
      t.regex(distrust.message, /certificate/)

      // One that does not look is found out by us.
      const { fault } = yield* visit(address, { tls: foreign.issue("near"), auth: { introduction } })
      t.like(fault, { _tag: "Unauthenticated" })
      t.regex(inspect(fault), /certificate is not good/)
      const token = yield* tokens.sign(operator)
      const both = { tls: foreign.issue("x"), auth: { introduction, token } }
      t.like((yield* visit(address, both)).fault, { _tag: "Unauthenticated" })
      // Of an authority that borrows the name of ours; OpenSSL may end the connection before we can say why.
      const namesake = yield* authorityOf("ours")
      t.not((yield* visit(address, { tls: namesake.issue("x"), auth: { introduction } })).fault, undefined)

      const none = yield* visit(address, { tls: {}, auth: { introduction } })
      t.like(none.fault, { _tag: "Unauthenticated", reason: "there was neither" })
      const withToken = yield* visit(address, { tls: {}, auth: { introduction, token } })
      t.deepEqual(withToken.events, [["welcome", { introduction: links.self }]])
      const own = yield* visit(address, { tls: issue("visitor"), entrance: "nodes", auth: { introduction } })
      t.deepEqual(own.events, [["welcome", { introduction: links.self }]])

      const liar = yield* node("near", { tls: issue("somebody") })
      const fault2 = yield* Effect.flip(liar.dial(address, () => silent))
      t.like(fault2, { _tag: "NotANode", actorId: "SYSTEM::somebody", name: "near" })
      t.deepEqual(refused.map(([, { _tag }]) => _tag).slice(-2), ["Unauthenticated", "NotANode"])

      const { links: impostor } = yield* guarded("far", { tls: issue("elsewhere") })
      const near = yield* node("near", { tls: issue("near") })
      const fault3 = yield* Effect.flip(near.dial(impostor.self.address, () => silent))
      t.like(fault3, { _tag: "NotANode", actorId: "SYSTEM::elsewhere", name: "far" })
    })
  ))

test("whoever comes in and does nothing is shown the door", (t) =>
  run(
    Effect.gen(function* () {
      const { links } = yield* guarded("far")
      const { port = 0 } = endpointOf(links.self.address) ?? {}
      const since = performance.now()
      const idle = Effect.async<number>((resume) => {
        const socket = connectTcp(port, "127.0.0.1")
        socket.on("error", () => {}).on("data", () => {})
        socket.once("close", () => resume(Effect.succeed(performance.now() - since)))
      })
      // A node that is let in and never says that it is ready.
      const token = yield* tokens.sign({ actorId: "SYSTEM::visitor", grants: admin })
      const unready = Effect.flatMap(
        visit(links.self.address, { entrance: "nodes", auth: { introduction, token } }),
        ({ events }) => eventually(() => events.some(([name]) => name === "disconnect"))
      )
      const [millis] = yield* Effect.all([idle, unready], { concurrency: 2 })
      t.log(`after ${millis.toFixed(0)} ms`)
      t.true(millis < 8_000)
    })
  ))

test("a link tells no secrets when it is printed", (t) =>
  run(
    Effect.gen(function* () {
      const { links } = yield* guarded("far")
      const near = yield* node("near")
      const link = yield* near.dial(links.self.address, () => silent)
      const printed = inspect([links, near, link], { depth: 20, showHidden: true })
      t.notRegex(printed, /eyJ|5a5a5a/)
    })
  ))
