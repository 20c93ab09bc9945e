import test from "ava"
import { Cause, Effect, Exit } from "effect"
import fc from "fast-check"
import { type Acts, crash, Do, keep, type PuppetContext, puppet } from "#chaos/sim/puppet.ts"
import { afterwards, newResource } from "#chaos/sim/resource.ts"
import { onStage } from "#chaos/sim/stage.ts"
import type { SimWorld } from "#chaos/sim/world.ts"
import * as Actor from "./actor.ts"
import type { SpawnOptions } from "./context.ts"
import type { EndReason } from "./ref.ts"
import type { ActorSystem } from "./system.ts"

/** How a life ends while it holds a resource: what its acts are, what is done to it, how it must end. */
const endings: Record<string, readonly [Ending, reason: EndReason, withinMillis: number]> = {
  "init throws nothing but dies half-way": [{ init: () => Effect.die("bug") }, "crashed", 0],
  "init fails half-way": [{ init: () => Effect.fail("no") }, "crashed", 0],
  "init dies after a wait": [{ init: () => afterwards(1_000, Effect.die("bug")) }, "crashed", 1_000],
  "init declines after opening": [{ init: () => Effect.succeed(Actor.ignore) }, "ignored", 0],
  "init takes too long": [
    { init: () => Effect.sleep("1 hour"), startDeadline: "2 seconds" },
    "crashed",
    2_000
  ],
  "init is interrupted by a stop": [{ init: () => Effect.sleep("1 hour"), from: "stop" }, "shutdown", 100],
  "init is interrupted by a kill": [{ init: () => Effect.sleep("1 hour"), from: "kill" }, "killed", 100],
  "a handler throws": [{ act: crash, from: "act" }, "crashed", 100],
  "an effect of a handler dies": [{ act: () => Effect.die("bug"), from: "act" }, "crashed", 100],
  "an effect of a handler dies later": [
    { act: () => afterwards(1_000, Effect.die("bug")), from: "act" },
    "crashed",
    1_100
  ],
  "the fault of a link": [{ from: "inject" }, "crashed", 100],
  "it finishes by itself": [{ act: (context) => context.stop(), from: "act" }, "finished", 100],
  "it is stopped": [{ from: "stop" }, "shutdown", 100],
  "it is stopped in an effect, which ends first": [
    { act: (context) => Effect.map(Effect.sleep("1 second"), () => context.stop()), from: "act and stop" },
    "shutdown",
    1_100
  ],
  "it is stopped in an effect, which dies": [
    { act: () => afterwards(1_000, Effect.die("bug")), from: "act and stop" },
    "crashed",
    1_100
  ],
  "it is stopped in an effect, which takes too long": [
    { act: () => Effect.sleep("1 hour"), from: "act and stop", shutdown: "3 seconds" },
    "killed",
    3_101
  ],
  "its stop hook throws": [{ stop: crash, from: "stop" }, "crashed", 100],
  "its stop hook dies later": [
    { stop: () => afterwards(500, Effect.die("bug")), from: "stop" },
    "crashed",
    600
  ],
  "its stop hook takes too long": [{ stop: () => Effect.sleep("1 hour"), from: "stop" }, "killed", 5_100],
  "it is killed": [{ from: "kill" }, "killed", 100],
  "it is killed in an effect": [{ act: () => Effect.sleep("1 hour"), from: "act and kill" }, "killed", 101],
  "it is killed in its stop hook": [
    { stop: () => Effect.sleep("1 hour"), from: "stop and kill" },
    "killed",
    101
  ],
  "it is killed by what its effect does": [
    { act: (_, kill) => Effect.zipRight(Effect.sync(kill), Effect.sleep("1 hour")), from: "act" },
    "killed",
    100
  ],
  "it is stopped, which for it means killed": [{ from: "stop", shutdown: "kill" }, "killed", 100],
  "it shuts itself down, though its parent would kill it": [
    { act: (context) => context.stop("shutdown"), from: "act", shutdown: "kill" },
    "shutdown",
    100
  ],
  "it is stopped twice": [{ from: "stop and stop" }, "shutdown", 100]
}

interface Ending {
  readonly init?: (context: PuppetContext) => Effect.Effect<unknown, unknown>
  readonly act?: (context: PuppetContext, kill: () => void) => unknown
  readonly stop?: () => unknown
  /** What happens to it 100 ms after its start. */
  readonly from?: string
  readonly shutdown?: SpawnOptions["shutdown"]
  readonly startDeadline?: SpawnOptions["startDeadline"]
}

for (const [what, [ending, reason, withinMillis]] of Object.entries(endings)) {
  for (const closing of ["closes at once", "takes a second to close"] as const) {
    test(`what an actor opened is closed before its end is told: ${what}, and it ${closing}`, (t) => {
      const closeMillis = closing === "closes at once" ? 0 : 1_000
      const { atMillis, ended, open, openings } = onStage((system, world) =>
        playEnding(system, world, ending, closeMillis)
      )
      t.is(ended.reason, reason)
      t.is(open, 0)
      t.is(openings, 2, "one in its first life, one in its second")
      t.is(atMillis, withinMillis + closeMillis)
    })
  }
}

