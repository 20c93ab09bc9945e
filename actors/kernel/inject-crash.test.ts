/**
 * Drills: an operator has an actor crash, its supervisor does what it always does, and everybody who listens
 * learns who it was. Nobody else can.
 */
import test from "ava"
import { Effect, Either, Layer, Logger } from "effect"
import { Clients } from "#actors/cluster/clients-actor.ts"
import { inSimCluster, type NodeOptions } from "#actors/cluster/fixtures/sim-cluster.ts"
import { SimCells } from "#chaos/sim/sim-cells.ts"
import { SimWorld } from "#chaos/sim/world.ts"
import { catalogue, catalogueEntries } from "#protocols/catalogue.ts"
import { simClient } from "#protocols/client/fixtures/sim-client.ts"
import type { Permission } from "#protocols/message.ts"
import { InjectCrash, NoSuchActor } from "#protocols/runtime.ts"
import { Add, Adder, adders, Get } from "#supervisors/engine/fixtures/adders.ts"
import { place } from "#supervisors/engine/placement.ts"
import * as Supervisor from "#supervisors/engine/supervisor.ts"
import { child } from "#supervisors/engine/tree.ts"
import { ask } from "./ask.ts"
import { Introspection } from "./introspection.ts"
import * as ActorSystem from "./system.ts"

const served: NodeOptions = {
  children: () => [
    child(Clients, { args: { catalogue } }),
    child(Introspection, { args: { catalogueEntries } }),
    child(Adder)
  ]
}

const forged = { by: "HUMAN::somebody else", reason: "a drill" }

/** What becomes of an order that a client of n0 gives there. */
const drill = (path: string, permission: Permission = "admin", at = "/n0/introspection") =>
  inSimCluster(2, 1, served, (cluster) =>
    Effect.gen(function* () {
      yield* Effect.sleep("5 seconds")
      const cloud = yield* simClient(cluster, { grants: [{ permission, prefix: "/n0" }] })
      const outcome = yield* Effect.either(cloud.ask(at, new InjectCrash({ path, ...forged }), "5 seconds"))
      yield* Effect.sleep("1 second")
      const lives = ["n0", "n1"].map((name) => {
        const seen = cluster.node(name).system.snapshot(`/${name}/adder`)
        return seen instanceof NoSuchActor ? 0 : seen.incarnation
      })
      return { outcome, lives, events: cluster.node("n0").events }
    }).pipe(Effect.scoped)
  )

test("an operator has an actor crash: it is started again, and an event says who it was", (t) => {
  const { events, lives, outcome } = drill("/n0/adder")
  t.deepEqual(outcome, Either.right(true))
  t.deepEqual(lives, [2, 1])
  const story = events.filter((event) => "path" in event && event.path === "/n0/adder").slice(-5)
  t.deepEqual(
    story.map(({ _tag }) => _tag),
    ["CrashInjected", "ActorFailed", "ActorEnded", "ActorStarted", "ActorRestarted"]
  )
  t.like(story[0], { by: "HUMAN::ada", reason: "a drill" })
})

test("whoever may look, or do what an operator on duty does, may not do this, and nothing happens", (t) => {
  for (const permission of ["observe", "operate"] as const) {
    const { events, lives, outcome } = drill("/n0/adder", permission)
    t.like(outcome, { left: { _tag: "NotPermitted", needs: "admin", actorId: "HUMAN::ada" } })
    t.deepEqual(lives, [1, 1])
    t.false(events.some(({ _tag }) => _tag === "CrashInjected"))
  }
})

test("a node crashes none of another node, though a link leads there", (t) => {
  const { events, lives, outcome } = drill("/n1/adder")
  t.like(outcome, { left: { _tag: "NoSuchActor", path: "/n1/adder" } })
  t.deepEqual(lives, [1, 1])
  t.false(events.some(({ _tag }) => _tag === "CrashInjected"))
})

test("an actor that is not there crashes nowhere, and the answer names its nearest ancestor", (t) => {
  const { events, outcome } = drill("/n0/nobody")
  t.like(outcome, { left: { _tag: "NoSuchActor", nearest: "/n0" } })
  t.false(events.some(({ _tag }) => _tag === "CrashInjected"))
})

test("an actor in a cell crashes there, and the node that was asked says so", (t) => {
  const world = new SimWorld(3)
  const cells = new SimCells(world, { adders })
  const node = Supervisor.make("node", {
    strategy: "one-for-one",
    children: [
      child(place(adders, "forked", { module: "adders", export: "adders" }), { name: "cell" }),
      child(Introspection, { args: { catalogueEntries } })
    ]
  })
  const { events, nobody, ran, sum } = world.run(
    Effect.gen(function* () {
      const system = yield* ActorSystem.make("n", node)
      const events: Array<string> = []
      system.events.subscribe(({ _tag }) => void events.push(_tag), ["CrashInjected"])
      const [a, introspection] = [
        system.lookup("/n/cell/a", Adder),
        system.lookup("/n/introspection", Introspection)
      ]
      if (a === undefined || introspection === undefined) throw new Error("the node is not whole")
      a.tell(new Add({ by: 5 }))
      const order = (path: string) =>
        ask(introspection, new InjectCrash({ path, by: "HUMAN::ada", reason: "a drill" }), "5 seconds")
      const ran = yield* order("/n/cell/a")
      const nobody = yield* Effect.flip(order("/n/cell/z"))
      yield* Effect.sleep("1 second")
      return { ran, nobody, events, sum: yield* ask(a, new Get({}), "1 second") }
    }).pipe(Effect.scoped, Effect.provide(Layer.merge(cells.layer, Logger.remove(Logger.defaultLogger))))
  )
  t.true(ran)
  t.is(sum, 0)
  t.is(nobody._tag, "NoSuchActor")
  t.deepEqual(events, ["CrashInjected"])
})
