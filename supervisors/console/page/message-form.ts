/**
 * Any message that an actor takes from clients, told or asked: its fields come from the node's catalogue, and it is
 * checked and sent as the shell's `tell` and `ask` do it. What is wrong is said at its field.
 */
import { lookOf } from "./action-table.ts"
import type { App } from "./app.ts"
import { showDialog } from "./dialog.ts"
import { type Child, h, replace, setText } from "./dom.ts"
import { jsonView } from "./json-view.ts"
import { type JsonSchema, type MessageField, messageField, recordOf } from "./message-field.ts"

interface Entry {
  readonly tag: string
  readonly direction: "ask" | "tell" | "event"
  readonly permission: string
  readonly description: string
  readonly attached: ReadonlyArray<string>
  readonly payload: JsonSchema
}

const foldedMin = 3

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
  const name = entry.direction === "tell" ? "tell" : "ask"
  const order = { path, message: tag }
  const asked = await app.act({ name, fields: order, confirmed: false })
  if (asked.outcome === "refused") return app.say(asked.message, "bad")
  const fields = fieldsOf(entry)
  const problem = h("p", { class: "bad", role: "alert" })
  const answer = h("div", { class: "answer", "aria-live": "polite" })
  const { label } = lookOf(name)
  const isFelt = asked.outcome === "asks" && asked.says !== ""
  const send = h("button", { type: "submit", class: isFelt ? "danger" : "primary" }, label)

  const submit = async (event: Event): Promise<void> => {
    event.preventDefault()
    for (const { mark } of fields) mark("")
    setText(problem, "")
    replace(answer, h("p", { class: "dim" }, "…"))
    const json = JSON.stringify(Object.fromEntries(fields.map((field) => [field.name, field.value()])))
    send.disabled = true
    const got = await app.act({ name, fields: { ...order, fields: json }, confirmed: true })
    send.disabled = false
    replace(answer)
    if (got.outcome === "done") {
      replace(
        answer,
        name === "tell" ? h("p", {}, got.lines.join(" ")) : [h("h3", {}, "Answer"), jsonView(got.value)]
      )
    } else if (got.outcome === "refused") {
      const at = got.field?.split(".", 1)[0]
      const wrong = fields.find((field) => field.name === at)
      if (wrong === undefined) return setText(problem, got.message)
      const fold = wrong.row.closest("details")
      if (fold !== null) fold.open = true
      wrong.mark(atField(got.message, wrong.name))
      wrong.element.focus()
    }
  }
  showDialog(
    tag,
    ...(isFelt ? [] : [h("p", {}, entry.description)]),
    asked.outcome === "asks" && asked.says !== ""
      ? h("p", { class: "says" }, `${asked.says}`)
      : h("p", { class: "dim" }, `To ${path}.`),
    h(
      "form",
      { onsubmit: (event) => void submit(event), novalidate: true },
      fields.length === 0 && h("p", { class: "dim" }, "It has no fields."),
      fields.filter(({ isRequired }) => isRequired).map(({ row }) => row),
      folded(fields.filter(({ isRequired }) => !isRequired)),
      problem,
      h("div", { class: "buttons" }, send)
    ),
    answer
  )
  fields[0]?.element.focus()
}

/** What can be left out is out of the way where there is much of it. */
const folded = (fields: ReadonlyArray<MessageField>): Child =>
  fields.length <= foldedMin
    ? fields.map(({ row }) => row)
    : h(
        "details",
        { class: "more-fields" },
        h("summary", {}, `${fields.length} more fields, which can be left out`),
        fields.map(({ row }) => row)
      )

/** Without what its place says, and what a shell would do next. */
const atField = (message: string, field: string): string =>
  message
    .replace(/^\w+ was not sent: /, "")
    .replace(/; accepts .*$/s, "")
    .replace(`field ${field}: `, "")

/** All but those that the node fills in. */
const fieldsOf = ({ attached, payload }: Entry) => {
  const required = new Set(Array.isArray(payload["required"]) ? payload["required"] : [])
  return Object.entries(recordOf(payload["properties"]))
    .filter(([name]) => name !== "_tag" && !attached.includes(name))
    .map(([name, schema]) => messageField(name, recordOf(schema), required.has(name)))
}
