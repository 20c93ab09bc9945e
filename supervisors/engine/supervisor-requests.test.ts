import test from "ava"
import { Effect } from "effect"
import * as Actor from "#actors/kernel/actor.ts"
import type { ChildSpec } from "#actors/kernel/ports/supervision.ts"
import { GetLife, type Part, Troupe, Worker, worker } from "#chaos/harness/troupe.ts"
import { NoSuchActor } from "#protocols/runtime.ts"
import {
  DeleteChild,
  type Restart,
  RestartChild,
  StartDynamicChild,
  TerminateChild,
  WhichChildren
} from "#protocols/supervision.ts"
import { dynamic, make, ReplaceChild, StartChild } from "./supervisor.ts"
import { child } from "./tree.ts"

// Changes of a running tree

test("a started child is the last to start and the first to stop, and nobody else notices", (t) => {
  const troupe = play("rest-for-one", worker("a"), worker("b"))
  t.true(troupe.request(new StartChild({ child: worker("c") })).value)
  t.deepEqual(troupe.seen(), ["start c"])
  troupe.stop()
  t.deepEqual(troupe.seen(), ["end c shutdown", "end b shutdown", "end a shutdown", "end top shutdown"])
})

test("a started child is supervised like any other", (t) => {
  const troupe = play("one-for-all", worker("a"))
  troupe.request(new StartChild({ child: worker("b") }))
  troupe.crash("b")
  t.is(troupe.lives(), "a 2, b 2")
})

test("a child that does not start is not kept, and the answer says why", (t) => {
  const troupe = play("one-for-one", worker("a"))
  const broken = worker("b", { init: () => Effect.die("no disk") })
  const { fault } = troupe.request(new StartChild({ child: broken }))
  t.is(fault?.message, "/sim/top could not start b: no disk; mend what its init needs and try again")
  t.is(troupe.children(), "a running")
  t.true(troupe.request(new StartChild({ child: worker("b") })).value, "the name is free")
})

test("a child that chooses not to run is kept, stopped, and the answer says so", (t) => {
  const troupe = play("one-for-one")
  const started = troupe.request(new StartChild({ child: worker("a", { init: () => Actor.ignore }) }))
  t.false(started.value)
  t.is(troupe.children(), "a stopped")
})

test("a replacement keeps its place in the order, and the refs to it stay good", (t) => {
  const troupe = play("rest-for-one", worker("a"), worker("b"), worker("c"))
  const b = troupe.system.lookup("/sim/top/b", Worker)!
  const other = worker("b", { stop: () => Effect.sleep("1 second") })
  t.true(troupe.request(new ReplaceChild({ child: other })).value)
  t.deepEqual(troupe.seen(), ["end b shutdown", "start b"])
  t.is(troupe.ask(new GetLife(), b).value, 2)
  troupe.stop()
  troupe.wait(1_000)
  t.deepEqual(troupe.seenAt(), [
    ...["0 end c shutdown", "1000 end b shutdown", "1000 end a shutdown"],
    "1000 end top shutdown"
  ])
})

test("a replacement may be another actor, and be treated otherwise", (t) => {
  const troupe = play("one-for-one", worker("a"))
  const Other = Actor.make("other", { messages: [], init: () => null, handlers: {} })
  troupe.request(new ReplaceChild({ child: child(Other, { name: "a", restart: "temporary" }) }))
  t.like(troupe.system.snapshot("/sim/top/a"), { kind: "other", role: "temporary" })
  troupe.crash("a")
  t.is(troupe.children(), "")
})

test("a replacement comes back by its own declaration, also when the old child crashed meanwhile", (t) => {
  const troupe = play("one-for-all", worker("a", { stop: () => Effect.sleep("1 second") }), worker("b"))
  const reply = troupe.request(new ReplaceChild({ child: worker("a", { restart: "transient" }) }))
  troupe.crash("b")
  troupe.wait(1_000)
  t.true(reply.value)
  t.is(troupe.lives(), "a 3, b 2", "replaced, and then restarted along with b")
  troupe.finish("a")
  t.is(troupe.children(), "a stopped, b running")
})

test("a replacement that does not start leaves its place to the new declaration, stopped", (t) => {
  const troupe = play("one-for-one", worker("a"), worker("b"))
  const startsLater = worker("a", { init: (life) => (life === 2 ? Effect.die("no disk") : undefined) })
  t.is(troupe.request(new ReplaceChild({ child: startsLater })).fault?._tag, "ChildStartFailed")
  t.is(troupe.children(), "a stopped, b running")
  t.true(troupe.request(new RestartChild({ name: "a" })).value)
})

