/** The totals of a store: a few keys and what was added to each. Pure. */
export type Totals = ReadonlyMap<string, number>

export const empty: Totals = new Map()

export const write = (totals: Totals, key: string, by: number): Totals =>
  new Map(totals).set(key, (totals.get(key) ?? 0) + by)

export const total = (totals: Totals, key: string): number | undefined => totals.get(key)
