/** Questions before something happens: what will happen, why it is done, and a way back. */
import { button, h } from "./dom.ts"

export interface Question {
  readonly title: string
  /** What will happen, a sentence each. */
  readonly says: ReadonlyArray<string>
  readonly action: string
  readonly isDangerous?: boolean
  /** Goes with the order, for who reads of it later. */
  readonly reason?: string
}

/** The reason that was given, or undefined: it was called off. */
export const confirm = ({
  action,
  isDangerous = false,
  reason,
  says,
  title
}: Question): Promise<string | undefined> =>
  new Promise((resolve) => {
    const why =
      reason === undefined
        ? undefined
        : h("input", {
            type: "text",
            id: "dialog-reason",
            value: reason,
            maxlength: 500,
            autocomplete: "off"
          })
    const form = h(
      "form",
      { method: "dialog" },
      h("h2", { id: "dialog-title" }, title),
      h(
        "ul",
        { id: "dialog-says" },
        says.map((each) => h("li", {}, each))
      ),
      why && h("label", { for: "dialog-reason" }, "Why, for whoever reads of it later"),
      why,
      h(
        "div",
        { class: "buttons" },
        h("button", { type: "submit", value: "no", formnovalidate: true, class: "quiet" }, "Cancel"),
        h(
          "button",
          { type: "submit", value: "yes", class: isDangerous ? "danger" : "primary", autofocus: true },
          action
        )
      )
    )
    const dialog = h("dialog", { "aria-labelledby": "dialog-title", "aria-describedby": "dialog-says" }, form)
    // Enter in the field means the action, not the first button.
    why?.addEventListener("keydown", (event) => {
      if (event.key !== "Enter") return
      event.preventDefault()
      dialog.close("yes")
    })
    dialog.addEventListener("close", () => {
      const given = why?.value.trim() ?? ""
      dialog.remove()
      resolve(dialog.returnValue === "yes" ? given || "by hand, from the console" : undefined)
    })
    document.body.append(dialog)
    dialog.showModal()
  })

/** Anything to look at, closed with Escape. */
export const showDialog = (title: string, ...content: ReadonlyArray<Node>): HTMLDialogElement => {
  const dialog = h(
    "dialog",
    { "aria-labelledby": "dialog-title", class: "wide" },
    h(
      "div",
      { class: "dialog-head" },
      h("h2", { id: "dialog-title" }, title),
      button("Close", { icon: "close", bare: true, class: "quiet", onclick: () => dialog.close() })
    ),
    ...content
  )
  dialog.addEventListener("close", () => dialog.remove())
  document.body.append(dialog)
  dialog.showModal()
  return dialog
}
