import test from "ava"
import { Cause, Effect } from "effect"
import { type Acts, Call, crash, Do, endOf, keep, puppet } from "#chaos/sim/puppet.ts"
import { afterwards, newResource } from "#chaos/sim/resource.ts"
import { onStage } from "#chaos/sim/stage.ts"
import { SimWorld } from "#chaos/sim/world.ts"
import { StartFailed, StartTimedOut } from "#protocols/runtime.ts"
import * as Actor from "./actor.ts"
import { ask } from "./ask.ts"
import * as System from "./system.ts"

// Stopping

test("children end before their parent, the last started first, each with its own time to stop", (t) => {
  const log = onStage((system, world) =>
    Effect.gen(function* () {
      const log: Array<string> = []
      const fromMillis = world.nowMillis
      const note = (what: string) => log.push(`${what} ${world.nowMillis - fromMillis}`)
      const slowly = (name: string) => () => Effect.map(Effect.sleep("1 second"), () => note(name))
      const { ended, ref, stop } = keep(system, {
        spawn: (context) => {
          for (const name of ["a", "b", "c"]) context.spawn(puppet(), { name, args: { stop: slowly(name) } })
        },
        stop: () => void note("parent")
      })
      ref.tell(new Do({ act: "spawn" }))
      yield* Effect.sleep("1 millis")
      stop()
      yield* ended
      return log
    })
  )
  t.deepEqual(log, ["c 1001", "b 2001", "a 3001", "parent 3001"])
})

test("children that stop together take as long as the slowest", (t) => {
  const millis = onStage((system, world) =>
    Effect.gen(function* () {
      const parent = system.spawn(puppet({ stopsChildren: "together" }), {
        args: {
          spawn: (context) => {
            for (const seconds of [1, 3, 2])
              context.spawn(puppet(), { args: { stop: () => Effect.sleep(seconds * 1_000) } })
          },
          end: (context) => context.stop()
        }
      })
      yield* ask(parent, new Call({ act: "spawn" }), "1 second")
      const fromMillis = world.nowMillis
      parent.tell(new Do({ act: "end" }))
      yield* endOf(parent)
      return world.nowMillis - fromMillis
    })
  )
  t.is(millis, 3_000)
})

test("a kill reaches all below at once, also what is deep down and busy", (t) => {
  const { actors, millis, reasons } = onStage((system, world) =>
    Effect.gen(function* () {
      const reasons: Array<string> = []
      system.events.subscribe(
        (event) => void reasons.push(`${"path" in event && event.path} ${"reason" in event && event.reason}`),
        ["ActorEnded"]
      )
      const { ended, ref } = keep(system, nest(3))
      ref.tell(new Do({ act: "work" }))
      yield* Effect.sleep("10 millis")
      const fromMillis = world.nowMillis
      system.kill(ref.path)
      yield* ended
      return { reasons: [...reasons], millis: world.nowMillis - fromMillis, actors: system.actors }
    })
  )
  t.deepEqual(reasons, [
    "/root/keeper/kept/nested/nested/nested killed",
    "/root/keeper/kept/nested/nested killed",
    "/root/keeper/kept/nested killed",
    "/root/keeper/kept killed"
  ])
  t.is(millis, 0)
  t.is(actors, 3)
})

/** Actors below each other, all of them busy. */
const nest = (depth: number): Acts => ({
  init: (context) => {
    if (depth === 0) return
    context.spawn(puppet(), { name: "nested", args: nest(depth - 1) }).tell(new Do({ act: "work" }))
  },
  work: () => Effect.sleep("1 hour")
})

test("no message is handled after a stop, and each that waited is a dead letter", (t) => {
  const { handled, letters, whys } = onStage((system) =>
    Effect.gen(function* () {
      let handled = 0
      const one = system.spawn(puppet(), {
        args: {
          work: () => void handled++,
          end: (context) => context.stop(),
          stop: () => Effect.sleep("1 second")
        }
      })
      for (let count = 0; count < 10; count++) one.tell(new Do({ act: "work" }))
      one.tell(new Do({ act: "end" }))
      for (let count = 0; count < 10; count++) one.tell(new Do({ act: "work" }))
      yield* Effect.sleep("500 millis")
      one.tell(new Do({ act: "work" }))
      yield* Effect.sleep("10 seconds")
      one.tell(new Do({ act: "work" }))
      const whys = system.deadLetters.recent().map(({ why }) => why)
      return { handled, whys, letters: system.deadLetters.total }
    })
  )
  t.is(handled, 10)
  t.is(letters, 12)
  t.deepEqual(whys, [...Array(10).fill("stopping"), "stopped"], "ten in the first second are kept")
})