test("a child that never gets through its start can be replaced", (t) => {
  const hangs = worker("a", {
    init: (life) => (life === 1 ? undefined : Effect.never),
    startDeadline: "1 hour"
  })
  const troupe = play("one-for-one", hangs)
  troupe.crash("a")
  t.is(troupe.children(), "a starting")
  t.true(troupe.request(new ReplaceChild({ child: worker("a") })).value)
  t.is(troupe.children(), "a running")
})

test("a terminated child stays down, and is started again or deleted by request", (t) => {
  const troupe = play("one-for-one", worker("a"), worker("b"), worker("c"))
  troupe.request(new TerminateChild({ name: "a" }))
  troupe.request(new TerminateChild({ name: "b" }))
  t.is(troupe.children(), "a stopped, b stopped, c running")
  t.true(troupe.request(new RestartChild({ name: "a" })).value)
  troupe.request(new DeleteChild({ name: "b" }))
  t.is(troupe.children(), "a running, c running")
  t.true(troupe.system.snapshot("/sim/top/b") instanceof NoSuchActor)
  t.deepEqual(troupe.seen(), ["end a shutdown", "end b shutdown", "start a"])
})

test("terminating is answered once the child is down: by its deadline at the latest", (t) => {
  const troupe = play("one-for-one", worker("a", { stop: () => Effect.never, shutdown: "3 seconds" }))
  const first = troupe.request(new TerminateChild({ name: "a" }))
  troupe.wait(1_000)
  const second = troupe.request(new TerminateChild({ name: "a" }))
  troupe.wait(1_999)
  t.deepEqual([first.pending, second.pending], [true, true])
  troupe.wait(1)
  t.deepEqual([first.pending, second.pending], [false, false])
  t.deepEqual(troupe.seenAt(), ["3000 end a killed"])
})

test("a request during the restart of a group is served once the group is there", (t) => {
  const slow = worker("b", { stop: () => Effect.sleep("1 second") })
  const troupe = play("one-for-all", worker("a"), slow)
  troupe.crash("a")
  const reply = troupe.request(new TerminateChild({ name: "a" }))
  t.true(reply.pending)
  troupe.wait(1_000)
  t.false(reply.pending)
  t.is(troupe.lives(), "b 2")
})

test("a supervisor that ends with requests unserved answers each of them", (t) => {
  const troupe = play("one-for-one", worker("a", { stop: () => Effect.sleep("1 second") }))
  const reply = troupe.request(new TerminateChild({ name: "a" }))
  troupe.stop()
  troupe.wait(1_000)
  t.is(reply.fault?._tag, "ActorCrashed")
})

// Dynamic children

test("dynamic children are started one by one, each with its own arguments", (t) => {
  const troupe = pool()
  t.is(troupe.children(), "")
  for (const name of ["x", "y"]) t.true(troupe.request(new StartDynamicChild({ name, args: {} })).value)
  const late = { init: () => Effect.sleep("1 second") }
  const reply = troupe.request(new StartDynamicChild({ name: "z", args: late }))
  t.is(troupe.children(), "x running, y running, z starting")
  troupe.wait(1_000)
  t.true(reply.value)
})

test("a dynamic child that crashes is restarted with its arguments, alone", (t) => {
  const lives: Array<number> = []
  const troupe = pool({ x: { init: (life) => Effect.sync(() => lives.push(life)) }, y: {} })
  troupe.crash("x")
  t.deepEqual(lives, [1, 2])
  t.is(troupe.lives(), "x 2, y 1")
})

test("a name that is no step of a path is refused, and nobody else notices", (t) => {
  const troupe = pool({ x: {} })
  for (const name of ["", "a/b"]) {
    const { fault } = troupe.request(new StartDynamicChild({ name, args: {} }))
    t.like(fault, { _tag: "UnfitChild", name })
  }
  t.is(troupe.lives(), "x 1")
})

test("a dynamic child that ends for good is gone, and its name is free", (t) => {
  const troupe = pool({ x: {} }, "transient")
  troupe.finish("x")
  t.is(troupe.children(), "")
  t.true(troupe.request(new StartDynamicChild({ name: "x", args: {} })).value)
  troupe.request(new TerminateChild({ name: "x" }))
  t.is(troupe.children(), "")
  t.true(troupe.request(new StartDynamicChild({ name: "x", args: {} })).value)
})

