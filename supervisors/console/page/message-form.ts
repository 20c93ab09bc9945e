/** Any message that an actor takes from clients, written by hand: its fields come from the node's catalogue. */
import type { App } from "./app.ts"
import { showDialog } from "./dialog.ts"
import { h, replace } from "./dom.ts"
import { jsonView } from "./json-view.ts"

interface Entry {
  readonly tag: string
  readonly direction: "ask" | "tell" | "event"
  readonly permission: string
  readonly description: string
  readonly attached: ReadonlyArray<string>
  readonly payload: JsonSchema
}

interface JsonSchema {
  readonly [key: string]: unknown
}

let entries: ReadonlyMap<string, Entry> | undefined

const entryOf = async (app: App, tag: string): Promise<Entry | undefined> => {
  if (entries === undefined) {
    const all = await app.look<ReadonlyArray<Entry>>(`/${app.hello.node}/cluster/introspection`, {
      _tag: "GetCatalogue"
    })
    if (all === undefined) return undefined
    entries = new Map(all.map((entry) => [entry.tag, entry]))
  }
  return entries.get(tag)
}

export const messageForm = async (app: App, path: string, tag: string): Promise<void> => {
  const entry = await entryOf(app, tag)
  if (entry === undefined) return app.say(`the node does not say what ${tag} is`, "bad")
  const answer = h("div", { class: "answer", "aria-live": "polite" })
  if (entry.direction !== "ask") {
    showDialog(
      tag,
      h("p", {}, entry.description),
      h("p", { class: "dim" }, "It is told and not answered; send it with `tell` of the shell.")
    )
    return
  }
  const area = h("textarea", {
    id: "message-fields",
    rows: 8,
    spellcheck: false,
    autocomplete: "off",
    "aria-label": "Fields as JSON"
  })
  area.value = JSON.stringify(skeleton(entry), undefined, 2)
  const send = async (event: Event) => {
    event.preventDefault()
    let fields: unknown
    try {
      fields = JSON.parse(area.value)
    } catch (cause) {
      return replace(answer, h("p", { class: "bad" }, `That is no JSON: ${String(cause)}`))
    }
    replace(answer, h("p", { class: "dim" }, "…"))
    const got = await app.ask(path, { ...(typeof fields === "object" ? fields : {}), _tag: tag }, 30_000)
    replace(
      answer,
      got.outcome === "reply"
        ? [h("h3", {}, "Answer"), jsonView(got.value)]
        : [h("h3", { class: "bad" }, got.fault._tag), h("p", {}, got.fault.message)]
    )
  }
  showDialog(
    tag,
    h("p", {}, entry.description),
    h("p", { class: "dim" }, `To ${path}. Takes the permission to ${entry.permission}.`),
    h(
      "form",
      { onsubmit: (event) => void send(event) },
      area,
      h("div", { class: "buttons" }, h("button", { type: "submit", class: "primary" }, "Send"))
    ),
    answer
  )
}

/** Its required fields, but for those that the node fills in. */
const skeleton = ({ attached, payload }: Entry): Record<string, unknown> => {
  const properties = recordOf(payload["properties"])
  const required = Array.isArray(payload["required"]) ? payload["required"] : []
  return Object.fromEntries(
    required
      .filter((field) => field !== "_tag" && !attached.includes(field))
      .map((field) => [field, example(recordOf(properties[field]))])
  )
}

const recordOf = (value: unknown): JsonSchema =>
  typeof value === "object" && value !== null ? { ...value } : {}

const example = (schema: JsonSchema): unknown => {
  if (Array.isArray(schema["enum"])) return schema["enum"][0]
  switch (schema["type"]) {
    case "string":
      return ""
    case "integer":
    case "number":
      return 0
    case "boolean":
      return false
    case "array":
      return []
    case "object":
      return {}
    default:
      return null
  }
}
