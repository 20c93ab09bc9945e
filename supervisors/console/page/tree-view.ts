/**
 * The first page: how the cluster is in a few numbers, all its actors at a glance, the tree of supervisors as far as
 * it is unfolded, and beside it the actor that was chosen. The place of everything is in the address of the page.
 */
import { ActorGrid } from "./actor-grid.ts"
import { ActorMap } from "./actor-map.ts"
import { ActorPanel } from "./actor-panel.ts"
import type { App, View } from "./app.ts"
import type { Actor } from "./cluster-model.ts"
import { button, h, icon, replace, setAttribute, setText } from "./dom.ts"
import { count, rate, short } from "./figures.ts"
import { isOpenByItself, type Line, linesOf, matcher, type SortKey } from "./tree-lines.ts"

/** Between two drawings of what the cluster does by itself. */
const pauseMillis = 250

export class TreeView implements View {
  readonly element: HTMLElement
  readonly #app: App
  readonly #grid: ActorGrid
  readonly #map: ActorMap
  readonly #panel: ActorPanel
  readonly #search: HTMLInputElement
  readonly #found = h("span", { class: "found-count", "aria-live": "polite" })
  readonly #zoomed = h("div", { class: "zoomed", hidden: true })
  readonly #tiles: ReadonlyMap<string, Tile>
  readonly #toggled = new Set<string>()
  #sort: SortKey | undefined
  #zoom: string | undefined
  #zoomShown: string | undefined
  #shownMillis = Number.NEGATIVE_INFINITY
  #later: number | undefined

