/**
 * Progress of watches: a client that asked for it is told now and then up to which revision it has seen everything,
 * also when nothing happens to its keys, so that it can begin from there when it comes again.
 */

/** All watches of one client that share a stream. */
export interface ProgressTeller {
  /** Tells what it has to tell. */
  readonly tellProgress: () => void
}

export class WatchProgress {
  readonly #intervalMillis: number
  readonly #random: () => number
  /** When each is told next; not known before the first look at the clock. */
  readonly #tellers = new Map<ProgressTeller, number | undefined>()

  constructor(intervalMillis: number, random: () => number) {
    this.#intervalMillis = intervalMillis
    this.#random = random
  }

  get size(): number {
    return this.#tellers.size
  }

  add(teller: ProgressTeller): void {
    if (!this.#tellers.has(teller)) this.#tellers.set(teller, undefined)
  }

  remove(teller: ProgressTeller): void {
    this.#tellers.delete(teller)
  }

  look(nowMillis: number): void {
    for (const [teller, atMillis] of this.#tellers) {
      if (atMillis !== undefined && nowMillis < atMillis) continue
      // As in etcd: a tenth more or less, so that not all are told at the same moment.
      this.#tellers.set(teller, nowMillis + this.#intervalMillis * (1 + this.#random() / 10))
      if (atMillis !== undefined) teller.tellProgress()
    }
  }
}
