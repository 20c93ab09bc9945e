import test from "ava"
import { Effect, Either, Schema } from "effect"
import * as Actor from "#actors/kernel/actor.ts"
import { ask } from "#actors/kernel/ask.ts"
import type { Link } from "#actors/kernel/ports/links.ts"
import { GetClients, type Grant } from "#protocols/links.ts"
import { event, type MessageSchema, observe } from "#protocols/message.ts"
import type { Frame } from "#protocols/wire/frames.ts"
import { child } from "#supervisors/engine/tree.ts"
import { Clients } from "./clients-actor.ts"
import { inSimCluster, introductionOf, type SimCluster, type SimNode } from "./fixtures/sim-cluster.ts"

test("a client reaches every node of the cluster through the one that it is connected to", (t) => {
  const frames = inSimCluster(3, 1, served, (cluster) =>
    Effect.gen(function* () {
      yield* Effect.sleep("5 seconds")
      const client = yield* connect(cluster, everything)
      client.send(
        ["ask", 1, "/n0/clock", 1_000, { _tag: "GetTime" }],
        ["ask", 2, "/n1/clock", 1_000, { _tag: "GetTime" }],
        ["ask", 3, "/n2/nobody", 1_000, { _tag: "GetTime" }],
        ["ask", 4, "/n9/clock", 1_000, { _tag: "GetTime" }],
        ["subscribe", 5, "/n2", ["Struck"], 10],
        ["watch", 6, "/n1/clock"]
      )
      yield* Effect.sleep("1 second")
      cluster.node("n2").system.events.publish(new Struck({ hour: 3 }))
      cluster.node("n1").system.kill("/n1/clock")
      yield* Effect.sleep("1 second")
      return client.frames
    })
  )
  const about = (id: number) =>
    frames.filter((frame) => frame[1] === id).map(([kind, , value]) => [kind, value])
  t.deepEqual(about(1), [["reply", "n0"]])
  t.deepEqual(about(2), [["reply", "n1"]])
  t.like(about(3)[0], ["failed", { _tag: "ActorUnavailable", why: "not found" }])
  t.like(about(4)[0], ["failed", { _tag: "ActorUnavailable", why: "not found" }])
  t.deepEqual(about(5), [["event", { _tag: "Struck", hour: 3 }]])
  t.like(about(6)[0], ["ended", { reason: "killed", path: "/n1/clock" }])
})

test("when the node behind goes, what was under way through it ends with the reason", (t) => {
  const frames = inSimCluster(3, 2, served, (cluster) =>
    Effect.gen(function* () {
      yield* Effect.sleep("5 seconds")
      const client = yield* connect(cluster, everything)
      client.send(
        ["ask", 1, "/n1/clock", 60_000, { _tag: "Wait" }],
        ["watch", 2, "/n1/clock"],
        ["subscribe", 3, "/n1", ["Struck"], 10]
      )
      yield* Effect.sleep("1 second")
      cluster.node("n1").kill()
      yield* Effect.sleep("1 second")
      return client.frames
    })
  )
  const [failed] = frames.filter((frame) => frame[1] === 1)
  t.like(failed, { 0: "failed", 2: { _tag: "LinkLost" } })
  const [ended] = frames.filter((frame) => frame[1] === 2)
  t.like(ended, { 0: "ended", 2: { reason: "lost" } })
  const [over] = frames.filter((frame) => frame[1] === 3)
  t.is(over?.[0], "died")
})

test("grants hold on every node, and are checked where the client is connected", (t) => {
  const frames = inSimCluster(2, 3, served, (cluster) =>
    Effect.gen(function* () {
      yield* Effect.sleep("5 seconds")
      const client = yield* connect(cluster, [{ permission: "observe", prefix: "/n1" }])
      client.send(
        ["ask", 1, "/n0/clock", 1_000, { _tag: "GetTime" }],
        ["ask", 2, "/n1/clock", 1_000, { _tag: "GetTime" }],
        ["subscribe", 3, "/n0", ["Struck"], 10]
      )
      yield* Effect.sleep("1 second")
      return client.frames
    })
  )
  const kinds = frames.map(([kind, id]) => `${kind} ${id}`)
  t.deepEqual(kinds.toSorted(), ["failed 1", "failed 3", "reply 2"])
})