  constructor(app: App) {
    this.#app = app
    const listener = {
      open: (actor: Actor) => app.go(`#/actor${actor.path}`),
      zoom: (actor: Actor) => this.zoom(actor.path),
      fold: (line: Line) => this.#fold(line),
      sort: (key: SortKey | undefined) => {
        this.#sort = key === this.#sort ? undefined : key
        this.#show()
      }
    }
    this.#grid = new ActorGrid(listener)
    this.#map = new ActorMap(listener, app.nowMillis)
    this.#panel = new ActorPanel(app, {
      close: () => app.go("#/tree"),
      zoom: (actor) => this.zoom(actor.path)
    })
    this.#search = h("input", {
      type: "search",
      id: "search",
      placeholder: "Find actors",
      "aria-label":
        "Find actors: words of a path or a kind, is:down, is:crashed, is:restarted, is:queued, is:busy",
      title: "words of a path or a kind · is:down · is:crashed · is:restarted · is:queued · is:busy · kind:…",
      autocomplete: "off",
      spellcheck: false,
      oninput: () => this.#show(),
      onkeydown: (event) => this.#searchKey(event)
    })
    const tiles = new Map<string, Tile>()
    for (const [key, name, search] of tileNames) {
      tiles.set(key, new Tile(name, search === "" ? undefined : () => this.search(search)))
    }
    this.#tiles = tiles
    this.element = h(
      "section",
      { class: "tree-page", "aria-label": "Tree" },
      h(
        "div",
        { class: "tree-main" },
        h(
          "div",
          { class: "tiles" },
          [...tiles.values()].map(({ element }) => element)
        ),
        this.#map.element,
        h(
          "div",
          { class: "tools" },
          h(
            "label",
            { class: "search" },
            icon("search"),
            this.#search,
            h("kbd", { "aria-hidden": "true" }, "/")
          ),
          this.#found,
          this.#zoomed
        ),
        this.#grid.element
      ),
      this.#panel.element
    )
  }

  /** `rest` is the path of the actor that is chosen. */
  show(rest: string): void {
    if (rest === "") this.#panel.close()
    else {
      this.#panel.open(rest)
      this.#unfoldTo(rest)
    }
    this.element.classList.toggle("with-panel", rest !== "")
    this.#show()
    if (rest !== "") this.#grid.reveal(rest)
  }

  hide(): void {
    this.#panel.close()
  }

  focusSearch(): void {
    this.#search.focus()
    this.#search.select()
  }

  focusGrid(): void {
    this.#grid.focus()
  }

  search(text: string): void {
    this.#search.value = text
    this.#show()
    this.#grid.focus()
  }

  themeChanged(): void {
    this.#map.repaint()
  }

  /** True if there was something to leave. */
  escape(): boolean {
    if (this.#panel.path !== undefined) {
      this.#app.go("#/tree")
      this.#grid.focus()
      return true
    }
    if (this.#search.value !== "" || this.#sort !== undefined) {
      this.#search.value = ""
      this.#sort = undefined
      this.#show()
      return true
    }
    if (this.#zoom === undefined) return false
    this.zoom(undefined)
    return true
  }

  zoom(path: string | undefined): void {
    const { model } = this.#app
    const actor = path === undefined ? undefined : model.at(path)
    // Nothing is below it: what is around it is meant.
    const around = actor !== undefined && actor.children.length === 0 ? actor.parent : actor
    this.#zoom = around?.path
    this.#show()
    if (around !== undefined) this.#grid.reveal(around.path)
  }

  /** What comes from the cluster can wait a moment; what comes from who looks is done at once. */
  update(): void {
    const waitMillis = this.#shownMillis + pauseMillis - this.#app.nowMillis()
    if (waitMillis <= 0) return this.#show()
    this.#later ??= setTimeout(() => {
      if (this.element.isConnected) this.#show()
    }, waitMillis)
  }

  #show(): void {
    const { model } = this.#app
    const nowMillis = this.#app.nowMillis()
    clearTimeout(this.#later)
    this.#later = undefined
    this.#shownMillis = nowMillis
    const zoomed = this.#zoom === undefined ? undefined : model.at(this.#zoom)
    const roots = zoomed === undefined ? model.roots : [zoomed]
    const search = this.#search.value
    const toggled =
      zoomed === undefined || !isFoldedByItself(zoomed) ? this.#toggled : this.#openZoomed(zoomed)
    const { found, lines } = linesOf({ roots, toggled, search, sort: this.#sort, nowMillis })
    this.#grid.show(lines, this.#sort, this.#panel.path, nowMillis)
    this.#map.show(roots, model.shape, this.#panel.path, matcher(search, nowMillis), nowMillis)
    this.#panel.update()
    setText(this.#found, search === "" ? "" : found === 1 ? "1 actor" : `${count(found)} actors`)
    this.#updateZoomed(zoomed)
    this.#updateTiles(nowMillis)
  }

  /** What one looks into is open. */
  #openZoomed(zoomed: Actor): ReadonlySet<string> {
    const toggled = new Set(this.#toggled)
    if (toggled.has(zoomed.path)) toggled.delete(zoomed.path)
    else toggled.add(zoomed.path)
    return toggled
  }

  #updateZoomed(zoomed: Actor | undefined): void {
    if (this.#zoomShown === zoomed?.path) return
    this.#zoomShown = zoomed?.path
    this.#zoomed.hidden = zoomed === undefined
    if (zoomed === undefined) return
    const names = zoomed.path.split("/").filter(Boolean)
    replace(
      this.#zoomed,
      icon("zoom"),
      button("all", { class: "crumb", onclick: () => this.zoom(undefined) }),
      names.map((name, index) => {
        const path = `/${names.slice(0, index + 1).join("/")}`
        return [
          h("span", { class: "slash", "aria-hidden": "true" }, "/"),
          button(name, { class: "crumb", onclick: () => this.zoom(path) })
        ]
      })
    )
  }

  #updateTiles(nowMillis: number): void {
    const { model } = this.#app
    const totals = model.totals(nowMillis)
    const tile = (key: string, value: string, hint: string, severity: "good" | "warn" | "bad" | "" = "") =>
      this.#tiles.get(key)?.show(value, hint, severity)
    const { awaited, unreachable } = totals
    if (unreachable > 0) {
      tile(
        "nodes",
        count(totals.nodes),
        `${unreachable} ${unreachable === 1 ? "does" : "do"} not answer`,
        "bad"
      )
    } else if (awaited > 0) tile("nodes", count(totals.nodes), `${awaited} asked`)
    else tile("nodes", count(totals.nodes), "all answer", "good")
    tile("actors", count(totals.actors), totals.omitted > 0 ? `${count(totals.omitted)} more` : "in the tree")
    tile(
      "down",
      count(totals.unwell),
      totals.unwell > 0 ? "not running" : "all run",
      totals.unwell > 0 ? "bad" : "good"
    )
    const { restartsLastMinute } = totals
    tile("restarts", count(restartsLastMinute), "in the last minute", restartsLastMinute > 0 ? "warn" : "")
    tile("rate", rate(totals.rate), "messages/s")
    tile("queued", short(totals.queued), "waiting", totals.queued > 1_000 ? "warn" : "")
  }

  #fold({ actor }: Line): void {
    const key = this.#search.value.trim() === "" ? actor.path : `?${actor.path}`
    if (this.#toggled.has(key)) this.#toggled.delete(key)
    else this.#toggled.add(key)
    this.#show()
  }

  #unfoldTo(path: string): void {
    const { model } = this.#app
    let above = model.at(path)?.parent
    while (above !== undefined) {
      const isOpen = this.#toggled.has(above.path) !== !isFoldedByItself(above)
      if (!isOpen) {
        if (isFoldedByItself(above)) this.#toggled.add(above.path)
        else this.#toggled.delete(above.path)
      }
      above = above.parent
    }
    if (this.#zoom !== undefined && path !== this.#zoom && !path.startsWith(`${this.#zoom}/`)) {
      this.#zoom = undefined
    }
  }

  #searchKey(event: Event): void {
    if (!(event instanceof KeyboardEvent)) return
    if (event.key === "ArrowDown" || event.key === "Enter") {
      event.preventDefault()
      const first = this.#grid.lines.find(({ isFound }) => isFound)
      this.#grid.focus()
      if (first !== undefined) this.#grid.reveal(first.actor.path)
    }
  }
}

const isFoldedByItself = (actor: Actor): boolean => !isOpenByItself(actor)

const tileNames: ReadonlyArray<readonly [key: string, name: string, search: string]> = [
  ["nodes", "Nodes", ""],
  ["actors", "Actors", ""],
  ["down", "Down", "is:down"],
  ["restarts", "Restarts", "is:restarted"],
  ["rate", "Rate", "is:busy"],
  ["queued", "Queued", "is:queued"]
]

/** A number with its name; pressed it finds the actors behind it. */
class Tile {
  readonly element: HTMLElement
  readonly #value = h("span", { class: "tile-value" })
  readonly #hint = h("span", { class: "tile-hint" })

  constructor(name: string, press: (() => void) | undefined) {
    const content = [h("span", { class: "tile-name" }, name), this.#value, this.#hint]
    this.element =
      press === undefined
        ? h("div", { class: "tile" }, content)
        : h("button", { type: "button", class: "tile", onclick: press }, content)
  }

  show(value: string, hint: string, severity: string): void {
    setText(this.#value, value)
    setText(this.#hint, hint)
    setAttribute(this.element, "data-severity", severity === "" ? undefined : severity)
  }
}
