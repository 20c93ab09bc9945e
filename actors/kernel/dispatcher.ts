/**
 * The dispatcher: decides which ready actor, or which fiber of a handler, runs next.
 *
 * Ready ones wait in one run queue. A slice takes them in turn until the queue is empty or the slice
 * has used up its messages or its time; then the event loop gets a chance before the next slice, so that
 * a flood of messages cannot starve timers and sockets. An actor handles at most `messagesPerTurn`
 * messages before it goes to the back of the queue.
 *
 * Reading the clock costs about as much as handling a message, so only one message in `sampleEvery` is
 * timed. That sample pays for three things: time in handlers per actor, slow-handler events, and the
 * time bound of a slice. Where handlers prove slow the sampling tightens until every message is timed.
 */
import type { Fiber, Scheduler } from "effect"
import { FiberRef } from "effect"
import { Ring } from "#protocols/wire/ring.ts"
import type { WorldClock } from "./ports/clock.ts"
import type { Scheduling } from "./ports/scheduling.ts"

/** Something that may have messages to handle. */
export interface Ready {
  /** Handles up to `messagesMax` messages, returns how many it did. Enqueues itself again if more wait. */
  turn(messagesMax: number): number
}

type Task = () => void

const sampleEveryMax = 64
const quickMillis = 0.02

export class Dispatcher {
  readonly #queue = new Ring<Ready | Task>(1024)
  readonly #scheduling: Scheduling
  readonly #clock: WorldClock
  #armed = false
  #sampleEvery = sampleEveryMax
  #sinceIoMillis = Number.NaN
  #sliceMessages = 0
  /** Time for I/O: set by a sample, once handling has taken its share of time. */
  yieldsToIo = false
  readonly #slice = () => this.#runSlice()
  readonly #sliceAfterIo = () => {
    this.#sliceMessages = 0
    this.#sinceIoMillis = Number.NaN
    this.yieldsToIo = false
    this.#runSlice()
  }

  /** Messages until the next one is timed. Whoever handles a message counts it down. */
  untilSample = sampleEveryMax

  constructor(scheduling: Scheduling, clock: WorldClock) {
    this.#scheduling = scheduling
    this.#clock = clock
  }

  get queued(): number {
    return this.#queue.size
  }

  enqueue(ready: Ready | Task): void {
    this.#queue.push(ready)
    if (!this.#armed) this.#arm()
  }

  /** Times one message; returns the milliseconds it took, and how many messages this sample stands for. */
  sample(handle: () => void): readonly [millis: number, messages: number] {
    const startMillis = this.#clock.nowMillis()
    // Since I/O had its chance for sure; in an idle system that is long ago, and one chance more costs nothing.
    if (Number.isNaN(this.#sinceIoMillis)) this.#sinceIoMillis = startMillis
    handle()
    const endMillis = this.#clock.nowMillis()
    const standsFor = this.#sampleEvery
    const millis = endMillis - startMillis
    this.#sampleEvery =
      millis > quickMillis
        ? Math.max(1, this.#sampleEvery >> 2)
        : Math.min(sampleEveryMax, this.#sampleEvery * 2)
    this.untilSample = this.#sampleEvery
    if (endMillis - this.#sinceIoMillis > this.#scheduling.millisPerSlice) this.yieldsToIo = true
    return [millis, standsFor]
  }

  /** Lets the fibers of handlers take their turns in the same queue as actors. */
  readonly fiberScheduler: Scheduler.Scheduler = {
    scheduleTask: (task) => this.enqueue(task),
    shouldYield: (fiber: Fiber.RuntimeFiber<unknown, unknown>) =>
      fiber.currentOpCount > fiber.getFiberRef(FiberRef.currentMaxOpsBeforeYield)
        ? fiber.getFiberRef(FiberRef.currentSchedulingPriority)
        : false
  }

  #arm(): void {
    this.#armed = true
    // Over all slices since: a promise that keeps waking an actor would otherwise never let I/O in.
    const exhausted = this.yieldsToIo || this.#sliceMessages >= this.#scheduling.messagesPerSlice
    if (exhausted) this.#scheduling.arm(this.#sliceAfterIo, "after-io")
    else this.#scheduling.arm(this.#slice, "soon")
  }

  #runSlice(): void {
    const { messagesPerSlice, messagesPerTurn } = this.#scheduling
    try {
      while (this.#sliceMessages < messagesPerSlice && !this.yieldsToIo) {
        const ready = this.#next()
        if (ready === undefined) break
        if (typeof ready === "function") {
          this.#sliceMessages++
          if (--this.untilSample > 0) ready()
          else this.sample(ready)
        } else {
          this.#sliceMessages += 1 + ready.turn(messagesPerTurn)
        }
      }
    } finally {
      this.#armed = false
      if (this.#queue.size > 0) this.#arm()
    }
  }

  #next(): Ready | Task | undefined {
    const { choose } = this.#scheduling
    if (choose === undefined || this.#queue.size < 2) return this.#queue.shift()
    return this.#queue.takeAt(choose(this.#queue.size))
  }
}
