/**
 * Dead letters: messages that reached nobody. All are counted, the last few are kept, and at most
 * `eventsPerSecondMax` a second are published, since they tend to come in floods.
 */
import { DeadLetter } from "#protocols/runtime.ts"
import { Ring } from "#protocols/wire/ring.ts"
import type { EventStream } from "./event-stream.ts"
import type { WorldClock } from "./ports/clock.ts"

const keptMax = 64
const eventsPerSecondMax = 10

export class DeadLetters {
  readonly #clock: WorldClock
  readonly #events: EventStream
  readonly #kept = new Ring<DeadLetter>(keptMax)
  #windowStartMillis = Number.NEGATIVE_INFINITY
  #inWindow = 0
  total = 0

  constructor(clock: WorldClock, events: EventStream) {
    this.#clock = clock
    this.#events = events
  }

  add(path: string, message: string, why: string): void {
    this.total++
    const nowMillis = this.#clock.nowMillis()
    if (nowMillis - this.#windowStartMillis >= 1_000) {
      this.#windowStartMillis = nowMillis
      this.#inWindow = 0
    }
    if (++this.#inWindow > eventsPerSecondMax) return
    const letter = new DeadLetter(
      { path, atMillis: this.#clock.wallMillis(), message, why, total: this.total },
      { disableValidation: true }
    )
    if (this.#kept.size === keptMax) this.#kept.shift()
    this.#kept.push(letter)
    this.#events.publish(letter)
  }

  /** The most recent samples, oldest first. */
  recent(): ReadonlyArray<DeadLetter> {
    const letters: Array<DeadLetter> = []
    this.#kept.filter((letter) => letters.push(letter) > 0)
    return letters
  }
}
