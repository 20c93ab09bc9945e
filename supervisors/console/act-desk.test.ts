/** Actions from a console: what the log of its node says about them, without secrets, and which it leaves to a shell. */
import { IncomingMessage, ServerResponse } from "node:http"
import { Socket } from "node:net"
import test from "ava"
import { Deferred, Effect, Fiber } from "effect"
import { Introspection } from "#actors/kernel/introspection.ts"
import { Peer, type PeerOptions } from "#actors/kernel/peer.ts"
import * as ActorSystem from "#actors/kernel/system.ts"
import { LiveWorld } from "#actors/platform/live-world.ts"
import { catalogueEntries } from "#protocols/catalogue.ts"
import type { Identity } from "#protocols/links.ts"
import * as Supervisor from "../engine/supervisor.ts"
import { child } from "../engine/tree.ts"
import { shop } from "../trees/demonstration.ts"
import { act } from "./act-desk.ts"
import type { ActAnswer, ActBody } from "./page/wire.ts"

const operator: Identity = { actorId: "HUMAN::operator", grants: [{ permission: "admin", prefix: "/" }] }
const intensity = { restarts: 10, within: "10 seconds" } as const

const cluster = Supervisor.make("cluster", {
  strategy: "one-for-one",
  intensity,
  children: [child(Introspection, { args: { catalogueEntries } })]
})

const node = Supervisor.make("node", {
  strategy: "one-for-one",
  intensity,
  children: [child(cluster), child(shop)]
})

interface Desk {
  readonly lines: ReadonlyArray<string>
  /** The first action is under way. */
  readonly begun: Effect.Effect<void>
  readonly order: (
    name: string,
    fields: ActBody["fields"],
    confirmed?: boolean
  ) => Effect.Effect<ActAnswer | undefined>
}

const atDesk = <A>(body: (desk: Desk) => Effect.Effect<A>): Promise<A> =>
  Effect.gen(function* () {
    const system = yield* ActorSystem.make("node01", node)
    const lines: Array<string> = []
    const begun = yield* Deferred.make<void>()
    const options = {
      node: "node01",
      path: "/node01/console/http",
      cluster: "test",
      identity: operator,
      openPeer: (peer: PeerOptions) => {
        Deferred.unsafeDone(begun, Effect.void)
        return new Peer(system, "", peer)
      },
      audit: (line: string) => void lines.push(line)
    }
    return yield* body({
      lines,
      begun: Deferred.await(begun),
      order: (name, fields, confirmed = true) =>
        Effect.suspend(() => act(options, { name, fields, confirmed }, noPage()))
    })
  }).pipe(Effect.scoped, Effect.provide(LiveWorld), Effect.runPromise)

/** Only a file would be written to it. */
const noPage = () => new ServerResponse(new IncomingMessage(new Socket()))

const store = "/node01/shop/store"

test("a message that is refused is logged without what was in it", async (t) => {
  const lines = await atDesk(({ lines, order }) =>
    Effect.gen(function* () {
      const write = { path: store, message: "Write" }
      const wrong = yield* order("tell", { ...write, fields: '{"key": "pears", "by": "hunter2"}' })
      t.regex(JSON.stringify(wrong), /hunter2/, "who wrote it sees it")
      yield* order("tell", { ...write, fields: '{"key": hunter2}' })
      yield* order("tell", { ...write, fields: '{"key": "hunter2", "by": 2}' })
      return lines
    })
  )
  const did = `HUMAN::operator did tell "${store}" "Write" from the console`
  t.deepEqual(lines, [`${did} (refused for its field "by")`, `${did} (refused)`, did])
})

test("whatever is written, an action is one line of bounded words, with its options and its reason", async (t) => {
  const lines = await atDesk(({ lines, order }) =>
    Effect.gen(function* () {
      yield* order("suspend", { path: store, for: "2s", reason: "a\nb" })
      yield* order("resume", { path: store })
      yield* order("restart", { path: `/${"x".repeat(60_000)}\nHUMAN::ann did stop` })
      return lines
    })
  )
  t.is(lines[0], `HUMAN::operator did suspend "${store}" --for "2s" --reason "a\\nb" from the console`)
  t.is(
    lines[1],
    `HUMAN::operator did resume "${store}" --reason "by hand, from the console" from the console`
  )
  t.regex(lines[2] ?? "", /^HUMAN::operator did restart "\/x{199}" from the console \(refused: ".*"\)$/)
  t.true((lines[2] ?? "").length < 600)
})

test("an action that is broken off, as when the console stops, is logged all the same", async (t) => {
  const lines = await atDesk(({ begun, lines, order }) =>
    Effect.gen(function* () {
      const fiber = yield* Effect.fork(order("stop", { path: store }))
      yield* begun
      yield* Fiber.interrupt(fiber)
      return lines
    })
  )
  t.deepEqual(lines, [
    `HUMAN::operator did stop "${store}" from the console (broken off; see what of it has happened)`
  ])
})

test("a console does not end itself, nor what it is part of: it says that a shell can", async (t) => {
  await atDesk(({ lines, order }) =>
    Effect.gen(function* () {
      for (const name of ["restart", "stop", "kill"]) {
        for (const path of ["/node01/console/http", "/node01/console", "/node01//console/", "/node01"]) {
          const message = `the console runs there, and would end before it is done: ${name} it from a shell`
          const refusal = { outcome: "refused", message, field: "path" } as const
          t.deepEqual(yield* order(name, { path }, false), refusal)
          t.deepEqual(yield* order(name, { path }), refusal)
        }
      }
      t.like(yield* order("restart", { path: "/node01/console/http2" }, false), { outcome: "asks" })
      t.like(yield* order("restart", { path: "/node02/console" }, false), { outcome: "asks" })
      t.deepEqual(lines, [], "nothing was done")
    })
  )
})
