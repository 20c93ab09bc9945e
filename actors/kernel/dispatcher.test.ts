import { createConnection, createServer, type Socket } from "node:net"
import test from "ava"
import { Effect, Schema } from "effect"
import { Do, puppet } from "#chaos/sim/puppet.ts"
import { onLiveStage, onStage } from "#chaos/sim/stage.ts"
import * as Actor from "./actor.ts"
import { ask } from "./ask.ts"
import { Dispatcher, type Ready } from "./dispatcher.ts"
import type { WorldClock } from "./ports/clock.ts"
import type { ActorRef } from "./ref.ts"

// Each flood goes on until a timer of 1 ms has had 50 turns and a socket has echoed 50 times, or a deadline is over.

const floods: Record<string, (again: () => void) => void | Effect.Effect<void>> = {
  "an actor that tells itself without end": (again) => again(),
  "slow handlers without end": (again) => {
    burn(0.2)
    again()
  },
  "two that wake each other by promises": (again) => void Promise.resolve().then(again),
  "slow ones that wake each other by promises": (again) => {
    burn(0.2)
    Promise.resolve().then(again)
  },
  "effects that never wait": (again) => Effect.sync(again),
  "slow effects that yield": (again) =>
    Effect.gen(function* () {
      yield* Effect.yieldNow()
      burn(0.2)
      again()
    })
}

for (const [flood, work] of Object.entries(floods)) {
  test.serial(`timers and sockets keep their turns beside ${flood}`, async (t) => {
    const { echoes, handled, millis, ticks } = await onLiveStage((system) =>
      Effect.gen(function* () {
        let handled = 0
        let over = false
        const refs: Array<ActorRef<Do>> = []
        const again = (other: number) => () => {
          if (!over) refs[other]!.tell(new Do({ act: "work" }))
        }
        for (const other of [1, 0]) {
          const act = () => {
            handled++
            return work(again(other))
          }
          refs.push(system.spawn(puppet(), { args: { work: act } }))
        }
        const turns = yield* countTurns(50)
        const startMillis = performance.now()
        again(0)()
        const { echoes, ticks } = yield* turns
        over = true
        return { echoes, ticks, handled, millis: performance.now() - startMillis }
      })
    )
    t.log(`${ticks} ticks and ${echoes} echoes in ${Math.round(millis)} ms beside ${handled} messages`)
    t.true(ticks >= 50)
    t.true(echoes >= 50)
    t.true(handled > 500)
  })
}

test("an actor handles at most its share before the next one's turn", async (t) => {
  const { budget, run } = newDispatcher({ messagesPerTurn: 3 })
  const order: Array<string> = []
  const ready = (name: string, waiting: number): Ready => ({
    turn: (messagesMax) => {
      const handled = Math.min(waiting, messagesMax)
      waiting -= handled
      order.push(`${name} ${handled}`)
      if (waiting > 0) budget.enqueue(self)
      return handled
    }
  })
  const self = ready("flooded", 7)
  budget.enqueue(self)
  budget.enqueue(ready("quiet", 1))
  run()
  t.deepEqual(order, ["flooded 3", "quiet 1", "flooded 3", "flooded 1"])
})

test("after its share of messages a slice lets I/O in, however many slices it took", (t) => {
  const { armed, budget, run } = newDispatcher({ messagesPerSlice: 10 })
  for (let slice = 0; slice < 5; slice++) {
    budget.enqueue({ turn: () => 4 })
    run()
  }
  t.deepEqual(armed, ["soon", "soon", "after-io", "soon", "after-io"])
})

test("after its share of time a slice lets I/O in, however many slices it took", (t) => {
  const { armed, budget, clock, run } = newDispatcher({ millisPerSlice: 5 })
  for (let slice = 0; slice < 12; slice++) {
    budget.enqueue(() => {
      clock.millis += 1
    })
    budget.untilSample = 1
    run()
  }
  t.deepEqual(armed.slice(0, 8), [...Array(6).fill("soon"), "after-io", "soon"])
})

test("slow messages are all timed, quick ones one in 64", (t) => {
  const { budget, clock } = newDispatcher({})
  let samples = 0
  const sampleOnce = (millis: number) => {
    samples++
    budget.sample(() => {
      clock.millis += millis
    })
    return budget.untilSample
  }
  t.deepEqual(
    [1, 2, 3, 4].map(() => sampleOnce(0.2)),
    [16, 4, 1, 1]
  )
  t.deepEqual(
    [1, 2, 3, 4, 5, 6, 7].map(() => sampleOnce(0.001)),
    [2, 4, 8, 16, 32, 64, 64]
  )
  t.is(samples, 11)
})

test("an exception out of one task does not stop the others", (t) => {
  const { budget, run } = newDispatcher({})
  const done: Array<string> = []
  budget.enqueue(() => {
    throw new Error("out of luck")
  })
  budget.enqueue(() => void done.push("next"))
  t.throws(run, { message: "out of luck" })
  run()
  t.deepEqual(done, ["next"])
})

