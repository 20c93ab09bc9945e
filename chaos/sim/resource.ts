/** A resource that counts how often it is open: what a scope must close, whatever happens to its owner. */
import { Effect, type Scope } from "effect"

export function afterwards<A, E, R>(millis: number, effect: Effect.Effect<A, E, R>): Effect.Effect<A, E, R> {
  return Effect.zipRight(Effect.sleep(millis), effect)
}

/** Counts how often it is open. */
export const newResource = (closeMillis: number) => {
  const resource = {
    opened: 0,
    openings: 0,
    most: 0,
    open: Effect.acquireRelease(
      Effect.sync(() => {
        resource.opened++
        resource.openings++
        resource.most = Math.max(resource.most, resource.opened)
      }),
      () =>
        Effect.map(closeMillis === 0 ? Effect.void : Effect.sleep(closeMillis), () => void resource.opened--)
    ) as Effect.Effect<void, never, Scope.Scope>,
    /** Without counting among those of which there may be one. */
    openBeside: Effect.acquireRelease(
      Effect.sync(() => void resource.opened++),
      () => Effect.sync(() => void resource.opened--)
    )
  }
  return resource
}
