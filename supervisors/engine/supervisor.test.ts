import test from "ava"
import { Cause, type Duration, Effect, Layer } from "effect"
import { make as declareActor, ignore } from "#actors/kernel/actor.ts"
import { Supervision } from "#actors/kernel/ports/supervision.ts"
import * as System from "#actors/kernel/system.ts"
import { Troupe, worker } from "#chaos/harness/troupe.ts"
import { SimWorld } from "#chaos/sim/world.ts"
import { SupervisorEscalated } from "#protocols/runtime.ts"
import { type Restart, RestartChild, RestartLimitReached, TerminateChild } from "#protocols/supervision.ts"
import type { AutoShutdown } from "./restart-policy.ts"
import { make, SupervisionLive } from "./supervisor.ts"
import { child } from "./tree.ts"

// Starting

test("children start in order, each once the one before has started", (t) => {
  const slow = () => Effect.sleep("1 second")
  const troupe = oneForOne(worker("a", { init: slow }), worker("b", { init: slow }), worker("c"))
  troupe.wait(5_000)
  t.deepEqual(troupe.seenAt(), ["1000 start a", "2000 start b", "2000 start c", "2000 start top"])
})

test("a child that does not start at boot stops those that had, and the supervisor does not start", (t) => {
  const troupe = oneForOne(
    worker("a"),
    worker("b"),
    worker("c", { init: () => Effect.die("no disk") }),
    worker("d")
  )
  t.deepEqual(troupe.seen(), [
    ...["start a", "start b", "no start c crashed"],
    ...["end b shutdown", "end a shutdown", "no start top shutdown"]
  ])
  t.is(
    troupe.lastWords,
    "ChildStartFailed: /sim/top could not start c: no disk; mend what its init needs and try again"
  )
})

test("a boot that fails further down names the whole way", (t) => {
  const storage = make("storage", {
    strategy: "one-for-one",
    children: [worker("disk", { init: () => Effect.fail(new Error("no such device")) })]
  })
  t.regex(
    oneForOne(child(storage)).lastWords,
    /top could not start storage:.*storage could not start disk: Error: no such device/
  )
})

test("a child that has not started by its deadline is interrupted, and has not started", (t) => {
  const troupe = oneForOne(worker("a", { init: () => Effect.never, startDeadline: "3 seconds" }))
  troupe.wait(3_000)
  t.deepEqual(troupe.seenAt(), ["3000 no start a crashed", "3000 no start top shutdown"])
  t.regex(troupe.lastWords, /a did not start within 3000 ms/)
})

test("a child may choose not to run, and can be asked to start later", (t) => {
  const reluctant = { init: (life: number) => (life === 1 ? ignore : undefined) }
  const troupe = oneForOne(
    worker("a", reluctant),
    worker("b", { ...reluctant, restart: "temporary" }),
    worker("c")
  )
  t.is(troupe.children(), "a stopped, c running")
  t.true(troupe.request(new RestartChild({ name: "a" })).value)
  t.is(troupe.children(), "a running, c running")
})

// Stopping

test("children stop in reverse order, each once the one after it has stopped, and then their supervisor", (t) => {
  const slow = () => Effect.sleep("1 second")
  const troupe = oneForOne(worker("a", { stop: slow }), worker("b", { stop: slow }), worker("c"))
  troupe.seen()
  troupe.stop()
  troupe.wait(5_000)
  t.deepEqual(troupe.seenAt(), [
    ...["0 end c shutdown", "1000 end b shutdown", "2000 end a shutdown"],
    "2000 end top shutdown"
  ])
})

test("a child that has not stopped by its deadline is killed, and only then the next one is stopped", (t) => {
  const hangs = { stop: () => Effect.never }
  const troupe = oneForOne(
    worker("a"),
    worker("b", { ...hangs, shutdown: "2 seconds" }),
    worker("c", { ...hangs, shutdown: 500 })
  )
  troupe.seen()
  troupe.stop()
  troupe.wait(10_000)
  t.deepEqual(troupe.seenAt(), [
    ...["500 end c killed", "2500 end b killed", "2500 end a shutdown"],
    "2500 end top shutdown"
  ])
})

test("a child whose deadline is to be killed is not asked", (t) => {
  let asked = false
  const stopHook = () => {
    asked = true
    return undefined
  }
  const troupe = oneForOne(worker("a", { stop: stopHook, shutdown: "kill" }))
  troupe.seen()
  troupe.stop()
  t.deepEqual(troupe.seen(), ["end a killed", "end top shutdown"])
  t.false(asked)
})

