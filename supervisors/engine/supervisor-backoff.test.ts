import test from "ava"
import { Effect, Schedule, ScheduleDecision } from "effect"
import { GetLife, type Part, Troupe, Worker, worker } from "#chaos/harness/troupe.ts"
import { DeleteChild, RestartChild, TerminateChild } from "#protocols/supervision.ts"
import { make, ReplaceChild } from "./supervisor.ts"

const doubling = Schedule.exponential("1 second")

test("each restart waits for the next delay of the schedule", (t) => {
  const troupe = play("one-for-one", worker("a", { backoff: doubling, ...stillborn }))
  troupe.crash("a")
  troupe.wait(130_000)
  t.deepEqual(
    troupe.seenAt().map((line) => Number.parseInt(line, 10)),
    [0, 1_000, 3_000, 7_000, 15_000, 31_000, 63_000, 127_000]
  )
})

test("jitter spreads the restarts of children that crash together", (t) => {
  const backoff = Schedule.spaced("10 seconds").pipe(Schedule.jittered)
  const troupe = play("one-for-one", ...["a", "b", "c"].map((name) => worker(name, { backoff })))
  for (const name of ["a", "b", "c"]) troupe.crash(name)
  troupe.seen()
  troupe.wait(20_000)
  const restartsMillis = troupe.seenAt().map((line) => Number.parseInt(line, 10))
  t.is(new Set(restartsMillis).size, 3)
  for (const millis of restartsMillis) t.true(millis >= 8_000 && millis <= 12_000, `${millis}`)
})

test("each child has a schedule of its own", (t) => {
  const troupe = play("one-for-one", worker("a", { backoff: doubling }), worker("b", { backoff: doubling }))
  troupe.crash("a")
  troupe.wait(1_000)
  troupe.crash("a")
  troupe.crash("b")
  troupe.seen()
  troupe.wait(5_000)
  t.deepEqual(troupe.seenAt(), ["2000 start b", "3000 start a"])
})

test("a child that ran well for a whole period starts its schedule anew", (t) => {
  const secondDelayMillis = (healthyMillis: number) => {
    const troupe = play("one-for-one", worker("a", { backoff: doubling }))
    troupe.crash("a")
    troupe.wait(1_000 + healthyMillis)
    troupe.crash("a")
    const crashedMillis = troupe.nowMillis
    troupe.seen()
    troupe.wait(10_000)
    return Number.parseInt(troupe.seenAt()[0] ?? "", 10) - crashedMillis
  }
  t.is(secondDelayMillis(59_999), 2_000)
  t.is(secondDelayMillis(60_000), 1_000)
})

test("the time a child needed to start is not time it ran well", (t) => {
  const slow: Part = { init: (life) => (life === 2 ? Effect.sleep("2 minutes") : undefined) }
  const troupe = play("one-for-one", worker("a", { backoff: doubling, startDeadline: "1 hour", ...slow }))
  troupe.crash("a")
  troupe.wait(121_000)
  t.deepEqual(troupe.seenAt(), ["0 end a crashed", "121000 start a"])
  troupe.crash("a")
  troupe.wait(10_000)
  t.deepEqual(troupe.seenAt(), ["121000 end a crashed", "123000 start a"])
})

test("a schedule without a next delay is the supervisor's end", (t) => {
  const twice = Schedule.intersect(Schedule.spaced("1 second"), Schedule.recurs(2))
  const troupe = play("one-for-one", worker("a", { backoff: twice, ...stillborn }), worker("b"))
  troupe.crash("a")
  troupe.wait(10_000)
  t.deepEqual(troupe.seenAt(), [
    ...["0 end a crashed", "1000 no start a crashed", "2000 no start a crashed"],
    ...["2000 give up top", "2000 end b shutdown", "2000 end top shutdown"]
  ])
  t.is(
    troupe.lastWords,
    "BackoffExhausted: /sim/top gave up: the backoff of a allows no further restart (not yet); mend that child or let its schedule recur for longer"
  )
})

test("restarts that wait count like those that do not", (t) => {
  const troupe = new Troupe(
    make("top", {
      strategy: "one-for-one",
      intensity: { restarts: 2, within: "10 seconds" },
      children: [worker("a", { backoff: Schedule.spaced("1 second"), ...stillborn })]
    })
  )
  troupe.crash("a")
  troupe.wait(10_000)
  t.regex(troupe.lastWords, /more than 2 restarts within 10000 ms/)
})

