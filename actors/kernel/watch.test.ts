import test from "ava"
import { Cause, Effect } from "effect"
import { call, crash, Do, puppet } from "#chaos/sim/puppet.ts"
import { onStage } from "#chaos/sim/stage.ts"
import type { ActorRef, Ended } from "./ref.ts"
import type { ActorSystem } from "./system.ts"

test("a watcher learns of the end of one life, with its cause", (t) => {
  for (const [act, reason] of [
    ["finish", "finished"],
    ["crash", "crashed"]
  ] as const) {
    const ended = onStage((system) =>
      Effect.gen(function* () {
        const one = system.spawn(puppet(), { args: { finish: (context) => context.stop(), crash } })
        return yield* endOf(system, one, () => one.tell(new Do({ act })))
      })
    )
    t.is(ended.reason, reason)
    t.is(ended.path, "/root/puppet")
    t.is(ended.incarnation, 1)
    t.is(ended.duringInit, false)
    t.is(
      Cause.pretty(ended.cause).split("\n")[0],
      act === "crash" ? "Error: out of luck" : "All fibers interrupted without errors."
    )
  }
})

test("watching an actor that has ended is answered that there is none", (t) => {
  const ended = onStage((system) =>
    Effect.gen(function* () {
      const one = system.spawn(puppet())
      system.kill(one.path)
      yield* Effect.sleep("1 millis")
      return yield* endOf(system, one, () => {})
    })
  )
  t.is(ended.reason, "absent")
})

test("whoever no longer watches hears nothing", (t) => {
  const heard = onStage((system) =>
    Effect.gen(function* () {
      const heard: Array<unknown> = []
      const one = system.spawn(puppet())
      const watcher = system.spawn(puppet(), {
        args: {
          watch: (context) => context.watch(one, () => new Do({ act: "heard" })),
          unwatch: (context) => context.unwatch(one),
          heard: () => heard.push("heard")
        }
      })
      watcher.tell(new Do({ act: "watch" }))
      watcher.tell(new Do({ act: "unwatch" }))
      yield* Effect.sleep("1 millis")
      system.kill(one.path)
      yield* Effect.sleep("1 millis")
      return heard
    })
  )
  t.deepEqual(heard, [])
})

test("a link takes the other actor down when one ends abnormally, in both directions", (t) => {
  for (const crashing of ["/root/left", "/root/right"]) {
    const endings = onStage((system) =>
      Effect.gen(function* () {
        const endings: Array<Ended> = []
        const right = system.spawn(puppet(), { name: "right" })
        const left = system.spawn(puppet(), {
          name: "left",
          args: { link: (context) => context.link(right) }
        })
        for (const ref of [left, right]) ref.addWatcher({ notice: (ended) => endings.push(ended) })
        yield* call(left, "link")
        system.inject(crashing, Cause.die(new Error("out of luck")))
        yield* Effect.sleep("1 second")
        return endings
      })
    )
    t.deepEqual(
      endings.map(({ reason }) => reason),
      ["crashed", "crashed"]
    )
    const text = Cause.pretty(endings[1]!.cause)
    t.true(text.includes("which it is linked to, was crashed"), text)
    t.true(text.includes("out of luck"), "with the cause of the first")
  }
})

test("a link that breaks does not wait for the effect of a handler", (t) => {
  const { ended, failure, millis } = onStage((system) =>
    Effect.gen(function* () {
      const right = system.spawn(puppet(), { name: "right" })
      const left = system.spawn(puppet(), {
        name: "left",
        args: { link: (context) => context.link(right), wait: () => Effect.sleep("30 seconds") }
      })
      yield* call(left, "link")
      const waiting = yield* Effect.fork(Effect.flip(call(left, "wait")))
      yield* Effect.sleep("1 millis")
      const ended = yield* endOf(system, left, () => void system.kill("/root/right"))
      return { ended, failure: yield* waiting, millis: system.clock.nowMillis() }
    })
  )
  t.is(ended.reason, "crashed")
  t.is(failure._tag, "ActorCrashed")
  t.is(millis, 1)
})

test("a link does not survive an end as planned", (t) => {
  const alive = onStage((system) =>
    Effect.gen(function* () {
      const right = system.spawn(puppet(), { name: "right", args: { end: (context) => context.stop() } })
      const left = system.spawn(puppet(), {
        name: "left",
        args: { link: (context) => context.link(right), alive: () => true }
      })
      yield* call(left, "link")
      right.tell(new Do({ act: "end" }))
      yield* Effect.sleep("1 second")
      return yield* call(left, "alive")
    })
  )
  t.true(alive)
})

test("linking to an actor that has ended is a crash", (t) => {
  const ended = onStage((system) =>
    Effect.gen(function* () {
      const right = system.spawn(puppet(), { name: "right" })
      system.kill("/root/right")
      yield* Effect.sleep("1 second")
      const left = system.spawn(puppet(), { name: "left", args: { link: (context) => context.link(right) } })
      return yield* endOf(system, left, () => left.tell(new Do({ act: "link" })))
    })
  )
  t.is(ended.reason, "crashed")
})

test("a notice overtakes a flood of messages", (t) => {
  const before = onStage((system) =>
    Effect.gen(function* () {
      let handled = 0
      const handledBefore: Array<number> = []
      const one = system.spawn(puppet(), { name: "one" })
      const watcher = system.spawn(puppet(), {
        args: {
          watch: (context) => context.watch(one, () => new Do({ act: "heard" })),
          work: () => void handled++,
          heard: () => handledBefore.push(handled)
        }
      })
      yield* call(watcher, "watch")
      for (let count = 0; count < 9_000; count++) watcher.tell(new Do({ act: "work" }))
      system.kill("/root/one")
      yield* Effect.sleep("1 second")
      return handledBefore[0]
    })
  )
  t.true(before !== undefined && before < 100, `${before} messages were handled before the notice`)
})

/** Lets another actor watch it, then does what ends it. */
const endOf = (system: ActorSystem, ref: ActorRef<never>, act: () => void): Effect.Effect<Ended> =>
  Effect.async((resume) => {
    const watcher = system.spawn(puppet(), {
      args: {
        watch: (context) => {
          context.watch(ref, (ended) => {
            resume(Effect.succeed(ended))
            return new Do({ act: "end" })
          })
          act()
        },
        end: (context) => context.stop()
      }
    })
    watcher.tell(new Do({ act: "watch" }))
  })
