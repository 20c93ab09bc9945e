/** The messages that go through an actor, as they are handled: sampled by its node, and without what is in texts. */
import type { App } from "./app.ts"
import { button, h, replace, setText } from "./dom.ts"
import { clock, count } from "./figures.ts"

interface Traced {
  readonly number: number
  readonly atMillis: number
  readonly kind: "tell" | "ask"
  readonly tag: string
  readonly shape: string
  readonly mailbox: number
}

interface Trace {
  readonly seen: number
  readonly messages: ReadonlyArray<Traced>
}

const lookMillis = 1_000
const shownMax = 60

export class TraceList {
  readonly element: HTMLElement
  readonly #app: App
  readonly #toggle: HTMLButtonElement
  readonly #note = h("span", { class: "found-count", "aria-live": "polite" })
  readonly #list = h("ol", { class: "trace" })
  #path = ""
  #after = 0
  #shown: ReadonlyArray<Traced> = []
  #timer: number | undefined

  constructor(app: App) {
    this.#app = app
    this.#toggle = button("Trace", { icon: "search", class: "quiet", onclick: () => this.#switch() })
    this.element = h(
      "section",
      {},
      h("h3", {}, "Messages through it", h("small", {}, " sampled, without what is in texts")),
      h("div", { class: "tools" }, this.#toggle, this.#note),
      this.#list
    )
  }

  /** Of another actor, or of none. Ends what was begun. */
  aim(path: string): void {
    this.#path = path
    this.#stop()
    this.#shown = []
    replace(this.#list)
    setText(this.#note, "")
  }

  #switch(): void {
    if (this.#timer !== undefined) return this.#stop()
    this.#after = 0
    this.#shown = []
    this.#label("Stop tracing")
    this.#timer = setInterval(() => void this.#look(), lookMillis)
    void this.#look()
  }

  #stop(): void {
    clearInterval(this.#timer)
    this.#timer = undefined
    this.#label("Trace")
  }

  #label(text: string): void {
    const label = this.#toggle.querySelector("span")
    if (label !== null) setText(label, text)
  }

  async #look(): Promise<void> {
    const path = this.#path
    if (document.hidden) return
    const answer = await this.#app.ask(`/${path.split("/", 2)[1]}/cluster/introspection`, {
      _tag: "TraceActor",
      path,
      after: this.#after
    })
    if (path !== this.#path || this.#timer === undefined) return
    if (answer.outcome === "failed") {
      this.#stop()
      return setText(this.#note, answer.fault.message)
    }
    const { messages, seen } = answer.value as Trace
    this.#after = messages.at(-1)?.number ?? this.#after
    this.#shown = [...this.#shown, ...messages].slice(-shownMax)
    setText(this.#note, `${count(seen)} seen`)
    replace(
      this.#list,
      this.#shown
        .toReversed()
        .map(({ atMillis, kind, mailbox, shape, tag }) =>
          h(
            "li",
            {},
            h("time", {}, clock(atMillis)),
            h("strong", {}, tag),
            h("span", { class: "dim" }, kind),
            h("code", {}, shape),
            mailbox > 0 && h("span", { class: "dim" }, `${count(mailbox)} behind it`)
          )
        )
    )
  }
}
