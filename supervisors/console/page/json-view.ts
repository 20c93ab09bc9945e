/** A JSON value to be read: one line a field, long lists and deep objects folded. */
import { type Child, h } from "./dom.ts"

const openDepth = 2
const listOpenMax = 12

export const jsonView = (value: unknown, depth = 0): Child => {
  if (value === null) return h("span", { class: "json-none" }, "none")
  switch (typeof value) {
    case "string":
      return h("span", { class: "json-text" }, value === "" ? "(empty)" : value)
    case "number":
      return h("span", { class: "json-number" }, String(value))
    case "boolean":
      return h("span", { class: "json-flag" }, String(value))
    case "object":
      return objectView(value, depth)
    default:
      return String(value)
  }
}

const objectView = (value: object, depth: number): Child => {
  const only = onlyBytes(value)
  if (only !== undefined) return only
  const entries = Array.isArray(value)
    ? value.map((each, index): [string, unknown] => [String(index), each])
    : Object.entries(value)
  if (entries.length === 0)
    return h("span", { class: "json-none" }, Array.isArray(value) ? "none" : "nothing")
  if (Array.isArray(value) && value.every(isPlain) && value.join(", ").length < 60) {
    return h("span", { class: "json-number" }, value.join(", "))
  }
  const fields = h(
    "dl",
    { class: "json" },
    entries.map(([key, field]) => [h("dt", {}, key), h("dd", {}, jsonView(field, depth + 1))])
  )
  if (depth === 0) return fields
  const isOpen = depth <= openDepth && entries.length <= listOpenMax
  const what = Array.isArray(value)
    ? counted(entries.length, "entry", "entries")
    : counted(entries.length, "field", "fields")
  return h("details", { open: isOpen }, h("summary", {}, what), fields)
}

const counted = (count: number, one: string, many: string): string => `${count} ${count === 1 ? one : many}`

const isPlain = (value: unknown): boolean => typeof value === "string" || typeof value === "number"

const onlyBytes = (value: object): Child | undefined => {
  const text: unknown = Reflect.get(value, "$text")
  if (typeof text === "string") return h("span", { class: "json-text" }, text === "" ? "(empty)" : text)
  const base64: unknown = Reflect.get(value, "$base64")
  return typeof base64 === "string" ? h("span", { class: "json-bytes" }, base64) : undefined
}
