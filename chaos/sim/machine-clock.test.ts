import test from "ava"
import { Effect } from "effect"
import { MachineClock } from "./machine-clock.ts"
import { SimWorld } from "./world.ts"

const epochMillis = 1_767_225_600_000

test("a process counts from its start, and knows the date", (t) => {
  const world = new SimWorld(1)
  const machine = new MachineClock(world)
  world.run(Effect.sleep("5 seconds"))
  const clock = machine.process()
  world.run(Effect.sleep("2 seconds"))
  t.is(clock.nowMillis(), 2_000)
  t.is(clock.wallMillis(), epochMillis + 7_000)
})

test("a clock that runs fast rings early, and one that changes its rate keeps what has passed", (t) => {
  const world = new SimWorld(1)
  const machine = new MachineClock(world)
  const clock = machine.process()
  const rang: Array<number> = []
  machine.run(2)
  clock.alarm(10_000, () => rang.push(world.nowMillis))
  world.run(Effect.sleep("2 seconds"))
  machine.run(0.5)
  world.run(Effect.sleep("20 seconds"))
  t.deepEqual(rang, [2_000 + 6_000 / 0.5])
  t.is(clock.nowMillis(), 4_000 + 10_000)
})

test("a jump sets the date, ahead or back, and neither rings nor moves what a process counts", (t) => {
  const world = new SimWorld(1)
  const machine = new MachineClock(world)
  const clock = machine.process()
  const rang: Array<number> = []
  for (const delayMillis of [1_000, 5_000]) clock.alarm(delayMillis, () => rang.push(delayMillis))
  const cancel = clock.alarm(2_000, () => t.fail())
  cancel()
  machine.jump(-3_600_000)
  t.is(clock.nowMillis(), 0)
  t.is(clock.wallMillis(), epochMillis - 3_600_000)
  machine.jump(10_000)
  world.run(Effect.sleep(1_000))
  t.deepEqual(rang, [1_000])
  t.is(clock.nowMillis(), 1_000)
  t.is(clock.wallMillis(), epochMillis - 3_600_000 + 11_000)
})
