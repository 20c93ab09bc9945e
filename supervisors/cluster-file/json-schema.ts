/**
 * The cluster file as JSON Schema (2020-12), for editors: they complete keys, show what each is for, and mark what
 * is wrong while it is written. What holds between keys only `cluster validate` knows.
 */
import { Option } from "effect"
import { Cluster } from "./cluster-schema.ts"
import { type DocumentedKey, documentedKeys, type Kind } from "./documented-keys.ts"
import { profiles } from "./profiles.ts"

export const clusterJsonSchema = (): object => ({
  $schema: "https://json-schema.org/draft/2020-12/schema",
  title: "UltraCloud cluster",
  ...section(documentedKeys(Cluster), []),
  anyOf: [
    // A profile may bring the rest.
    ...Object.entries(profiles)
      .filter(([, { defaults }]) => "nodes" in defaults)
      .map(([name]) => ({ properties: { profile: { const: name } }, required: ["profile"] })),
    { required: documentedKeys(Cluster).flatMap(({ isNeeded, name }) => (isNeeded ? [name] : [])) }
  ]
})

const section = (keys: ReadonlyArray<DocumentedKey>, required: ReadonlyArray<string>): object => ({
  type: "object",
  additionalProperties: false,
  ...(required.length > 0 && { required }),
  properties: Object.fromEntries(keys.map((key) => [key.name, schemaOf(key)]))
})

const schemaOf = ({ default: value, description, kind }: DocumentedKey): object => ({
  description,
  ...kindSchema(kind),
  ...(Option.isSome(value) && { default: value.value })
})

const kindSchema = (kind: Kind): object => {
  switch (kind._tag) {
    case "Whole":
      return { type: "integer", minimum: kind.min, maximum: kind.max }
    case "Number":
      return { type: "number", minimum: kind.min, maximum: kind.max }
    case "Text": {
      const { lengthMax, lengthMin, pattern } = kind
      return {
        type: "string",
        ...(lengthMin > 0 && { minLength: lengthMin }),
        ...(lengthMax !== undefined && { maxLength: lengthMax }),
        ...(pattern !== undefined && { pattern })
      }
    }
    case "Flag":
      return { type: "boolean" }
    case "Word":
      return { enum: kind.words }
    case "List":
      return {
        type: "array",
        items: kindSchema(kind.of),
        ...(kind.lengthMin > 0 && { minItems: kind.lengthMin }),
        ...(kind.lengthMax !== undefined && { maxItems: kind.lengthMax })
      }
    case "Section":
      return section(
        kind.keys,
        kind.keys.flatMap(({ isNeeded, name }) => (isNeeded ? [name] : []))
      )
  }
}
