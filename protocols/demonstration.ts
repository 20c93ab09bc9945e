/**
 * The demonstration: a small shop of actors under load, to watch supervision at work.
 *
 * Promised: nothing beyond the show. The real components replace it.
 */
import { Schema } from "effect"

/** Adds to the total of a key. */
export class Write extends Schema.TaggedClass<Write>()("Write", { key: Schema.String, by: Schema.Int }) {}

export class TotalUnknown extends Schema.TaggedError<TotalUnknown>()("TotalUnknown", { key: Schema.String }) {
  readonly definite = true
  override get message() {
    return `nothing was written to ${this.key} since the store started; write to it first`
  }
}

/** The total of a key since the store started. */
export class Total extends Schema.TaggedRequest<Total>()("Total", {
  payload: { key: Schema.String },
  success: Schema.Int,
  failure: TotalUnknown
}) {}

/** Time to do some work. */
export class Tick extends Schema.TaggedClass<Tick>()("Tick", {}) {}

/** What came back when a writer read its own total. */
export class Checked extends Schema.TaggedClass<Checked>()("Checked", {
  total: Schema.NullOr(Schema.Int),
  fault: Schema.String
}) {}

/** Makes whoever gets it crash. */
export class Crash extends Schema.TaggedClass<Crash>()("Crash", { why: Schema.String }) {}
