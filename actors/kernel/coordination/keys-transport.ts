/**
 * The way to a store of keys: what an implementation of `Coordination` has to bring. Everything else, such as
 * endpoints in turn, watches that go on, leases that are kept, and locks, is the same for all and beside this.
 */
import { Clock, Effect, type Stream } from "effect"
import type { Success } from "#actors/kernel/ask.ts"
import type { Changes, WatchedKeys } from "#actors/kernel/ports/coordination.ts"
import {
  type Compacted,
  GetLease,
  KeepLease,
  type KeysFault,
  type KeysRequest,
  ListLeases,
  RangeKeys,
  StoreUnavailable
} from "#protocols/chainfire-keys.ts"

/** What a watch tells first: where the store was when it began. */
export interface Began {
  readonly began: number
}

export interface KeysTransport {
  /** Ends within the deadline of the transport. */
  readonly ask: <Asked extends KeysRequest>(request: Asked) => Effect.Effect<Success<Asked>, KeysFault>
  /** Fails when the connection is lost. Reads no more than it has to. */
  readonly watch: (keys: WatchedKeys) => Stream.Stream<Began | Changes, Compacted | StoreUnavailable>
}

/** Wall clocks jump. */
export const monotonicMillis: Effect.Effect<number> = Effect.map(
  Clock.currentTimeNanos,
  (nanos) => Number(nanos) / 1e6
)

/** Asking twice does no more than asking once. */
const isRepeatable = (request: KeysRequest): boolean =>
  request instanceof RangeKeys ||
  request instanceof GetLease ||
  request instanceof ListLeases ||
  request instanceof KeepLease

const pauseMillis = 50
/** No endpoint is waited for alone while there are others. */
const attemptMillisMax = 2_000

/** Endpoints in turn, beginning with the one that answered last. */
export class Rotation<Endpoint> {
  readonly #endpoints: ReadonlyArray<Endpoint>
  #current = 0

  constructor(endpoints: ReadonlyArray<Endpoint>) {
    if (endpoints.length === 0) throw new Error("a store of keys has at least one endpoint: give its address")
    this.#endpoints = endpoints
  }

  get current(): Endpoint {
    const endpoint = this.#endpoints[this.#current % this.#endpoints.length]
    if (endpoint === undefined) throw new Error("unreachable: a rotation has endpoints")
    return endpoint
  }

  /** That one did not answer. Where several found out, the next one is skipped by nobody. */
  leave(endpoint: Endpoint): void {
    if (this.current === endpoint) this.#current = (this.#current + 1) % this.#endpoints.length
  }

  /**
   * Tries until the deadline, and no longer than it is certain that nothing is done twice. Each attempt ends within
   * the time that it is given.
   */
  ask<A>(
    request: KeysRequest,
    deadlineMillis: number,
    attempt: (endpoint: Endpoint, remainingMillis: number) => Effect.Effect<A, KeysFault>
  ): Effect.Effect<A, KeysFault> {
    const repeatable = isRepeatable(request)
    return Effect.gen(this, function* () {
      const untilMillis = (yield* monotonicMillis) + deadlineMillis
      let fault: StoreUnavailable | undefined
      for (let tried = 0; ; tried++) {
        const leftMillis = untilMillis - (yield* monotonicMillis)
        if (leftMillis <= 0)
          return yield* fault ?? new StoreUnavailable({ reason: "no time was left", definite: true })
        const endpoint = this.current
        const alone = this.#endpoints.length === 1 || !repeatable
        const forMillis = alone ? leftMillis : Math.min(leftMillis, attemptMillisMax)
        const answered = yield* Effect.either(attempt(endpoint, forMillis))
        if (answered._tag === "Right") return answered.right
        if (!(answered.left instanceof StoreUnavailable)) return yield* answered.left
        const { definite, reason } = answered.left
        fault = new StoreUnavailable({ reason, definite: definite || repeatable })
        this.leave(endpoint)
        if (!fault.definite && !repeatable) return yield* fault
        // Once around, then a pause: nobody is asked in a tight loop.
        if ((tried + 1) % this.#endpoints.length === 0) yield* Effect.sleep(pauseMillis)
      }
    })
  }
}