test("a stop is not delayed by a full mailbox", (t) => {
  const handled = onStage((system) =>
    Effect.gen(function* () {
      let handled = 0
      const { ended, ref, stop } = keep(system, { work: () => void handled++ })
      for (let count = 0; count < 9_000; count++) ref.tell(new Do({ act: "work" }))
      stop()
      yield* ended
      return handled
    })
  )
  t.true(handled < 100, `${handled} messages were handled before the stop`)
})

test("what cannot be interrupted is abandoned after a grace, with an event, and its place lives on", (t) => {
  const { atMillis, events, handled } = onStage((system, world) =>
    Effect.gen(function* () {
      const events: Array<string> = []
      const handled: Array<string> = []
      system.events.subscribe((event) => events.push(event._tag), ["ActorAbandoned", "ActorEnded"])
      const { ended, ref, restart } = keep(system, {
        stubborn: (context) =>
          Effect.uninterruptible(
            Effect.map(Effect.sleep("1 minute"), () =>
              handled.push(`leftover of life ${context.incarnation}`)
            )
          ),
        work: () => handled.push("work")
      })
      ref.tell(new Do({ act: "stubborn" }))
      yield* Effect.sleep("1 second")
      const fromMillis = world.nowMillis
      system.kill(ref.path)
      yield* ended
      const atMillis = world.nowMillis - fromMillis
      restart()
      ref.tell(new Do({ act: "work" }))
      yield* Effect.sleep("2 minutes")
      ref.tell(new Do({ act: "work" }))
      yield* Effect.sleep("1 second")
      return { atMillis, handled, events: [...events] }
    })
  )
  t.is(atMillis, 5_000)
  t.deepEqual(events, ["ActorAbandoned", "ActorEnded"])
  t.deepEqual(handled, ["work", "leftover of life 2", "work"])
})

test("the children of an abandoned actor end with it, and its scope closes", (t) => {
  const { actors, open } = onStage((system) =>
    Effect.gen(function* () {
      const resource = newResource(0)
      const { ended, ref } = keep(system, {
        init: (context) => {
          context.spawn(puppet(), { args: { init: () => resource.openBeside } })
          return resource.open
        },
        stubborn: () => Effect.uninterruptible(Effect.sleep("1 hour"))
      })
      ref.tell(new Do({ act: "stubborn" }))
      yield* Effect.sleep("1 second")
      system.kill(ref.path)
      yield* ended
      return { actors: system.actors, open: resource.opened }
    })
  )
  t.is(actors, 3, "the root, the keeper and the kept")
  t.is(open, 0)
})

test("a finalizer that does not end is abandoned too", (t) => {
  const { ended, abandoned, millis } = onStage((system, world) =>
    Effect.gen(function* () {
      let abandoned = 0
      system.events.subscribe(() => void abandoned++, ["ActorAbandoned"])
      const { ended, ref } = keep(system, {
        init: () => Effect.addFinalizer(() => Effect.async<never>(() => {}))
      })
      const fromMillis = world.nowMillis
      system.kill(ref.path)
      return { ended: yield* ended, abandoned, millis: world.nowMillis - fromMillis }
    })
  )
  t.is(ended.reason, "killed")
  t.is(abandoned, 1)
  t.is(millis, 5_000)
})

test("the start deadline of an abandoned life does not end the next one", (t) => {
  const alive = onStage((system) =>
    Effect.gen(function* () {
      const { ended, ref, restart } = keep(
        system,
        {
          init: (context) =>
            context.incarnation === 1 ? Effect.uninterruptible(Effect.sleep("1 hour")) : Effect.void,
          alive: (context) => context.incarnation
        },
        { startDeadline: "20 seconds" }
      )
      system.kill(ref.path)
      yield* ended
      restart()
      yield* Effect.sleep("1 minute")
      return yield* ask(ref, new Call({ act: "alive" }), "1 second")
    })
  )
  t.is(alive, 2)
})

test("a notice meant for one life does not reach the next", (t) => {
  const { incarnation, ended } = onStage((system) =>
    Effect.gen(function* () {
      const one = system.spawn(puppet(), { name: "one" })
      const { ended, ref, restart, stop } = keep(system, {
        link: (context) => {
          if (context.incarnation === 1) context.link(one)
        },
        work: () => Effect.sleep("1 second"),
        incarnation: (context) => context.incarnation
      })
      yield* ask(ref, new Call({ act: "link" }), "1 second")
      ref.tell(new Do({ act: "work" }))
      yield* Effect.sleep("1 millis")
      // The link breaks while the life that has it is on its way out, and waits for its effect.
      stop()
      system.kill("/root/one")
      const first = yield* ended
      restart()
      return { ended: first, incarnation: yield* ask(ref, new Call({ act: "incarnation" }), "1 second") }
    })
  )
  t.is(ended.reason, "shutdown")
  t.is(incarnation, 2)
})

