/**
 * A circuit breaker: after enough bad calls it stops calling, waits, then tries a few calls before it
 * trusts the target again.
 *
 *   closed ──too many failed or slow──► open ──its wait is over──► half-open
 *     ▲                                  ▲                          │    │
 *     └── all probes were good ──────────┼──────────────────────────┘    │
 *                                        └── one probe was not ──────────┘
 *
 * Each opening without a closing in between waits twice as long, up to a maximum. By hand it can be
 * tripped and reset from any state, and held: then it stays, goes on counting, and judges when released.
 *
 * A call gets a permit when it is admitted, and brings it back exactly once. The permit is the number of the
 * state that gave it: what was admitted in an older state and ends in a newer one says nothing about it.
 *
 * Pure: time is an argument, and changes go to the callback. A class and not a fold, since every call of
 * a healthy target passes through `admit` and `settle`, and there they allocate nothing.
 */
import type { BreakerNumbers, BreakerState, BreakerStatus, Order } from "#protocols/breakers.ts"
import { BreakerWindow } from "./breaker-window.ts"

export interface BreakerRules {
  /** What it looks back on while closed. */
  readonly windowMillis: number
  /** With fewer calls in the window it does not judge. */
  readonly minimumCalls: number
  /** It opens when this share of the calls failed. */
  readonly failureRate: number
  /** A call that takes this long is slow, whatever comes of it. */
  readonly slowMillis: number
  /** It opens when this share of the calls was slow. */
  readonly slowRate: number
  /** How long the first opening refuses; each one after it twice as long as the one before. */
  readonly openMillis: number
  readonly openMillisMax: number
  /** Probes under way at a time while half-open. */
  readonly probesMax: number
  /** Good probes after which it closes. */
  readonly probesToClose: number
  /** When all probes are out for this long without a word, it opens again. */
  readonly probeMillisMax: number
}

export const defaultRules: BreakerRules = {
  windowMillis: 10_000,
  minimumCalls: 20,
  failureRate: 0.5,
  slowMillis: 2_000,
  slowRate: 0.8,
  openMillis: 5_000,
  openMillisMax: 60_000,
  probesMax: 1,
  probesToClose: 3,
  probeMillisMax: 30_000
}

interface Noted {
  readonly number: number
  readonly nowMillis: number
  readonly reason: string
  /** Undefined where the breaker decided by itself. */
  readonly by: string | undefined
}

export type BreakerChange = Noted &
  (
    | {
        readonly _tag: "Changed"
        readonly from: BreakerState
        readonly to: BreakerState
        readonly numbers: BreakerNumbers
      }
    | { readonly _tag: "HoldBegan" | "HoldEnded"; readonly state: BreakerState }
  )

/** The number of the state that admitted the call. */
export type Permit = number

export class CircuitBreaker {
  readonly rules: BreakerRules
  readonly #changed: (change: BreakerChange) => void
  readonly #window: BreakerWindow
  #state: BreakerState = "closed"
  #generation = 0
  #reason = "it has been so from the start"
  #held: Order | undefined
  #openUntilMillis = 0
  #openings = 0
  #probes = 0
  #lastProbeMillis = 0
  #probed = { calls: 0, failed: 0, slow: 0 }
  #refused = 0
  #changes = 0

  constructor(rules: BreakerRules, changed: (change: BreakerChange) => void) {
    check(rules)
    this.rules = rules
    this.#changed = changed
    this.#window = new BreakerWindow(rules.windowMillis)
  }

  get state(): BreakerState {
    return this.#state
  }

