/**
 * The order in which members are probed: everybody once per round, in another order each time (SWIM,
 * section 4.3). So a failed member is probed by each other one within two rounds, whatever the dice say.
 * Whoever joins is put somewhere into the round under way. Pure.
 */
export class SwimRound {
  readonly #dice: () => number
  #names: Array<string> = []

  constructor(dice: () => number) {
    this.#dice = dice
  }

  add(name: string): void {
    if (this.#names.includes(name)) return
    this.#names.splice(Math.floor(this.#dice() * (this.#names.length + 1)), 0, name)
  }

  addNext(name: string): void {
    this.#names = this.#names.filter((other) => other !== name)
    this.#names.push(name)
  }

  /** The next to be probed. `everybody` is asked for once per round; `isWanted` leaves out who is gone. */
  next(everybody: () => Array<string>, isWanted: (name: string) => boolean): string | undefined {
    for (let refilled = false; ; ) {
      const name = this.#names.pop()
      if (name !== undefined && isWanted(name)) return name
      if (name !== undefined) continue
      if (refilled) return undefined
      refilled = true
      this.#names = shuffled(everybody(), this.#dice)
    }
  }
}

const shuffled = <Item>(items: Array<Item>, dice: () => number): Array<Item> => {
  for (let last = items.length - 1; last > 0; last--) {
    const other = Math.floor(dice() * (last + 1))
    const [one, two] = [items[last], items[other]]
    if (one !== undefined && two !== undefined) [items[last], items[other]] = [two, one]
  }
  return items
}
