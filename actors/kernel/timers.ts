/**
 * All timers of one actor system: one wheel, woken by one alarm of the world's clock.
 *
 * Ask deadlines, actor timers and `Effect.sleep` in handlers all wait here, so that in the simulator
 * there is a single place where time passes.
 */
import type { WorldClock } from "./ports/clock.ts"
import { type Timer, TimerWheel } from "./timer-wheel.ts"

export class Timers {
  readonly #clock: WorldClock
  readonly #wheel: TimerWheel
  #armedForMillis = Number.POSITIVE_INFINITY
  #disarm: (() => void) | undefined
  #stopped = false

  constructor(clock: WorldClock) {
    this.#clock = clock
    this.#wheel = new TimerWheel(Math.floor(clock.nowMillis()))
  }

  get size(): number {
    return this.#wheel.size
  }

  /** Fires once, not before `delayMillis` has passed. A timer that runs already starts anew. */
  start(timer: Timer, delayMillis: number): void {
    if (this.#stopped) return
    const nowMillis = this.#clock.nowMillis()
    const dueMillis = Math.ceil(nowMillis + delayMillis)
    this.#wheel.start(timer, dueMillis, Math.floor(nowMillis))
    if (dueMillis < this.#armedForMillis) this.#arm(dueMillis, nowMillis)
  }

  /** Fires again one interval after it last did, or one from now when it is late by more than that. */
  repeat(timer: Timer, intervalMillis: number): void {
    const nowMillis = this.#clock.nowMillis()
    const late = timer.dueMillis + intervalMillis <= nowMillis
    this.start(timer, late ? intervalMillis : timer.dueMillis + intervalMillis - nowMillis)
  }

  cancel(timer: Timer): void {
    this.#wheel.cancel(timer)
  }

  /** No timer fires after this. */
  stop(): void {
    this.#stopped = true
    this.#disarm?.()
    this.#disarm = undefined
  }

  #arm(dueMillis: number, nowMillis: number): void {
    this.#disarm?.()
    this.#armedForMillis = dueMillis
    this.#disarm = this.#clock.alarm(dueMillis - nowMillis, () => this.#wake())
  }

  #wake(): void {
    this.#disarm = undefined
    this.#armedForMillis = Number.POSITIVE_INFINITY
    this.#wheel.advance(Math.floor(this.#clock.nowMillis()))
    if (this.#stopped) return
    const nextMillis = this.#wheel.nextMillis()
    if (nextMillis !== undefined && nextMillis < this.#armedForMillis)
      this.#arm(nextMillis, this.#clock.nowMillis())
  }
}
