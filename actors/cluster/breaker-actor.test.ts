import test from "ava"
import { Cause, Effect, Exit, Fiber, FiberId } from "effect"
import * as Actor from "#actors/kernel/actor.ts"
import { ask } from "#actors/kernel/ask.ts"
import type { ActorSystem } from "#actors/kernel/system.ts"
import { Call, crash, Do, puppet, Refused } from "#chaos/sim/puppet.ts"
import { onStage } from "#chaos/sim/stage.ts"
import {
  type BreakerEvent,
  BreakerHeld,
  BreakerOpen,
  GetBreaker,
  HoldBreaker,
  ReleaseBreaker,
  ResetBreaker,
  TripBreaker
} from "#protocols/breakers.ts"
import { ActorCrashed, ActorUnavailable, DeadlineExceeded } from "#protocols/delivery.ts"
import { askThrough, Breaker, BreakerActor } from "./breaker-actor.ts"
import type { BreakerRules } from "./circuit-breaker.ts"

const ann = { by: "ann", reason: "maintenance" }

test("an answer comes through a closed breaker, and so does the request's own failure", (t) => {
  const { answer, refusal, status } = onStage((system) =>
    Effect.gen(function* () {
      const { call, status } = open(system)
      const answer = yield* call("well")
      const refusal = yield* Effect.flip(call("refuses"))
      return { answer, refusal, status: yield* status }
    })
  )
  t.is(answer, "fine")
  t.true(refusal instanceof Refused)
  t.deepEqual(status.numbers, { calls: 2, failed: 0, slow: 0 })
})

test("a target that hangs opens it, and then costs its callers no time", (t) => {
  const { faults, tookMillis } = onStage((system, world) =>
    Effect.gen(function* () {
      const { call } = open(system)
      const faults = [yield* Effect.flip(call("hangs")), yield* Effect.flip(call("hangs"))]
      const fromMillis = world.nowMillis
      faults.push(yield* Effect.flip(call("well")))
      return { faults, tookMillis: world.nowMillis - fromMillis }
    })
  )
  t.true(faults[0] instanceof DeadlineExceeded && faults[1] instanceof DeadlineExceeded)
  t.true(faults[2] instanceof BreakerOpen && faults[2].definite)
  t.is(
    faults[2]?.message,
    "/root/target was not asked Call: breaker target is open (2 of 2 calls failed within 10 s); nothing happened, ask again in 5.0 s"
  )
  t.is(tookMillis, 0)
})

test("a target that slows down opens it although every call is answered", (t) => {
  const { fault, path } = onStage((system) =>
    Effect.gen(function* () {
      const { call, path } = open(system)
      yield* call("slow")
      yield* call("slow")
      const fault = yield* Effect.flip(call("slow"))
      yield* Effect.sleep("1 millis")
      return { fault, path: path() }
    })
  )
  t.true(fault instanceof BreakerOpen)
  t.deepEqual(path, ["1 closed>open /root/breaker: 2 of 2 calls within 10 s took 0.5 s or longer"])
})

test("a target that died and comes back is found again by a probe", (t) => {
  const { answer, faults, path } = onStage((system) =>
    Effect.gen(function* () {
      const { call, path, revive } = open(system)
      const faults = [yield* Effect.flip(call("dies"))]
      faults.push(yield* Effect.flip(call("well")))
      faults.push(yield* Effect.flip(call("well")))
      yield* Effect.sleep("5 seconds")
      faults.push(yield* Effect.flip(call("well")))
      faults.push(yield* Effect.flip(call("well")))
      revive()
      yield* Effect.sleep("10 seconds")
      const answer = [yield* call("well"), yield* call("well")]
      yield* Effect.sleep("1 millis")
      return { answer, faults, path: path() }
    })
  )
  t.deepEqual(
    faults.map(({ _tag }) => _tag),
    ["ActorCrashed", "ActorUnavailable", "BreakerOpen", "ActorUnavailable", "BreakerOpen"]
  )
  t.deepEqual(answer, ["fine", "fine"])
  t.deepEqual(path, [
    "1 closed>open /root/breaker: 2 of 2 calls failed within 10 s",
    "2 open>half-open /root/breaker: its wait is over",
    "3 half-open>open /root/breaker: a probe failed",
    "4 open>half-open /root/breaker: its wait is over",
    "5 half-open>closed /root/breaker: 2 probes were good"
  ])
})

test("half-open one caller probes while the others are refused", (t) => {
  for (let seed = 1; seed <= 50; seed++) {
    const tags = onStage((system) => {
      return Effect.gen(function* () {
        const { call, order } = open(system)
        yield* order(new TripBreaker(ann))
        yield* Effect.sleep("5 seconds")
        const calls = yield* Effect.forEach([1, 2, 3, 4], () => Effect.fork(Effect.exit(call("quick"))))
        const exits = yield* Effect.forEach(calls, Fiber.join)
        return exits.map((exit) => (Exit.isSuccess(exit) ? exit.value : "refused"))
      })
    }, seed)
    t.is(tags.filter((tag) => tag === "quick").length, 1, `seed ${seed}`)
  }
})

