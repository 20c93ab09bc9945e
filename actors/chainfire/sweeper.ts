/**
 * The sweep that follows compaction: removes, piece by piece, what nobody can read any more. Every member does so
 * for itself, whenever it has time; no answer depends on how far it is.
 *
 * What goes over all versions in order of their revisions, a snapshot for instance, holds the sweep meanwhile: then
 * all that was there at its beginning is there to its end, and no copy has to be kept for it.
 */
import type { Mvcc } from "./mvcc.ts"

const begin = new Uint8Array(0)

export class Sweeper {
  readonly #mvcc: Mvcc
  /** What the pass that is under way, if any, removes up to, and where it goes on. */
  #goal = -1
  #from: Uint8Array | undefined
  #swept = -1
  #holds = 0
  #states = 0
  #waiting: Array<() => void> = []

  constructor(mvcc: Mvcc) {
    this.#mvcc = mvcc
  }

  /** Of this compaction, and all before it, nothing unreachable is left. Not remembered over a start. */
  get sweptRevision(): number {
    return this.#swept
  }

  get isDone(): boolean {
    return this.#swept === this.#mvcc.compactRevision
  }

  /** Another number each time that the state has been replaced. */
  get states(): number {
    return this.#states
  }

  get isHeld(): boolean {
    return this.#holds > 0
  }

  /** Nothing is removed until the function that comes back was called. */
  hold(): () => void {
    this.#holds++
    let held = true
    return () => {
      if (!held) return
      held = false
      this.#holds--
      if (this.#holds > 0) return
      const waiting = this.#waiting
      this.#waiting = []
      for (const go of waiting) go()
    }
  }

  /** Another state has taken the place of the one that was swept. */
  restart(): void {
    this.#states++
    this.#swept = -1
    this.#from = undefined
  }

  /** Calls back once nobody holds it any more. Somebody may hold it again then. */
  whenFree(go: () => void): void {
    if (this.isHeld) this.#waiting.push(go)
    else go()
  }

  /** A piece, after looking at so many versions. Whether it has changed anything is in the tables. */
  step(versionsMax: number): void {
    if (this.isHeld || this.isDone) return
    if (this.#from === undefined) {
      this.#from = begin
      this.#goal = this.#mvcc.compactRevision
    }
    this.#from = this.#mvcc.sweep(this.#from, versionsMax)
    if (this.#from === undefined) this.#swept = this.#goal
  }
}
