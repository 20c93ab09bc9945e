/**
 * An operator looks into a running node and changes something: an actor waits and goes on, a crash is explained, a
 * trace shows what goes through, and everybody can see who did what.
 */
import test from "ava"
import { Effect, Either, Layer, Logger, Schema } from "effect"
import { Clients } from "#actors/cluster/clients-actor.ts"
import { inSimCluster, type NodeOptions } from "#actors/cluster/fixtures/sim-cluster.ts"
import { SimCells } from "#chaos/sim/sim-cells.ts"
import { SimWorld } from "#chaos/sim/world.ts"
import { catalogue, catalogueEntries } from "#protocols/catalogue.ts"
import type { Client } from "#protocols/client/client.ts"
import { simClient } from "#protocols/client/fixtures/sim-client.ts"
import type { Permission } from "#protocols/message.ts"
import {
  ExplainCrash,
  GetConfig,
  GetDeadLetters,
  GetRuntimeMetrics,
  ResumeActor,
  SetLogLevel,
  SuspendActor,
  TraceActor
} from "#protocols/operations.ts"
import { GetTree, InjectCrash } from "#protocols/runtime.ts"
import { ExplainChild, RestartChild, TerminateChild } from "#protocols/supervision.ts"
import { Add, Adder, adders, Get } from "#supervisors/engine/fixtures/adders.ts"
import { place } from "#supervisors/engine/placement.ts"
import * as Supervisor from "#supervisors/engine/supervisor.ts"
import { child } from "#supervisors/engine/tree.ts"
import * as Actor from "./actor.ts"
import { ask } from "./ask.ts"
import { Introspection } from "./introspection.ts"
import * as ActorSystem from "./system.ts"

class Break extends Schema.TaggedClass<Break>()("Break", {}) {}

const Fragile = Actor.make("fragile", {
  messages: [Break],
  init: () => ({}),
  handlers: {
    Break: () => {
      throw new Error("the shelf fell", { cause: new Error("a screw was loose") })
    }
  }
})

const served: NodeOptions = {
  children: () => [
    child(Clients, { args: { catalogue } }),
    child(Introspection, { args: { catalogueEntries } }),
    child(Adder),
    child(Fragile)
  ]
}

const at = "/n0/introspection"
const forged = { by: "HUMAN::somebody else", reason: "to look at it" }

/** What a client of n0 sees and does there, and what n0 publishes. */
const operating = <A>(
  permission: Permission,
  body: (
    cloud: Client,
    node: { readonly add: (by: number) => void; readonly sum: Effect.Effect<unknown> },
    system: ActorSystem.ActorSystem
  ) => Effect.Effect<A, unknown>
) =>
  inSimCluster(1, 1, served, (cluster) =>
    Effect.gen(function* () {
      yield* Effect.sleep("5 seconds")
      const { events, system } = cluster.node("n0")
      const adder = system.lookup("/n0/adder", Adder)
      if (adder === undefined) throw new Error("there is no adder")
      const cloud = yield* simClient(cluster, { grants: [{ permission, prefix: "/n0" }] })
      const node = {
        add: (by: number) => adder.tell(new Add({ by })),
        sum: Effect.either(ask(adder, new Get({}), "2 seconds"))
      }
      const result = yield* body(cloud, node, system)
      return { result, events }
    }).pipe(Effect.scoped)
  )

test("a suspended actor handles nothing and loses nothing, until somebody has it go on", (t) => {
  const path = "/n0/adder"
  const { events, result } = operating("operate", (cloud, node) =>
    Effect.gen(function* () {
      const until = yield* cloud.ask(at, new SuspendActor({ path, ...forged }), "5 seconds")
      node.add(5)
      const silent = yield* node.sum
      const shown = yield* cloud.ask(at, new GetTree({ path }), "5 seconds")
      const resumed = yield* cloud.ask(at, new ResumeActor({ path, ...forged }), "5 seconds")
      const again = yield* cloud.ask(at, new ResumeActor({ path, ...forged }), "5 seconds")
      return { until, silent, shown, resumed, again, sum: yield* node.sum }
    })
  )
  t.deepEqual(result.until, { forMillis: 60_000 })
  t.like(result.silent, { left: { _tag: "DeadlineExceeded" } })
  t.like(result.shown, { status: "suspended", mailbox: 2 })
  t.deepEqual([result.resumed, result.again], [true, false])
  t.deepEqual(result.sum, Either.right(5))
  const by = events.filter(({ _tag }) => ["ActorSuspended", "ActorResumed"].includes(_tag))
  t.like(by, {
    0: { _tag: "ActorSuspended", by: "HUMAN::ada", path, reason: "to look at it" },
    1: { _tag: "ActorResumed", by: "HUMAN::ada", path }
  })
  t.is(by.length, 2)
})

