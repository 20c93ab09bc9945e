/**
 * Doing something: the node says in the shell's words what will happen, a person agrees, and the node does it. It is
 * asked once more before it does it: what is agreed to is what is shown. What nobody has to be asked about, and takes
 * no reason, is done at once. A field that is wrong is pointed to, and what was written stays.
 */
import { type ActionName, type Fields, lookOf } from "./action-table.ts"
import type { App } from "./app.ts"
import { h, replace, setAttribute, setText } from "./dom.ts"
import type { ActionField } from "./wire.ts"

export interface Doing {
  readonly name: ActionName
  /** What is known already, and not asked for. */
  readonly fields: Fields
  /** More than the shell can know: what the page sees around it. */
  readonly notes?: ReadonlyArray<string>
  readonly title?: string
}

const askAgainMillis = 250

/** Whether it was done. */
export const perform = async (app: App, doing: Doing): Promise<boolean> => {
  const { fields, name, notes = [] } = doing
  const open = (await fieldsOf(app, name)).filter((field) => fields[field.name] === undefined)
  const isComplete = open.every(({ isOptional }) => isOptional)
  const first = isComplete ? await app.act({ name, fields, confirmed: false }) : undefined
  if (first?.outcome === "refused") {
    app.say(first.message, "bad")
    return false
  }
  const says = first?.outcome === "asks" ? first.says : ""
  const takesReason = open.some((field) => field.name === "reason")
  if (!isComplete || says !== "" || notes.length > 0 || takesReason) return dialog(app, doing, open, says)
  const done = await app.act({ name, fields, confirmed: true })
  if (done.outcome === "done") app.say(done.lines.join(" · ") || "done", "good")
  else if (done.outcome === "refused") app.say(done.message, "bad")
  return done.outcome === "done"
}

const fieldsOf = async (app: App, name: ActionName): Promise<ReadonlyArray<ActionField>> =>
  (await app.actions()).find((action) => action.name === name)?.fields ?? []

const dialog = (
  app: App,
  { fields, name, notes = [], title }: Doing,
  open: ReadonlyArray<ActionField>,
  says: string
): Promise<boolean> =>
  new Promise((resolve) => {
    const look = lookOf(name)
    const inputs = open.map((field) => inputOf(field))
    const told = h("p", { id: "dialog-says", class: "says" }, sentence(says))
    const problem = h("p", { class: "bad", role: "alert" })
    const outcome = h("div", { class: "answer", "aria-live": "polite" })
    const cancel = h("button", { type: "button", class: "quiet", onclick: () => element.close() }, "Cancel")
    const act = h(
      "button",
      { type: "submit", class: look.isDangerous === true ? "danger" : "primary", autofocus: true },
      look.does ?? look.label
    )
    let isDone = false
    let isBeingDone = false
    let timer: number | undefined
    let previews = 0

    const given = (): Fields => ({
      ...fields,
      ...Object.fromEntries(
        inputs.flatMap(({ field, value }) => {
          const text = value()
          return text === undefined ? [] : [[field.name, text]]
        })
      )
    })
    const point = (message: string, field?: string): void => {
      const wrong = inputs.find(({ field: { name: each } }) => each === field)
      for (const input of inputs) input.mark(input === wrong ? message : "")
      setText(problem, wrong === undefined ? message : "")
      wrong?.element.focus()
    }
    /** What it will do depends on what is written. Undefined where somebody has asked again meanwhile. */
    const preview = async (order: Fields) => {
      clearTimeout(timer)
      const number = ++previews
      const answer = await app.act({ name, fields: order, confirmed: false })
      return number === previews ? answer : undefined
    }
    const show = (text: string): boolean => {
      const isNew = told.textContent !== text
      setText(told, text)
      return isNew
    }
    const askAgain = async (): Promise<void> => {
      const answer = await preview(given())
      // What was said about other values does not stay.
      if (answer !== undefined) show(answer.outcome === "asks" ? sentence(answer.says) : "")
    }
    /** No way out before it is known what becomes of it. */
    const setBeingDone = (is: boolean): void => {
      isBeingDone = is
      cancel.disabled = is
      act.disabled = is
      setAttribute(element, "closedby", is ? "none" : undefined)
    }
    const submit = async (event: Event): Promise<void> => {
      event.preventDefault()
      if (isDone) return element.close()
      point("")
      const order = given()
      act.disabled = true
      const asked = await preview(order).finally(() => {
        act.disabled = false
      })
      // It was closed, or something else was written.
      if (asked === undefined || !element.open) return
      if (asked.outcome === "refused") return point(asked.message, asked.field)
      if (asked.outcome === "asks" && show(sentence(asked.says))) return act.focus()
      setBeingDone(true)
      replace(outcome, h("p", { class: "dim" }, "It is being done…"))
      const answer = await app
        .act({ name, fields: order, confirmed: true })
        .finally(() => setBeingDone(false))
      replace(outcome)
      if (answer.outcome === "refused") return point(answer.message, answer.field)
      isDone = true
      const lines = answer.outcome === "done" ? answer.lines : []
      if (look.hasSteps === true) {
        setText(act, "Close")
        setAttribute(act, "class", "primary")
        // What was asked is answered.
        for (const { row } of inputs) row.remove()
        told.remove()
        cancel.remove()
        return replace(
          outcome,
          h(
            "ol",
            { class: "steps" },
            lines.map((line) => h("li", {}, line))
          )
        )
      }
      if (answer.outcome === "done") app.say(lines.join(" · ") || "done", "good")
      element.close()
    }
    const form = h(
      "form",
      {
        onsubmit: (event) => void submit(event),
        oninput: () => {
          clearTimeout(timer)
          timer = setTimeout(() => void askAgain(), askAgainMillis)
        }
      },
      h("h2", { id: "dialog-title" }, title ?? look.title(fields)),
      told,
      notes.length > 0 &&
        h(
          "ul",
          {},
          notes.map((note) => h("li", {}, note))
        ),
      inputs.map(({ row }) => row),
      problem,
      outcome,
      h("div", { class: "buttons" }, cancel, act)
    )
    const element = h(
      "dialog",
      { "aria-labelledby": "dialog-title", "aria-describedby": "dialog-says" },
      form
    )
    element.addEventListener("cancel", (event) => {
      if (isBeingDone) event.preventDefault()
    })
    element.addEventListener("close", () => {
      clearTimeout(timer)
      element.remove()
      resolve(isDone)
    })
    document.body.append(element)
    element.showModal()
    inputs.find(({ field }) => !field.isOptional)?.element.focus()
  })

