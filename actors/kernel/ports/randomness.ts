/**
 * Randomness: the only source of chance in the runtime.
 *
 * Promised: numbers spread evenly over [0, 1). In the simulator the same seed gives the same numbers.
 * Not promised: secrecy. Nothing that must not be guessed comes from here.
 */
import { Context } from "effect"

export interface Randomness {
  readonly next: () => number
}

export const Randomness = Context.GenericTag<Randomness>("kernel/Randomness")
