/**
 * A fence: stands before what a role may change, and admits whoever was given the role last.
 *
 *   holder of epoch 4, paused ────────── writes ─────► refused: StaleEpoch, 5 was seen
 *   holder of epoch 5 ───── writes ──► admitted
 *
 * A lease alone cannot keep a returning holder out: between its look at the clock and its write any time
 * may pass. The resource can, since the larger epoch was granted later. From the first request of a new
 * holder on, all before it are refused. The fence must live where the resource does, and be stored with
 * it: one that forgets, admits.
 *
 * Epochs are compared as numbers. Those of a role that a failover coordinator gives out are composed of
 * the coordinator's term, which is the epoch of its own lease, and of its count of decisions, so that all
 * of a later coordinator are larger than all of an earlier one:
 *
 *   epoch = term * 2^20 + count      term < 2^33, count < 2^20: a safe integer
 *
 * A million decisions in one term, or eight billion terms, are the end of it; then `roleEpoch` throws.
 */
import { StaleEpoch } from "#protocols/failover.ts"

export class Fence {
  readonly role: string
  #highest: number

  /** `highest` is what was stored with the resource; 0 where nobody has held the role yet. */
  constructor(role: string, highest = 0) {
    this.role = role
    this.#highest = highest
  }

  get highest(): number {
    return this.#highest
  }

  /** Undefined is yes. The same holder may come as often as it likes. */
  admit(epoch: number): StaleEpoch | undefined {
    if (!Number.isSafeInteger(epoch) || epoch < 1) {
      throw new RangeError(`${epoch} is no epoch of ${this.role}: epochs are whole numbers from 1`)
    }
    if (epoch < this.#highest) return new StaleEpoch({ role: this.role, epoch, current: this.#highest })
    this.#highest = epoch
    return undefined
  }
}

const countsPerTerm = 2 ** 20
const termMax = 2 ** 33 - 1

/** The epoch of the decision with that number, counted from 0, of the coordinator with that term. */
export const roleEpoch = (term: number, count: number): number => {
  if (!(Number.isInteger(term) && term >= 1 && term <= termMax)) {
    throw new RangeError(`${term} is no term of a coordinator: those are whole numbers from 1 to ${termMax}`)
  }
  if (!(Number.isInteger(count) && count >= 0 && count < countsPerTerm)) {
    throw new RangeError(`the coordinator of term ${term} has used up its ${countsPerTerm} epochs`)
  }
  return term * countsPerTerm + count
}

export const termOf = (epoch: number): number => Math.floor(epoch / countsPerTerm)
