/** A field of a message, as a person writes it: text, a number, yes or no, one of several, bytes, or JSON. */
import { h, setAttribute, setText } from "./dom.ts"

export interface JsonSchema {
  readonly [key: string]: unknown
}

export interface MessageField {
  readonly name: string
  readonly row: HTMLElement
  readonly element: HTMLElement
  /** Undefined: it is left out. What is not understood here goes on as it is: the node says what is wrong. */
  readonly value: () => unknown
  /** Empty: nothing is wrong. */
  readonly mark: (problem: string) => void
}

export const recordOf = (value: unknown): JsonSchema =>
  typeof value === "object" && value !== null ? { ...value } : {}

export const messageField = (name: string, schema: JsonSchema, isRequired: boolean): MessageField => {
  const id = `message-${name}`
  const wrong = h("p", { class: "bad", id: `${id}-problem` })
  const { element, hint, value } = inputOf(id, wrong.id, schema, isRequired)
  return {
    name,
    element,
    value,
    row: h(
      "div",
      { class: "field" },
      h(
        "label",
        { for: id },
        h("code", {}, name),
        h("span", {}, ` ${hint}${isRequired ? "" : ", if at all"}`)
      ),
      element,
      wrong
    ),
    mark: (problem) => {
      setText(wrong, problem)
      setAttribute(element, "aria-invalid", problem === "" ? undefined : "true")
    }
  }
}

interface Input {
  readonly element: HTMLElement
  readonly hint: string
  readonly value: () => unknown
}

const inputOf = (id: string, problemId: string, schema: JsonSchema, isRequired: boolean): Input => {
  const shared = { id, "aria-describedby": problemId, autocomplete: "off", spellcheck: false }
  const choices = choicesOf(schema)
  if (choices !== undefined) {
    const element = h("select", shared, [
      !isRequired && h("option", { value: "" }, "–"),
      choices.map((each) => h("option", { value: JSON.stringify(each) }, String(each)))
    ])
    return {
      element,
      hint: "one of them",
      value: () => (element.value === "" ? undefined : JSON.parse(element.value))
    }
  }
  const type = schema["type"]
  const isBytes = schema["description"] === "bytes, a Uint8Array"
  if (type === "string" || type === "integer" || type === "number" || isBytes) {
    const element = h("input", { ...shared, type: "text" })
    const text = (): unknown =>
      element.value === "" && !(isRequired && (type === "string" || isBytes)) ? undefined : element.value
    const hint = typeof schema["description"] === "string" ? schema["description"] : `a ${type}`
    if (isBytes)
      return {
        element,
        hint: "text, or base64:…",
        value: () => (text() === undefined ? undefined : bytes(element.value))
      }
    return { element, hint, value: type === "string" ? text : () => parsedOr(text()) }
  }
  const element = h("textarea", { ...shared, rows: 3 })
  if (isRequired) element.value = type === "array" ? "[]" : type === "object" ? "{}" : ""
  return {
    element,
    hint: "as JSON",
    value: () => (element.value.trim() === "" ? undefined : parsedOr(element.value))
  }
}

const choicesOf = (schema: JsonSchema): ReadonlyArray<unknown> | undefined => {
  if (schema["type"] === "boolean") return [true, false]
  return Array.isArray(schema["enum"]) ? schema["enum"] : undefined
}

const bytes = (text: string): unknown =>
  text.startsWith("base64:") ? { $base64: text.slice("base64:".length) } : { $text: text }

const parsedOr = (text: unknown): unknown => {
  if (typeof text !== "string") return text
  try {
    return JSON.parse(text)
  } catch {
    return text
  }
}
