/**
 * The demonstration: a small shop of actors under load, to watch supervision at work.
 *
 * Promised: nothing beyond the show. The real components replace it.
 */
import { Schema } from "effect"
import { observe, operate } from "./message.ts"

export class Write extends Schema.TaggedClass<Write>()(
  "Write",
  { key: Schema.String, by: Schema.Int },
  operate("Adds to the total of a key.", { traffic: true })
) {}

export class TotalUnknown extends Schema.TaggedError<TotalUnknown>()(
  "TotalUnknown",
  { key: Schema.String },
  { description: "Nothing was written to that key since the store started." }
) {
  readonly definite = true
  override get message() {
    return `nothing was written to ${this.key} since the store started; write to it first`
  }
}

export class Total extends Schema.TaggedRequest<Total>()(
  "Total",
  { payload: { key: Schema.String }, success: Schema.Int, failure: TotalUnknown },
  observe("The total of a key since the store started.")
) {}

/** Time to do some work. */
export class Tick extends Schema.TaggedClass<Tick>()("Tick", {}) {}

/** What came back when a writer read its own total. */
export class Checked extends Schema.TaggedClass<Checked>()("Checked", {
  total: Schema.NullOr(Schema.Int),
  fault: Schema.String
}) {}

export class Crash extends Schema.TaggedClass<Crash>()(
  "Crash",
  { why: Schema.String },
  operate("Makes whoever gets it crash.")
) {}