test("an end is published with what crashed on the way out", (t) => {
  const { failed, lastCrash } = onStage((system) =>
    Effect.gen(function* () {
      const failed: Array<unknown> = []
      system.events.subscribe((event) => failed.push("cause" in event && event.cause), ["ActorFailed"])
      const { ended, ref, stop } = keep(system, { stop: crash })
      stop()
      yield* ended
      const shown = system.snapshot(ref.path)
      return { failed, lastCrash: "lastCrash" in shown && shown.lastCrash }
    })
  )
  t.is(failed.length, 1)
  t.is(lastCrash, "Error: out of luck")
})

// Starting

test("messages wait for an init that takes its time, and for manual readiness", (t) => {
  const log = onStage((system) =>
    Effect.gen(function* () {
      const log: Array<string> = []
      const work = () => log.push("work")
      const slow = system.spawn(puppet(), {
        args: { init: () => Effect.map(Effect.sleep("1 second"), () => log.push("init")), work }
      })
      slow.tell(new Do({ act: "work" }))
      yield* Effect.sleep("2 seconds")
      const manual = system.spawn(puppet({ readiness: "manual" }), {
        args: {
          init: (context) => {
            const ready = () => {
              log.push("ready")
              context.ready()
            }
            context.pipe(Effect.map(Effect.sleep("1 second"), ready), () => new Do({ act: "nothing" }))
          },
          work
        }
      })
      manual.tell(new Do({ act: "work" }))
      yield* Effect.sleep("2 seconds")
      return log
    })
  )
  t.deepEqual(log, ["init", "work", "ready", "work"])
})

test("messages for an init that fails are refused", (t) => {
  const { failure, letters } = onStage((system) =>
    Effect.gen(function* () {
      const one = system.spawn(puppet(), { args: { init: () => afterwards(1_000, Effect.die("bug")) } })
      one.tell(new Do({ act: "x" }))
      const failure = yield* Effect.flip(ask(one, new Call({ act: "x" }), "1 minute"))
      return { failure, letters: system.deadLetters.total }
    })
  )
  t.is(failure._tag, "ActorUnavailable")
  t.is(letters, 2)
})

test("an init that throws after it stopped itself is still a crash", (t) => {
  const ended = onStage((system) => {
    const { ended } = keep(system, {
      init: (context) => {
        context.stop()
        crash()
      }
    })
    return ended
  })
  t.is(ended.reason, "crashed")
  t.true(ended.duringInit)
})

test("an actor that never calls itself ready has the same deadline", (t) => {
  const Dawdler = Actor.make("dawdler", {
    messages: [],
    readiness: "manual",
    init: () => ({}),
    handlers: {}
  })
  const ended = onStage((system) => endOf(system.spawn(Dawdler, { startDeadline: "3 seconds" })))
  t.like(ended, { reason: "crashed", duringInit: true })
  t.true(Cause.squash(ended.cause) instanceof StartTimedOut)
})

test("a name is one step of a path", (t) => {
  onStage((system) =>
    Effect.sync(() => {
      for (const name of ["", "a/b"]) {
        t.throws(() => system.spawn(puppet(), { name }), { instanceOf: StartFailed, message: /has no slash/ })
      }
    })
  )
})

test("an init that takes too long says so", (t) => {
  const ended = onStage((system) => {
    const { ended } = keep(system, { init: () => Effect.sleep("1 hour") }, { startDeadline: "3 seconds" })
    return ended
  })
  const error = Cause.squash(ended.cause)
  t.true(error instanceof StartTimedOut)
  t.is(
    String((error as StartTimedOut).message),
    "/root/keeper/kept did not start within 3000 ms, so it was interrupted; see what its init waits for, or raise its start deadline"
  )
})

test("a system whose root does not start fails with the reason", (t) => {
  const root = Actor.make("root", {
    messages: [],
    init: () => Effect.die(new Error("out of luck")),
    handlers: {}
  })
  const failure = new SimWorld(1).run(Effect.scoped(Effect.flip(System.make("root", root))))
  t.true(failure instanceof StartFailed)
  t.is(
    failure.message,
    "/root did not start: Error: out of luck; mend what its init needs and start it again"
  )
})

test("the root waits for each of its children to stop, however many", (t) => {
  const reasons: Array<string> = []
  onStage((system) => {
    for (let count = 0; count < 20; count++) {
      const child = system.spawn(puppet(), { args: { stop: () => Effect.sleep("2 seconds") } })
      child.addWatcher({ notice: ({ reason }) => reasons.push(reason) })
    }
    return Effect.void
  })
  t.deepEqual(reasons, Array(20).fill("shutdown"))
})

test("closing the scope of a system stops its tree in order", (t) => {
  const log: Array<string> = []
  onStage((system) => {
    for (const name of ["a", "b"]) {
      const stop = () => Effect.map(Effect.sleep("1 second"), () => log.push(name))
      system.spawn(puppet(), { name, args: { stop } })
    }
    return Effect.void
  })
  t.deepEqual(log, ["b", "a"])
})