test("a suspension ends by itself, and with the life of the actor", (t) => {
  const path = "/n0/adder"
  const { result } = operating("admin", (cloud, node) =>
    Effect.gen(function* () {
      const suspend = new SuspendActor({ path, ...forged, forMillis: 3_000 })
      yield* cloud.ask(at, suspend, "5 seconds")
      yield* Effect.sleep("4 seconds")
      const later = yield* node.sum
      yield* cloud.ask(at, suspend, "5 seconds")
      yield* cloud.ask(at, new InjectCrash({ path, ...forged }), "5 seconds")
      yield* Effect.sleep("1 second")
      return { later, next: yield* node.sum }
    })
  )
  t.deepEqual(result, { later: Either.right(0), next: Either.right(0) })
})

test("a crash is explained by its whole chain of causes, and by what the supervisor decided", (t) => {
  const { result } = operating("observe", (cloud, _node, system) =>
    Effect.gen(function* () {
      const none = yield* cloud.ask(at, new ExplainCrash({ path: "/n0/fragile" }), "5 seconds")
      system.lookup("/n0/fragile", Fragile)?.tell(new Break())
      yield* Effect.sleep("1 second")
      return {
        none,
        crash: yield* cloud.ask(at, new ExplainCrash({ path: "/n0/fragile" }), "5 seconds"),
        decision: yield* cloud.ask("/n0", new ExplainChild({ name: "fragile" }), "5 seconds")
      }
    })
  )
  t.is(result.none.crash, null)
  t.like(result.crash, { actor: { incarnation: 2 }, crash: { incarnation: 1, handling: "Break" } })
  t.regex(result.crash.crash?.cause ?? "", /the shelf fell[\s\S]*\[cause\]: Error: a screw was loose/)
  t.like(result.decision, {
    strategy: "one-for-one",
    restarts: 1,
    restartsMax: 1,
    withinMillis: 5_000,
    decision: { decided: "started again at once", reason: "Error: the shelf fell", along: [] }
  })
})

test("a trace shows shapes of messages, keeps so many a second, counts all, and ends by itself", (t) => {
  const path = "/n0/adder"
  const { result } = operating("observe", (cloud, node, system) =>
    Effect.gen(function* () {
      const trace = (after: number) => cloud.ask(at, new TraceActor({ path, after }), "5 seconds")
      const none = yield* trace(0)
      for (let count = 0; count < 1_000; count++) node.add(2)
      yield* node.sum
      const seen = yield* trace(0)
      const rest = yield* trace(seen.messages.at(-1)?.number ?? 0)
      yield* Effect.sleep("6 seconds")
      const found = system.find(path)
      return { none, seen, rest, tapped: "tap" in found && found.tap !== undefined }
    })
  )
  t.deepEqual(result.none, { seen: 0, messages: [] })
  t.is(result.seen.seen, 1_001)
  t.is(result.seen.messages.length, 50)
  t.like(result.seen.messages[0], { number: 1, kind: "tell", tag: "Add", shape: "{ by: 2 }" })
  t.deepEqual(result.rest.messages, [])
  t.false(result.tapped)
})

