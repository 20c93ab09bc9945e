/**
 * The simulated world: virtual time, and one seed that decides who runs next.
 *
 * Actors are the production ones. Their dispatchers hand every slice to this world and their timers set
 * alarms in it; whenever several actors or fibers are ready the seed picks one, one message at a time,
 * so a run explores an interleaving that a real machine might show once in a year. Time moves only when
 * nothing is ready, straight to the next alarm. The same seed gives the same run, byte for byte.
 */
import { Cause, Effect, Exit, type Fiber, FiberRef, Layer, Random, type Scheduler } from "effect"
import { effectClock } from "#actors/kernel/effect-clock.ts"
import { WorldClock } from "#actors/kernel/ports/clock.ts"
import { Randomness } from "#actors/kernel/ports/randomness.ts"
import { Scheduling } from "#actors/kernel/ports/scheduling.ts"
import { Callback, TimerWheel } from "#actors/kernel/timer-wheel.ts"
import { Timers } from "#actors/kernel/timers.ts"
import { Prng } from "./prng.ts"

/** Turns without time passing after which a run is going in circles. */
const turnsAtOnceMax = 10_000_000

/** An arbitrary but fixed birthday of every simulated world: 2026-01-01T00:00:00Z. */
const epochMillis = 1_767_225_600_000

export interface Limits {
  /** A run that goes on longer, in virtual time, has failed to end. */
  readonly limitMillis: number
  /**
   * The program watches what the seed plays with and is no part of it: its fibers take their turns in order, and
   * one turn more or less changes nothing for others.
   */
  readonly isOutside?: boolean
}

export class SimulationStuck extends Error {
  override readonly name = "SimulationStuck"
}

export class SimWorld {
  readonly seed: number
  readonly prng: Prng
  nowMillis = 0
  readonly trace: Array<string> = []
  readonly #order: Prng
  readonly #alarms = new TimerWheel(0)
  /** Of a program outside, which ring before all others of their millisecond, however many it has set. */
  readonly #outsideAlarms = new TimerWheel(0)
  readonly #runnable: Array<() => void> = []
  readonly #outside: Array<() => void> = []
  readonly #accidents: Array<() => void> = []
  #turnsAtOnce = 0

  constructor(seed: number) {
    this.seed = seed
    const root = new Prng(seed)
    this.prng = root.fork()
    this.#order = root.fork()
  }

  readonly clock: WorldClock = {
    nowMillis: () => this.nowMillis,
    wallMillis: () => epochMillis + this.nowMillis,
    alarm: (delayMillis, ring) => this.#alarmIn(this.#alarms, delayMillis, ring)
  }

  /** For whoever is no part of what the seed plays with. */
  readonly outsideClock: WorldClock = {
    ...this.clock,
    alarm: (delayMillis, ring) => this.#alarmIn(this.#outsideAlarms, delayMillis, ring)
  }

  readonly scheduling: Scheduling = {
    arm: (slice) => void this.#runnable.push(slice),
    messagesPerTurn: 1,
    messagesPerSlice: 1,
    millisPerSlice: Number.POSITIVE_INFINITY,
    choose: (count) => this.#order.below(count)
  }

