/**
 * Where the page begins: who is there is asked for a token, and then shown the cluster for as long as the session lasts.
 *
 * Samples and events change the model at once and the view at most once a frame, and only the view that is shown.
 */
import { type ActorAction, actionsOf, act as actOn } from "./actions.ts"
import { type App, EventLog, type View } from "./app.ts"
import { BreakersView } from "./breakers-view.ts"
import { ChainfireView } from "./chainfire-view.ts"
import { ClusterModel } from "./cluster-model.ts"
import { ClusterView } from "./cluster-view.ts"
import { button, h, icon, replace, setAttribute, setText } from "./dom.ts"
import { EventsView } from "./events-view.ts"
import { showHelp } from "./help.ts"
import { act, actions, ask, LoggedOut, login, logout, look } from "./requests.ts"
import { Stream, type StreamState } from "./stream.ts"
import { TreeView } from "./tree-view.ts"
import type { Hello, StreamMessages } from "./wire.ts"

const tabs = ["tree", "cluster", "chainfire", "breakers", "events"] as const
type Tab = (typeof tabs)[number]

// Themes

const themes = ["auto", "light", "dark"] as const
const themeKey = "ultracloud-theme"
let theme = localStorage.getItem(themeKey) ?? "auto"

const applyTheme = (): void => {
  if (theme === "auto") document.documentElement.removeAttribute("data-theme")
  else document.documentElement.setAttribute("data-theme", theme)
}

// Words that pass

const notes = h("div", { class: "notes", role: "status", "aria-live": "polite" })

const say = (text: string, severity: "good" | "bad" | "" = ""): void => {
  const note = h("div", { class: `note ${severity}` }, text)
  notes.append(note)
  if (notes.childElementCount > 4) notes.firstElementChild?.remove()
  setTimeout(() => note.remove(), severity === "bad" ? 12_000 : 5_000)
}

// The cluster, once somebody is let in

class Page {
  readonly #app: App
  readonly #stream: Stream
  readonly #views: Readonly<Record<Tab, View>>
  readonly #tree: TreeView
  readonly #main = h("main", { id: "main" })
  readonly #links = new Map<Tab, HTMLElement>()
  readonly #state = h("span", { class: "link-state", role: "status" })
  readonly #clusterName = h("span", { class: "cluster-name" })
  readonly #who = h("span", { class: "who" })
  #shown: Tab | undefined
  #drawing = false

  constructor() {
    this.#app = {
      model: new ClusterModel(),
      log: new EventLog(),
      hello: { node: "", cluster: "", actorId: "", operates: false, wallMillis: 0 },
      nowMillis: () => performance.now(),
      ask: (path, request, deadlineMillis) => this.#guard(ask(path, request, deadlineMillis)),
      look: (path, request) => this.#guard(look(path, request)),
      actions: () => this.#guard(actions()),
      act: (body) => this.#guard(act(body)),
      say,
      go: (route) => {
        if (location.hash === route) this.#route()
        else location.hash = route
      }
    }
    this.#tree = new TreeView(this.#app)
    this.#views = {
      tree: this.#tree,
      cluster: new ClusterView(this.#app),
      chainfire: new ChainfireView(this.#app),
      breakers: new BreakersView(this.#app),
      events: new EventsView(this.#app)
    }
    this.#stream = new Stream({
      message: (name, message) => this.#heed(name, message),
      state: (state) => this.#became(state)
    })
  }

