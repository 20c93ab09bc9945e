/** Anything to look at, closed with Escape. */
import { button, h } from "./dom.ts"

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