  #alarmIn(alarms: TimerWheel, delayMillis: number, ring: () => void): () => void {
    const timer = new Callback(ring)
    alarms.start(timer, Math.ceil(this.nowMillis + delayMillis), this.nowMillis)
    return () => alarms.cancel(timer)
  }

  get layer(): Layer.Layer<WorldClock | Randomness | Scheduling> {
    return Layer.mergeAll(
      Layer.succeed(WorldClock, this.clock),
      Layer.succeed(Randomness, this.prng),
      Layer.succeed(Scheduling, this.scheduling)
    )
  }

  /**
   * Once everybody outside has done what this moment is for, and before anybody inside does anything: whoever strikes
   * does so at the same place of a run that is played again, however often it has looked at the time until then.
   */
  accident(strike: () => void): void {
    this.#accidents.push(strike)
  }

  /** A line of the trace: what happened, with the time it happened. */
  note(line: string): void {
    this.trace.push(`${this.nowMillis} ${line}`)
  }

  /**
   * Runs a program in this world until it ends. Throws its failure; throws `SimulationStuck` when nothing
   * can happen any more, or when it is still running at `limitMillis`.
   */
  run<A, E>(
    program: Effect.Effect<A, E, WorldClock | Randomness | Scheduling>,
    { isOutside = false, limitMillis }: Limits = { limitMillis: 3_600_000 }
  ): A {
    const clock = isOutside ? this.outsideClock : this.clock
    const fiber = Effect.runFork(
      program.pipe(
        Effect.provide(this.layer),
        Effect.withClock(effectClock(clock, new Timers(clock))),
        Effect.withRandom(Random.make(this.prng.below(2 ** 32)))
      ),
      { scheduler: this.#schedulerOf(isOutside ? this.#outside : this.#runnable) }
    )
    const untilMillis = this.nowMillis + limitMillis
    for (let exit = fiber.unsafePoll(); ; exit = fiber.unsafePoll()) {
      if (exit !== null)
        return Exit.getOrElse(exit, (cause) => {
          throw Cause.squash(cause)
        })
      if (!this.#step(untilMillis)) throw this.#stuck(untilMillis)
    }
  }

  /** Lets the world go on until nothing is ready and no alarm is due before `untilMillis`. */
  settle(untilMillis = this.nowMillis): void {
    while (this.#step(untilMillis)) {}
  }

  #step(untilMillis: number): boolean {
    if (this.#outside.length > 0) {
      if (++this.#turnsAtOnce > turnsAtOnceMax) throw this.#circling()
      const tasks = this.#outside.splice(0)
      for (const task of tasks) task()
      return true
    }
    const accident = this.#accidents.shift()
    if (accident !== undefined) {
      accident()
      return true
    }
    const { length } = this.#runnable
    if (length > 0) {
      if (++this.#turnsAtOnce > turnsAtOnceMax) throw this.#circling()
      const index = length === 1 ? 0 : this.#order.below(length)
      const task = this.#runnable[index]
      const last = this.#runnable.pop()
      if (last !== undefined && index < this.#runnable.length) this.#runnable[index] = last
      task?.()
      return true
    }
    const nextMillis = this.#nextMillis
    if (nextMillis > untilMillis) return false
    this.#turnsAtOnce = 0
    this.nowMillis = Math.max(this.nowMillis, nextMillis)
    this.#outsideAlarms.advance(nextMillis)
    this.#alarms.advance(nextMillis)
    return true
  }

  /** Infinity where nobody waits for anything. */
  get #nextMillis(): number {
    return Math.min(
      this.#alarms.nextMillis() ?? Number.POSITIVE_INFINITY,
      this.#outsideAlarms.nextMillis() ?? Number.POSITIVE_INFINITY
    )
  }

  #circling(): SimulationStuck {
    return new SimulationStuck(
      `seed ${this.seed}: ${turnsAtOnceMax} turns were taken at ${this.nowMillis} ms without time passing; look for actors or fibers that wake each other without end`
    )
  }

  #stuck(untilMillis: number): SimulationStuck {
    return new SimulationStuck(
      this.#nextMillis === Number.POSITIVE_INFINITY
        ? `seed ${this.seed}: nothing is ready and no timer runs at ${this.nowMillis} ms, yet the program has not ended`
        : `seed ${this.seed}: the program has not ended by its limit of ${untilMillis} ms; raise limitMillis or look for a retry without end`
    )
  }

  #schedulerOf(tasks: Array<() => void>): Scheduler.Scheduler {
    return {
      scheduleTask: (task) => void tasks.push(task),
      shouldYield: (fiber: Fiber.RuntimeFiber<unknown, unknown>) =>
        fiber.currentOpCount > fiber.getFiberRef(FiberRef.currentMaxOpsBeforeYield) ? 0 : false
    }
  }
}