test("without any caller it becomes half-open by itself, and says so on time", (t) => {
  const { atMillis, path } = onStage(
    (system, world) =>
      Effect.gen(function* () {
        const { order, events, path } = open(system)
        const fromMillis = world.clock.wallMillis()
        yield* order(new TripBreaker(ann))
        yield* Effect.sleep("1 hour")
        return { path: path(), atMillis: events.map((event) => event.atMillis - fromMillis) }
      }),
    1,
    { limitMillis: 7_200_000 }
  )
  t.deepEqual(path, ["1 closed>open ann: maintenance", "2 open>half-open /root/breaker: its wait is over"])
  t.deepEqual(atMillis, [0, 5_000])
})

test("an operator trips, holds, releases and resets it", (t) => {
  const { answer, faults, path, statuses } = onStage((system) =>
    Effect.gen(function* () {
      const { breaker, call, order, path } = open(system)
      const statuses = [yield* order(new TripBreaker(ann)), yield* order(new HoldBreaker(ann))]
      yield* Effect.sleep("10 minutes")
      const faults: Array<Error> = [yield* Effect.flip(call("well"))]
      faults.push(
        yield* Effect.flip(ask(breaker, new ResetBreaker({ by: "bob", reason: "impatience" }), "1 second"))
      )
      statuses.push(yield* order(new ReleaseBreaker({ by: "bob", reason: "it is over" })))
      statuses.push(yield* order(new ResetBreaker({ by: "bob", reason: "all is well" })))
      return { statuses, faults, answer: yield* call("well"), path: path() }
    })
  )
  t.deepEqual(
    statuses.map(({ held, state }) => `${state} ${held?.by}`),
    ["open undefined", "open ann", "half-open undefined", "closed undefined"]
  )
  t.true(faults[0] instanceof BreakerOpen && faults[1] instanceof BreakerHeld)
  t.deepEqual(
    faults.map(({ message }) => message.replace(/.*: breaker/, "breaker")),
    [
      "breaker target is open (maintenance); nothing happened, it is held: have an operator release it",
      "breaker target stays open: ann holds it (maintenance); release it first"
    ]
  )
  t.is(answer, "fine")
  t.deepEqual(path, [
    "1 closed>open ann: maintenance",
    "2 BreakerHoldBegan ann: maintenance",
    "3 BreakerHoldEnded bob: it is over",
    "4 open>half-open /root/breaker: its wait is over",
    "5 half-open>closed bob: all is well"
  ])
})

test("a caller that gives up early says nothing about the target, and one that waited long says it is slow", (t) => {
  const { patient, probes, rash } = onStage((system) =>
    Effect.gen(function* () {
      const { call, order, status } = open(system)
      const giveUp = (after: number) => Effect.exit(Effect.timeout(call("hangs"), after))
      yield* giveUp(100)
      const rash = (yield* status).numbers
      yield* giveUp(600)
      const patient = (yield* status).numbers
      yield* order(new TripBreaker(ann))
      yield* Effect.sleep("5 seconds")
      yield* giveUp(100)
      return { rash, patient, probes: (yield* status).probes }
    })
  )
  t.deepEqual(rash, { calls: 0, failed: 0, slow: 0 })
  t.deepEqual(patient, { calls: 1, failed: 0, slow: 1 })
  t.is(probes, 0)
})

test("a failure of the request counts when the breaker was declared so", (t) => {
  const status = onStage((system) =>
    Effect.gen(function* () {
      const { call, status } = open(system, (failure) => failure instanceof Refused)
      yield* Effect.flip(call("refuses"))
      yield* Effect.flip(call("refuses"))
      return yield* status
    })
  )
  t.is(status.state, "open")
})

test("its actor may crash: callers stay protected, and the next life publishes what it missed", (t) => {
  const { answer, fault, path } = onStage((system) =>
    Effect.gen(function* () {
      const breaker = new Breaker("target", rules)
      const target = system.spawn(puppet(), { name: "target", args: acts })
      const keeper = system.spawn(puppet(), {
        name: "keeper",
        args: {
          init: (context) => void context.spawn(BreakerActor, { keep: true, args: breaker }),
          restart: (context) => context.restartChild("breaker")
        }
      })
      const path = record(system)
      const call = (act: string) => askThrough(breaker, target, new Call({ act }), "2 seconds")
      yield* Effect.sleep("1 millis")
      system.kill("/root/keeper/breaker")
      yield* Effect.flip(call("hangs"))
      yield* Effect.flip(call("hangs"))
      const fault = yield* Effect.flip(call("well"))
      yield* Effect.sleep("1 second")
      keeper.tell(new Do({ act: "restart" }))
      yield* Effect.sleep("10 seconds")
      return { fault, answer: yield* call("well"), path: path() }
    })
  )
  t.true(fault instanceof BreakerOpen)
  t.is(answer, "fine")
  t.deepEqual(path, [
    "1 closed>open /root/keeper/breaker: 2 of 2 calls failed within 10 s",
    "2 open>half-open /root/keeper/breaker: its wait is over"
  ])
})

