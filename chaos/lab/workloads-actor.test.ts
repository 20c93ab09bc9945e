import test from "ava"
import { Effect, Either, Fiber, Layer, Logger, Schedule } from "effect"
import { ask } from "#actors/kernel/ask.ts"
import * as ActorSystem from "#actors/kernel/system.ts"
import type { Counts } from "#chaos/workloads/workload.ts"
import { TerminateChild } from "#protocols/supervision.ts"
import * as Supervisor from "#supervisors/engine/supervisor.ts"
import { child } from "#supervisors/engine/tree.ts"
import { live } from "#supervisors/live.ts"
import { labName } from "./lab-door.ts"
import { employ, GetWork, Workload, Workloads } from "./workloads-actor.ts"

const counts = (): Counts => ({ answered: 7, failed: 2, unknown: 1, acknowledged: 3 })
const working = (workload: string, run: Effect.Effect<void>) => ({
  workload,
  run,
  counts,
  gathered: () => ({})
})

const tree = Supervisor.make(labName, { strategy: "one-for-one", children: [child(Workloads)] })
const inLab = <A, E>(story: (system: ActorSystem.ActorSystem) => Effect.Effect<A, E>): Promise<A> =>
  Effect.runPromise(
    Effect.scoped(Effect.flatMap(ActorSystem.make(labName, tree), story)).pipe(
      Effect.provide(Layer.merge(live, Logger.remove(Logger.defaultLogger)))
    )
  )

const found = (system: ActorSystem.ActorSystem, name: string) =>
  Effect.suspend(() => Effect.fromNullable(system.lookup(`/lab/workloads/${name}`, Workload))).pipe(
    Effect.retry({ times: 500, schedule: Schedule.spaced("10 millis") })
  )

test("an operator sees what each workload of a lab does, and what became of it", (t) =>
  inLab((system) =>
    Effect.gen(function* () {
      const end = yield* Effect.makeLatch()
      const works = yield* Effect.fork(employ(system, "workload-1", working("two readers", end.await)))
      const actor = yield* found(system, "workload-1")
      const counted = { workload: "two readers", ...counts() }
      t.deepEqual(yield* ask(actor, new GetWork(), 1_000), { ...counted, state: "works" })
      yield* end.open
      yield* Fiber.join(works)
      t.deepEqual(yield* ask(actor, new GetWork(), 1_000), { ...counted, state: "over" })
    })
  ))

test("whoever waits for a workload is told that it has crashed, or was ended, and others go on", (t) =>
  inLab((system) =>
    Effect.gen(function* () {
      const crashes = employ(system, "workload-1", working("a writer", Effect.die(new Error("no such key"))))
      t.regex(
        Either.match(yield* Effect.either(crashes), {
          onLeft: ({ message }) => message,
          onRight: () => "it is well"
        }),
        /^the clients have ended before their time: a writer: Error: no such key/
      )
      const end = yield* Effect.makeLatch()
      const other = yield* Effect.fork(employ(system, "workload-2", working("a lock", end.await)))
      const killed = yield* Effect.fork(employ(system, "workload-3", working("a watcher", Effect.never)))
      yield* found(system, "workload-3")
      const workloads = yield* Effect.fromNullable(system.lookup("/lab/workloads", Workloads))
      yield* ask(workloads, new TerminateChild({ name: "workload-3" }), 5_000)
      t.true(Either.isLeft(yield* Effect.either(Fiber.join(killed))))
      yield* end.open
      yield* Fiber.join(other)
    })
  ))
