/** Telling an effect from a state: what a handler returned is one or the other. */
import { Effect } from "effect"

export const isEffect = (value: unknown): value is Effect.Effect<unknown, unknown, unknown> =>
  Effect.isEffect(value)
