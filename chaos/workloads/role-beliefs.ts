/**
 * What nodes said of the roles that they have, as holdings: of which only what is certain is told.
 *
 *   asked, answered: not this ──► asked, answered: epoch 5 ──► asked, answered: epoch 5 ──► asked, answered: not this
 *     │                                        │                   │
 *     notBefore                                from                until
 *
 * What a node answered was so at some moment between question and answer. Between two answers of one epoch it was
 * so all the time, since nobody gets the same epoch twice.
 */
import type { Holding } from "#chaos/checkers/evidence.ts"

/** An answer about one role. */
export interface Said {
  readonly node: string
  readonly role: string
  readonly askedMillis: number
  readonly answeredMillis: number
  /** Undefined: it does not have it. */
  readonly epoch: number | undefined
  /** Of its lease, by its own clock. */
  readonly remainingMillis: number | undefined
}

export class RoleBeliefs {
  readonly #holdingsMax: number
  readonly #ended: Array<Holding> = []
  /** By role and node. */
  readonly #current = new Map<string, Holding>()
  readonly #lastAsked = new Map<string, number>()

  constructor(holdingsMax: number) {
    this.#holdingsMax = holdingsMax
  }

  get holdings(): ReadonlyArray<Holding> {
    return [...this.#ended, ...this.#current.values()]
  }

  say(said: Said): void {
    const place = `${said.role} ${said.node}`
    const current = this.#current.get(place)
    const lastAskedMillis = this.#lastAsked.get(place) ?? 0
    this.#lastAsked.set(place, said.askedMillis)
    if (current !== undefined && current.fence === said.epoch) {
      this.#current.set(place, prolonged(current, said))
      return
    }
    this.#current.delete(place)
    if (current !== undefined && this.#ended.length < this.#holdingsMax) this.#ended.push(current)
    if (said.epoch !== undefined) this.#current.set(place, begun(said, said.epoch, lastAskedMillis))
  }
}

const begun = (said: Said, fence: number, notBeforeMillis: number): Holding => ({
  what: `role ${said.role}`,
  holder: said.node,
  fence,
  notBeforeMillis,
  fromMillis: said.answeredMillis,
  // For no time yet, as far as anybody knows.
  untilMillis: said.answeredMillis,
  lostMillis: undefined,
  leaseMillis: leaseOf(said),
  // The agents refuse a coordinator of an earlier term, and whatever stands behind a fence an earlier holder.
  fenced: true
})

/** A lease that has run out says nothing of how long it lasts. */
const prolonged = (holding: Holding, said: Said): Holding => {
  const leaseMillis = said.remainingMillis === 0 ? holding.leaseMillis : leaseOf(said)
  return { ...holding, untilMillis: Math.max(holding.fromMillis, said.askedMillis), leaseMillis }
}

const leaseOf = ({ answeredMillis, remainingMillis }: Said): number | undefined =>
  remainingMillis === undefined ? undefined : answeredMillis + remainingMillis
