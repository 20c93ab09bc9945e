/**
 * A part of a simulated world that can lose its power: once it is off, nothing armed inside it happens
 * any more. Time and dice are the world's.
 */
import { Layer } from "effect"
import { WorldClock } from "#actors/kernel/ports/clock.ts"
import { Randomness } from "#actors/kernel/ports/randomness.ts"
import { Scheduling } from "#actors/kernel/ports/scheduling.ts"
import type { SimWorld } from "./world.ts"

export class Compartment {
  readonly layer: Layer.Layer<WorldClock | Randomness | Scheduling>
  #on = true

  constructor(world: SimWorld) {
    const whileOn = (task: () => void) => () => {
      if (this.#on) task()
    }
    const { clock, prng, scheduling } = world
    this.layer = Layer.mergeAll(
      Layer.succeed(WorldClock, {
        ...clock,
        alarm: (delayMillis, ring) => clock.alarm(delayMillis, whileOn(ring))
      }),
      Layer.succeed(Randomness, prng),
      Layer.succeed(Scheduling, { ...scheduling, arm: (slice, when) => scheduling.arm(whileOn(slice), when) })
    )
  }

  powerOff(): void {
    this.#on = false
  }
}
