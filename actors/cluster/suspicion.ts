/**
 * How long a suspicion lasts (Lifeguard, "local health aware suspicion"): long while one node alone holds
 * it, since that node may be the slow one, and shorter with each that confirms it. Pure.
 */
export interface Patience {
  readonly minMillis: number
  /** Unconfirmed, it lasts this many times the minimum. */
  readonly maxMult: number
  readonly confirmations: number
  /** With so many it is as short as it gets. None: nobody else could confirm, and it is so at once. */
  readonly confirmationsMax: number
}

export const suspicionMillis = ({
  confirmations,
  confirmationsMax,
  maxMult,
  minMillis
}: Patience): number => {
  if (confirmations >= confirmationsMax) return minMillis
  const share = Math.log(confirmations + 1) / Math.log(confirmationsMax + 1)
  return minMillis * (maxMult - share * (maxMult - 1))
}