const playEnding = (system: ActorSystem, world: SimWorld, ending: Ending, closeMillis: number) =>
  Effect.gen(function* () {
    const { act, from, init, shutdown, startDeadline, stop } = ending
    const fromMillis = world.nowMillis
    const resource = newResource(closeMillis)
    const acts: Acts = {
      init: (context: PuppetContext) =>
        context.incarnation > 1
          ? resource.open
          : Effect.zipRight(resource.open, init?.(context) ?? Effect.void),
      act: (context) => act?.(context, () => void system.kill(ref.path)),
      ...(stop && { stop })
    }
    const options = {
      ...(shutdown !== undefined && { shutdown }),
      ...(startDeadline !== undefined && { startDeadline })
    }
    const { ended, ref, restart, stop: stopKept } = keep(system, acts, options)
    let atMillis = 0
    ref.addWatcher({
      notice: () => {
        atMillis = world.nowMillis - fromMillis
      }
    })
    const doing: Record<string, () => void> = {
      act: () => ref.tell(new Do({ act: "act" })),
      stop: stopKept,
      kill: () => void system.kill(ref.path),
      inject: () => void system.inject(ref.path, Cause.die("bug"))
    }
    yield* Effect.sleep("100 millis")
    for (const step of from?.split(" and ") ?? []) {
      doing[step]?.()
      yield* Effect.sleep("1 millis")
    }
    const first = yield* ended
    const open = resource.opened
    restart()
    yield* Effect.sleep("1 millis")
    system.kill(ref.path)
    yield* Effect.sleep("10 seconds")
    return { ended: first, atMillis, open, openings: resource.openings }
  })

test("a kill while the scope closes does not leave a finalizer half done", (t) => {
  const closed = onStage((system) =>
    Effect.gen(function* () {
      const closed: Array<string> = []
      const finalizer = (name: string) =>
        Effect.addFinalizer(() => Effect.map(Effect.sleep("1 second"), () => closed.push(name)))
      const { ended, ref, stop } = keep(system, {
        init: () => Effect.zipRight(finalizer("first opened"), finalizer("last opened"))
      })
      stop()
      yield* Effect.sleep("500 millis")
      system.kill(ref.path)
      return [...closed, (yield* ended).reason, ...closed]
    })
  )
  t.deepEqual(closed, ["killed", "last opened", "first opened"])
})

test("the scope is told how the life ended", (t) => {
  const exitOf = (act: (system: ActorSystem, kept: ReturnType<typeof keep>) => void) =>
    onStage((system) =>
      Effect.gen(function* () {
        const exits: Array<Exit.Exit<unknown, unknown>> = []
        const kept = keep(system, {
          init: () => Effect.addFinalizer((exit) => Effect.sync(() => exits.push(exit))),
          crash
        })
        act(system, kept)
        yield* kept.ended
        return exits
      })
    )
  const stopped = exitOf((_, kept) => kept.stop())
  const killed = exitOf((system, kept) => void system.kill(kept.ref.path))
  const crashed = exitOf((_, kept) => kept.ref.tell(new Do({ act: "crash" })))
  t.true(stopped.length === 1 && Exit.isSuccess(stopped[0]!))
  t.true(killed.length === 1 && Exit.isInterrupted(killed[0]!))
  t.true(crashed.length === 1 && Exit.isFailure(crashed[0]!) && Cause.isDie(crashed[0].cause))
})

test("whatever is done to an actor and whenever, each life closes what it opened, and no two are open at once", (t) => {
  fc.assert(
    fc.property(
      fc.integer(),
      fc.array(assault, { maxLength: 30 }),
      fc.constantFrom(0, 7, 3_000),
      (seed, assaults, closeMillis) => {
        const { actors, most, open, openings, starts, timers } = onStage(
          (system) =>
            Effect.gen(function* () {
              const resource = newResource(closeMillis)
              let starts = 0
              const acts: Acts = {
                init: (context) => {
                  if (context.incarnation > 1) starts++
                  const flavour = context.random()
                  const opening = flavour < 0.5 ? resource.open : afterwards(5, resource.open)
                  if (flavour < 0.1) return Effect.zipRight(opening, Effect.die("bug"))
                  return flavour < 0.2 ? Effect.zipRight(opening, Effect.sleep("10 millis")) : opening
                },
                crash,
                dieLater: () => afterwards(10, Effect.die("bug")),
                work: () => Effect.sleep("10 millis"),
                stubborn: () => Effect.uninterruptible(Effect.sleep("1 minute")),
                child: (context) =>
                  void context.spawn(puppet(), { args: { init: () => resource.openBeside, crash } }),
                finish: (context) => context.stop(),
                stop: () => afterwards(3, Effect.void)
              }
              const { ref, restart, stop } = keep(system, acts)
              for (const [what, pauseMillis] of assaults) {
                if (what === "kill") system.kill(ref.path)
                else if (what === "stop") stop()
                else if (what === "inject") system.inject(ref.path, Cause.die("bug"))
                else if (what === "restart") restart()
                else ref.tell(new Do({ act: what }))
                yield* Effect.sleep(pauseMillis)
              }
              yield* Effect.sleep("5 minutes")
              system.kill("/root/keeper")
              yield* Effect.sleep("5 minutes")
              const { most, openings } = resource
              return {
                most,
                openings,
                open: resource.opened,
                starts,
                actors: system.actors,
                timers: system.timers.size
              }
            }),
          seed
        )
        t.is(open, 0)
        t.true(most <= 1)
        t.true(openings <= starts + 1)
        t.is(actors, 1)
        t.is(timers, 0)
      }
    ),
    { numRuns: 400 }
  )
})

const assault = fc.tuple(
  fc.constantFrom(
    "crash",
    "dieLater",
    "work",
    "stubborn",
    "child",
    "finish",
    "kill",
    "stop",
    "inject",
    "restart",
    "restart"
  ),
  fc.constantFrom(0, 1, 4, 11, 6_000)
)