test("an actor waits in the run queue once, however often it is woken", (t) => {
  const queued = onStage((system) =>
    Effect.gen(function* () {
      const one = system.spawn(puppet(), {
        args: {
          init: (context) =>
            Effect.map(
              Effect.sync(() => context.self.tell(new Do({ act: "x" }))),
              () => {}
            ),
          x: () => Effect.sleep("1 millis")
        }
      })
      for (let count = 0; count < 10; count++) one.tell(new Do({ act: "x" }))
      const queued = [system.dispatcher.queued]
      yield* Effect.sleep("5 millis")
      for (let count = 0; count < 10; count++) one.tell(new Do({ act: "x" }))
      queued.push(system.dispatcher.queued)
      system.kill(one.path)
      system.kill(one.path)
      queued.push(system.dispatcher.queued)
      return queued
    })
  )
  t.true(
    queued.every((count) => count <= 1),
    queued.join(" ")
  )
})

test("slow handlers are published, and the time in handlers is counted", async (t) => {
  const { slow, millis } = await onLiveStage((system) =>
    Effect.gen(function* () {
      const slow: Array<unknown> = []
      system.events.subscribe((event) => slow.push("handling" in event && event.handling), ["SlowHandler"])
      const one = system.spawn(sluggish)
      // Slow enough to be timed one and all, then too slow.
      for (let count = 0; count < 103; count++) one.tell(new Work({ millis: count < 100 ? 0.2 : 60 }))
      yield* ask(one, new Finish(), "10 seconds")
      const shown = system.snapshot(one.path)
      return { slow, millis: "handlerMillis" in shown ? shown.handlerMillis : 0 }
    })
  )
  t.true(slow.length >= 1)
  t.is(slow[0], "Work")
  t.true(millis >= 60)
})

class Finish extends Schema.TaggedRequest<Finish>()("Finish", {
  payload: {},
  success: Schema.Void,
  failure: Schema.Never
}) {}
class Work extends Schema.TaggedClass<Work>()("Work", { millis: Schema.Number }) {}

const sluggish = Actor.make("sluggish", {
  messages: [Work, Finish],
  init: () => null,
  handlers: {
    Work: (state, { millis }) => {
      burn(millis)
      return state
    },
    Finish: (state) => Actor.reply(state, undefined)
  }
})

const burn = (millis: number) => {
  const untilMillis = performance.now() + millis
  while (performance.now() < untilMillis) {}
}

/** Starts to count; what it returns waits until both got their turns, or ten seconds are over. */
const countTurns = (turnsMax: number) =>
  Effect.map(Effect.all([echoServer, Effect.succeed({ ticks: 0, echoes: 0 })]), ([client, turns]) =>
    Effect.async<typeof turns>((resume) => {
      const deadlineMillis = performance.now() + 10_000
      const ticking = setInterval(() => {
        turns.ticks++
        const over = turns.ticks >= turnsMax && turns.echoes >= turnsMax
        if (!over && performance.now() < deadlineMillis) return
        clearInterval(ticking)
        resume(Effect.succeed(turns))
      }, 1)
      client.on("data", () => {
        turns.echoes++
        client.write(".")
      })
      client.write(".")
    })
  )

const echoServer = Effect.acquireRelease(
  Effect.async<{ client: Socket; close: () => void }>((resume) => {
    const server = createServer((socket) => socket.on("error", () => socket.destroy()).pipe(socket))
    server.listen(0, "127.0.0.1", () => {
      const address = server.address()
      const port = typeof address === "object" && address !== null ? address.port : 0
      const client = createConnection(port, "127.0.0.1", () => {
        const close = () => {
          client.destroy()
          server.close()
        }
        resume(Effect.succeed({ client, close }))
      })
    })
  }),
  ({ close }) => Effect.sync(close)
).pipe(Effect.map(({ client }) => client))

const newDispatcher = (limits: {
  readonly messagesPerTurn?: number
  readonly messagesPerSlice?: number
  readonly millisPerSlice?: number
}) => {
  const armed: Array<string> = []
  const slices: Array<() => void> = []
  const clock = { millis: 0 }
  const worldClock: WorldClock = {
    nowMillis: () => clock.millis,
    wallMillis: () => clock.millis,
    alarm: () => () => {}
  }
  const budget = new Dispatcher(
    {
      arm: (slice, when) => {
        armed.push(when)
        slices.push(slice)
      },
      messagesPerTurn: 300,
      messagesPerSlice: 20_000,
      millisPerSlice: 5,
      ...limits
    },
    worldClock
  )
  const run = () => {
    for (let slice = slices.shift(); slice !== undefined; slice = slices.shift()) slice()
  }
  return { budget, armed, clock, run }
}