test("a node takes so many clients and no more, and says so; one that goes makes room", (t) => {
  const outcome = inSimCluster(1, 4, served, (cluster) =>
    Effect.gen(function* () {
      yield* Effect.sleep("1 second")
      const first = yield* connect(cluster, everything)
      yield* connect(cluster, everything)
      yield* connect(cluster, everything)
      const before = yield* clientsOf(cluster.node("n0"))
      const refused = yield* Effect.flip(connect(cluster, everything))
      first.link.close("done")
      yield* Effect.sleep("1 second")
      const again = yield* Effect.either(connect(cluster, everything))
      return { before, refused, again }
    })
  )
  t.is(outcome.before.length, 3)
  t.deepEqual(outcome.before[0]?.actorId, "HUMAN::ada")
  t.regex(outcome.refused.message, /^n0 has 3 clients and takes no more; connect to another node/)
  t.true(Either.isRight(outcome.again))
})

test("what a client had asked for ends with its link, and leaves nothing in the tree", (t) => {
  const { after, during } = inSimCluster(1, 5, served, (cluster) =>
    Effect.gen(function* () {
      yield* Effect.sleep("1 second")
      const { system } = cluster.node("n0")
      const client = yield* connect(cluster, everything)
      client.send(["ask", 1, "/n0/clock", 60_000, { _tag: "Wait" }], ["subscribe", 3, "/n0", ["Struck"], 10])
      yield* Effect.sleep("1 second")
      const during = system.actors
      client.link.close("done")
      yield* Effect.sleep("1 second")
      return { during, after: system.actors }
    })
  )
  t.is(after, during - 1)
})

class GetTime extends Schema.TaggedRequest<GetTime>()(
  "GetTime",
  { payload: {}, success: Schema.String, failure: Schema.Never },
  observe("The time.")
) {}
class Wait extends Schema.TaggedRequest<Wait>()(
  "Wait",
  { payload: {}, success: Schema.Void, failure: Schema.Never },
  observe("Never answers.")
) {}
class Struck extends Schema.TaggedClass<Struck>()("Struck", { hour: Schema.Int }, event("It struck.")) {}

const Clock = Actor.make("clock", {
  messages: [GetTime, Wait],
  init: (context) => ({ node: context.path.split("/")[1] ?? "" }),
  handlers: {
    GetTime: (state) => Actor.reply(state, state.node),
    Wait: (state, wait, context) => {
      context.replyTo(wait)
      return Actor.later(state)
    }
  }
})

const catalogue = new Map<string, MessageSchema>(
  [GetTime, Wait, Struck].map((message) => [message._tag, message])
)
const served = { children: () => [child(Clients, { args: { catalogue, clientsMax: 3 } }), child(Clock)] }
const everything: ReadonlyArray<Grant> = [{ permission: "admin", prefix: "/" }]

/** A client of n0 that speaks in frames. */
const connect = ({ network }: SimCluster, grants: ReadonlyArray<Grant>) => {
  const frames: Array<Frame> = []
  const introduction = { ...introductionOf("shell"), address: "" }
  const caller = { introduction, identity: { actorId: "HUMAN::ada", grants } }
  return Effect.map(
    network.dial(caller, "n0:7700", "actors", () => ({
      onBatch: (batch) =>
        void frames.push(...(Array.isArray(batch) ? batch.filter(([kind]) => kind !== "taken") : [])),
      onClosed: () => {}
    })),
    (link: Link) => ({ link, frames, send: (...batch: ReadonlyArray<Frame>) => link.send(batch) })
  )
}

const clientsOf = ({ name, system }: SimNode) => {
  const clients = system.lookup(`/${name}/clients`, Clients)
  if (clients === undefined) throw new Error("no clients")
  return ask(clients, new GetClients({}), "1 second")
}
