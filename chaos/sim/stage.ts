/** An actor system with an empty root, in a simulated or in the live world: where tests let actors play. */
import { Effect, Logger, type Scope } from "effect"
import * as Actor from "#actors/kernel/actor.ts"
import * as System from "#actors/kernel/system.ts"
import { LiveWorld } from "#actors/platform/live-world.ts"
import { type Limits, SimWorld } from "./world.ts"

export type Play<A, E> = (system: System.ActorSystem, world: SimWorld) => Effect.Effect<A, E, Scope.Scope>

/** Runs the play in the world of that seed, ends the system, and returns what the play did. */
export const onStage = <A, E>(play: Play<A, E>, seed = 1, limits?: Limits): A => {
  const world = new SimWorld(seed)
  const program = newSystem.pipe(
    Effect.flatMap((system) => play(system, world)),
    Effect.scoped,
    Effect.provide(silence)
  )
  return world.run(program, limits)
}

/** The same in real time. */
export const onLiveStage = <A, E>(
  play: (system: System.ActorSystem) => Effect.Effect<A, E, Scope.Scope>
): Promise<A> =>
  newSystem.pipe(Effect.flatMap(play), Effect.scoped, Effect.provide([LiveWorld, silence]), Effect.runPromise)

const Root = Actor.make("root", { messages: [], init: () => null, handlers: {} })

const newSystem = System.make("root", Root)

/** What a test makes happen on purpose needs no warning. */
const silence = Logger.remove(Logger.defaultLogger)
