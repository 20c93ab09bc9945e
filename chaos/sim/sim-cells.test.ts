import test from "ava"
import { Effect, Schedule } from "effect"
import { ask } from "#actors/kernel/ask.ts"
import * as ActorSystem from "#actors/kernel/system.ts"
import { Add, Adder, adders, Get, Slow } from "#supervisors/engine/fixtures/adders.ts"
import { place } from "#supervisors/engine/placement.ts"
import * as Supervisor from "#supervisors/engine/supervisor.ts"
import { child } from "#supervisors/engine/tree.ts"
import { SimCells } from "./sim-cells.ts"
import { SimWorld } from "./world.ts"

const node = Supervisor.make("node", {
  strategy: "one-for-one",
  intensity: { restarts: 100, within: "10 seconds" },
  children: [child(place(adders, "forked", { module: "adders", export: "adders" }), { name: "cell" })]
})

test("a killed cell loses what was asked, comes back empty, and the same ref reaches it again, on any seed", (t) => {
  for (let seed = 1; seed <= 100; seed++) {
    const { lost, sumAfter, sumBefore } = play(seed).outcome
    t.is(sumBefore, 10)
    t.is(lost, "LinkLost")
    t.is(sumAfter, 0)
  }
})

test("a cell's death in the middle of traffic answers every ask once, and never by its deadline", (t) => {
  for (let seed = 1; seed <= 50; seed++) {
    const world = new SimWorld(seed)
    const cells = new SimCells(world, { adders })
    const answers = world.run(
      Effect.gen(function* () {
        const system = yield* ActorSystem.make("n", node)
        const a = system.lookup("/n/cell/a", Adder)
        if (a === undefined) return []
        const asking = yield* Effect.fork(
          Effect.forEach(Array.from({ length: 200 }), () => Effect.either(ask(a, new Get({}), "1 hour")), {
            concurrency: 8
          })
        )
        yield* Effect.sleep(world.prng.next() * 60)
        for (const pid of cells.pids) cells.kill(pid)
        return yield* Effect.flatten(asking.await)
      }).pipe(Effect.scoped, Effect.provide(cells.layer))
    )
    t.is(answers.length, 200)
    const faults = new Set(answers.flatMap((answer) => (answer._tag === "Left" ? [answer.left._tag] : [])))
    faults.delete("LinkLost")
    faults.delete("ActorUnavailable")
    t.deepEqual([...faults], [], `seed ${seed}`)
  }
})

test("the same seed gives the same story of cells, byte for byte", (t) => {
  t.deepEqual(play(7).trace, play(7).trace)
})

const play = (seed: number) => {
  const world = new SimWorld(seed)
  const cells = new SimCells(world, { adders })
  const program = Effect.gen(function* () {
    const system = yield* ActorSystem.make("n", node)
    system.tracer = (path, tag) => world.note(`${path} ${tag}`)
    system.events.subscribe((event) => world.note(event._tag))
    const a = system.lookup("/n/cell/a", Adder)
    if (a === undefined) throw new Error("nobody at /n/cell/a")
    for (const by of [1, 2, 3, 4]) a.tell(new Add({ by }))
    const sumBefore = yield* ask(a, new Get({}), "10 seconds")
    const asking = yield* Effect.fork(Effect.flip(ask(a, new Slow({ millis: 5_000 }), "20 seconds")))
    yield* Effect.sleep(100)
    for (const pid of cells.pids) cells.kill(pid)
    const lost = yield* Effect.flatten(asking.await)
    const patient = Effect.retry(ask(a, new Get({}), "10 seconds"), Schedule.spaced(20))
    const sumAfter = yield* Effect.orElseSucceed(patient, () => -1)
    return { sumBefore, lost: lost._tag, sumAfter }
  })
  const outcome = world.run(program.pipe(Effect.scoped, Effect.provide(cells.layer)))
  return { outcome, trace: world.trace }
}
