/**
 * A tap on one actor: the messages that it handles, a few of them a second, for whoever traces it. Counting is all
 * that a message costs once enough were kept, so that a busy actor stays busy.
 */
import type { TracedMessage } from "#protocols/operations.ts"
import { Ring } from "#protocols/wire/ring.ts"
import type { Tagged } from "./ask.ts"
import { shapeOf } from "./message-shape.ts"
import type { WorldClock } from "./ports/clock.ts"

const keptMax = 200
const keptPerSecondMax = 50
/** Looking at the clock costs more than all the rest: with nothing left to keep it waits for so many messages. */
const countedAtOnce = 64

export class Tap {
  readonly #clock: WorldClock
  readonly #kept = new Ring<TracedMessage>(16)
  #windowStartMillis = Number.NEGATIVE_INFINITY
  #inWindow = 0
  #skip = 0
  seen = 0

  constructor(clock: WorldClock) {
    this.#clock = clock
  }

  see(message: Tagged, kind: TracedMessage["kind"], mailbox: number): void {
    this.seen++
    if (--this.#skip > 0) return
    const nowMillis = this.#clock.nowMillis()
    if (nowMillis - this.#windowStartMillis >= 1_000) {
      this.#windowStartMillis = nowMillis
      this.#inWindow = 0
    }
    if (this.#inWindow >= keptPerSecondMax) {
      this.#skip = countedAtOnce
      return
    }
    this.#inWindow++
    if (this.#kept.size === keptMax) this.#kept.shift()
    const { _tag: tag } = message
    const atMillis = this.#clock.wallMillis()
    this.#kept.push({ number: this.seen, atMillis, kind, tag, shape: shapeOf(message), mailbox })
  }

  after(number: number): ReadonlyArray<TracedMessage> {
    const found: Array<TracedMessage> = []
    this.#kept.filter((message) => {
      if (message.number > number) found.push(message)
      return true
    })
    return found
  }
}