test("a supervisor below has all the time that its children need", (t) => {
  const patient = worker("a", { stop: () => Effect.sleep("1 minute"), shutdown: "2 minutes" })
  const troupe = oneForOne(child(make("below", { strategy: "one-for-one", children: [patient] })))
  troupe.seen()
  troupe.stop()
  troupe.wait(300_000)
  t.deepEqual(troupe.seenAt(), [
    ...["60000 end below/a shutdown", "60000 end below shutdown"],
    "60000 end top shutdown"
  ])
})

test("a child that ends by itself has done so, even if its supervisor would have killed it", (t) => {
  const troupe = play("one-for-one", worker("a", { restart: "transient", shutdown: "kill" }))
  troupe.leave("a")
  t.deepEqual(troupe.seen(), ["end a shutdown"])
})

// Restarts

test("who comes back: permanent always, transient unless it meant to end, temporary never", (t) => {
  const ends = ["finish", "leave", "crash", "kill"] as const
  const comesBack = (restart: Restart) =>
    ends.map((end) => {
      const troupe = oneForOne(worker("a", { restart }))
      troupe[end]("a")
      return `${end}: ${troupe.children() || "gone"}`
    })
  t.deepEqual(comesBack("permanent"), [
    "finish: a running",
    "leave: a running",
    "crash: a running",
    "kill: a running"
  ])
  t.deepEqual(comesBack("transient"), [
    "finish: a stopped",
    "leave: a stopped",
    "crash: a running",
    "kill: a running"
  ])
  t.deepEqual(comesBack("temporary"), ["finish: gone", "leave: gone", "crash: gone", "kill: gone"])
})

test("one-for-one restarts the child that crashed", (t) => {
  const troupe = play("one-for-one", worker("a"), worker("b"), worker("c"))
  troupe.crash("b")
  t.deepEqual(troupe.seen(), ["end b crashed", "start b"])
  t.is(troupe.lives(), "a 1, b 2, c 1")
})

test("one-for-all restarts all, which stop in reverse order and start in order", (t) => {
  const troupe = play("one-for-all", worker("a"), worker("b"), worker("c"))
  troupe.crash("b")
  t.deepEqual(troupe.seen(), [
    ...["end b crashed", "end c shutdown", "end a shutdown"],
    ...["start a", "start b", "start c"]
  ])
})

test("rest-for-one restarts the child that crashed and those started after it", (t) => {
  const troupe = play("rest-for-one", worker("a"), worker("b"), worker("c"))
  troupe.crash("b")
  t.deepEqual(troupe.seen(), ["end b crashed", "end c shutdown", "start b", "start c"])
  t.is(troupe.lives(), "a 1, b 2, c 2")
})

test("a sibling that hangs while its group stops is killed at its deadline, and the restart goes on", (t) => {
  const hangs = worker("c", { stop: () => Effect.never, shutdown: "2 seconds" })
  const troupe = play("one-for-all", worker("a"), worker("b"), hangs)
  troupe.crash("a")
  troupe.wait(2_000)
  t.deepEqual(troupe.seenAt(), [
    ...["0 end a crashed", "2000 end c killed", "2000 end b shutdown"],
    ...["2000 start a", "2000 start b", "2000 start c"]
  ])
})

test("a temporary child that falls with its siblings is gone", (t) => {
  const troupe = play("one-for-all", worker("a"), worker("b", { restart: "temporary" }))
  troupe.crash("a")
  t.is(troupe.children(), "a running")
})

test("a start that fails at a restart is tried again, as one more restart", (t) => {
  const failsTwice = {
    init: (life: number) => (life === 2 || life === 3 ? Effect.die("not yet") : undefined)
  }
  const troupe = oneForOne(worker("a", failsTwice))
  troupe.seen()
  troupe.crash("a")
  t.deepEqual(troupe.seen(), ["end a crashed", "no start a crashed", "no start a crashed", "start a"])
})

test("a slow start of one child does not delay the restart of another", (t) => {
  const slowAgain = { init: (life: number) => (life === 2 ? Effect.sleep("10 seconds") : undefined) }
  const troupe = oneForOne(worker("a", slowAgain), worker("b"))
  troupe.seen()
  troupe.crash("a")
  troupe.crash("b")
  t.deepEqual(troupe.seenAt(), ["0 end a crashed", "0 end b crashed", "0 start b"])
  t.is(troupe.children(), "a starting, b running")
  troupe.wait(10_000)
  t.deepEqual(troupe.seenAt(), ["10000 start a"])
})

