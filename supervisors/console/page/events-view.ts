/** What has happened since the page was opened, newest first, of all nodes; with a filter, and a pause to read in. */
import type { App, Logged, View } from "./app.ts"
import { h, replace, setText } from "./dom.ts"
import { eventLine } from "./event-line.ts"
import { type Severity, wordsOf } from "./event-words.ts"
import { count } from "./figures.ts"

const shownMax = 300
/** Nobody reads faster than this, and each time all lines move. */
const newsMillis = 250

const severities: ReadonlyArray<readonly [Severity, string]> = [
  ["bad", "Failures"],
  ["warn", "Warnings"],
  ["good", "Recoveries"],
  ["plain", "Other"]
]

export class EventsView implements View {
  readonly element: HTMLElement
  readonly #app: App
  readonly #list = h("div", { class: "events long", role: "list", "aria-label": "Events" })
  readonly #note = h("span", { class: "found-count", "aria-live": "polite" })
  readonly #filter: HTMLInputElement
  readonly #pause: HTMLInputElement
  readonly #wanted = new Set<Severity>(["bad", "warn", "good", "plain"])
  #shown = -1
  #found = 0
  #drawnMillis = Number.NEGATIVE_INFINITY

  constructor(app: App) {
    this.#app = app
    this.#filter = h("input", {
      type: "search",
      placeholder: "Filter events",
      "aria-label": "Filter events: words of any part",
      autocomplete: "off",
      spellcheck: false,
      oninput: () => this.#draw()
    })
    this.#pause = h("input", { type: "checkbox", onchange: () => this.update() })
    this.element = h(
      "section",
      { class: "page", "aria-label": "Events" },
      h(
        "div",
        { class: "tools" },
        h("label", { class: "search" }, this.#filter),
        severities.map(([severity, name]) => {
          const box = h("input", {
            type: "checkbox",
            checked: true,
            onchange: () => {
              if (box.checked) this.#wanted.add(severity)
              else this.#wanted.delete(severity)
              this.#draw()
            }
          })
          return h("label", { class: `check ${severity}` }, box, name)
        }),
        h("label", { class: "check" }, this.#pause, "Pause"),
        this.#note
      ),
      this.#list
    )
  }

  show(): void {
    this.#draw()
  }

  hide(): void {}

  update(): void {
    if (this.#pause.checked || this.#app.log.last === this.#shown) return
    // What comes in between is drawn with the next event, or with the page's own tick.
    const nowMillis = this.#app.nowMillis()
    if (nowMillis - this.#drawnMillis < newsMillis) return
    this.#drawnMillis = nowMillis
    this.#drawNews()
  }

  /** Puts what is new above the rest: that stays as it is, and what was unfolded in it. */
  #drawNews(): void {
    const isNew = ({ number }: Logged) => number > this.#shown
    const { found, lines } = this.#collect(isNew)
    if (this.#found === 0 || lines.length === shownMax) return this.#draw()
    this.#shown = this.#app.log.last
    this.#found = Math.min(this.#found + found, this.#app.log.entries.length)
    this.#count()
    this.#list.prepend(...lines)
    while (this.#list.childElementCount > shownMax) this.#list.lastElementChild?.remove()
  }

  /** The newest first, for as long as they are wanted. */
  #collect(goesOn: (entry: Logged) => boolean) {
    const { entries } = this.#app.log
    const words = this.#filter.value.toLowerCase().split(/\s+/).filter(Boolean)
    const lines: Array<HTMLElement> = []
    let found = 0
    for (let index = entries.length - 1; index >= 0; index--) {
      const entry = entries[index]
      if (entry === undefined || !goesOn(entry)) break
      if (!this.#isWanted(entry, words)) continue
      found++
      if (lines.length < shownMax) lines.push(lineOf(entry))
    }
    return { found, lines }
  }

  #count(): void {
    const found = count(this.#found)
    setText(this.#note, this.#found > shownMax ? `the last ${shownMax} of ${found}` : found)
  }

  #draw(): void {
    const { log } = this.#app
    const { found, lines } = this.#collect(() => true)
    this.#shown = log.last
    this.#found = found
    this.#count()
    replace(
      this.#list,
      lines.length === 0
        ? h(
            "p",
            { class: "dim" },
            log.entries.length === 0
              ? "Nothing has happened since this page was opened."
              : "None of them fits."
          )
        : lines
    )
  }

  #isWanted(entry: Logged, words: ReadonlyArray<string>): boolean {
    if ("missed" in entry) return words.length === 0
    const { about, severity, what, why } = wordsOf(entry.heard)
    if (!this.#wanted.has(severity)) return false
    if (words.length === 0) return true
    const all = `${entry.heard.node} ${entry.heard.event._tag} ${what} ${about} ${why}`.toLowerCase()
    return words.every((word) => all.includes(word))
  }
}

const lineOf = (entry: Logged): HTMLElement =>
  "missed" in entry
    ? h(
        "div",
        { class: "event gap", role: "listitem" },
        `${count(entry.missed)} events of ${entry.node} were left out here: they came faster than they were read`
      )
    : eventLine(entry.heard, entry.atMillis)
