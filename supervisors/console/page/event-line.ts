/** One event as a line, the same in all lists. */
import { h } from "./dom.ts"
import { timeOf, wordsOf } from "./event-words.ts"
import { clock } from "./figures.ts"
import type { NodeEvent } from "./wire.ts"

/** What it is about leads to its actor. */
export const eventLine = (heard: NodeEvent, wallMillis: number): HTMLElement => {
  const { about, detail, severity, what, why } = wordsOf(heard)
  const at = clock(timeOf(heard, wallMillis))
  const isPath = about.startsWith("/")
  const head = [
    h("time", {}, at),
    h("span", { class: "event-node" }, heard.node),
    h("span", { class: `event-what ${severity}` }, what),
    isPath
      ? h("a", { class: "event-about", href: `#/actor${about}` }, about)
      : h("span", { class: "event-about" }, about),
    h("span", { class: "event-why" }, why)
  ]
  if (!detail.includes("\n")) return h("div", { class: "event", role: "listitem" }, head)
  return h(
    "div",
    { class: "event", role: "listitem" },
    h("details", {}, h("summary", { class: "event" }, head), h("pre", { tabindex: 0 }, detail))
  )
}
