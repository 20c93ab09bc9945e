/**
 * The lease store of a simulated world: one copy, linearizable, in virtual time.
 *
 * Between it and each node lies a link with latency, which loses requests and answers as the weather has
 * it and can be cut. A request that is lost on its way has done nothing, one whose answer is lost has done
 * everything, and the node cannot tell one from the other: both end `LeasesUnavailable` at the deadline.
 * Only a link that was cut before the request left may say at once that nothing happened.
 *
 * The store keeps the last epoch of each name for ever. It is not promised to be fair: whoever asks first
 * after a lease has run out gets it.
 */
import { Effect, Exit, Layer } from "effect"
import type { WorldClock } from "#actors/kernel/ports/clock.ts"
import { holdMillis, Leases } from "#actors/kernel/ports/leases.ts"
import { type Lease, LeaseHeld, LeaseLost, LeasesUnavailable } from "#protocols/leases.ts"
import type { Prng } from "./prng.ts"
import type { SimWorld } from "./world.ts"

export interface LeaseWeather {
  readonly latencyMillisMax: number
  /** The share of requests, and of answers, that vanish. */
  readonly loss: number
  /** The share of requests that arrive a second time, later. */
  readonly duplicate: number
  /** How long a node waits for an answer. */
  readonly deadlineMillis: number
}

/** What the store has decided; for checkers. */
export interface Grant {
  readonly name: string
  readonly holder: string
  readonly epoch: number
  readonly atMillis: number
}

interface Held {
  readonly holder: string
  readonly epoch: number
  untilMillis: number
}

/** For a name that somebody has. */
interface Waiting {
  readonly name: string
  readonly look: () => void
}

type Request = LeasesUnavailable["request"]
type Answer<A, E> = Exit.Exit<A, E>

export class SimLeases {
  weather: LeaseWeather = { latencyMillisMax: 5, loss: 0, duplicate: 0, deadlineMillis: 1_000 }
  readonly grants: Array<Grant> = []
  /** Sees each grant as it happens, before anybody hears of it. */
  onGrant: ((grant: Grant) => void) | undefined
  readonly #world: SimWorld
  readonly #prng: Prng
  readonly #held = new Map<string, Held>()
  readonly #epochs = new Map<string, number>()
  readonly #cuts = new Set<string>()
  readonly #waiting = new Set<Waiting>()

  constructor(world: SimWorld) {
    this.#world = world
    this.#prng = world.prng.fork()
  }

  /** The port of a node, whose clock need not run as the world's does. */
  layer(node: string, clock: WorldClock = this.#world.clock): Layer.Layer<Leases> {
    return Layer.succeed(Leases, this.portOf(node, clock))
  }

