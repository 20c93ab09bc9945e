/**
 * What a node reports of its own life: each component as it starts and stops, that it is ready, that it is not any
 * more and why, and that it is again. One line each, with the time that a start took.
 */
import { Effect, Runtime, Schedule, type Scope } from "effect"
import type { Tagged } from "#actors/kernel/ask.ts"
import type { ActorSystem } from "#actors/kernel/system.ts"
import { ActorEnded, ActorStarted } from "#protocols/runtime.ts"
import { whyNotReady } from "./health.ts"
import type { Say } from "./node-log.ts"
import type { NodeWatch } from "./node-watch.ts"

const pollMillis = 50
const againMillis = 2_000

/** Since the process began. */
const sinceStart = (): number => Math.round(process.uptime() * 1_000)

/** Says what happens to the children of the root, from now on. */
export const reportComponents = (
  system: ActorSystem<never>,
  watch: NodeWatch,
  say: Say
): Effect.Effect<void, never, Scope.Scope> => {
  let beforeMillis = sinceStart()
  const took = (): number => {
    const nowMillis = sinceStart()
    const millis = nowMillis - beforeMillis
    beforeMillis = nowMillis
    return millis
  }
  const report = (event: Tagged): Effect.Effect<void> => {
    if (!(event instanceof ActorStarted || event instanceof ActorEnded)) return Effect.void
    const [, , component, ...deeper] = event.path.split("/")
    if (component === undefined || deeper.length > 0) return Effect.void
    if (event instanceof ActorStarted) {
      if (watch.phase !== "starting" || event.incarnation > 1) return Effect.void
      const millis = took()
      return say("info", `${component} has started in ${millis} ms`, { component, millis })
    }
    if (event.reason !== "shutdown" || watch.phase !== "stopping") return Effect.void
    return say("info", `${component} has stopped`, { component })
  }
  return Effect.flatMap(Effect.runtime<never>(), (runtime) =>
    Effect.acquireRelease(
      Effect.sync(() =>
        system.events.subscribe(
          (event) => void Runtime.runFork(runtime)(report(event)),
          [ActorStarted._tag, ActorEnded._tag]
        )
      ),
      (unsubscribe) => Effect.sync(unsubscribe)
    )
  )
}

/** Waits until the node is ready, and tells of each change from then on, without an end. */
export const reportReadiness = (watch: NodeWatch, say: Say): Effect.Effect<never> =>
  Effect.gen(function* () {
    yield* Effect.repeat(watch.look, {
      until: ({ ready }) => ready,
      schedule: Schedule.spaced(pollMillis)
    })
    const millis = sinceStart()
    yield* say("info", `ready ${millis} ms after the process began`, { millis, ready: true })
    let wasReady = true
    yield* Effect.repeat(
      Effect.gen(function* () {
        const health = yield* watch.health
        if (health.ready === wasReady || watch.phase !== "running") return
        wasReady = health.ready
        if (wasReady) yield* say("info", "ready again", { ready: true })
        else yield* say("warn", `not ready any more: ${whyNotReady(health)}`, { ready: false })
      }),
      Schedule.spaced(againMillis)
    )
    return yield* Effect.never
  })