test("a child that crashes while its group starts is restarted once the group is there", (t) => {
  const slowAgain = { init: (life: number) => (life === 2 ? Effect.sleep("10 seconds") : undefined) }
  const troupe = play("rest-for-one", worker("a"), worker("b", slowAgain))
  troupe.crash("b")
  troupe.crash("a")
  troupe.wait(10_000)
  t.deepEqual(troupe.seen(), [
    "end b crashed",
    "end a crashed",
    "start b",
    "end b shutdown",
    "start a",
    "start b"
  ])
})

// Giving up

test("as many restarts as allowed are fine; one more, and the supervisor gives up", (t) => {
  const troupe = within({ restarts: 2, within: "10 seconds" }, worker("a"), worker("b"), worker("c"))
  troupe.crash("a")
  troupe.crash("b")
  troupe.seen()
  troupe.crash("b", "out of memory")
  t.deepEqual(troupe.seen(), [
    ...["end b crashed", "give up top"],
    ...["end c shutdown", "end a shutdown", "end top shutdown"]
  ])
  t.is(
    troupe.lastWords,
    "RestartLimitReached: /sim/top gave up: more than 2 restarts within 10000 ms, the last of b (Error: out of memory); mend that child, then start /sim/top again or raise its intensity"
  )
})

test("a supervisor that gives up ends with the reason shutdown, and its cause says why", (t) => {
  const troupe = within({ restarts: 0, within: "1 second" }, worker("a"))
  const escalations: Array<SupervisorEscalated> = []
  troupe.system.events.subscribe((event) => {
    if (event instanceof SupervisorEscalated) escalations.push(event)
  })
  troupe.crash("a")
  t.is(troupe.ended?.reason, "shutdown")
  const fault = Cause.squash(troupe.ended?.cause ?? Cause.empty)
  t.true(fault instanceof RestartLimitReached)
  t.like(fault, {
    supervisor: "/sim/top",
    child: "a",
    restarts: 0,
    withinMillis: 1_000,
    reason: "Error: boom"
  })
  t.is(escalations.length, 1)
  t.like(escalations[0], { path: "/sim/top", incarnation: 1, reason: (fault as RestartLimitReached).message })
})

test("a restart still counts one period later, and not a millisecond after that", (t) => {
  const survives = (pauseMillis: number) => {
    const troupe = within({ restarts: 1, within: "1 second" }, worker("a"))
    troupe.crash("a")
    troupe.wait(pauseMillis)
    troupe.crash("a")
    return troupe.ended === undefined
  }
  t.false(survives(1_000))
  t.true(survives(1_001))
})

test("children that crash together count one by one", (t) => {
  const troupe = within({ restarts: 1, within: "1 second" }, worker("a"), worker("b"))
  troupe.system.inject("/sim/top/a", Cause.die("boom"))
  troupe.crash("b")
  t.is(troupe.ended?.reason, "shutdown")
})

