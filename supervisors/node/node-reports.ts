/**
 * What a node reports of its own life: each component as it starts and stops, that it is ready, that it is not any
 * more and why, and that it is again. One line each, with the time that a start took.
 */
import { Clock, Deferred, Effect, Runtime, type Scope } from "effect"
import type { Tagged } from "#actors/kernel/ask.ts"
import type { ActorSystem } from "#actors/kernel/system.ts"
import { ActorEnded, ActorStarted } from "#protocols/runtime.ts"
import { whyNotReady } from "./health.ts"
import type { Say } from "./node-log.ts"
import type { NodeWatch } from "./node-watch.ts"

const pollMillis = 50
const againMillis = 2_000
/** Of a tenth more: one that is ready soon is seen soon. */
const pauseGrowth = 1.1
/** For so long it is a start as any other. */
const patienceMillis = 5_000

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

/**
 * Tells when the node is ready, in the log and by `isReady`, and of each change from then on, without an end. Until it is, it looks less and less
 * often; after a while it says what it waits for, and again when that is something else.
 */
export const reportReadiness = (
  watch: NodeWatch,
  say: Say,
  isReady: Deferred.Deferred<void>
): Effect.Effect<never> =>
  Effect.gen(function* () {
    const fromMillis = yield* Clock.currentTimeMillis
    let told = ""
    let pauseMillis = pollMillis
    while (true) {
      const health = yield* watch.look
      // Whoever told it to stop knows that it is not ready.
      if (watch.phase !== "running") return yield* Effect.never
      if (health.ready) break
      const why = whyNotReady(health)
      const waitedMillis = (yield* Clock.currentTimeMillis) - fromMillis
      if (!isSame(why, told) && waitedMillis >= patienceMillis) {
        told = why
        yield* say("warn", `not ready yet: ${why}`, { ready: false })
      }
      yield* Effect.sleep(pauseMillis)
      pauseMillis = Math.min(pauseMillis * pauseGrowth, againMillis)
    }
    const millis = sinceStart()
    yield* say("info", `ready ${millis} ms after the process began`, { millis, ready: true })
    yield* Deferred.succeed(isReady, undefined)
    told = ""
    while (true) {
      yield* Effect.sleep(againMillis)
      const health = yield* watch.health
      if (watch.phase !== "running") return yield* Effect.never
      const why = whyNotReady(health)
      if (isSame(why, told)) continue
      const wasReady = told === ""
      told = why
      if (why === "") yield* say("info", "ready again", { ready: true })
      else yield* say("warn", `not ready ${wasReady ? "any more" : "still"}: ${why}`, { ready: false })
    }
  })

/** But for how many there are of something, which changes all the time. */
const isSame = (why: string, told: string): boolean => counted(why) === counted(told)

const counted = (why: string): string => why.replaceAll(/(?<= )\d+(?= )/g, "some")