test("a schedule that dies is a bug of the declaration, and crashes the supervisor", (t) => {
  const backoff = Schedule.delayedEffect(Schedule.forever, () => Effect.die(new Error("no such schedule")))
  const troupe = play("one-for-one", worker("a", { backoff }))
  troupe.crash("a")
  t.is(troupe.ended?.reason, "crashed")
  t.regex(troupe.lastWords, /no such schedule/)
})

// Meanwhile

test("who waits for its restart answers nobody, and its ref is good again afterwards", (t) => {
  const troupe = play("one-for-one", worker("a", { backoff: doubling }))
  const a = troupe.system.lookup("/sim/top/a", Worker)!
  troupe.crash("a")
  t.is(troupe.children(), "a waiting")
  const refused = troupe.ask(new GetLife(), a)
  t.is(
    refused.fault?.message,
    "/sim/top/a did not take GetLife: restarting; nothing happened, ask again after a pause"
  )
  troupe.wait(1_000)
  t.is(troupe.ask(new GetLife(), a).value, 2)
})

test("others are restarted meanwhile", (t) => {
  const troupe = play("one-for-one", worker("a", { backoff: doubling }), worker("b"))
  troupe.crash("a")
  troupe.crash("b")
  t.is(troupe.children(), "a waiting, b running")
})

test("a group goes down at once, and comes back after the delay", (t) => {
  const troupe = play("rest-for-one", worker("a"), worker("b", { backoff: doubling }), worker("c"))
  troupe.crash("b")
  troupe.wait(1_000)
  t.deepEqual(troupe.seenAt(), ["0 end b crashed", "0 end c shutdown", "1000 start b", "1000 start c"])
})

test("a supervisor that stops meanwhile restarts nobody", (t) => {
  const troupe = play("one-for-one", worker("a", { backoff: doubling }))
  troupe.crash("a")
  troupe.stop()
  troupe.wait(10_000)
  t.deepEqual(troupe.seenAt(), ["0 end a crashed", "0 end top shutdown"])
})

test("a child that waits cannot be restarted or deleted; terminating it ends the wait", (t) => {
  const troupe = play("one-for-one", worker("a", { backoff: doubling }))
  troupe.crash("a")
  const told = "/sim/top is about to restart a; wait for it, or end its restarts with TerminateChild"
  t.is(troupe.request(new RestartChild({ name: "a" })).fault?.message, told)
  t.is(troupe.request(new DeleteChild({ name: "a" })).fault?.message, told)
  t.false(troupe.request(new TerminateChild({ name: "a" })).pending)
  troupe.wait(10_000)
  t.is(troupe.children(), "a stopped")
})

test("whoever is terminated while it waits keeps nobody else down", (t) => {
  const troupe = play("one-for-all", worker("a"), worker("b", { backoff: doubling }), worker("c"))
  troupe.crash("b")
  t.is(troupe.children(), "a stopped, b waiting, c stopped")
  troupe.request(new TerminateChild({ name: "b" }))
  t.is(troupe.children(), "a running, b stopped, c running")
  troupe.wait(10_000)
  t.is(troupe.lives(), "a 2, c 2")
})

test("whoever is replaced while it waits starts at once, and with a new schedule", (t) => {
  const troupe = play("one-for-one", worker("a", { backoff: doubling, ...stillborn }))
  troupe.crash("a")
  troupe.wait(5_000)
  troupe.seen()
  const mended = worker("a", { backoff: doubling })
  t.true(troupe.request(new ReplaceChild({ child: mended })).value)
  troupe.wait(10_000)
  troupe.crash("a")
  troupe.wait(10_000)
  t.deepEqual(troupe.seenAt(), ["5000 start a", "15000 end a crashed", "16000 start a"])
})

test("a delay that is known too late is of no use", (t) => {
  const exhausted = [null, null, ScheduleDecision.done] as const
  const thinks = Schedule.makeWithState(null, () => Effect.as(Effect.sleep("5 seconds"), exhausted))
  const troupe = play("one-for-one", worker("a", { backoff: thinks }))
  troupe.crash("a")
  troupe.request(new ReplaceChild({ child: worker("a") }))
  troupe.wait(10_000)
  t.is(troupe.ended, undefined, "the old schedule was exhausted, and that is no matter any more")
  t.is(troupe.lives(), "a 2")
})

// Fixtures

const stillborn: Part = { init: (life) => (life > 1 ? Effect.die("not yet") : undefined) }

const play = (
  strategy: "one-for-one" | "one-for-all" | "rest-for-one",
  ...children: ReadonlyArray<ReturnType<typeof worker>>
): Troupe => {
  const intensity = { restarts: 100, within: "1 minute" } as const
  const troupe = new Troupe(make("top", { strategy, intensity, children }))
  troupe.seen()
  return troupe
}
