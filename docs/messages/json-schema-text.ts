/**
 * JSON Schemas as people read them: `{ key: string(1..), totals?: list(..16) of integer }`.
 *
 * What does not fit on a line is broken up, one field a line. Only what Effect generates is understood;
 * anything else reads as `anything`.
 */
import type { JsonSchema } from "#protocols/catalogue-requests.ts"

const lineMax = 90

export interface Field {
  readonly name: string
  readonly optional: boolean
  readonly type: string
}

/** The fields of a message without its tag. */
export const fieldsOf = (schema: JsonSchema): ReadonlyArray<Field> =>
  fieldsIn(schema, namesIn(schema)).filter(({ name }) => name !== "_tag")

/** On one line where it fits, and below it what its names stand for. */
export const textOf = (schema: JsonSchema): string => {
  const text = typeText(schema, namesIn(schema))
  const named = namedTexts(schema)
  return [text, ...named].slice(named.some((each) => each.startsWith(`${text} = `)) ? 1 : 0).join("\n")
}

/** What each name stands for that the schema uses. */
export const namedTexts = (schema: JsonSchema): ReadonlyArray<string> =>
  Object.entries(record(schema["$defs"])).map(
    ([name, named]) => `${name} = ${anonymousText(record(named), namesIn(schema))}`
  )

/** The names of schemas that contain themselves, by what they stand for. */
type Names = ReadonlyMap<string, string>

const namesIn = (schema: JsonSchema): Names =>
  new Map(Object.entries(record(schema["$defs"])).map(([name, named]) => [JSON.stringify(named), name]))

const typeText = ({ $defs: _, ...schema }: JsonSchema, names: Names): string =>
  names.get(JSON.stringify(schema)) ?? anonymousText(schema, names)

const anonymousText = (schema: JsonSchema, names: Names): string => {
  const { $id: id, $ref: ref, anyOf, enum: literals, type } = schema
  if (typeof ref === "string") return ref.slice(ref.lastIndexOf("/") + 1)
  if (id === "/schemas/void") return "nothing"
  if (Array.isArray(literals)) return literals.map((literal) => JSON.stringify(literal)).join(" | ")
  if (Array.isArray(anyOf)) return anyOf.map((member) => typeText(record(member), names)).join(" | ")
  switch (type) {
    case "string":
      return `string${bounds(schema["minLength"], schema["maxLength"])}${pattern(schema["pattern"])}`
    case "integer":
    case "number":
      return `${type}${bounds(schema["minimum"], schema["maximum"])}`
    case "boolean":
    case "null":
      return type
    case "array":
      return arrayText(schema, names)
    case "object":
      return objectText(schema, names)
    default:
      return "anything"
  }
}

const bounds = (min: unknown, max: unknown): string =>
  min === undefined && max === undefined ? "" : `(${min ?? ""}..${max ?? ""})`

const pattern = (source: unknown): string => (source === undefined ? "" : `(/${source}/)`)

const arrayText = (schema: JsonSchema, names: Names): string => {
  const { items, maxItems, minItems, prefixItems } = schema
  if (Array.isArray(prefixItems)) {
    return `[${prefixItems.map((item) => typeText(record(item), names)).join(", ")}]`
  }
  return `list${bounds(minItems, maxItems)} of ${typeText(record(items), names)}`
}

const objectText = (schema: JsonSchema, names: Names): string => {
  const lines = fieldsIn(schema, names).map(fieldText)
  const line = lines.length === 0 ? "{}" : `{ ${lines.join(", ")} }`
  const fits = line.length <= lineMax && !line.includes("\n")
  return fits ? line : `{\n${lines.map((each) => each.replaceAll(/^/gm, "  ")).join("\n")}\n}`
}

export const fieldText = ({ name, optional, type }: Field): string => `${name}${optional ? "?" : ""}: ${type}`

const fieldsIn = (schema: JsonSchema, names: Names): ReadonlyArray<Field> => {
  const { additionalProperties, patternProperties, properties, required } = schema
  const needed: ReadonlyArray<unknown> = Array.isArray(required) ? required : []
  const others = [...Object.values(record(patternProperties)), additionalProperties].filter(isRecord)
  return [
    ...Object.entries(record(properties)).map(([name, field]) => ({
      name,
      optional: !needed.includes(name),
      type: typeText(record(field), names)
    })),
    ...others.map((field) => ({ name: "[any key]", optional: false, type: typeText(field, names) }))
  ]
}

const isRecord = (value: unknown): value is JsonSchema =>
  typeof value === "object" && value !== null && !Array.isArray(value)

const record = (value: unknown): JsonSchema => (isRecord(value) ? value : {})
