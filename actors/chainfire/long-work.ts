/**
 * Work that takes long, in slices: a snapshot that is streamed, a hash over everything, a sweep that somebody
 * waits for. Each is a generator that yields often; between two slices the member has its turn. One slice a
 * turn, whoever's it is, so that a turn is not longer because there is more to do.
 *
 * A work that waits, for a client that reads slowly for instance, yields how it will be woken. One that waits for
 * too long is given up, since it holds what others need.
 */
import { Data } from "effect"

/** Is called at once, with what to call when there is something to go on with. */
export type Wait = (go: () => void) => void
export type Work = Generator<Wait | undefined, void>

export const worksMax = 16
const sliceMillis = 2
export const waitMillisMax = 5 * 60_000
/** And with all its waiting; for a snapshot of two gigabytes that is a hundred kilobytes a second. */
export const workMillisMax = 6 * 60 * 60_000

export class WorkStalled extends Data.TaggedError("WorkStalled")<{ readonly millis: number }> {
  override get message() {
    const seconds = Math.round(this.millis / 1_000)
    return `nobody has read on in time, for ${seconds} s; begin again, and read faster`
  }
}

interface Running {
  readonly work: Work
  /** Called once: with nothing, or with what it threw. */
  readonly ended: (problem: unknown) => void
  readonly sinceMillis: number
  /** Undefined while it may go on. */
  waitingSinceMillis: number | undefined
}

export interface LongWorkPorts {
  /** There is something to do: call `turn` soon. */
  readonly wake: () => void
  readonly nowMillis: () => number
}

export class LongWorks {
  readonly #ports: LongWorkPorts
  /** The next one is the first that may go on. */
  readonly #works = new Set<Running>()
  /** Once for each turn, however much there is to do. */
  #isWoken = false

  constructor(ports: LongWorkPorts) {
    this.#ports = ports
  }

  get size(): number {
    return this.#works.size
  }

  /** False: there are too many already, and `ended` is not called. */
  start(work: Work, ended: (problem: unknown) => void): boolean {
    if (this.#works.size >= worksMax) return false
    const sinceMillis = this.#ports.nowMillis()
    this.#works.add({ work, ended, sinceMillis, waitingSinceMillis: undefined })
    this.#wake()
    return true
  }

  /** A slice of one of them. */
  turn(): void {
    this.#isWoken = false
    const next = this.#runnable()
    if (next === undefined) return
    // To the end of the queue.
    this.#works.delete(next)
    this.#works.add(next)
    this.#slice(next)
    if (this.#runnable() !== undefined) this.#wake()
  }

  /** Gives up what has waited for too long. */
  expire(): void {
    const nowMillis = this.#ports.nowMillis()
    for (const running of this.#works) {
      if (running.waitingSinceMillis === undefined) continue
      const isOver =
        nowMillis - running.waitingSinceMillis >= waitMillisMax ||
        nowMillis - running.sinceMillis >= workMillisMax
      if (!isOver) continue
      running.work.return()
      this.#end(running, new WorkStalled({ millis: nowMillis - running.sinceMillis }))
    }
  }

  #wake(): void {
    if (this.#isWoken) return
    this.#isWoken = true
    this.#ports.wake()
  }

  #runnable(): Running | undefined {
    for (const running of this.#works) if (running.waitingSinceMillis === undefined) return running
    return undefined
  }

  #slice(running: Running): void {
    const untilMillis = this.#ports.nowMillis() + sliceMillis
    try {
      do {
        const step = running.work.next()
        if (step.done === true) return this.#end(running, undefined)
        if (step.value !== undefined) return this.#wait(running, step.value)
      } while (this.#ports.nowMillis() < untilMillis)
    } catch (problem) {
      this.#end(running, problem)
    }
  }

  #wait(running: Running, wait: Wait): void {
    running.waitingSinceMillis = this.#ports.nowMillis()
    wait(() => {
      if (running.waitingSinceMillis === undefined) return
      running.waitingSinceMillis = undefined
      if (this.#works.has(running)) this.#wake()
    })
  }

  #end(running: Running, problem: unknown): void {
    this.#works.delete(running)
    running.ended(problem)
  }
}
