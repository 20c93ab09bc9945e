/**
 * A ring buffer that grows by doubling: the queue under every mailbox and under the run queue.
 *
 * It never shrinks below what it once held, on purpose: a mailbox that was full once will be again, and
 * its owner bounds it.
 */
export class Ring<Item> {
  #slots: Array<Item | undefined>
  #mask: number
  #head = 0
  size = 0

  /** `slots` is a power of two. */
  constructor(slots: number) {
    this.#slots = new Array<Item | undefined>(slots).fill(undefined)
    this.#mask = slots - 1
  }

  push(item: Item): void {
    if (this.size > this.#mask) this.#grow()
    this.#slots[(this.#head + this.size) & this.#mask] = item
    this.size++
  }

  /** Puts an item in front of all others. */
  unshift(item: Item): void {
    if (this.size > this.#mask) this.#grow()
    this.#head = (this.#head - 1) & this.#mask
    this.#slots[this.#head] = item
    this.size++
  }

  shift(): Item | undefined {
    if (this.size === 0) return undefined
    const item = this.#slots[this.#head]
    this.#slots[this.#head] = undefined
    this.#head = (this.#head + 1) & this.#mask
    this.size--
    return item
  }

  /** Takes the item `index` places behind the front; the last item moves into its place. */
  takeAt(index: number): Item | undefined {
    const last = (this.#head + this.size - 1) & this.#mask
    const at = (this.#head + index) & this.#mask
    const item = this.#slots[at]
    this.#slots[at] = this.#slots[last]
    this.#slots[last] = undefined
    this.size--
    return item
  }

  /** Removes what `keep` refuses, in place and in order; returns how many went. */
  filter(keep: (item: Item) => boolean): number {
    const before = this.size
    let kept = 0
    for (let index = 0; index < before; index++) {
      const item = this.#slots[(this.#head + index) & this.#mask]
      if (item === undefined || !keep(item)) continue
      this.#slots[(this.#head + kept) & this.#mask] = item
      kept++
    }
    for (let index = kept; index < before; index++) this.#slots[(this.#head + index) & this.#mask] = undefined
    this.size = kept
    return before - kept
  }

  #grow(): void {
    const old = this.#slots
    const slots = new Array<Item | undefined>(old.length * 2).fill(undefined)
    for (let index = 0; index < this.size; index++) slots[index] = old[(this.#head + index) & this.#mask]
    this.#slots = slots
    this.#mask = slots.length - 1
    this.#head = 0
  }
}
