/** What a supervisor says when it is asked why things are as they are. */
import test from "ava"
import { Effect, Schedule } from "effect"
import { ask } from "#actors/kernel/ask.ts"
import * as ActorSystem from "#actors/kernel/system.ts"
import { SimWorld } from "#chaos/sim/world.ts"
import { ExplainChild } from "#protocols/supervision.ts"
import { Adder, Fail } from "./fixtures/adders.ts"
import { make, type SupervisorActor } from "./supervisor.ts"
import { child } from "./tree.ts"

/** What `root` says about its child a, which crashes once a second. */
const explained = (root: SupervisorActor<never>, crashes: number) =>
  new SimWorld(1).run(
    Effect.gen(function* () {
      const system = yield* ActorSystem.make("root", root)
      for (let count = 0; count < crashes; count++) {
        system.lookup("/root/a", Adder)?.tell(new Fail())
        yield* Effect.sleep("1 second")
      }
      return {
        a: yield* ask(system.root, new ExplainChild({ name: "a" }), "1 second"),
        z: yield* Effect.flip(ask(system.root, new ExplainChild({ name: "z" }), "1 second"))
      }
    }).pipe(Effect.scoped)
  )

const intensity = { restarts: 3, within: "10 seconds" } as const

test("a child that never ended by itself has no decision about it, and a stranger is named as one", (t) => {
  const { a, z } = explained(
    make("root", { strategy: "one-for-one", children: [child(Adder, { name: "a" })] }),
    0
  )
  t.like(a, { child: { name: "a", starts: 1, status: "running" }, restarts: 0, decision: null })
  t.is(z.message, "/root has no child z; it has a")
})

test("it says who came back along, and how many restarts count", (t) => {
  const children = ["a", "b", "c"].map((name) => child(Adder, { name }))
  const { a } = explained(make("root", { strategy: "rest-for-one", intensity, children }), 2)
  t.like(a, { strategy: "rest-for-one", restarts: 2, restartsMax: 3, withinMillis: 10_000 })
  t.like(a.decision, { decided: "started again at once", along: ["b", "c"], reason: "Error: asked to fail" })
})

test("it says how long the backoff was, and that a crash brings a transient child back", (t) => {
  const patient = child(Adder, { name: "a", backoff: Schedule.exponential("200 millis") })
  const slow = explained(make("root", { strategy: "one-for-one", intensity, children: [patient] }), 2)
  t.is(slow.a.decision?.decided, "started again after 400 ms")

  const gone = new SimWorld(1).run(
    Effect.gen(function* () {
      const quiet = child(Adder, { name: "a", restart: "transient" })
      const system = yield* ActorSystem.make(
        "root",
        make("root", { strategy: "one-for-one", children: [quiet] })
      )
      system.kill("/root/a")
      yield* Effect.sleep("1 second")
      return yield* ask(system.root, new ExplainChild({ name: "a" }), "1 second")
    }).pipe(Effect.scoped)
  )
  t.is(gone.decision?.decided, "started again at once")
})
