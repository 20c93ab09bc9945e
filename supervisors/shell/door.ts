/** What a node writes into its data directory while it runs, for shells on the same machine. */
import { Schema } from "effect"

export const doorFileName = "door.json"

export const Door = Schema.Struct({
  node: Schema.String,
  url: Schema.String,
  /** Who signs the certificates of the cluster, as PEM text, where there is TLS. */
  ca: Schema.optional(Schema.String)
})
export type Door = typeof Door.Type