test("of a hundred changes that nobody took the last are kept, and the numbers show the gap", (t) => {
  const breaker = new Breaker("target")
  breaker.attach({ nowMillis: () => 0, changed: () => {} })
  for (let time = 0; time < 150; time++) breaker.core.trip(ann, 0)
  const numbers = breaker.takeChanges().map(({ number }) => number)
  t.is(numbers.length, 100)
  t.is(numbers[0], 51)
  t.deepEqual(breaker.takeChanges(), [])
})

test("asking through a breaker whose actor was never started is a bug that says so", (t) => {
  const error = t.throws(() =>
    onStage((system) => {
      const target = system.spawn(puppet(), { name: "target", args: acts })
      return askThrough(new Breaker("target"), target, new Call({ act: "well" }), "1 second")
    })
  )
  t.true(error?.message.startsWith("breaker target has no actor yet"))
})

test("a message that the target does not know is no fault of the target", (t) => {
  const blames = (failure: unknown) => new Breaker("target").blames(Cause.fail(failure))
  t.true(blames(new ActorCrashed({ path: "/x", request: "Call", reason: "" })))
  t.true(blames(new ActorUnavailable({ path: "/x", request: "Call", why: "stopped" })))
  t.false(blames(new Refused({ why: "x" })))
  t.true(new Breaker("target").blames(Cause.die("a bug")))
  t.is(new Breaker("target").blames(Cause.interrupt(FiberId.none)), undefined)
})

test("in every interleaving of many callers with a failing target the events tell a legal story without gaps", (t) => {
  for (let seed = 1; seed <= 100; seed++) {
    const events = onStage(
      (system, world) =>
        Effect.gen(function* () {
          const { call, events } = open(system)
          const some = ["well", "hangs", "slow", "quick", "refuses"]
          const caller = Effect.gen(function* () {
            for (let turn = 0; turn < 20; turn++) {
              yield* Effect.exit(call(some[world.prng.below(some.length)]!))
              yield* Effect.sleep(world.prng.below(2_000))
            }
          })
          const callers = yield* Effect.forEach([1, 2, 3, 4], () => Effect.fork(caller))
          yield* Effect.forEach(callers, Fiber.join)
          return events
        }),
      seed
    )
    t.true(events.length > 2, `seed ${seed}`)
    let state = "closed"
    for (const [index, event] of events.entries()) {
      t.is(event.number, index + 1)
      if (event._tag !== "BreakerChanged") continue
      t.is(event.from, state as typeof event.from)
      t.true(event.to === "half-open" ? state === "open" : event.to === "open" || state === "half-open")
      state = event.to
    }
  }
})

// Fixtures

const rules: Partial<BreakerRules> = {
  minimumCalls: 2,
  slowMillis: 500,
  openMillis: 5_000,
  probesMax: 1,
  probesToClose: 2
}

const acts = {
  well: () => "fine",
  quick: () => Effect.as(Effect.sleep("100 millis"), "quick"),
  slow: () => Effect.as(Effect.sleep("500 millis"), "slow"),
  hangs: () => Effect.sleep("3 seconds"),
  refuses: () => Actor.refuse(null, new Refused({ why: "closed" })),
  dies: crash
}

/** A target, a breaker before it, and a record of what the breaker says. */
const open = (system: ActorSystem, failureCounts?: (failure: unknown) => boolean) => {
  const events: Array<BreakerEvent> = []
  system.events.subscribe((event) => void events.push(event as BreakerEvent), tags)
  const path = record(system)
  const breaker = new Breaker("target", rules, failureCounts)
  const actor = system.spawn(BreakerActor, { args: breaker })
  let target = system.spawn(puppet(), { name: "target", args: acts })
  return {
    breaker: actor,
    events,
    path,
    call: (act: string) => askThrough(breaker, target, new Call({ act }), "2 seconds"),
    status: ask(actor, new GetBreaker(), "1 second"),
    order: (request: TripBreaker | ResetBreaker | HoldBreaker | ReleaseBreaker) =>
      ask(actor, request, "1 second"),
    revive: () => {
      target = system.spawn(puppet(), { name: "target", args: acts })
    }
  }
}

const tags = ["BreakerChanged", "BreakerHoldBegan", "BreakerHoldEnded"]

const record = (system: ActorSystem) => {
  const lines: Array<string> = []
  system.events.subscribe((heard) => {
    const event = heard as BreakerEvent
    const what = event._tag === "BreakerChanged" ? `${event.from}>${event.to}` : event._tag
    lines.push(`${event.number} ${what} ${event.by}: ${event.reason}`)
  }, tags)
  return () => [...lines]
}
