/**
 * The clocks of one simulated machine: its date may jump, and both may run at another rate than the world's.
 *
 * A process counts from its own start, as `performance.now` does, and its time does not jump, nor do its alarms:
 * only what the machine takes for the date does.
 */
import type { WorldClock } from "#actors/kernel/ports/clock.ts"
import type { SimWorld } from "./world.ts"

interface Pending {
  readonly dueMillis: number
  readonly ring: () => void
  cancel: () => void
}

export class MachineClock {
  readonly #world: SimWorld
  #rate = 1
  /** What it said at some moment of the world. */
  #saidMillis: number
  #atMillis: number
  /** How far the date is ahead of that. */
  #dateMillis: number
  readonly #pending = new Set<Pending>()

  constructor(world: SimWorld) {
    this.#world = world
    this.#saidMillis = world.nowMillis
    this.#atMillis = world.nowMillis
    this.#dateMillis = world.clock.wallMillis() - world.nowMillis
  }

  /** Of the date, ahead or back, as when somebody sets it. */
  jump(millis: number): void {
    this.#dateMillis += millis
  }

  /** So many times as fast as the world's from now on. */
  run(rate: number): void {
    this.#set(this.#nowMillis, rate)
  }

  /** For a process that starts now. */
  process(): WorldClock {
    const startMillis = this.#nowMillis
    return {
      nowMillis: () => this.#nowMillis - startMillis,
      wallMillis: () => Math.floor(this.#nowMillis + this.#dateMillis),
      alarm: (delayMillis, ring) => this.#alarm(delayMillis, ring)
    }
  }

  get #nowMillis(): number {
    return this.#saidMillis + (this.#world.nowMillis - this.#atMillis) * this.#rate
  }

  #alarm(delayMillis: number, ring: () => void): () => void {
    const pending: Pending = { dueMillis: this.#nowMillis + delayMillis, ring, cancel: () => {} }
    this.#pending.add(pending)
    this.#arm(pending)
    return () => {
      this.#pending.delete(pending)
      pending.cancel()
    }
  }

  #arm(pending: Pending): void {
    const leftMillis = Math.max(0, pending.dueMillis - this.#nowMillis)
    pending.cancel = this.#world.clock.alarm(leftMillis / this.#rate, () => {
      this.#pending.delete(pending)
      pending.ring()
    })
  }

  #set(saidMillis: number, rate: number): void {
    this.#saidMillis = saidMillis
    this.#atMillis = this.#world.nowMillis
    this.#rate = rate
    for (const pending of this.#pending) {
      pending.cancel()
      this.#arm(pending)
    }
  }
}