test("dynamic children stop together: it takes as long as the slowest, not as all", (t) => {
  const stop = () => Effect.sleep("1 second")
  const troupe = pool({ x: { stop }, y: { stop }, z: { stop } })
  troupe.stop()
  troupe.wait(5_000)
  t.deepEqual(troupe.seenAt().toSorted(), [
    ...["1000 end top shutdown", "1000 end x shutdown", "1000 end y shutdown", "1000 end z shutdown"]
  ])
})

test("dynamic children end with their supervisor, and do not come back with it", (t) => {
  const workers = dynamic("workers", { child: Worker })
  const troupe = play("one-for-one", child(workers))
  const ref = troupe.system.lookup("/sim/top/workers", workers)!
  troupe.ask(new StartDynamicChild({ name: "x", args: {} }), ref)
  troupe.crash("workers")
  t.is(troupe.lives(), "workers 2")
  t.is(troupe.children(ref), "")
})

test("ten thousand dynamic children start, stop with their supervisor, and start again", (t) => {
  const count = 10_000
  const workers = dynamic("workers", { child: Worker })
  const troupe = play("one-for-one", child(workers))
  const ref = troupe.system.lookup("/sim/top/workers", workers)!
  const startAll = () => {
    for (let index = 0; index < count; index++) {
      troupe.ask(new StartDynamicChild({ name: `w${index}`, args: {} }), ref)
    }
  }
  startAll()
  t.is(troupe.system.actors, count + 3)
  troupe.crash("workers")
  t.is(troupe.lives(), "workers 2")
  t.is(troupe.system.actors, 3)
  startAll()
  t.is(troupe.ask(new WhichChildren({}), ref).value?.length, count)
})

// Faults, as a person reads them

test("a fault says what, where, why, and what to do, in one line", (t) => {
  const fixed = play("one-for-one", worker("a"), worker("b"))
  fixed.request(new TerminateChild({ name: "b" }))
  const grown = pool({ x: {} })
  const significant = worker("c", { restart: "transient", significant: true })
  const faults = [
    fixed.request(new TerminateChild({ name: "c" })),
    fixed.request(new RestartChild({ name: "a" })),
    fixed.request(new StartChild({ child: worker("a") })),
    fixed.request(new StartChild({ child: worker("b") })),
    fixed.request(new StartChild({ child: significant })),
    fixed.request(new ReplaceChild({ child: { ...significant, name: "a" } })),
    fixed.request(new StartDynamicChild({ name: "c", args: {} })),
    grown.request(new StartDynamicChild({ name: "x", args: {} })),
    grown.request(new RestartChild({ name: "x" })),
    grown.request(new StartChild({ child: worker("y") })),
    grown.request(
      new StartDynamicChild({ name: "y", args: { init: () => Effect.fail(new Error("no disk")) } })
    )
  ].map(({ fault }) => fault?.message)
  t.deepEqual(faults, [
    "/sim/top has no child c; it has a, b",
    "/sim/top already runs a; stop it first with TerminateChild",
    "/sim/top already runs a; stop it first with TerminateChild",
    "/sim/top has a stopped child b; start it with RestartChild or remove it with DeleteChild",
    "/sim/top cannot take c: it is significant, and the supervisor never shuts down for a child; set the supervisor's autoShutdown, or declare the child not significant",
    "/sim/top cannot take a: it is significant, and the supervisor never shuts down for a child; set the supervisor's autoShutdown, or declare the child not significant",
    "/sim/top cannot take c: its children are declared one by one; send it a StartChild with the whole declaration",
    "/sim/top already runs x; stop it first with TerminateChild",
    "/sim/top has dynamic children, which cannot be restarted or deleted by request; use TerminateChild and StartDynamicChild",
    "/sim/top has dynamic children, which cannot be restarted or deleted by request; use TerminateChild and StartDynamicChild",
    "/sim/top could not start y: Error: no disk; mend what its init needs and try again"
  ])
})

// Fixtures

const play = (
  strategy: "one-for-one" | "one-for-all" | "rest-for-one",
  ...children: ReadonlyArray<ChildSpec>
): Troupe => {
  const intensity = { restarts: 10, within: "1 minute" } as const
  const troupe = new Troupe(make("top", { strategy, intensity, children }))
  troupe.seen()
  return troupe
}

/** A dynamic supervisor at the top, with these children. */
const pool = (children: { readonly [name: string]: Part } = {}, restart: Restart = "permanent"): Troupe => {
  const intensity = { restarts: 10, within: "1 minute" } as const
  const troupe = new Troupe(dynamic("top", { child: Worker, restart, intensity }))
  for (const [name, args] of Object.entries(children)) troupe.request(new StartDynamicChild({ name, args }))
  troupe.seen()
  return troupe
}
