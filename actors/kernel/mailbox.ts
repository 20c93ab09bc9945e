/**
 * A mailbox: a bounded queue of what waits for one actor, and what happens when it is full.
 *
 * The bound is on what others send. An actor's own timers and outcomes pass it: there are only as many
 * as the actor started itself. Asks for whose room backpressure waits are bounded by the same number.
 */

import { Ring } from "#protocols/wire/ring.ts"
import { Ask, type Tagged } from "./ask.ts"
import type { ActorTimer, Outcome } from "./life.ts"
import { TracedTell } from "./tracing.ts"

export type Entry = Tagged | Ask | ActorTimer | Outcome | TracedTell

export class Mailbox extends Ring<Entry> {
  /** Asks that wait for room, by backpressure. */
  #waiting: Ring<Ask> | undefined
  /** Overflows to let pass before it looks again for asks that were withdrawn: looking costs a walk. */
  #fruitless = 0
  /** By order of somebody nothing is taken out of it. */
  held = false

  constructor() {
    super(4)
  }

  /** Whether there is something to take out. */
  get ready(): boolean {
    return this.size > 0 && !this.held
  }

  next(): Entry | undefined {
    if (this.held) return undefined
    const entry = this.shift()
    if (this.#waiting !== undefined && this.#waiting.size > 0) this.#admit()
    return entry
  }

  /** Asks that were withdrawn while they waited still take up room. True when there is some now. */
  purge(capacity: number): boolean {
    if (this.#fruitless-- > 0) return false
    const purged = this.filter((other) => !(other instanceof Ask && other.withdrawn)) > 0
    this.#fruitless = purged ? 0 : capacity >> 3
    // Those that wait for room were here first.
    while (purged && this.size < capacity && this.#admit()) {}
    return this.size < capacity
  }

  /** Lets an ask wait for room. False when too many do. */
  wait(ask: Ask, capacity: number): boolean {
    this.#waiting ??= new Ring(4)
    if (this.#waiting.size >= capacity && this.#waiting.filter((other) => !other.withdrawn) === 0)
      return false
    this.#waiting.push(ask)
    return true
  }

  /** What waits longest of that which others sent. */
  takeOldest(): Tagged | Ask | TracedTell | undefined {
    const own: Array<ActorTimer | Outcome> = []
    let entry = this.shift()
    while (entry !== undefined && isOwn(entry)) {
      own.push(entry)
      entry = this.shift()
    }
    for (const other of own.reverse()) this.unshift(other)
    return entry
  }

  /** Takes everything out, in order. */
  drain(take: (entry: Entry) => void): void {
    for (let entry = this.shift(); entry !== undefined; entry = this.shift()) take(entry)
    for (let ask = this.#waiting?.shift(); ask !== undefined; ask = this.#waiting?.shift()) take(ask)
  }

  /** False when nothing waits any more. */
  #admit(): boolean {
    for (let ask = this.#waiting?.shift(); ask !== undefined; ask = this.#waiting?.shift()) {
      if (ask.withdrawn) continue
      this.push(ask)
      return true
    }
    return false
  }
}

const isOwn = (entry: Entry): entry is ActorTimer | Outcome =>
  entry._tag === undefined && !(entry instanceof Ask || entry instanceof TracedTell)
