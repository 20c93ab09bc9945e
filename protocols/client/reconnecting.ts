/**
 * When to try again after a link was lost: soon, then less and less often, and not all clients at once.
 * What delays is the number of failures since a link was last good for a while.
 */
const firstMillis = 100
const longestMillis = 5_000
/** A link that lived for so long was a good one. */
export const steadyMillis = longestMillis

/** `chance` in [0, 1): anything from half of the delay to all of it. */
export const backoffMillis = (failures: number, chance: number): number =>
  Math.min(longestMillis, firstMillis * 2 ** Math.min(failures, 30)) * (0.5 + chance / 2)
