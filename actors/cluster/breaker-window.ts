/**
 * What a circuit breaker remembers of its latest calls: how many there were, failed, and were slow.
 *
 * Time is cut into buckets of equal length, and the window is the current bucket with those before it. So
 * it holds the same few numbers however many calls there are, and forgets one bucket at a time: a call
 * counts for at least the window less one bucket, and at most for the window. Pure.
 */
import type { BreakerNumbers } from "#protocols/breakers.ts"

/** More of them forget more smoothly; each costs three numbers. */
export const bucketCount = 10

export class BreakerWindow {
  readonly #bucketMillis: number
  readonly #calls = new Float64Array(bucketCount)
  readonly #failed = new Float64Array(bucketCount)
  readonly #slow = new Float64Array(bucketCount)
  /** The current bucket, counted from the beginning of time. */
  #current = Number.NEGATIVE_INFINITY
  #numbers: { calls: number; failed: number; slow: number } = { calls: 0, failed: 0, slow: 0 }

  constructor(windowMillis: number) {
    this.#bucketMillis = windowMillis / bucketCount
  }

  /** Returns the numbers with it: its own, which will change, since every call comes by here. */
  add(failed: boolean, slow: boolean, nowMillis: number): BreakerNumbers {
    this.#advance(nowMillis)
    const index = this.#current % bucketCount
    this.#calls[index]! += 1
    this.#numbers.calls += 1
    if (failed) {
      this.#failed[index]! += 1
      this.#numbers.failed += 1
    }
    if (slow) {
      this.#slow[index]! += 1
      this.#numbers.slow += 1
    }
    return this.#numbers
  }

  numbers(nowMillis: number): BreakerNumbers {
    this.#advance(nowMillis)
    return { ...this.#numbers }
  }

  clear(): void {
    this.#calls.fill(0)
    this.#failed.fill(0)
    this.#slow.fill(0)
    this.#numbers = { calls: 0, failed: 0, slow: 0 }
  }

  #advance(nowMillis: number): void {
    const bucket = Math.floor(nowMillis / this.#bucketMillis)
    if (bucket <= this.#current) return
    if (bucket - this.#current >= bucketCount) this.clear()
    else for (let passed = this.#current + 1; passed <= bucket; passed++) this.#forget(passed % bucketCount)
    this.#current = bucket
  }

  #forget(index: number): void {
    this.#numbers.calls -= this.#calls[index]!
    this.#numbers.failed -= this.#failed[index]!
    this.#numbers.slow -= this.#slow[index]!
    this.#calls[index] = 0
    this.#failed[index] = 0
    this.#slow[index] = 0
  }
}
