/** A plain table that scrolls sideways by itself where there is no room. */
import { type Child, h } from "./dom.ts"

export const table = (
  caption: string,
  heads: ReadonlyArray<string>,
  rows: ReadonlyArray<ReadonlyArray<Child>>,
  empty: string
): HTMLElement =>
  rows.length === 0
    ? h("p", { class: "dim" }, empty)
    : h(
        "div",
        { class: "table", tabindex: 0, role: "group", "aria-label": caption },
        h(
          "table",
          {},
          h("caption", { class: "unseen" }, caption),
          h(
            "thead",
            {},
            h(
              "tr",
              {},
              heads.map((head) => h("th", { scope: "col" }, head))
            )
          ),
          h(
            "tbody",
            {},
            rows.map((cells) =>
              h(
                "tr",
                {},
                cells.map((cell) => h("td", isShort(cell) ? { class: "short" } : {}, cell))
              )
            )
          )
        )
      )

/** What is better not broken into lines. */
const isShort = (cell: Child): boolean =>
  typeof cell === "number" || (typeof cell === "string" && cell.length < 28)

export const pill = (
  text: string,
  severity: "well" | "restarted" | "down" | "queued" | "" = ""
): HTMLElement => h("span", { class: "pill", "data-health": severity || undefined }, text)

export const card = (title: string, hint: string, ...content: ReadonlyArray<Child>): HTMLElement =>
  h("section", { class: "card" }, h("h2", {}, title, hint !== "" && h("small", {}, ` ${hint}`)), content)

/** Until there is an answer. */
export const asking = (): HTMLElement => h("p", { class: "dim" }, "Asking the nodes…")
