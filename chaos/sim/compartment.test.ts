import test from "ava"
import { Effect } from "effect"
import { WorldClock } from "#actors/kernel/ports/clock.ts"
import { Scheduling } from "#actors/kernel/ports/scheduling.ts"
import { Compartment } from "./compartment.ts"
import { SimWorld } from "./world.ts"

/** What a timer, a task and a message of a compartment say, and when, while something is done to it. */
const said = (interfere: (compartment: Compartment, world: SimWorld) => void): ReadonlyArray<string> => {
  const world = new SimWorld(1)
  const compartment = new Compartment(world)
  const lines: Array<string> = []
  const say = (what: string) => () => void lines.push(`${world.nowMillis} ${what}`)
  world.run(
    Effect.gen(function* () {
      const clock = yield* WorldClock
      const scheduling = yield* Scheduling
      clock.alarm(10, say("timer"))
      clock.alarm(20, () => scheduling.arm(say("task"), "soon"))
      world.clock.alarm(30, () => compartment.run(say("message")))
      interfere(compartment, world)
      yield* Effect.sleep(100)
    }).pipe(Effect.provide(compartment.layer))
  )
  return lines
}

test("what is armed in a compartment happens at its time", (t) => {
  t.deepEqual(
    said(() => {}),
    ["10 timer", "20 task", "30 message"]
  )
})

test("what would happen during a pause happens after it, in order", (t) => {
  const lines = said((compartment, world) => {
    world.clock.alarm(15, () => compartment.pause())
    world.clock.alarm(50, () => compartment.resume())
  })
  t.deepEqual(lines, ["10 timer", "50 message", "50 task"])
})

test("whoever pauses again while catching up holds the rest", (t) => {
  const lines = said((compartment, world) => {
    world.clock.alarm(5, () => {
      compartment.pause()
      compartment.run(() => compartment.pause())
    })
    world.clock.alarm(50, () => compartment.resume())
    world.clock.alarm(60, () => compartment.resume())
  })
  t.deepEqual(lines, ["60 timer", "60 message", "60 task"])
})

test("nothing happens any more in one that lost its power, also after a pause", (t) => {
  const lines = said((compartment, world) => {
    world.clock.alarm(15, () => compartment.pause())
    world.clock.alarm(40, () => compartment.powerOff())
    world.clock.alarm(50, () => compartment.resume())
  })
  t.deepEqual(lines, ["10 timer"])
})
