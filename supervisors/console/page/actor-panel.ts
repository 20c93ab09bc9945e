/**
 * One actor: how it is, what it shows of its state, what it takes, how it crashed last; and what can be done to it.
 * Looked at anew every two seconds for as long as it is open.
 */
import { actionButton } from "./action-button.ts"
import { lookOf } from "./action-table.ts"
import { act, actionsOf } from "./actions.ts"
import type { App } from "./app.ts"
import { type Actor, healthOf, stateOf } from "./cluster-model.ts"
import { lookForWhy, whyView } from "./crash-report.ts"
import { button, type Child, h, replace, setAttribute, setText } from "./dom.ts"
import { eventLine } from "./event-line.ts"
import { count, duration, percent, rate } from "./figures.ts"
import { jsonView } from "./json-view.ts"
import { messageForm } from "./message-form.ts"
import { spark } from "./spark.ts"
import { TraceList } from "./trace-list.ts"

export interface PanelListener {
  readonly close: () => void
  readonly zoom: (actor: Actor) => void
}

const lookMillis = 2_000
const eventsShown = 30

interface Inspected {
  readonly actor: { readonly lastCrash: string }
  readonly state: unknown
}

export class ActorPanel {
  readonly element: HTMLElement
  readonly #app: App
  readonly #listener: PanelListener
  readonly #title = h("h2", { tabindex: -1 })
  readonly #crumbs = h("nav", { class: "crumbs", "aria-label": "Path" })
  readonly #status = h("span", { class: "pill" })
  readonly #about = h("span", { class: "about" })
  readonly #actions = h("div", { class: "buttons", role: "group", "aria-label": "Actions" })
  readonly #numbers = h("dl", { class: "numbers" })
  readonly #spark = h("div", { class: "spark-frame" })
  readonly #crash = h("section", { "aria-label": "Last crash" })
  readonly #state = h("div", { class: "state" })
  readonly #messages = h("div", { class: "messages" })
  readonly #events = h("div", { class: "events", role: "list" })
  readonly #trace: TraceList
  #shownPath = ""
  #at = ""
  #timer: number | undefined
  #actionsKey = ""
  #stateText = ""
  #whyKey = ""
  #eventsKey = ""

