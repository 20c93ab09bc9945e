/**
 * Pings sent on behalf of others: whose ack goes where, and when to say that none has come.
 *
 * The nack is Lifeguard's: it tells the asker that the relay is well and the target is not, so that only
 * silence speaks against the asker itself. Beyond a bound requests are dropped without a word. Pure.
 */
export interface Relay {
  readonly askerAddress: string
  readonly askerSeq: number
  readonly target: string
  readonly nackMillis: number
  readonly endMillis: number
  nacked: boolean
}

const relaysMax = 1_000

export class SwimRelays {
  readonly #relays = new Map<number, Relay>()

  get size(): number {
    return this.#relays.size
  }

  /** False: there are too many already. */
  add(seq: number, relay: Omit<Relay, "nacked">): boolean {
    if (this.#relays.size >= relaysMax) return false
    this.#relays.set(seq, { ...relay, nacked: false })
    return true
  }

  /** The relay that an ack with this number answers, which is thereby done. */
  take(seq: number): Relay | undefined {
    const relay = this.#relays.get(seq)
    this.#relays.delete(seq)
    return relay
  }

  /** The relays whose asker should hear a nack now, each of them once. */
  overdue(nowMillis: number): ReadonlyArray<Relay> {
    const overdue: Array<Relay> = []
    for (const [seq, relay] of this.#relays) {
      if (nowMillis >= relay.endMillis) this.#relays.delete(seq)
      if (relay.nacked || nowMillis < relay.nackMillis) continue
      relay.nacked = true
      overdue.push(relay)
    }
    return overdue
  }

  get nextMillis(): number {
    let next = Number.POSITIVE_INFINITY
    for (const { endMillis, nackMillis, nacked } of this.#relays.values()) {
      next = Math.min(next, nacked ? endMillis : nackMillis)
    }
    return next
  }
}
