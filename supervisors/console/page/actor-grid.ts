/**
 * Actors as lines of a tree grid, of which only those in sight exist: the same few elements are filled anew while one
 * scrolls, so that five thousand actors cost what fifty do.
 *
 * The grid itself has the focus and says which line is the active one, so a screen reader follows lines that come and go.
 */
import { type Actor, healthOf, stateOf } from "./cluster-model.ts"
import { h, icon, setAttribute, setText } from "./dom.ts"
import { percent, rate, short } from "./figures.ts"
import type { Line, SortKey } from "./tree-lines.ts"

export interface GridListener {
  readonly open: (actor: Actor) => void
  readonly fold: (line: Line) => void
  readonly zoom: (actor: Actor) => void
  readonly sort: (key: SortKey | undefined) => void
}

const overscan = 8
/** A restart lights its line up for so long. */
export const flashMillis = 3_000

interface Column {
  readonly key: SortKey | "name" | "crash"
  readonly name: string
  readonly hint: string
}

const columns: ReadonlyArray<Column> = [
  { key: "name", name: "Actor", hint: "as a tree" },
  { key: "state", name: "State", hint: "the unwell first" },
  { key: "lives", name: "Life", hint: "how often it was started; most first" },
  { key: "queued", name: "Queue", hint: "waiting messages; most first" },
  { key: "rate", name: "Msg/s", hint: "messages a second; most first" },
  { key: "busy", name: "Busy", hint: "share of the time in its handlers; most first" },
  { key: "crash", name: "Last crash", hint: "" }
]

export class ActorGrid {
  readonly element: HTMLElement
  readonly #listener: GridListener
  readonly #grid: HTMLElement
  readonly #spacer: HTMLElement
  readonly #headers = new Map<string, HTMLElement>()
  readonly #rows: Array<GridRow> = []
  #lines: ReadonlyArray<Line> = []
  #active: string | undefined
  #selected: string | undefined
  #lineHeight = 28
  #nowMillis = 0
  #drawing = false
  #isFlat = false

  constructor(listener: GridListener) {
    this.#listener = listener
    this.#spacer = h("div", { class: "grid-space", role: "presentation" })
    const head = h("div", { class: "grid-line grid-head", role: "row", "aria-rowindex": 1 })
    for (const { hint, key, name } of columns) {
      const cell = h("div", { class: `cell ${key}`, role: "columnheader" })
      if (key === "crash") cell.append(name)
      else {
        const sort = key === "name" ? undefined : key
        cell.append(h("button", { type: "button", title: hint, onclick: () => listener.sort(sort) }, name))
      }
      this.#headers.set(key, cell)
      head.append(cell)
    }
    this.#grid = h(
      "div",
      {
        class: "grid",
        role: "treegrid",
        tabindex: 0,
        "aria-label": "Actors",
        "aria-colcount": columns.length,
        onscroll: () => this.#draw(),
        onkeydown: (event) => {
          if (event instanceof KeyboardEvent) this.#key(event)
        },
        onfocus: () => this.#draw()
      },
      head,
      this.#spacer
    )
    this.element = this.#grid
    new ResizeObserver(() => {
      this.#lineHeight = Number.parseFloat(getComputedStyle(this.#grid).getPropertyValue("--line")) || 28
      this.#draw()
    }).observe(this.#grid)
  }

  get lines(): ReadonlyArray<Line> {
    return this.#lines
  }

  get activeActor(): Actor | undefined {
    return this.#lines.find(({ actor }) => actor.path === this.#active)?.actor
  }

  focus(): void {
    this.#grid.focus()
  }