  constructor(app: App, listener: PanelListener) {
    this.#app = app
    this.#trace = new TraceList(app)
    this.#listener = listener
    this.element = h(
      "aside",
      { class: "panel", hidden: true, "aria-label": "Actor" },
      h(
        "header",
        {},
        h(
          "div",
          { class: "panel-title" },
          this.#status,
          this.#title,
          button("Copy the path", {
            icon: "copy",
            bare: true,
            class: "quiet",
            onclick: () => void this.#copy()
          }),
          button("Close", { icon: "close", bare: true, class: "quiet", onclick: () => listener.close() })
        ),
        this.#crumbs,
        this.#about,
        this.#actions
      ),
      h(
        "div",
        { class: "panel-body" },
        this.#numbers,
        this.#spark,
        this.#crash,
        section("State", "what it shows of itself", this.#state),
        this.#trace.element,
        section("What it takes", "from clients", this.#messages),
        section("Events", "of it and of all below it", this.#events)
      )
    )
  }

  get path(): string | undefined {
    return this.element.hidden ? undefined : this.#at
  }

  open(path: string): void {
    const isOther = this.element.hidden || path !== this.#at
    this.#at = path
    this.element.hidden = false
    if (!isOther) return
    this.#stateText = ""
    this.#whyKey = ""
    this.#actionsKey = ""
    this.#eventsKey = ""
    replace(this.#state, h("p", { class: "dim" }, "…"))
    replace(this.#messages)
    replace(this.#crash)
    this.#trace.aim(path)
    this.update()
    this.element.scrollTop = 0
    void this.#look()
    void this.#lookForMessages()
    clearInterval(this.#timer)
    this.#timer = setInterval(() => void this.#look(), lookMillis)
  }

  close(): void {
    clearInterval(this.#timer)
    this.#trace.aim("")
    this.element.hidden = true
    this.#at = ""
  }

  focus(): void {
    this.#title.focus({ preventScroll: true })
  }

  /** From what the page knows already. */
  update(): void {
    if (this.element.hidden) return
    const path = this.#at
    const actor = this.#app.model.at(path)
    setText(this.#title, path.split("/").at(-1) ?? path)
    if (this.#shownPath !== path) {
      this.#shownPath = path
      replace(this.#crumbs, crumbs(path))
    }
    if (actor === undefined) {
      setText(this.#status, "not there")
      setAttribute(this.#status, "data-health", "down")
      setText(this.#about, "No actor is at this path now.")
      replace(this.#actions)
      this.#actionsKey = ""
      return
    }
    this.#updateKnown(actor)
    this.#updateEvents()
  }

  #updateKnown(actor: Actor): void {
    const { row } = actor
    const nowMillis = this.#app.nowMillis()
    setAttribute(this.#status, "data-health", healthOf(actor, nowMillis))
    setText(this.#status, stateOf(actor, nowMillis))
    setText(this.#about, [row.kind, row.role].filter((each) => each !== "").join(" · "))
    const key = `${row.status} ${actor.path} ${actor.total} ${actor.parent?.children.length}`
    if (key !== this.#actionsKey) {
      this.#actionsKey = key
      replace(this.#actions, this.#buttons(actor))
    }
    replace(this.#numbers, numbersOf(actor, nowMillis))
    replace(this.#spark, actor.history.length > 3 ? spark(actor.history) : undefined)
    // A crash that is not explained yet: the first one, or another life.
    const whyKey = `${row.lastCrash} ${row.incarnation}`
    if (row.lastCrash === "" || whyKey === this.#whyKey) return
    this.#whyKey = whyKey
    void this.#lookForWhy(actor)
  }

  #buttons(actor: Actor): Child {
    const { model } = this.#app
    const again = () => model.at(actor.path)
    return [
      actionsOf(actor).map((name) => {
        const { icon, isDangerous, label } = lookOf(name)
        return button(label, {
          icon,
          "data-key": name,
          class: isDangerous === true ? "quiet danger-text" : "quiet",
          // As it is now, not as it was when the button was drawn.
          onclick: () => void act(this.#app, again() ?? actor, name)
        })
      }),
      actor.row.kind === "breaker" &&
        breakerVerbs.map((name) => actionButton(this.#app, { name, fields: { breaker: actor.path } })),
      actor.children.length > 0 &&
        button("Zoom", {
          icon: "zoom",
          "data-key": "zoom",
          class: "quiet",
          onclick: () => this.#listener.zoom(actor)
        })
    ]
  }

  #updateEvents(): void {
    const events = this.#app.log.about(this.#at, eventsShown)
    const key = `${this.#app.log.last} ${events.length}`
    if (key === this.#eventsKey) return
    this.#eventsKey = key
    replace(
      this.#events,
      events.length === 0
        ? h("p", { class: "dim" }, "None since this page was opened.")
        : events.map((event) => eventLine(event, Date.now()))
    )
  }

  /** From the actor itself. */
  async #look(): Promise<void> {
    const path = this.#at
    const node = path.split("/", 2)[1] ?? ""
    if (document.hidden || this.#app.model.at(path) === undefined) return
    const request = { _tag: "Inspect", path }
    const inspected = await this.#app.look<Inspected>(`/${node}/cluster/introspection`, request)
    if (path !== this.#at) return
    if (inspected === undefined) return this.#showState(undefined)
    this.#showState(inspected.state ?? null)
  }

  #showState(state: unknown): void {
    const text = state === undefined ? "?" : JSON.stringify(state)
    if (text === this.#stateText) return
    this.#stateText = text
    const folds = openFolds(this.#state)
    replace(
      this.#state,
      state === undefined
        ? h("p", { class: "dim" }, "It did not answer, or you may not see it.")
        : state === null
          ? h("p", { class: "dim" }, "It shows nothing of its state.")
          : jsonView(state)
    )
    reopen(this.#state, folds)
  }

  async #lookForWhy(actor: Actor): Promise<void> {
    const why = await lookForWhy(this.#app, actor)
    if (actor.path !== this.#at || why === undefined) return
    const isOpen = this.#crash.querySelector("details")?.open === true
    replace(this.#crash, whyView(why))
    const fold = this.#crash.querySelector("details")
    if (fold !== null) fold.open = isOpen
  }

  async #lookForMessages(): Promise<void> {
    const path = this.#at
    const node = path.split("/", 2)[1] ?? ""
    const accepted = await this.#app.look<ReadonlyArray<string>>(`/${node}/cluster/introspection`, {
      _tag: "GetAccepted",
      path
    })
    if (path !== this.#at) return
    replace(
      this.#messages,
      accepted === undefined || accepted.length === 0
        ? h("p", { class: "dim" }, "None.")
        : accepted.map((tag) =>
            h(
              "button",
              { type: "button", class: "chip", onclick: () => void messageForm(this.#app, path, tag) },
              tag
            )
          )
    )
  }

  async #copy(): Promise<void> {
    await navigator.clipboard.writeText(this.#at)
    this.#app.say("the path is in the clipboard")
  }
}

const breakerVerbs = ["breaker trip", "breaker reset", "breaker hold", "breaker release"] as const

const section = (title: string, hint: string, ...content: ReadonlyArray<Node>): HTMLElement =>
  h("section", {}, h("h3", {}, title, h("small", {}, ` ${hint}`)), ...content)

const crumbs = (path: string): Child => {
  const names = path.split("/").filter(Boolean)
  return names.map((name, index) => [
    h("span", { class: "slash", "aria-hidden": "true" }, "/"),
    h("a", { href: `#/actor/${names.slice(0, index + 1).join("/")}` }, name)
  ])
}

const number = (name: string, value: string, hint = ""): Child => [
  h("div", { class: "number", title: hint || undefined }, h("dt", {}, name), h("dd", {}, value))
]

const numbersOf = (actor: Actor, nowMillis: number): Child => {
  const { busy, children, queuedBelow, rateBelow, restartedMillis, row, total } = actor
  const since = nowMillis - restartedMillis
  return [
    number("Life", count(row.incarnation), "how often it was started"),
    number("Mailbox", count(row.mailbox), "messages that wait"),
    number("Msg/s", rate(actor.rate), "in the last sample"),
    number("Busy", percent(busy), "share of the time in its handlers"),
    number("Handled", count(row.handled), "in all its lives"),
    number("Dropped", count(row.dropped), "for want of room in its mailbox"),
    number("In handlers", duration(row.handlerMillis), "an estimate, of all its lives"),
    Number.isFinite(since) && number("Restarted", `${duration(since)} ago`),
    children.length > 0 && [
      number("Below it", count(total - 1), "actors"),
      number("Msg/s below", rate(rateBelow)),
      number("Waiting below", count(queuedBelow))
    ]
  ]
}

/** Which folds somebody opened or closed, by their place, so that new values do not undo it. */
const openFolds = (element: HTMLElement): ReadonlyArray<boolean> =>
  [...element.querySelectorAll("details")].map((fold) => fold.open)

const reopen = (element: HTMLElement, folds: ReadonlyArray<boolean>): void => {
  const now = [...element.querySelectorAll("details")]
  if (now.length !== folds.length) return
  now.forEach((fold, index) => {
    fold.open = folds[index] ?? fold.open
  })
}
