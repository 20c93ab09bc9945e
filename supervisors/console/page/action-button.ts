/** A button that leads to an action. */
import { type Doing, perform } from "./action-dialog.ts"
import { lookOf } from "./action-table.ts"
import type { App } from "./app.ts"
import { button } from "./dom.ts"

/** `again`: what was looked at may be different now. */
export const actionButton = (app: App, doing: Doing, again?: () => void, label?: string): HTMLElement => {
  const { icon, isDangerous, label: usual } = lookOf(doing.name)
  return button(label ?? usual, {
    icon,
    class: isDangerous === true ? "quiet danger-text" : "quiet",
    "data-key": [doing.name, ...Object.values(doing.fields)].join(" "),
    onclick: () =>
      void perform(app, doing).then((isDone) => {
        if (isDone) again?.()
      })
  })
}