  portOf(node: string, clock: WorldClock = this.#world.clock): Leases {
    const lease = (name: string, holder: string, epoch: number, ttlMillis: number, sentMillis: number) => ({
      name,
      holder,
      epoch,
      ttlMillis,
      untilMillis: sentMillis + holdMillis(ttlMillis)
    })
    return {
      acquire: (name, holder, ttlMillis) =>
        Effect.suspend(() => {
          const sentMillis = clock.nowMillis()
          return this.#call(node, clock, name, "acquire", () => this.#acquire(name, holder, ttlMillis)).pipe(
            Effect.map((epoch) => lease(name, holder, epoch, ttlMillis, sentMillis))
          )
        }),
      renew: (held) =>
        Effect.suspend(() => {
          const sentMillis = clock.nowMillis()
          const { epoch, holder, name, ttlMillis } = held
          return this.#call(node, clock, name, "renew", () => this.#renew(held)).pipe(
            Effect.as(lease(name, holder, epoch, ttlMillis, sentMillis))
          )
        }),
      release: (held) => this.#call(node, clock, held.name, "release", () => this.#release(held)),
      freed: (name) =>
        Effect.zipRight(
          this.#call(node, clock, name, "wait", () => Exit.void),
          this.#freed(node, clock, name)
        )
    }
  }

  /** Who has it now, by the store's clock. */
  holderOf(name: string): Grant["holder"] | undefined {
    return this.#live(name)?.holder
  }

  /** Nothing gets from this node to the store, and nothing back. */
  cut(node: string): void {
    this.#cuts.add(node)
  }

  heal(): void {
    this.#cuts.clear()
  }

  #acquire(name: string, holder: string, ttlMillis: number): Answer<number, LeaseHeld> {
    const live = this.#live(name)
    const nowMillis = this.#world.nowMillis
    if (live !== undefined && live.holder !== holder) {
      const remainingMillis = live.untilMillis - nowMillis
      return Exit.fail(new LeaseHeld({ name, holder: live.holder, remainingMillis }))
    }
    const epoch = (this.#epochs.get(name) ?? 0) + 1
    // A late copy of its request must not make the holder's lease end earlier than it was told.
    const untilMillis = Math.max(live?.untilMillis ?? 0, nowMillis + ttlMillis)
    this.#epochs.set(name, epoch)
    this.#held.set(name, { holder, epoch, untilMillis })
    const grant = { name, holder, epoch, atMillis: nowMillis }
    this.grants.push(grant)
    this.onGrant?.(grant)
    return Exit.succeed(epoch)
  }

  #renew({ epoch, holder, name, ttlMillis }: Lease): Answer<void, LeaseLost> {
    const live = this.#live(name)
    if (live?.epoch !== epoch) return Exit.fail(new LeaseLost({ name, holder, epoch }))
    live.untilMillis = Math.max(live.untilMillis, this.#world.nowMillis + ttlMillis)
    return Exit.void
  }

  #release({ epoch, name }: Lease): Answer<void, never> {
    if (this.#live(name)?.epoch !== epoch) return Exit.void
    this.#held.delete(name)
    for (const waiting of [...this.#waiting]) if (waiting.name === name) waiting.look()
    return Exit.void
  }

  /** What it would say is lost as answers are, and then it says nothing more. */
  #freed(node: string, clock: WorldClock, name: string): Effect.Effect<void> {
    return Effect.async<void>((resume) => {
      const waiting: Waiting = {
        name,
        look: () => {
          const live = this.#live(name)
          if (live !== undefined)
            return void this.#world.clock.alarm(live.untilMillis - this.#world.nowMillis, waiting.look)
          if (!this.#waiting.delete(waiting) || this.#prng.chance(this.weather.loss)) return
          this.#after(node, () => void clock.alarm(0, () => resume(Effect.void)))
        }
      }
      this.#waiting.add(waiting)
      waiting.look()
      return Effect.sync(() => void this.#waiting.delete(waiting))
    })
  }

  #live(name: string): Held | undefined {
    const held = this.#held.get(name)
    return held !== undefined && this.#world.nowMillis < held.untilMillis ? held : undefined
  }

  #call<A, E>(
    node: string,
    clock: WorldClock,
    name: string,
    request: Request,
    handle: () => Answer<A, E>
  ): Effect.Effect<A, E | LeasesUnavailable> {
    return Effect.async<A, E | LeasesUnavailable>((resume) => {
      const fault = (reason: string, definite: boolean) =>
        Exit.fail(new LeasesUnavailable({ name, request, reason, definite }))
      if (this.#cuts.has(node) && this.#prng.chance(0.5)) {
        clock.alarm(0, () => resume(fault("there is no way to it", true)))
        return
      }
      const { deadlineMillis, duplicate, loss } = this.weather
      const late = `no answer within ${deadlineMillis} ms`
      const cancel = clock.alarm(deadlineMillis, () => resume(fault(late, false)))
      const answer = (exit: Answer<A, E>) => {
        if (this.#prng.chance(loss)) return
        this.#after(node, () => {
          // Through the node's clock: a paused node hears of it when it wakes.
          clock.alarm(0, () => {
            cancel()
            resume(exit)
          })
        })
      }
      if (!this.#prng.chance(loss)) this.#after(node, () => answer(handle()))
      if (this.#prng.chance(duplicate)) {
        this.#world.clock.alarm(this.#prng.next() * 2 * deadlineMillis, () => void handle())
      }
    })
  }

  #after(node: string, arrive: () => void): void {
    this.#world.clock.alarm(this.#prng.next() * this.weather.latencyMillisMax, () => {
      if (!this.#cuts.has(node)) arrive()
    })
  }
}