  open(): void {
    for (const tab of tabs) {
      const link = h("a", { href: `#/${tab}`, class: "tab" }, icon(tab), h("span", {}, tab))
      this.#links.set(tab, link)
    }
    replace(
      document.body,
      h("a", { class: "skip", href: "#main", onclick: (event) => this.#skip(event) }, "To the content"),
      h(
        "header",
        { class: "bar" },
        h(
          "div",
          { class: "brand" },
          h("img", { src: "/page/icon.svg", alt: "", width: 22, height: 22 }),
          h("strong", {}, "UltraCloud"),
          this.#clusterName
        ),
        h("nav", { class: "tabs", "aria-label": "Pages" }, [...this.#links.values()]),
        h(
          "div",
          { class: "bar-end" },
          this.#state,
          this.#who,
          button("Light or dark (t)", {
            icon: "theme",
            bare: true,
            class: "quiet",
            onclick: () => this.#nextTheme()
          }),
          button("Keys (?)", { icon: "help", bare: true, class: "quiet", onclick: () => showHelp() }),
          button("Log out", { icon: "leave", bare: true, class: "quiet", onclick: () => void this.#leave() })
        )
      ),
      this.#main,
      notes
    )
    addEventListener("hashchange", this.#onRoute)
    addEventListener("keydown", this.#onKey)
    matchMedia("(prefers-color-scheme: dark)").addEventListener("change", this.#onTheme)
    this.#tick = setInterval(() => this.#draw(), 1_000)
    this.#stream.open()
    this.#route()
  }

  #tick: number | undefined

  #end(): void {
    clearInterval(this.#tick)
    this.#stream.end()
    for (const tab of tabs) this.#views[tab].hide()
    removeEventListener("hashchange", this.#onRoute)
    removeEventListener("keydown", this.#onKey)
    matchMedia("(prefers-color-scheme: dark)").removeEventListener("change", this.#onTheme)
    for (const dialog of document.querySelectorAll("dialog")) dialog.close()
    askForToken()
  }

  /** A session that is over leads back to the door, whatever it was that found out. */
  async #guard<A>(promise: Promise<A>): Promise<A> {
    try {
      return await promise
    } catch (cause) {
      if (cause instanceof LoggedOut) this.#end()
      throw cause
    }
  }

  // What comes in

  #heed<Name extends keyof StreamMessages>(name: Name, message: StreamMessages[Name]): void {
    const handlers: { readonly [Each in keyof StreamMessages]: (message: StreamMessages[Each]) => void } = {
      hello: (hello) => this.#meet(hello),
      nodes: (states) => this.#app.model.setNodes(states),
      tree: (change) => this.#app.model.apply(change, performance.now()),
      event: (heard) => {
        this.#app.log.heard(heard, Date.now())
        this.#app.model.hear(heard, performance.now())
      },
      missed: ({ count, node }) => this.#app.log.missed(node, count, Date.now())
    }
    handlers[name](message)
    this.#draw()
  }

  #meet(hello: Hello): void {
    this.#app.hello = hello
    setText(this.#clusterName, `${hello.cluster} · ${hello.node}`)
    setText(this.#who, hello.actorId)
    document.title = `${hello.cluster} · UltraCloud`
  }

  #became(state: StreamState): void {
    if (state === "logged out") return this.#end()
    setText(this.#state, state)
    setAttribute(this.#state, "data-state", state)
  }

  #draw(): void {
    if (this.#drawing) return
    this.#drawing = true
    requestAnimationFrame(() => {
      this.#drawing = false
      if (this.#shown !== undefined) this.#views[this.#shown].update()
    })
  }

  // Where one is

  readonly #onRoute = (): void => this.#route()

  #route(): void {
    const hash = decodeURI(location.hash)
    const [, first = "tree"] = hash.split("/", 2)
    const tab = first === "actor" ? "tree" : (tabs.find((each) => each === first) ?? "tree")
    const rest = first === "actor" ? hash.slice("#/actor".length) : ""
    if (this.#shown !== tab) {
      if (this.#shown !== undefined) this.#views[this.#shown].hide()
      this.#shown = tab
      replace(this.#main, this.#views[tab].element)
      for (const [name, link] of this.#links)
        setAttribute(link, "aria-current", name === tab ? "page" : undefined)
    }
    this.#views[tab].show(rest)
  }

  #skip(event: Event): void {
    event.preventDefault()
    if (this.#shown === "tree") this.#tree.focusGrid()
    else this.#main.querySelector<HTMLElement>("a, button, input, [tabindex]")?.focus()
  }

  // Keys

  readonly #onKey = (event: KeyboardEvent): void => {
    if (event.ctrlKey || event.metaKey || event.altKey || document.querySelector("dialog[open]") !== null)
      return
    const isTyping = event.target instanceof HTMLInputElement && event.target.type !== "checkbox"
    if (event.key === "Escape") {
      if (this.#shown === "tree" && this.#tree.escape()) event.preventDefault()
      return
    }
    if (isTyping || event.target instanceof HTMLTextAreaElement) return
    const tab = tabs[Number(event.key) - 1]
    if (tab !== undefined) this.#app.go(`#/${tab}`)
    else if (event.key === "/") this.#find()
    else if (event.key === "?") showHelp()
    else if (event.key === "t") this.#nextTheme()
    else if (!this.#act(event.key)) return
    event.preventDefault()
  }

  #find(): void {
    if (this.#shown !== "tree") this.#app.go("#/tree")
    // The page changes with the address, which is not yet.
    setTimeout(() => this.#tree.focusSearch(), 0)
  }

  /** On the actor that is open. */
  #act(key: string): boolean {
    const actor = location.hash.startsWith("#/actor/")
      ? this.#app.model.at(decodeURI(location.hash).slice("#/actor".length))
      : undefined
    if (actor === undefined) return false
    const names: Readonly<Record<string, ReadonlyArray<ActorAction>>> = {
      r: ["restart"],
      s: ["stop", "start"],
      p: ["suspend", "resume"],
      x: ["kill"]
    }
    const name = actionsOf(actor).find((each) => names[key]?.includes(each) === true)
    if (name === undefined) return false
    void actOn(this.#app, actor, name)
    return true
  }

  // The rest

  readonly #onTheme = (): void => this.#tree.themeChanged()

  #nextTheme(): void {
    theme =
      themes[(themes.indexOf(themes.find((each) => each === theme) ?? "auto") + 1) % themes.length] ?? "auto"
    localStorage.setItem(themeKey, theme)
    applyTheme()
    this.#tree.themeChanged()
    say(theme === "auto" ? "as your system has it" : theme)
  }

  async #leave(): Promise<void> {
    await logout()
    this.#end()
  }
}

// The door

const askForToken = (): void => {
  const field = h("input", {
    type: "password",
    id: "token",
    name: "token",
    required: true,
    autocomplete: "current-password",
    spellcheck: false
  })
  // For programs that keep passwords: they want to know whose it is.
  const user = h("input", {
    type: "text",
    name: "username",
    autocomplete: "username",
    value: "operator",
    hidden: true
  })
  const problem = h("p", { class: "bad", role: "alert" })
  const enter = async (event: Event) => {
    event.preventDefault()
    const refusal = await login(field.value).catch(() => "the node does not answer; see whether it runs")
    if (refusal === "") new Page().open()
    else {
      setText(problem, refusal)
      field.select()
    }
  }
  replace(
    document.body,
    h(
      "main",
      { class: "door" },
      h(
        "form",
        { onsubmit: (event) => void enter(event) },
        h("img", { src: "/page/icon.svg", alt: "", width: 48, height: 48 }),
        h("h1", {}, "UltraCloud"),
        h("label", { for: "token" }, "Operator's token"),
        user,
        field,
        problem,
        h("button", { type: "submit", class: "primary" }, "Log in"),
        h(
          "p",
          { class: "dim" },
          "It is in the file ",
          h("code", {}, "token"),
          " of the node's data directory; ",
          h("code", {}, "ultracloud console"),
          " says where."
        )
      )
    ),
    notes
  )
  field.focus()
}

const begin = async (): Promise<void> => {
  applyTheme()
  // Only the node knows whether there is a session: the cookie is not for us to read.
  const response = await fetch("/api/session", { credentials: "same-origin" }).catch(() => undefined)
  const session: unknown = await response?.json().catch(() => undefined)
  const isOpen = typeof session === "object" && session !== null && Reflect.get(session, "isOpen") === true
  if (isOpen) new Page().open()
  else askForToken()
}

void begin()
