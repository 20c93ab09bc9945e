import { mkdtempSync, readFileSync, rmSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import test from "ava"
import { Deferred, Effect, Either, Schedule, Schema, type Scope } from "effect"
import * as Actor from "#actors/kernel/actor.ts"
import { ask } from "#actors/kernel/ask.ts"
import type { ActorRef, Ended } from "#actors/kernel/ref.ts"
import * as ActorSystem from "#actors/kernel/system.ts"
import { ActorFailed } from "#protocols/runtime.ts"
import { type Live, live } from "../live.ts"
import { Add, Adder, adders, Fail, Get, Slow } from "./fixtures/adders.ts"
import { place } from "./placement.ts"
import * as Supervisor from "./supervisor.ts"
import { child } from "./tree.ts"

const where = { module: new URL("./fixtures/adders.ts", import.meta.url).href, export: "adders" }

const node = (mode: "local" | "forked" | "threaded") =>
  Supervisor.make("node", {
    strategy: "one-for-one",
    intensity: { restarts: 10, within: "10 seconds" },
    children: [child(place(adders, mode, where), { name: "cell" }), child(Adder, { name: "outside" })]
  })

for (const mode of ["local", "threaded", "forked"] as const) {
  test(`${mode}: actors have the same paths and answer the same messages`, (t) =>
    run(
      Effect.gen(function* () {
        const a = adderIn(yield* ActorSystem.make("n", node(mode)), "a")
        for (let by = 1; by <= 1_000; by++) a.tell(new Add({ by }))
        t.is(yield* ask(a, new Get({}), "5 seconds"), 500_500)
      })
    ))

  test(`${mode}: a typed failure arrives as itself, and a crash as a crash`, (t) =>
    run(
      Effect.gen(function* () {
        const a = adderIn(yield* ActorSystem.make("n", node(mode)), "a")
        a.tell(new Add({ by: 7 }))
        const refused = yield* Effect.flip(ask(a, new Get({ atMost: 5 }), "5 seconds"))
        t.like(refused, { _tag: "TooMuch", sum: 7 })
        a.tell(new Fail())
        t.is(
          yield* eventually(ask(a, new Get({}), "5 seconds")),
          0,
          "its supervisor, inside, has restarted it"
        )
      })
    ))

  test(`${mode}: a deadline ends an ask, and what it asked for goes on`, (t) =>
    run(
      Effect.gen(function* () {
        const a = adderIn(yield* ActorSystem.make("n", node(mode)), "a")
        const late = yield* Effect.flip(ask(a, new Slow({ millis: 200 }), 50))
        t.is(late._tag, "DeadlineExceeded")
        t.is(yield* ask(a, new Get({}), "5 seconds"), 0)
      })
    ))

  test(`${mode}: a watch tells of a crash inside, with its cause`, (t) =>
    run(
      Effect.gen(function* () {
        const system = yield* ActorSystem.make("n", node(mode))
        const a = adderIn(system, "a")
        const ended = yield* Deferred.make<Ended>()
        system.spawn(Watching, { args: { target: a, ended } })
        // Asked after the watch: once it is answered, the watch is in place.
        yield* ask(a, new Get({}), "5 seconds")
        a.tell(new Fail())
        const { cause, path, reason } = yield* Deferred.await(ended)
        t.is(reason, "crashed")
        t.is(path, "/n/cell/a")
        t.regex(String(cause), /asked to fail/)
      })
    ))
}

test("kill -9 of a cell: what was asked is lost within 100 ms, watches fire, and the cell comes back", (t) =>
  run(
    Effect.gen(function* () {
      const system = yield* ActorSystem.make("n", node("forked"))
      const a = adderIn(system, "a")
      const ended = yield* Deferred.make<Ended>()
      const failed = yield* Deferred.make<ActorFailed>()
      system.events.subscribe(
        (event) => event instanceof ActorFailed && Deferred.unsafeDone(failed, Effect.succeed(event)),
        ["ActorFailed"]
      )
      system.spawn(Watching, { args: { target: a, ended } })
      a.tell(new Add({ by: 1 }))
      yield* ask(a, new Get({}), "5 seconds")
      const asking = yield* Effect.fork(Effect.flip(ask(a, new Slow({ millis: 10_000 }), "20 seconds")))
      yield* ask(adderIn(system, "b"), new Get({}), "5 seconds")

      const pid = pidOf(system)
      const killedMillis = performance.now()
      process.kill(pid, "SIGKILL")
      t.like(yield* Deferred.await(failed), { path: "/n/cell" })
      t.log(`seen after ${(performance.now() - killedMillis).toFixed(1)} ms`)
      t.is((yield* asking.await)._tag, "Success")
      t.is((yield* Deferred.await(ended)).reason, "lost")

      t.is(yield* eventually(ask(a, new Get({}), "5 seconds")), 0, "the same ref reaches the new process")
      t.not(pidOf(system), pid)
      t.is(yield* ask(outside(system), new Get({}), "1 second"), 0, "the sibling was left alone")
    })
  ))

test.serial("stopping the node stops the tree in the cell, then its process", (t) =>
  run(
    Effect.gen(function* () {
      const folder = mkdtempSync(join(tmpdir(), "placement-"))
      const file = join(folder, "stopped")
      process.env["ADDER_STOPPED"] = file
      const pid = yield* Effect.scoped(Effect.map(ActorSystem.make("n", node("forked")), pidOf))
      delete process.env["ADDER_STOPPED"]
      t.throws(() => process.kill(pid, 0), { code: "ESRCH" })
      t.is(readFileSync(file, "utf8"), "stopped\nstopped\nstopped\n", "two inside, one outside")
      rmSync(folder, { recursive: true })
    })
  )
)

test("a cell whose tree gives up is one more crash to the supervisor outside", (t) =>
  run(
    Effect.gen(function* () {
      const system = yield* ActorSystem.make("n", node("forked"))
      const pid = pidOf(system)
      const a = adderIn(system, "a")
      for (let crash = 0; crash < 4; crash++) {
        a.tell(new Fail())
        yield* Effect.either(ask(a, new Get({}), "5 seconds"))
      }
      yield* eventually(
        Effect.suspend(() => (pidOf(system) === pid ? Effect.fail("still the old process") : Effect.void))
      )
      t.is(yield* eventually(ask(a, new Get({}), "5 seconds")), 0)
    })
  ))

test("a module without such a declaration keeps the node from starting, and says what to do", (t) =>
  run(
    Effect.gen(function* () {
      const tree = Supervisor.make("node", {
        strategy: "one-for-one",
        children: [child(place(adders, "forked", { ...where, export: "nobody" }), { name: "cell" })]
      })
      const failed = yield* Effect.either(ActorSystem.make("n", tree))
      if (Either.isRight(failed)) return t.fail("it started")
      t.regex(failed.left.message, /exports no actor named nobody; export its declaration under that name/)
      t.notRegex(failed.left.message, /\n/)
    })
  ))

class End extends Schema.TaggedClass<End>()("End", { ended: Schema.Any }) {}

interface WatchingArgs {
  readonly target: ActorRef<never>
  readonly ended: Deferred.Deferred<Ended>
}

const Watching = Actor.make("watching", {
  messages: [End],
  init: (context, { target, ended }: WatchingArgs) => {
    context.watch(target, (end) => new End({ ended: end }))
    return { ended }
  },
  handlers: {
    End: (state, { ended }) => {
      Deferred.unsafeDone(state.ended, Effect.succeed(ended))
      return state
    }
  }
})

const run = <A, E>(program: Effect.Effect<A, E, Live | Scope.Scope>) =>
  Effect.runPromise(program.pipe(Effect.scoped, Effect.provide(live)))

/** Tries again while it fails, for 20 seconds: a process takes a while to start. */
const eventually = <A, E>(effect: Effect.Effect<A, E>) =>
  Effect.retry(effect, Schedule.spaced(20).pipe(Schedule.upTo("20 seconds")))

type System = ActorSystem.ActorSystem<never>

const adderIn = (system: System, name: string) => {
  const ref = system.lookup(`/n/cell/${name}`, Adder)
  if (ref === undefined) throw new Error(`nobody at /n/cell/${name}`)
  return ref
}

const outside = (system: System) => {
  const ref = system.lookup("/n/outside", Adder)
  if (ref === undefined) throw new Error("nobody at /n/outside")
  return ref
}

const pidOf = (system: System): number => {
  const cell = system.inspect("/n/cell")
  const state = "state" in cell ? cell.state : undefined
  return typeof state === "object" && state !== null && "pid" in state ? Number(state.pid) : 0
}