  /** A permit for one call, or undefined: do not call. */
  admit(nowMillis: number): Permit | undefined {
    if (this.#state === "closed") return this.#generation
    this.advance(nowMillis)
    if (this.#state === "open" || this.#probes >= this.rules.probesMax) {
      this.#refused++
      return undefined
    }
    this.#probes++
    this.#lastProbeMillis = nowMillis
    return this.#generation
  }

  /** The admitted call has ended. */
  settle(permit: Permit, failed: boolean, tookMillis: number, nowMillis: number): void {
    if (permit !== this.#generation) return
    const slow = tookMillis >= this.rules.slowMillis
    if (this.#state === "closed") {
      this.#judgeCalls(this.#window.add(failed, slow, nowMillis), nowMillis)
    } else {
      this.#probes--
      this.#probed.calls++
      if (failed) this.#probed.failed++
      if (slow) this.#probed.slow++
      this.#judgeProbes(nowMillis)
    }
  }

  /** The admitted call has ended without telling anything about the target. */
  abandon(permit: Permit): void {
    if (permit === this.#generation && this.#state === "half-open") this.#probes--
  }

  /** Does what only takes time. Nothing goes wrong when it is called late. */
  advance(nowMillis: number): void {
    if (nowMillis < this.wakeMillis) return
    if (this.#state === "open") {
      this.#change("half-open", { reason: "its wait is over", by: undefined }, nowMillis)
    } else {
      this.#open(`its probes did not come back within ${seconds(this.rules.probeMillisMax)}`, nowMillis)
    }
  }

  /** When `advance` will have something to do, if nothing else happens. */
  get wakeMillis(): number {
    if (this.#held !== undefined) return Number.POSITIVE_INFINITY
    if (this.#state === "open") return this.#openUntilMillis
    return this.#state === "half-open" && this.#probes >= this.rules.probesMax
      ? this.#lastProbeMillis + this.rules.probeMillisMax
      : Number.POSITIVE_INFINITY
  }

  // By hand. While it is held these answer with who holds it and why, and do nothing.

  trip(order: Order, nowMillis: number): Order | undefined {
    if (this.#held !== undefined) return this.#held
    this.#openings = Math.max(1, this.#openings)
    this.#wait(nowMillis)
    this.#change("open", order, nowMillis)
    return undefined
  }

  reset(order: Order, nowMillis: number): Order | undefined {
    if (this.#held !== undefined) return this.#held
    this.#close(order, nowMillis)
    return undefined
  }

  hold(order: Order, nowMillis: number): Order | undefined {
    if (this.#held !== undefined) return this.#held
    this.advance(nowMillis)
    this.#held = { by: order.by, reason: order.reason }
    this.#changed({ ...this.#noted(order, nowMillis), _tag: "HoldBegan", state: this.#state })
    return undefined
  }

  release(order: Order, nowMillis: number): void {
    if (this.#held === undefined) return
    this.#held = undefined
    this.#changed({ ...this.#noted(order, nowMillis), _tag: "HoldEnded", state: this.#state })
    if (this.#state === "closed") this.#judgeCalls(this.#window.numbers(nowMillis), nowMillis)
    else if (this.#state === "half-open") this.#judgeProbes(nowMillis)
    this.advance(nowMillis)
  }

  get reason(): string {
    return this.#reason
  }

  get held(): Order | undefined {
    return this.#held
  }

  /** Until it lets a probe through; null where no time will do that. */
  remainingMillis(nowMillis: number): number | null {
    return this.#state === "open" && this.#held === undefined
      ? Math.max(0, this.#openUntilMillis - nowMillis)
      : null
  }

  status(nowMillis: number): Omit<BreakerStatus, "breaker"> {
    this.advance(nowMillis)
    return {
      state: this.#state,
      reason: this.#reason,
      held: this.#held ?? null,
      remainingMillis: this.remainingMillis(nowMillis),
      numbers: this.#numbers(nowMillis),
      probes: this.#probes,
      refused: this.#refused,
      openings: this.#openings,
      changes: this.#changes
    }
  }

  #judgeCalls({ calls, failed, slow }: BreakerNumbers, nowMillis: number): void {
    const { failureRate, minimumCalls, slowMillis, slowRate, windowMillis } = this.rules
    if (calls < minimumCalls || this.#held !== undefined) return
    const within = `within ${seconds(windowMillis)}`
    if (failed / calls >= failureRate) {
      this.#open(`${failed} of ${calls} calls failed ${within}`, nowMillis)
    } else if (slow / calls >= slowRate) {
      this.#open(`${slow} of ${calls} calls ${within} took ${seconds(slowMillis)} or longer`, nowMillis)
    }
  }

  #judgeProbes(nowMillis: number): void {
    if (this.#held !== undefined) return
    const { calls, failed, slow } = this.#probed
    if (failed > 0) this.#open("a probe failed", nowMillis)
    else if (slow > 0) this.#open(`a probe took ${seconds(this.rules.slowMillis)} or longer`, nowMillis)
    else if (calls >= this.rules.probesToClose)
      this.#close({ reason: `${calls} probes were good`, by: undefined }, nowMillis)
  }

  #open(reason: string, nowMillis: number): void {
    this.#openings++
    this.#wait(nowMillis)
    this.#change("open", { reason, by: undefined }, nowMillis)
  }

  #wait(nowMillis: number): void {
    const { openMillis, openMillisMax } = this.rules
    this.#openUntilMillis = nowMillis + Math.min(openMillis * 2 ** (this.#openings - 1), openMillisMax)
  }

  #close(why: Why, nowMillis: number): void {
    this.#openings = 0
    this.#change("closed", why, nowMillis)
  }

  /** The one place where the state changes. */
  #change(to: BreakerState, why: Why, nowMillis: number): void {
    const from = this.#state
    const numbers = this.#numbers(nowMillis)
    this.#state = to
    this.#generation++
    this.#reason = why.reason
    this.#probes = 0
    this.#probed = { calls: 0, failed: 0, slow: 0 }
    this.#window.clear()
    this.#changed({ ...this.#noted(why, nowMillis), _tag: "Changed", from, to, numbers })
  }

  #numbers(nowMillis: number): BreakerNumbers {
    return this.#state === "closed" ? this.#window.numbers(nowMillis) : { ...this.#probed }
  }

  #noted({ by, reason }: Why, nowMillis: number): Noted {
    this.#changes++
    return { number: this.#changes, nowMillis, reason, by }
  }
}

interface Why {
  readonly reason: string
  readonly by: string | undefined
}

const seconds = (millis: number) => `${millis / 1_000} s`

/** Rules that make no sense are a bug of whoever wrote them. */
const check = (rules: BreakerRules): void => {
  const positive = Object.entries(rules).find(([, value]) => !(value > 0))
  if (positive !== undefined) {
    throw new RangeError(`a breaker's ${positive[0]} is ${positive[1]}: it must be more than 0`)
  }
  for (const rate of ["failureRate", "slowRate"] as const) {
    if (rules[rate] > 1) throw new RangeError(`a breaker's ${rate} is ${rules[rate]}: it must be at most 1`)
  }
}
