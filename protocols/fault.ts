/**
 * Faults: the errors that cross a boundary. A fault is an expected refusal with a name; a bug is not a
 * fault, it is a defect: it crashes the actor and its supervisor decides what happens next.
 *
 * Every fault says in `definite` whether anything may have happened. A definite fault promises that the
 * request changed nothing; after an indefinite one the caller must read the state before it tries again.
 * Its message is one line: what, where, why, and what to do.
 */
export interface Fault {
  readonly _tag: string
  readonly message: string
  readonly definite: boolean
}

/** The same union, held to the shape of all faults: one without it does not compile. */
export type FaultUnion<Union extends Fault> = Union
