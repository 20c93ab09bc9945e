/**
 * News on its way through the cluster: one item per member, the latest; each is sent a number of times
 * that grows with the logarithm of the cluster and then dropped, which bounds the traffic and suffices
 * to reach everybody with high probability (SWIM, section 4.1). What was sent least goes first. Pure.
 */
import type { News } from "#protocols/membership.ts"

const retransmitMult = 4

/** How often an item is sent in a cluster of that size. */
export const sendsMax = (members: number): number => retransmitMult * Math.ceil(Math.log10(members + 1))

export class GossipQueue {
  readonly #items = new Map<string, { readonly news: News; sent: number }>()

  get size(): number {
    return this.#items.size
  }

  has(name: string): boolean {
    return this.#items.has(name)
  }

  /** Replaces what was said about the same member before. */
  add(news: News): void {
    this.#items.set(news.record.name, { news, sent: 0 })
  }

  /** The member is forgotten, and so is what was to be said about it. */
  remove(name: string): void {
    this.#items.delete(name)
  }

  clear(): void {
    this.#items.clear()
  }

  /** Up to `countMax` items for one packet, least sent first. `members`: the size of the cluster. */
  take(countMax: number, members: number): ReadonlyArray<News> {
    if (this.#items.size === 0) return []
    const limit = sendsMax(members)
    const items = [...this.#items.values()]
    if (items.length > countMax) items.sort((left, right) => left.sent - right.sent)
    const chosen = items.slice(0, countMax)
    for (const item of chosen) {
      item.sent++
      if (item.sent >= limit) this.#items.delete(item.news.record.name)
    }
    return chosen.map(({ news }) => news)
  }
}
