/**
 * By when a node that was told to stop has to be gone. Each of its actors has a deadline of its own; this one is for
 * all of them together, and for the ports, so that whoever stops a machine knows how long to wait.
 *
 * Past it the process says what did not stop, and ends at once: what was acknowledged is on disk.
 */
import { Effect, Fiber, Runtime, type Scope } from "effect"
import { type ActorSnapshot, NoSuchActor } from "#protocols/runtime.ts"
import type { NodeWatch } from "./node-watch.ts"

/** Less than what systemd and the like wait until they kill. */
export const stopMillisDefault = 15_000

/** The process did not stop in order. */
export const lateExitCode = 3
const namedMax = 5

/** The effect starts the clock; the close of the scope stops it. */
export const stopDeadline = (
  node: string,
  millis: number | undefined,
  watch: NodeWatch
): Effect.Effect<Effect.Effect<void>, never, Scope.Scope> =>
  Effect.gen(function* () {
    if (millis === undefined) return Effect.void
    const giveUp = Effect.sync(() => {
      process.stderr.write(`ultracloud: ${node} did not stop within ${millis} ms: ${whatIsLeft(watch)}\n`)
      process.exit(lateExitCode)
    })
    const counting = yield* Effect.acquireRelease(
      Effect.sync((): { fiber?: Fiber.RuntimeFiber<void> } => ({})),
      ({ fiber }) => (fiber === undefined ? Effect.void : Fiber.interrupt(fiber))
    )
    const whoever = yield* Effect.runtime<never>()
    return Effect.sync(() => {
      counting.fiber ??= Runtime.runFork(whoever)(Effect.delay(giveUp, millis))
    })
  })

const whatIsLeft = ({ phase, system }: NodeWatch): string => {
  const tree = system?.snapshot()
  const isThere = tree !== undefined && !(tree instanceof NoSuchActor) && phase !== "ended"
  const left = isThere ? stillStopping(tree) : []
  if (left.length === 0) return "its ports and files are not closed"
  const more = left.length > namedMax ? ` and ${left.length - namedMax} more` : ""
  return `${left.slice(0, namedMax).join(", ")}${more} had not ended`
}

/** Those that others wait for. */
const stillStopping = (actor: ActorSnapshot): ReadonlyArray<string> => {
  if (actor.status !== "stopping") return []
  const below = actor.children.flatMap(stillStopping)
  return below.length > 0 ? below : [actor.path]
}