  show(
    lines: ReadonlyArray<Line>,
    sort: SortKey | undefined,
    selected: string | undefined,
    nowMillis: number
  ): void {
    const scrolledLines = this.#shift(lines)
    this.#lines = lines
    this.#selected = selected
    this.#nowMillis = nowMillis
    this.#isFlat = sort !== undefined
    for (const [key, cell] of this.#headers) {
      setAttribute(cell, "aria-sort", key === sort ? "descending" : undefined)
    }
    setAttribute(this.#grid, "aria-rowcount", String(lines.length + 1))
    const height = `${lines.length * this.#lineHeight}px`
    if (this.#spacer.style.height !== height) this.#spacer.style.height = height
    if (scrolledLines !== 0) this.#grid.scrollTop += scrolledLines * this.#lineHeight
    this.#fill()
  }

  /** By how many lines the active one moves, if it is in sight: what comes and goes above it moves nothing below. */
  #shift(lines: ReadonlyArray<Line>): number {
    const { clientHeight, scrollTop } = this.#grid
    const first = Math.ceil(scrollTop / this.#lineHeight)
    const last = first + Math.floor(clientHeight / this.#lineHeight) - 2
    if (this.#active === undefined || first === 0 || lines === this.#lines) return 0
    const before = this.#lines.findIndex(({ actor }) => actor.path === this.#active)
    const now = lines.findIndex(({ actor }) => actor.path === this.#active)
    return before < first || before > last || now < 0 ? 0 : now - before
  }

  /** Brings a line into sight and makes it the active one. */
  reveal(path: string): void {
    const index = this.#lines.findIndex(({ actor }) => actor.path === path)
    if (index < 0) return
    this.#active = path
    this.#scrollTo(index)
    this.#fill()
  }

  #draw(): void {
    if (this.#drawing) return
    this.#drawing = true
    requestAnimationFrame(() => {
      this.#drawing = false
      this.#fill()
    })
  }

  #fill(): void {
    const height = this.#lineHeight
    const first = Math.max(0, Math.floor(this.#grid.scrollTop / height) - overscan)
    const inSight = Math.ceil(this.#grid.clientHeight / height) + 2 * overscan
    const last = Math.min(this.#lines.length, first + inSight)
    while (this.#rows.length < last - first) {
      const row = new GridRow(this.#listener, (line) => {
        this.#active = line.actor.path
        this.#fill()
      })
      this.#rows.push(row)
      this.#spacer.append(row.element)
    }
    const active = this.#active ?? this.#lines[0]?.actor.path
    let activeId: string | undefined
    for (let index = first; index < last; index++) {
      // A line keeps its element while it is in sight.
      const row = this.#rows[index % this.#rows.length]
      const line = this.#lines[index]
      if (row === undefined || line === undefined) continue
      const isActive = line.actor.path === active
      row.fill(line, index, height, {
        isActive,
        isSelected: line.actor.path === this.#selected,
        isFlat: this.#isFlat,
        nowMillis: this.#nowMillis
      })
      if (isActive) activeId = row.element.id
    }
    const used = new Set<number>()
    for (let index = first; index < last; index++) used.add(index % this.#rows.length)
    this.#rows.forEach((row, index) => {
      if (!used.has(index)) row.hide()
    })
    setAttribute(this.#grid, "aria-activedescendant", activeId)
  }

  #scrollTo(index: number): void {
    const height = this.#lineHeight
    const top = index * height
    const headHeight = height
    const { clientHeight, scrollTop } = this.#grid
    if (top < scrollTop) this.#grid.scrollTop = top
    else if (top + height > scrollTop + clientHeight - headHeight) {
      this.#grid.scrollTop = top + height - clientHeight + headHeight
    }
  }

  #key(event: KeyboardEvent): void {
    if (event.ctrlKey || event.metaKey || event.altKey || event.target !== this.#grid) return
    const at = Math.max(
      0,
      this.#lines.findIndex(({ actor }) => actor.path === this.#active)
    )
    const line = this.#lines[at]
    if (line === undefined) return
    const page = Math.max(1, Math.floor(this.#grid.clientHeight / this.#lineHeight) - 2)
    const to = (index: number) => {
      const target = this.#lines[Math.max(0, Math.min(this.#lines.length - 1, index))]
      if (target !== undefined) this.reveal(target.actor.path)
    }
    switch (event.key) {
      case "ArrowDown":
      case "j":
        to(at + 1)
        break
      case "ArrowUp":
      case "k":
        to(at - 1)
        break
      case "PageDown":
        to(at + page)
        break
      case "PageUp":
        to(at - page)
        break
      case "Home":
        to(0)
        break
      case "End":
        to(this.#lines.length - 1)
        break
      case "ArrowRight":
      case "l":
        if (this.#isFlat || line.actor.children.length === 0) return
        if (line.isOpen) to(at + 1)
        else this.#listener.fold(line)
        break
      case "ArrowLeft":
      case "h":
        if (this.#isFlat) return
        if (line.isOpen) this.#listener.fold(line)
        else if (line.actor.parent !== undefined) this.reveal(line.actor.parent.path)
        break
      case "Enter":
      case " ":
        this.#listener.open(line.actor)
        break
      case "z":
        this.#listener.zoom(line.actor)
        break
      default:
        return
    }
    event.preventDefault()
  }
}

interface LineState {
  readonly isActive: boolean
  readonly isSelected: boolean
  readonly isFlat: boolean
  readonly nowMillis: number
}

let ids = 0

/** One element that shows now this line, now that. */
class GridRow {
  readonly element: HTMLElement
  readonly #fold: HTMLElement
  readonly #dot: HTMLElement
  readonly #label: HTMLElement
  readonly #kind: HTMLElement
  readonly #badge: HTMLElement
  readonly #cells: Readonly<Record<"state" | "lives" | "queued" | "rate" | "busy" | "crash", HTMLElement>>
  readonly #bar: HTMLElement
  readonly #busyText: HTMLElement
  #line: Line | undefined
  #flashed = ""
  #top = ""

  constructor(listener: GridListener, activate: (line: Line) => void) {
    const cell = (key: string) => h("div", { class: `cell ${key}`, role: "gridcell" })
    this.#fold = h(
      "span",
      {
        class: "fold",
        onclick: (event) => {
          event.stopPropagation()
          if (this.#line !== undefined) listener.fold(this.#line)
        }
      },
      icon("chevron")
    )
    this.#dot = h("span", { class: "dot", "aria-hidden": "true" })
    this.#label = h("span", { class: "label" })
    this.#kind = h("span", { class: "kind" })
    this.#badge = h("span", { class: "badge" })
    this.#bar = h("span", { class: "bar", "aria-hidden": "true" })
    this.#busyText = h("span", {})
    this.#cells = {
      state: cell("state"),
      lives: cell("lives"),
      queued: cell("queued"),
      rate: cell("rate"),
      busy: cell("busy"),
      crash: cell("crash")
    }
    this.#cells.busy.append(this.#bar, this.#busyText)
    const { busy, crash, lives, queued, rate: rateCell, state } = this.#cells
    this.element = h(
      "div",
      {
        class: "grid-line",
        role: "row",
        id: `line-${++ids}`,
        onclick: () => {
          if (this.#line === undefined) return
          activate(this.#line)
          listener.open(this.#line.actor)
        },
        ondblclick: () => {
          if (this.#line !== undefined) listener.zoom(this.#line.actor)
        }
      },
      h(
        "div",
        { class: "cell name", role: "gridcell" },
        this.#fold,
        this.#dot,
        this.#label,
        this.#badge,
        this.#kind
      ),
      state,
      lives,
      queued,
      rateCell,
      busy,
      crash
    )
  }

  hide(): void {
    if (this.#line === undefined) return
    this.#line = undefined
    this.element.hidden = true
    this.element.removeAttribute("data-path")
  }

  fill(line: Line, index: number, height: number, state: LineState): void {
    const { actor, depth, isFound, isOpen } = line
    const { row } = actor
    const { element } = this
    const isOther = this.#line?.actor !== actor
    this.#line = line
    element.hidden = false
    const top = `translateY(${index * height}px)`
    if (this.#top !== top) {
      this.#top = top
      element.style.transform = top
    }
    if (element.style.getPropertyValue("--depth") !== String(depth)) {
      element.style.setProperty("--depth", String(depth))
    }
    const health = healthOf(actor, state.nowMillis)
    const isParent = actor.children.length > 0
    setAttribute(element, "data-health", health)
    setAttribute(element, "data-path", actor.path)
    setAttribute(element, "aria-rowindex", String(index + 2))
    setAttribute(element, "aria-level", String(depth + 1))
    setAttribute(element, "aria-expanded", isParent && !state.isFlat ? String(isOpen) : undefined)
    setAttribute(element, "aria-selected", String(state.isSelected))
    element.classList.toggle("active", state.isActive)
    element.classList.toggle("found", isFound)
    element.classList.toggle("flat", state.isFlat)
    element.classList.toggle("parent", isParent)
    setText(this.#label, state.isFlat ? actor.path : actor.name)
    setText(this.#kind, row.kind === actor.name ? "" : row.kind)
    const belowUnwell = actor.unwell - (health === "down" ? 1 : 0)
    setText(
      this.#badge,
      belowUnwell > 0 ? `${belowUnwell} down` : isParent && !isOpen ? short(actor.total - 1) : ""
    )
    this.#badge.classList.toggle("bad", belowUnwell > 0)
    this.#fillNumbers(actor, state.nowMillis)
    this.#flash(actor, state.nowMillis, isOther, isOpen)
  }

  #fillNumbers(actor: Actor, nowMillis: number): void {
    const { busy, row } = actor
    const { crash, lives, queued, rate: rateCell, state } = this.#cells
    setText(state, stateOf(actor, nowMillis))
    setText(lives, short(row.incarnation))
    setText(queued, row.mailbox === 0 ? "·" : short(row.mailbox))
    setText(rateCell, actor.rate === 0 ? "·" : rate(actor.rate))
    setText(this.#busyText, busy === 0 ? "·" : percent(busy))
    const width = `${Math.round(busy * 100)}%`
    if (this.#bar.style.width !== width) this.#bar.style.width = width
    setText(crash, row.lastCrash)
    setAttribute(crash, "title", row.lastCrash === "" ? undefined : row.lastCrash)
  }

  /** Its own news; of a folded one also the news below it. Two classes, so that the next restart begins anew. */
  #flash(actor: Actor, nowMillis: number, isOther: boolean, isOpen: boolean): void {
    const at = isOpen ? Math.max(actor.crashedMillis, actor.restartedMillis) : actor.newsMillis
    const isFresh = nowMillis - at < flashMillis
    const key = isFresh ? `${at}` : ""
    if (key === this.#flashed && !isOther) return
    this.#flashed = key
    const { classList } = this.element
    const which = classList.contains("flash-a") ? "flash-b" : "flash-a"
    classList.remove("flash-a", "flash-b")
    if (!isFresh) return
    this.element.style.setProperty("--flash-delay", `${Math.round(at - nowMillis)}ms`)
    classList.add(which)
  }
}
