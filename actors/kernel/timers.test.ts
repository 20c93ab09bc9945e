import test from "ava"
import { Effect } from "effect"
import { crash, Do, keep, type PuppetContext, played } from "#chaos/sim/puppet.ts"
import { onStage } from "#chaos/sim/stage.ts"

test("a timer sends its message once, and a periodic one at its interval without drift", (t) => {
  const { times } = played((context, note) => ({
    begin: () => {
      context().after("1 second", new Do({ act: "once" }))
      context().every("400 millis", new Do({ act: "often" }))
    },
    once: note,
    often: note
  }))
  t.deepEqual(times.slice(0, 6), [
    "often 400",
    "often 800",
    "once 1000",
    "often 1200",
    "often 1600",
    "often 2000"
  ])
})

test("a periodic timer skips its turn while its last message still waits", (t) => {
  const { times } = played((context, note) => ({
    begin: () => {
      context().every("100 millis", new Do({ act: "tick" }))
      context().after("150 millis", new Do({ act: "slow" }))
    },
    tick: note,
    slow: () => Effect.sleep("1 second")
  }))
  t.deepEqual(times.slice(0, 4), ["tick 100", "tick 1150", "tick 1200", "tick 1300"])
})

test("a timer with the same key replaces the last one, even if that fired and its message still waits", (t) => {
  const { times } = played((context, note) => ({
    begin: () => {
      context().after("10 millis", new Do({ act: "old" }), "key")
      return Effect.sleep("100 millis").pipe(
        Effect.map(() => context().after("1 second", new Do({ act: "new" }), "key"))
      )
    },
    old: note,
    new: note
  }))
  t.deepEqual(times, ["new 1100"])
})

test("cancelling recalls a message that fired and still waits", (t) => {
  const { times } = played((context, note) => ({
    begin: () => {
      context().every("10 millis", new Do({ act: "tick" }), "key")
      return Effect.sleep("100 millis").pipe(Effect.map(() => context().cancel("key")))
    },
    tick: note
  }))
  t.deepEqual(times, [])
})

test("a timer with a key never meets one without", (t) => {
  const { times } = played((context, note) => ({
    begin: () => {
      context().after("10 millis", new Do({ act: "nameless" }))
      context().after("20 millis", new Do({ act: "named" }), "#0")
    },
    nameless: note,
    named: note
  }))
  t.deepEqual(times, ["nameless 10", "named 20"])
})

test("a timer of a wrong length fires at once instead of never", (t) => {
  const { times } = played((context, note) => ({
    begin: () => {
      context().after(Number.NaN, new Do({ act: "nan" }))
      context().after(-5, new Do({ act: "negative" }))
      context().after("10 millis", new Do({ act: "fine" }))
    },
    nan: note,
    negative: note,
    fine: note
  }))
  t.is(times.length, 3)
  t.is(times[2], "fine 10")
})

test("timers end with the life that started them", (t) => {
  const { size, ticks } = onStage((system) =>
    Effect.gen(function* () {
      let ticks = 0
      const { ref, restart } = keep(system, {
        init: (context) => {
          if (context.incarnation > 1) return
          context.every("10 millis", new Do({ act: "tick" }))
          context.after("10 millis", new Do({ act: "tick" }))
        },
        tick: () => void ticks++,
        crash
      })
      yield* Effect.sleep("15 millis")
      ref.tell(new Do({ act: "crash" }))
      yield* Effect.sleep("1 millis")
      restart()
      const before = ticks
      yield* Effect.sleep("1 second")
      return { ticks: ticks - before, size: system.timers.size }
    })
  )
  t.is(ticks, 0)
  t.is(size, 0)
})

test("what a leftover of an ended life starts is void", (t) => {
  const { handled, size } = onStage((system) =>
    Effect.gen(function* () {
      const handled: Array<string> = []
      const contexts: Array<PuppetContext> = []
      const { ref, restart } = keep(system, {
        init: (context) => void contexts.push(context),
        late: () => handled.push("late")
      })
      system.kill("/root/keeper/kept")
      yield* Effect.sleep("1 millis")
      const [context] = contexts
      const late = new Do({ act: "late" })
      context!.every("1 millis", late)
      context!.pipe(Effect.void, () => late)
      context!.watch(ref, () => late)
      context!.subscribe(["Late"], () => late)
      restart()
      system.events.publish({ _tag: "Late" })
      system.kill("/root/keeper")
      yield* Effect.sleep("1 second")
      return { handled, size: system.timers.size }
    })
  )
  t.deepEqual(handled, [])
  t.is(size, 0)
})
