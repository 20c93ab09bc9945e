/**
 * Secrets: what must not be guessed, and what must not be undone.
 *
 * Promised: a hash does not show its password, and of two passwords the same hash comes only by chance; the same
 * password has another hash each time. Comparing takes the same time wherever two hashes differ, and without a
 * hash it takes as long as with one that does not fit. Letters come from a source that cannot be foreseen. No
 * password and no hash gets into a message of an error. `done` is called once, in a turn of its own.
 *
 * Not promised: that it is quick. Hashing is meant to be slow; it happens off this thread, for some at a time,
 * and while too many wait it is refused as busy.
 */
import { Context, type Either } from "effect"

export interface Secrets {
  readonly hash: (password: string, done: (hash: Either.Either<string, "busy">) => void) => void
  /** Without a hash no password fits. */
  readonly fits: (
    password: string,
    hash: string | undefined,
    done: (fits: Either.Either<boolean, "busy">) => void
  ) => void
  /** So many of a to z and A to Z. */
  readonly letters: (count: number) => string
}

export const Secrets = Context.GenericTag<Secrets>("kernel/Secrets")
