/**
 * A mailbox: a bounded queue of what waits for one actor, and what happens when it is full.
 *
 * The bound is on what others send. An actor's own timers and outcomes pass it: there are only as many
 * as the actor started itself. Asks for whose room backpressure waits are bounded by the same number.
 */
import { Exit } from "effect"
import { MailboxFull } from "#protocols/delivery.ts"
import type { MailboxOptions } from "./actor.ts"
import { Ask, type Tagged } from "./ask.ts"
import type { ActorTimer, Outcome } from "./life.ts"
import { Ring } from "./ring.ts"
import type { Timers } from "./timers.ts"

export type Entry = Tagged | Ask | ActorTimer | Outcome

export class Mailbox extends Ring<Entry> {
  /** Asks that wait for room, by backpressure. */
  #waiting: Ring<Ask> | undefined
  /** Overflows to let pass before it looks again for asks that were withdrawn: looking costs a walk. */
  #fruitless = 0

  constructor() {
    super(4)
  }

  next(): Entry | undefined {
    const entry = this.shift()
    if (this.#waiting !== undefined && this.#waiting.size > 0) this.#admit()
    return entry
  }

  /**
   * The mailbox is at its bound. True: there is room after all. False: the entry was dropped, refused or
   * waits. Throws `MailboxFull` for a tell where the policy is "fail".
   */
  makeRoom(
    entry: Tagged | Ask,
    path: string,
    options: MailboxOptions,
    timers: Timers
  ): "room" | "waits" | "dropped" | "replaced" {
    if (this.#purge(options.capacity)) return "room"
    const { capacity, overflow } = options
    if (overflow === "drop-oldest") {
      const oldest = this.shift()
      if (oldest instanceof Ask) oldest.settle(full(oldest, capacity))
      return "replaced"
    }
    if (!(entry instanceof Ask)) {
      if (overflow === "fail") throw new MailboxFull({ path, request: entry._tag, capacity })
      return "dropped"
    }
    if (overflow === "backpressure") {
      this.#waiting ??= new Ring(4)
      if (this.#waiting.size < capacity || this.#waiting.filter((other) => !other.withdrawn) > 0) {
        entry.arm(timers)
        this.#waiting.push(entry)
        return "waits"
      }
    }
    entry.settle(full(entry, capacity))
    return "dropped"
  }

  /** Takes everything out, in order. */
  drain(take: (entry: Entry) => void): void {
    for (let entry = this.shift(); entry !== undefined; entry = this.shift()) take(entry)
    for (let ask = this.#waiting?.shift(); ask !== undefined; ask = this.#waiting?.shift()) take(ask)
  }

  /** Asks that were withdrawn while they waited still take up room. */
  #purge(capacity: number): boolean {
    if (this.#fruitless-- > 0) return false
    const purged = this.filter((other) => !(other instanceof Ask && other.withdrawn)) > 0
    this.#fruitless = purged ? 0 : capacity >> 3
    return purged
  }

  #admit(): void {
    const ask = this.#waiting?.shift()
    if (ask !== undefined && !ask.withdrawn) this.push(ask)
  }
}

const full = ({ path, request }: Ask, capacity: number) =>
  Exit.fail(new MailboxFull({ path, request: request._tag, capacity }))
