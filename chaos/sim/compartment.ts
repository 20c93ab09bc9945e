/**
 * A part of a simulated world that can lose its power: once it is off, nothing armed inside it happens
 * any more. While it is paused, as a process that gets no CPU, it happens later. The dice are the world's, and so
 * is the time unless it is given a clock of its own.
 */
import { type Fiber, FiberRef, Layer, type Scheduler } from "effect"
import { type WorldClock as Clock, WorldClock } from "#actors/kernel/ports/clock.ts"
import { Randomness } from "#actors/kernel/ports/randomness.ts"
import { Scheduling } from "#actors/kernel/ports/scheduling.ts"
import type { SimWorld } from "./world.ts"

export class Compartment {
  readonly layer: Layer.Layer<WorldClock | Randomness | Scheduling>
  /** For fibers that start and end with it, beside those of an actor system. */
  readonly scheduler: Scheduler.Scheduler
  #on = true
  /** While it is paused: what has to happen after the pause, in order. */
  #held: Array<() => void> | undefined

  constructor(world: SimWorld, clock: Clock = world.clock) {
    const whileOn = (task: () => void) => () => this.run(task)
    const { prng, scheduling } = world
    this.scheduler = {
      scheduleTask: (task) => scheduling.arm(whileOn(task), "soon"),
      shouldYield: (fiber: Fiber.RuntimeFiber<unknown, unknown>) =>
        fiber.currentOpCount > fiber.getFiberRef(FiberRef.currentMaxOpsBeforeYield) ? 0 : false
    }
    this.layer = Layer.mergeAll(
      Layer.succeed(WorldClock, {
        ...clock,
        alarm: (delayMillis, ring) => clock.alarm(delayMillis, whileOn(ring))
      }),
      Layer.succeed(Randomness, prng),
      Layer.succeed(Scheduling, { ...scheduling, arm: (slice, when) => scheduling.arm(whileOn(slice), when) })
    )
  }

  /** Now, or after the pause, or never. */
  run(task: () => void): void {
    if (!this.#on) return
    if (this.#held === undefined) task()
    else this.#held.push(task)
  }

  pause(): void {
    this.#held ??= []
  }

  resume(): void {
    const held = this.#held ?? []
    this.#held = undefined
    for (const task of held) this.run(task)
  }

  powerOff(): void {
    this.#on = false
  }
}
