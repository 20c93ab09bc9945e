/** A page that goes while it is being let in: nothing of it stays behind, however many do so. */
import { once } from "node:events"
import { request as httpRequest } from "node:http"
import test from "ava"
import { Deferred, Effect, Either } from "effect"
import * as Actor from "#actors/kernel/actor.ts"
import { Peer, type PeerOptions } from "#actors/kernel/peer.ts"
import * as ActorSystem from "#actors/kernel/system.ts"
import { LiveWorld } from "#actors/platform/live-world.ts"
import type { Identity } from "#protocols/links.ts"
import { ClusterWatch } from "./cluster-watch.ts"
import { ConsoleDesk } from "./console-desk.ts"
import { openDoor } from "./http-door.ts"
import { NodeTalk } from "./node-talk.ts"
import { Sessions } from "./sessions.ts"

const operator: Identity = { actorId: "HUMAN::operator", grants: [{ permission: "admin", prefix: "/" }] }

const Root = Actor.make("root", { messages: [], init: () => ({}), handlers: {} })

test("a page that closed while its token was looked at leaves no stream and no peer behind", async (t) => {
  await Effect.gen(function* () {
    const system = yield* ActorSystem.make("node01", Root)
    const open = new Set<Peer>()
    const openPeer = (options: PeerOptions): Peer => {
      const peer = new Peer(system, "", options)
      open.add(peer)
      const close = peer.close.bind(peer)
      peer.close = (reason, kind) => {
        open.delete(peer)
        return close(reason, kind)
      }
      return peer
    }
    const nowMillis = () => performance.now()
    const watch = new ClusterWatch("node01", new NodeTalk(openPeer, undefined), nowMillis)
    const asked = yield* Deferred.make<void>()
    const verified = yield* Deferred.make<Either.Either<Identity, string>>()
    const desk = new ConsoleDesk({
      node: "node01",
      path: "/node01/console/http",
      cluster: "test",
      sessions: new Sessions(),
      verify: () =>
        Effect.runPromise(Effect.zipRight(Deferred.succeed(asked, undefined), Deferred.await(verified))),
      openPeer,
      watch,
      nowMillis,
      wallMillis: nowMillis,
      audit: () => {},
      perform: (task) => Effect.runPromise(task)
    })
    let served: Promise<void> = Promise.resolve()
    let gone: Promise<unknown> = Promise.resolve()
    const port = yield* openDoor({
      host: "127.0.0.1",
      port: 0,
      serve: (incoming, response) => {
        gone = once(response, "close")
        served = desk.serve(incoming, response)
        return served
      },
      broke: (cause) => t.fail(String(cause))
    })
    const page = httpRequest(`http://127.0.0.1:${port}/api/stream`, {
      headers: { authorization: "Bearer some.token" }
    })
    page.on("error", () => {})
    page.end()
    yield* Deferred.await(asked)
    // It goes before anybody knows who it is.
    page.destroy()
    yield* Effect.promise(() => gone)
    yield* Deferred.succeed(verified, Either.right(operator))
    yield* Effect.promise(() => served)
    t.is(watch.viewers, 0)
    t.is(open.size, 1, "the one that the watch itself has")
    watch.close()
  }).pipe(Effect.scoped, Effect.provide(LiveWorld), Effect.runPromise)
})
