/**
 * The shape of a message, for people who watch what goes through an actor: which fields it has, numbers and truth
 * values, and how long texts are. What is in a text may be a secret, so it is never shown; neither are bytes.
 *
 *   { path: text of 21, depth: 2, grants: list of 3 }
 */
const charactersMax = 240
const fieldsMax = 12
const depthMax = 3

export const shapeOf = (message: object): string => {
  const text = fieldsOf(message, depthMax)
  return text.length <= charactersMax ? text : `${text.slice(0, charactersMax - 3)}...`
}

const fieldsOf = (value: object, depth: number): string => {
  const fields = Object.entries(value).filter(([name]) => name !== "_tag")
  const shown = fields.slice(0, fieldsMax).map(([name, field]) => `${name}: ${shape(field, depth - 1)}`)
  if (fields.length > fieldsMax) shown.push(`${fields.length - fieldsMax} more`)
  return shown.length === 0 ? "{}" : `{ ${shown.join(", ")} }`
}

const shape = (value: unknown, depth: number): string => {
  switch (typeof value) {
    case "string":
      return `text of ${value.length}`
    case "number":
    case "boolean":
    case "bigint":
      return String(value)
    case "object":
      if (value === null) return "null"
      if (Array.isArray(value)) return `list of ${value.length}`
      if (ArrayBuffer.isView(value)) return `${value.byteLength} bytes`
      return depth > 0 ? fieldsOf(value, depth) : "{...}"
    default:
      return typeof value
  }
}
