/**
 * Assertions of the core, always on: they cost a comparison, and a group that goes on after a broken one
 * loses data. Whoever catches a `RaftBug` stops the group and keeps its journal for us to look at.
 */
export class RaftBug extends Error {
  readonly _tag = "RaftBug"
}

/** `truth`: the sentence that does not hold. */
export function check(holds: boolean, truth: string): asserts holds {
  if (!holds) throw new RaftBug(`it does not hold that ${truth}`)
}
