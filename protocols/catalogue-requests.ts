/**
 * What a node can be asked about messages: which there are, and which of them an actor takes.
 *
 * Promised: an entry says all that it takes to send a message and to read what comes back. Its JSON
 * Schemas are of the 2020-12 dialect and describe the encoded form, as it is on a link.
 *
 * Not promised: that two nodes have the same catalogue: they may run different releases. Nor that what a
 * JSON Schema accepts is accepted: some rules cannot be said in it.
 */
import { Schema } from "effect"
import { observe, Permission } from "./message.ts"
import { NoSuchActor } from "./runtime.ts"

// Values

/** Empty: anything goes. */
export const JsonSchema = Schema.Record({ key: Schema.String, value: Schema.Unknown })
export type JsonSchema = typeof JsonSchema.Type

export const CatalogueEntry = Schema.Struct({
  /** The protocol that it belongs to. */
  component: Schema.String,
  tag: Schema.String,
  /** Answered, not answered, or published and never sent. */
  direction: Schema.Literal("ask", "tell", "event"),
  permission: Permission,
  description: Schema.String,
  /** Handled twice it does no more than once, so it may be asked again when no answer came. */
  repeatable: Schema.Boolean,
  /** Fields that the receiving node fills in: whoever sends it may leave them out. */
  attached: Schema.Array(Schema.String),
  payload: JsonSchema,
  /** Null where there is no answer. */
  success: Schema.NullOr(JsonSchema),
  /** Its own failures. Those of delivery come on top. */
  failures: Schema.Array(
    Schema.Struct({ tag: Schema.String, description: Schema.String, fields: JsonSchema })
  )
})
export type CatalogueEntry = typeof CatalogueEntry.Type

// Requests

export class GetCatalogue extends Schema.TaggedRequest<GetCatalogue>()(
  "GetCatalogue",
  {
    payload: { component: Schema.optional(Schema.String) },
    success: Schema.Array(CatalogueEntry),
    failure: Schema.Never
  },
  observe("All messages that clients of this node may send or see. Those of one component, if it is stated.")
) {}

export class GetAccepted extends Schema.TaggedRequest<GetAccepted>()(
  "GetAccepted",
  { payload: { path: Schema.String }, success: Schema.Array(Schema.String), failure: NoSuchActor },
  observe("The tags of the messages that the actor at a path takes from clients.")
) {}