interface Input {
  readonly field: ActionField
  readonly row: HTMLElement
  readonly element: HTMLElement
  /** Undefined: nothing was said. */
  readonly value: () => string | undefined
  readonly mark: (problem: string) => void
}

const inputOf = (field: ActionField): Input => {
  const { about, isOptional, kind, name } = field
  const id = `field-${name}`
  const wrong = h("p", { class: "bad", id: `${id}-problem` })
  const label = h(
    "label",
    { for: id },
    name === "reason" ? "Why, for whoever reads of it later" : labelOf(field)
  )
  const mark = (element: HTMLElement) => (problem: string) => {
    setText(wrong, problem)
    setAttribute(element, "aria-invalid", problem === "" ? undefined : "true")
  }
  const described = { id, "aria-describedby": wrong.id }
  if (kind === "flag") {
    const element = h("input", { ...described, type: "checkbox" })
    const row = h("div", { class: "field flag" }, element, label, wrong)
    return { field, row, element, value: () => (element.checked ? "yes" : undefined), mark: mark(element) }
  }
  if (typeof kind !== "string") {
    const element = h(
      "select",
      described,
      kind.map((each) => h("option", { value: each }, each))
    )
    const row = h("div", { class: "field" }, label, element, wrong)
    return { field, row, element, value: () => element.value, mark: mark(element) }
  }
  const element = h("input", {
    ...described,
    type: "text",
    maxlength: 2_000,
    autocomplete: "off",
    spellcheck: name === "reason",
    required: !isOptional,
    placeholder: name === "reason" ? "by hand, from the console" : about
  })
  const row = h("div", { class: "field" }, label, element, wrong)
  return { field, row, element, value: () => element.value.trim() || undefined, mark: mark(element) }
}

const labelOf = ({ about, kind, name }: ActionField): string => {
  const words = name.replaceAll("-", " ")
  return kind === "flag" ? `${words}: ${about}` : words
}

const sentence = (says: string): string => (says === "" ? "" : `${says}.`)