test("the supervisor above restarts one that gave up, with everything below, and counts it", (t) => {
  const inner = make("inner", {
    strategy: "one-for-one",
    intensity: never,
    children: [worker("a"), worker("b")]
  })
  const troupe = within({ restarts: 1, within: "1 minute" }, child(inner))
  troupe.seen()
  troupe.crash("inner/a")
  t.deepEqual(troupe.seen(), [
    ...["end inner/a crashed", "give up inner", "end inner/b shutdown", "end inner shutdown"],
    ...["start inner/a", "start inner/b", "start inner"]
  ])
  troupe.crash("inner/b")
  t.deepEqual(troupe.seen(), [
    ...["end inner/b crashed", "give up inner", "end inner/a shutdown", "end inner shutdown"],
    ...["give up top", "end top shutdown"]
  ])
  t.regex(
    troupe.lastWords,
    /^RestartLimitReached: \/sim\/top gave up: .* the last of inner \(RestartLimitReached: \/sim\/top\/inner gave up: .* the last of b \(Error: boom\)/
  )
})

test("a supervisor that gave up starts its count anew with its next life", (t) => {
  const inner = make("inner", {
    strategy: "one-for-one",
    intensity: { restarts: 1, within: "1 hour" },
    children: [worker("a")]
  })
  const troupe = within({ restarts: 1, within: "1 hour" }, child(inner))
  troupe.crash("inner/a")
  troupe.crash("inner/a")
  troupe.seen()
  troupe.crash("inner/a")
  t.deepEqual(troupe.seen(), ["end inner/a crashed", "start inner/a"])
})

test("a transient supervisor that gives up is not restarted: giving up is no crash", (t) => {
  const inner = make("inner", { strategy: "one-for-one", intensity: never, children: [worker("a")] })
  const troupe = oneForOne(child(inner, { restart: "transient" }), worker("b"))
  troupe.crash("inner/a")
  t.is(troupe.children(), "inner stopped, b running")
})

test("a supervisor that is killed takes all below with it, and comes back with all of it", (t) => {
  const inner = make("inner", {
    strategy: "one-for-one",
    children: [worker("a", { stop: () => Effect.never })]
  })
  const troupe = oneForOne(child(inner))
  troupe.seen()
  troupe.kill("inner")
  t.deepEqual(troupe.seenAt(), [
    ...["0 end inner/a killed", "0 end inner killed"],
    ...["0 start inner/a", "0 start inner"]
  ])
})

// Ending by itself

const significant = { restart: "transient", significant: true } as const

test("the end of any significant child ends an any-significant supervisor, a crash does not", (t) => {
  const troupe = endsWith("any-significant", worker("a"), worker("b", significant), worker("c", significant))
  troupe.crash("b")
  t.deepEqual(troupe.seen(), ["end b crashed", "start b"])
  troupe.finish("b")
  t.deepEqual(troupe.seen(), ["end b finished", "end c shutdown", "end a shutdown", "end top shutdown"])
  t.true(Cause.isEmpty(troupe.ended?.cause ?? Cause.die("not ended")), "it was planned")
})

test("an all-significant supervisor ends with the last of them", (t) => {
  const troupe = endsWith("all-significant", worker("a"), worker("b", significant), worker("c", significant))
  troupe.finish("c")
  t.is(troupe.children(), "a running, b running, c stopped")
  troupe.leave("b")
  t.is(troupe.ended?.reason, "shutdown")
})

test("a temporary significant child counts however it ends", (t) => {
  const troupe = endsWith("any-significant", worker("a", { restart: "temporary", significant: true }))
  troupe.crash("a")
  t.is(troupe.ended?.reason, "shutdown")
})

test("a significant child that is terminated by request ends nothing", (t) => {
  const troupe = endsWith("any-significant", worker("a", significant))
  troupe.request(new TerminateChild({ name: "a" }))
  t.is(troupe.children(), "a stopped")
})

// From an actor

test("an actor declares a supervisor through its port, and knows no more of it", (t) => {
  const Boss = declareActor("boss", {
    messages: [],
    services: [Supervision],
    init: (context) => {
      const { supervisor } = context.service(Supervision)
      context.spawn(supervisor("staff", { strategy: "one-for-one", children: [worker("a")] }))
      return null
    },
    handlers: {}
  })
  const started = System.make("boss", Boss).pipe(
    Effect.tap(Effect.sleep(1)),
    Effect.map((system) => system.snapshot("/boss/staff")),
    Effect.scoped,
    Effect.provide(Layer.fresh(SupervisionLive))
  )
  t.like(new SimWorld(1).run(started), { kind: "one-for-one", status: "running" })
})

// Fixtures

const never = { restarts: 0, within: "1 minute" } as const

type Children = ReadonlyArray<ReturnType<typeof worker>>

const oneForOne = (...children: Children): Troupe => within({ restarts: 10, within: "1 minute" }, ...children)

const within = (
  intensity: { readonly restarts: number; readonly within: Duration.DurationInput },
  ...children: Children
) => new Troupe(make("top", { strategy: "one-for-one", intensity, children }))

/** The first scene, the boot, is over. */
const play = (strategy: "one-for-one" | "one-for-all" | "rest-for-one", ...children: Children): Troupe => {
  const troupe = new Troupe(
    make("top", { strategy, intensity: { restarts: 10, within: "1 minute" }, children })
  )
  troupe.seen()
  return troupe
}

const endsWith = (autoShutdown: AutoShutdown, ...children: Children): Troupe => {
  const troupe = new Troupe(make("top", { strategy: "one-for-one", autoShutdown, children }))
  troupe.seen()
  return troupe
}
