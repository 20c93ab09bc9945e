import test from "ava"
import { Cause, Effect, Fiber, Random } from "effect"
import { ask } from "#actors/kernel/ask.ts"
import type { ActorRef } from "#actors/kernel/ref.ts"
import type { ActorSystem } from "#actors/kernel/system.ts"
import { Call, Do, keep, type PuppetContext, puppet } from "#chaos/sim/puppet.ts"
import { onStage } from "./stage.ts"
import { SimulationStuck, SimWorld } from "./world.ts"

test("the same seed gives the same trace, byte for byte, ten runs in a row", (t) => {
  for (const seed of [1, 42, 2 ** 31]) {
    const first = traceOf(seed)
    t.true(first.length > 500, `${first.length} lines`)
    for (const part of ["Do", "crashed", "killed", "answer", "deadline", "slept", "random"])
      t.true(
        first.some((line) => line.includes(part)),
        `the trace has a ${part}`
      )
    for (let run = 0; run < 9; run++) t.is(traceOf(seed).join("\n"), first.join("\n"))
  }
})

test("other seeds give other interleavings", (t) => {
  const traces = new Set(Array.from({ length: 20 }, (_, seed) => traceOf(seed).join("\n")))
  t.is(traces.size, 20)
})

test("seeds explore both orders of two things that are ready at once", (t) => {
  const firsts = Array.from({ length: 40 }, (_, seed) =>
    onStage((system) => {
      const order: Array<string> = []
      for (const name of ["a", "b"]) {
        system.spawn(puppet(), { name, args: { go: () => order.push(name) } }).tell(new Do({ act: "go" }))
      }
      return Effect.map(Effect.sleep("1 millis"), () => order[0])
    }, seed)
  )
  t.true(firsts.filter((name) => name === "a").length > 8)
  t.true(firsts.filter((name) => name === "b").length > 8)
})

test("a year of virtual time with idle timers runs in seconds", (t) => {
  const startMillis = performance.now()
  const { ticks, virtualMillis } = onStage(
    (system, world) =>
      Effect.gen(function* () {
        let ticks = 0
        for (let index = 0; index < 100; index++) {
          system.spawn(puppet(), {
            args: {
              init: (context) => context.every("1 hour", new Do({ act: "tick" })),
              tick: () => void ticks++
            }
          })
        }
        yield* Effect.sleep("365 days")
        return { ticks, virtualMillis: world.nowMillis }
      }),
    1,
    { limitMillis: Number.POSITIVE_INFINITY }
  )
  t.is(virtualMillis, 365 * 86_400_000)
  t.true(Math.abs(ticks - 100 * 365 * 24) <= 100, `${ticks} ticks`)
  t.true(performance.now() - startMillis < 20_000)
})

test("time stands still while anything is ready", (t) => {
  const { afterwards, before } = onStage((system, world) =>
    Effect.gen(function* () {
      const before = world.nowMillis
      const one = system.spawn(puppet())
      for (let count = 0; count < 1_000; count++) yield* ask(one, new Call({ act: "x" }), "1 second")
      return { before, afterwards: world.nowMillis }
    })
  )
  t.is(afterwards, before)
})

test("a program that waits for nothing says so, with its seed", (t) => {
  const thrown = t.throws(() => new SimWorld(7).run(Effect.async<never>(() => {})), {
    instanceOf: SimulationStuck
  })
  t.is(thrown.message, "seed 7: nothing is ready and no timer runs at 0 ms, yet the program has not ended")
})

test("a program that goes on past its limit says so", (t) => {
  const forever = Effect.forever(Effect.sleep("1 second"))
  const thrown = t.throws(() => new SimWorld(7).run(forever, { limitMillis: 10_500 }), {
    instanceOf: SimulationStuck
  })
  t.is(
    thrown.message,
    "seed 7: the program has not ended by its limit of 10500 ms; raise limitMillis or look for a retry without end"
  )
})

test("a program that goes in circles without time passing says so", (t) => {
  const thrown = t.throws(
    () =>
      onStage((system) => {
        const one: ActorRef<Do> = system.spawn(puppet(), { args: { again: () => one.tell(again) } })
        const again = new Do({ act: "again" })
        one.tell(again)
        return Effect.sleep("1 millis")
      }, 7),
    { instanceOf: SimulationStuck }
  )
  t.is(
    thrown.message,
    "seed 7: 10000000 turns were taken at 0 ms without time passing; look for actors or fibers that wake each other without end"
  )
})

test("a failure of the program is thrown as it is", (t) => {
  const failure = new Error("out of luck")
  t.is(
    t.throws(() => new SimWorld(1).run(Effect.fail(failure))),
    failure
  )
})

test("a world settles up to a point in time and no further", (t) => {
  const world = new SimWorld(1)
  const rung: Array<number> = []
  for (const millis of [10, 20, 30]) world.clock.alarm(millis, () => rung.push(millis))
  world.clock.alarm(15, () => rung.push(15))()
  world.settle(20)
  t.deepEqual(rung, [10, 20])
})

/** Actors that tell, ask, wait, draw, crash, are killed and start again, and all that was seen of it. */
const traceOf = (seed: number): ReadonlyArray<string> =>
  onStage(
    (system, world) =>
      Effect.gen(function* () {
        const note = (line: string) => world.note(line)
        system.tracer = (path, tag) => note(`${path} handles ${tag}`)
        system.events.subscribe((event) => note(`${event._tag} ${"path" in event ? event.path : ""}`))
        const kept = keep(system, acts(system, note))
        const others = Array.from({ length: 5 }, (_, index) =>
          system.spawn(player, { name: `other${index}`, args: acts(system, note) })
        )
        for (const ref of [kept.ref, ...others]) {
          ref.addWatcher({ notice: ({ path, reason }) => note(`${path} ${reason}`) })
          ref.tell(new Do({ act: "chat" }))
        }
        const asking = yield* Effect.forEach(others, (ref, index) =>
          ask(ref, new Call({ act: "slow" }), index * 10).pipe(
            Effect.exit,
            Effect.map((exit) =>
              note(exit._tag === "Success" ? `answer ${exit.value}` : `deadline ${Cause.squash(exit.cause)}`)
            ),
            Effect.fork
          )
        )
        for (let round = 0; round < 5; round++) {
          yield* Effect.sleep("20 millis")
          kept.ref.tell(new Do({ act: "crash" }))
          kept.ref.tell(new Do({ act: "chat" }))
          yield* Effect.sleep("1 millis")
          kept.restart()
        }
        system.kill("/root/other0")
        yield* Effect.forEach(asking, Fiber.join)
        yield* Effect.sleep("1 second")
        return [...world.trace]
      }),
    seed
  )

const acts = (system: ActorSystem, note: (line: string) => void) => {
  const pick = (context: PuppetContext) => {
    const index = Math.floor(context.random() * 5)
    return system.lookup(`/root/other${index}`, player) ?? context.self
  }
  return {
    init: (context: PuppetContext) => context.every("7 millis", new Do({ act: "chat" })),
    chat: (context: PuppetContext) => {
      if (context.nowMillis() < 100) pick(context).tell(new Do({ act: "effect" }))
    },
    effect: () =>
      Effect.gen(function* () {
        note(`random ${yield* Random.nextIntBetween(0, 1_000)}`)
        yield* Effect.sleep(yield* Random.nextIntBetween(1, 5))
        note("slept")
      }),
    slow: (context: PuppetContext) => Effect.as(Effect.sleep(context.random() * 40), context.random()),
    crash: () => {
      throw new Error("out of luck")
    }
  }
}

const player = puppet()
