/**
 * One probe of one member, from the first ping to the verdict:
 *
 *   0        timeout          2 timeouts            3 timeouts            interval
 *   ping     ping, relays     ping, other relays    ping, other relays    no answer: suspicion
 *
 * Each step is repeated, because one lost packet says nothing and the interval is long compared to a
 * round trip: at 10 % loss a member that lives fails this less than once in ten million times. All numbers
 * grow with the prober's awareness: a node in doubt about itself gives others more time. Pure.
 */
import type { SwimConfig } from "./swim-config.ts"

const attempts = 4

export class SwimProbe {
  readonly target: string
  readonly seq: number
  readonly #timeoutMillis: number
  #startMillis: number
  #endMillis: number
  #attempts = 0
  #acked = false
  #relaysAsked = 0
  #relaysHeard = 0

  constructor(
    target: string,
    seq: number,
    { probeIntervalMillis, probeTimeoutMillis }: SwimConfig,
    awareness: number,
    nowMillis: number
  ) {
    this.target = target
    this.seq = seq
    this.#timeoutMillis = probeTimeoutMillis * (1 + awareness)
    this.#startMillis = nowMillis
    this.#endMillis = nowMillis + probeIntervalMillis * (1 + awareness)
  }

  /** What is due now: the first ping, another one with the help of relays, the end, or nothing yet. */
  advance(nowMillis: number): "ping" | "ask relays" | "failed" | undefined {
    if (this.#acked || nowMillis < this.nextMillis) return undefined
    if (nowMillis >= this.#endMillis) return "failed"
    return this.#attempts++ === 0 ? "ping" : "ask relays"
  }

  get nextMillis(): number {
    if (this.#acked) return Number.POSITIVE_INFINITY
    return this.#attempts >= attempts
      ? this.#endMillis
      : Math.min(this.#endMillis, this.#startMillis + this.#attempts * this.#timeoutMillis)
  }

  /** True for the first ack. */
  ack(seq: number): boolean {
    if (seq !== this.seq || this.#acked) return false
    this.#acked = true
    return true
  }

  askedRelays(count: number): void {
    this.#relaysAsked += count
  }

  nack(seq: number): void {
    if (seq === this.seq) this.#relaysHeard++
  }

  /** Most relays did not even say that they failed, or there are none: it may be us. */
  get blamesItself(): boolean {
    return this.#relaysHeard * 2 <= this.#relaysAsked
  }

  /** Time that was slept through does not count. */
  delay(millis: number): void {
    this.#startMillis += millis
    this.#endMillis += millis
  }
}