test("dead letters, the level of the log, metrics and the missing configuration can be asked for", (t) => {
  const { events, result } = operating("operate", (cloud, _node, system) =>
    Effect.gen(function* () {
      system.lookup("/n0/adder", Adder)?.tell(new Add({ by: 1 }))
      system.deadLetters.add("/n0/nobody", "Hello", "not found")
      return {
        letters: yield* cloud.ask(at, new GetDeadLetters({}), "5 seconds"),
        level: yield* cloud.ask(at, new SetLogLevel({ level: "debug", ...forged }), "5 seconds"),
        now: system.logLevel,
        metrics: yield* cloud.ask(at, new GetRuntimeMetrics(), "5 seconds"),
        config: yield* Effect.flip(cloud.ask(at, new GetConfig(), "5 seconds"))
      }
    })
  )
  t.like(result.letters.recent.at(-1), { path: "/n0/nobody", message: "Hello", why: "not found" })
  t.deepEqual([result.level.before, result.now], ["info", "debug"])
  t.regex(result.metrics, /^ultracloud_actors \d+$/m)
  t.is(result.config._tag, "NoConfig")
  t.like(
    events.find(({ _tag }) => _tag === "LogLevelSet"),
    { by: "HUMAN::ada", before: "info", level: "debug" }
  )
})

test("whoever may only look suspends nothing, and whatever takes more and is done says who did it", (t) => {
  const looking = operating("observe", (cloud, node) =>
    Effect.gen(function* () {
      const order = new SuspendActor({ path: "/n0/adder", ...forged })
      const refused = yield* Effect.flip(cloud.ask(at, order, "5 seconds"))
      return { refused, sum: yield* node.sum }
    })
  )
  t.like(looking.result, { refused: { _tag: "NotPermitted", needs: "operate" }, sum: Either.right(0) })
  t.false(looking.events.some(({ _tag }) => _tag === "ClientActed"))

  const { events } = operating("operate", (cloud) =>
    Effect.gen(function* () {
      yield* cloud.ask("/n0", new TerminateChild({ name: "adder" }), "5 seconds")
      yield* cloud.ask("/n0", new RestartChild({ name: "adder" }), "5 seconds")
      yield* cloud.ask(at, new GetTree({}), "5 seconds")
    })
  )
  t.like(
    events.filter(({ _tag }) => _tag === "ClientActed"),
    {
      0: {
        by: "HUMAN::ada",
        path: "/n0",
        request: "TerminateChild",
        needs: "operate",
        about: "name adder"
      },
      1: { request: "RestartChild" },
      length: 2
    }
  )
})

test("an actor in a cell is suspended, traced and explained there", (t) => {
  const world = new SimWorld(3)
  const cells = new SimCells(world, { adders })
  const node = Supervisor.make("node", {
    strategy: "one-for-one",
    children: [
      child(place(adders, "forked", { module: "adders", export: "adders" }), { name: "cell" }),
      child(Introspection, { args: { catalogueEntries } })
    ]
  })
  const path = "/n/cell/a"
  const result = world.run(
    Effect.gen(function* () {
      const system = yield* ActorSystem.make("n", node)
      const events: Array<string> = []
      system.events.subscribe(({ _tag }) => void events.push(_tag), ["ActorSuspended"])
      const [a, introspection] = [
        system.lookup(path, Adder),
        system.lookup("/n/introspection", Introspection)
      ]
      if (a === undefined || introspection === undefined) throw new Error("the node is not whole")
      yield* ask(introspection, new TraceActor({ path, after: 0 }), "5 seconds")
      yield* ask(introspection, new SuspendActor({ path, ...forged }), "5 seconds")
      a.tell(new Add({ by: 5 }))
      const silent = yield* Effect.flip(ask(a, new Get({}), "1 second"))
      yield* ask(introspection, new ResumeActor({ path, ...forged }), "5 seconds")
      const sum = yield* ask(a, new Get({}), "1 second")
      return {
        silent: silent._tag,
        sum,
        events,
        trace: yield* ask(introspection, new TraceActor({ path, after: 0 }), "5 seconds"),
        why: yield* ask(introspection, new ExplainCrash({ path }), "5 seconds"),
        nobody: yield* Effect.flip(ask(introspection, new ExplainCrash({ path: "/n/cell/z" }), "5 seconds"))
      }
    }).pipe(Effect.scoped, Effect.provide(Layer.merge(cells.layer, Logger.remove(Logger.defaultLogger))))
  )
  t.like(result, { silent: "DeadlineExceeded", sum: 5, events: ["ActorSuspended"] })
  t.deepEqual(
    result.trace.messages.map(({ tag }) => tag),
    ["Add", "Get"]
  )
  t.like(result.why, { actor: { status: "running" }, crash: null })
  t.is(result.nobody._tag, "NoSuchActor")
})
