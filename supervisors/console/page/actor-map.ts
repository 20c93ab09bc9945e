/**
 * All actors at a glance: each a cell, each supervisor a frame, drawn on a canvas. Brighter cells are busier, yellow
 * ones were restarted, red ones are down. A picture for the eye: whoever does not see it has the grid below it.
 */
import { type Actor, healthOf, newsMillisMax } from "./cluster-model.ts"
import { h } from "./dom.ts"
import { count, percent, rate } from "./figures.ts"
import { type Cell, cellAt, layout } from "./map-layout.ts"

export interface MapListener {
  readonly open: (actor: Actor) => void
  readonly zoom: (actor: Actor) => void
}

const colourNames = [
  "map-well",
  "map-warn",
  "map-bad",
  "bad",
  "queue",
  "frame",
  "frame-deep",
  "dim",
  "text",
  "accent",
  "surface"
] as const
type Colours = Readonly<Record<(typeof colourNames)[number], string>>

/** A fresh restart pulses for so long. */
const pulseMillis = 2_500

/** The shortest pause between two paintings. */
const framePauseMillis = 60
/** Cells that are smaller have no round corners. */
const roundedMin = 12

const isFresh = (ageMillis: number): boolean => ageMillis < pulseMillis

export class ActorMap {
  readonly element: HTMLElement
  readonly #canvas: HTMLCanvasElement
  readonly #tip: HTMLElement
  readonly #probe: HTMLElement
  readonly #calm = matchMedia("(prefers-reduced-motion: reduce)")
  #cells: ReadonlyArray<Cell> = []
  #roots: ReadonlyArray<Actor> = []
  #shape = ""
  #width = 0
  #height = 0
  #colours: Colours | undefined
  #hovered: Cell | undefined
  #selected: string | undefined
  #found: ((actor: Actor) => boolean) | undefined
  #nowMillis = 0
  #pulsing = false
  #waiting: number | undefined
  #paintedMillis = Number.NEGATIVE_INFINITY
  #pauseMillis = framePauseMillis
  readonly #clock: () => number

  constructor(listener: MapListener, clock: () => number) {
    this.#clock = clock
    this.#canvas = h("canvas", { "aria-hidden": "true" })
    this.#tip = h("div", { class: "map-tip", hidden: true })
    this.#probe = h("span", { hidden: true })
    this.element = h("div", { class: "map", "aria-hidden": "true" }, this.#canvas, this.#tip, this.#probe)
    this.#canvas.addEventListener("pointermove", (event) => this.#hover(event))
    this.#canvas.addEventListener("pointerleave", () => this.#leave())
    this.#canvas.addEventListener("click", (event) => {
      const cell = cellAt(this.#cells, event.offsetX, event.offsetY)
      if (cell === undefined) return
      if (cell.isFrame && !this.#roots.includes(cell.actor)) listener.zoom(cell.actor)
      else listener.open(cell.actor)
    })
    new ResizeObserver(() => this.#resize()).observe(this.element)
  }

  /** The theme has changed. */
  repaint(): void {
    this.#colours = undefined
    this.#paint()
  }

  show(
    roots: ReadonlyArray<Actor>,
    shape: number,
    selected: string | undefined,
    found: ((actor: Actor) => boolean) | undefined,
    nowMillis: number
  ): void {
    this.#nowMillis = nowMillis
    this.#selected = selected
    this.#found = found
    const key = `${shape} ${roots.map(({ path }) => path).join(" ")} ${this.#width}x${this.#height}`
    if (key !== this.#shape) {
      this.#shape = key
      this.#roots = roots
      this.#hovered = undefined
      this.#cells =
        this.#width === 0 ? [] : layout(roots, { x: 0, y: 0, width: this.#width, height: this.#height })
    }
    this.#paintSoon()
    this.#pulse()
  }

  /** As often as it takes a tenth of the time at most, however many actors there are and however much happens. */
  #paintSoon(): void {
    if (this.#waiting !== undefined) return
    const waitMillis = this.#paintedMillis + this.#pauseMillis - performance.now()
    if (waitMillis <= 0) return this.#paint()
    this.#waiting = setTimeout(() => {
      this.#waiting = undefined
      if (this.element.isConnected) this.#paint()
    }, waitMillis)
  }

  #resize(): void {
    const { clientHeight, clientWidth } = this.element
    if (clientWidth === this.#width && clientHeight === this.#height) return
    this.#width = clientWidth
    this.#height = clientHeight
    const scale = devicePixelRatio
    this.#canvas.width = Math.round(clientWidth * scale)
    this.#canvas.height = Math.round(clientHeight * scale)
    this.#cells = layout(this.#roots, { x: 0, y: 0, width: clientWidth, height: clientHeight })
    this.#paint()
  }

  /** While something is fresh, and only for whoever likes motion. */
  #pulse(): void {
    if (this.#pulsing || this.#calm.matches) return
    if (!this.#roots.some((root) => isFresh(this.#clock() - root.newsMillis))) return
    this.#pulsing = true
    setTimeout(() => {
      this.#pulsing = false
      this.#nowMillis = this.#clock()
      if (this.element.isConnected && !document.hidden) this.#paintSoon()
      this.#pulse()
    }, framePauseMillis)
  }

  #paint(): void {
    const context = this.#canvas.getContext("2d")
    if (context === null || this.#width === 0) return
    this.#colours ??= this.#readColours()
    const colours = this.#colours
    const fromMillis = performance.now()
    const scale = devicePixelRatio
    context.setTransform(scale, 0, 0, scale, 0, 0)
    context.clearRect(0, 0, this.#width, this.#height)
    context.font = "500 10.5px ui-sans-serif, system-ui, sans-serif"
    context.textBaseline = "middle"
    for (const cell of this.#cells) {
      if (cell.isFrame) this.#paintFrame(context, cell, colours)
      else this.#paintActor(context, cell, colours)
    }
    this.#outline(
      context,
      this.#cells.find(({ actor }) => actor.path === this.#selected),
      colours.accent,
      2
    )
    this.#outline(context, this.#hovered, colours.text, 1.5)
    context.globalAlpha = 1
    this.#paintedMillis = performance.now()
    this.#pauseMillis = Math.max(framePauseMillis, (this.#paintedMillis - fromMillis) * 9)
  }

  #paintFrame(context: CanvasRenderingContext2D, cell: Cell, colours: Colours): void {
    const { actor, depth, hasName, height, width, x, y } = cell
    context.globalAlpha = 1
    context.fillStyle = depth % 2 === 0 ? colours.frame : colours["frame-deep"]
    context.beginPath()
    context.roundRect(
      x + 0.5,
      y + 0.5,
      Math.max(0, width - 1),
      Math.max(0, height - 1),
      Math.min(4, width / 4)
    )
    context.fill()
    if (!hasName) return
    context.fillStyle = actor.unwell > 0 ? colours.bad : colours.dim
    context.save()
    context.beginPath()
    context.rect(x + 5, y, width - 8, 15)
    context.clip()
    context.fillText(actor.name, x + 6, y + 8)
    context.restore()
  }

  #paintActor(context: CanvasRenderingContext2D, cell: Cell, colours: Colours): void {
    const { actor, height, width, x, y } = cell
    const health = healthOf(actor, this.#nowMillis)
    const isOut = this.#found !== undefined && !this.#found(actor)
    const margin = Math.min(width, height) > 5 ? 0.75 : 0.25
    const ageMillis = this.#nowMillis - Math.max(actor.crashedMillis, actor.restartedMillis)
    const idle = 0.34 + 0.66 * Math.min(1, Math.log10(1 + actor.rate * 3) / 4)
    const pulse = isFresh(ageMillis) && !this.#calm.matches
    const grown = pulse
      ? Math.abs(Math.sin((ageMillis / pulseMillis) * Math.PI * 3)) * Math.min(3, width / 3)
      : 0
    const round = (colour: string, alpha: number) => {
      context.fillStyle = colour
      context.globalAlpha = isOut ? alpha * 0.18 : alpha
      const left = x + margin - grown
      const top = y + margin - grown
      const across = Math.max(0.5, width - 2 * margin + 2 * grown)
      const down = Math.max(0.5, height - 2 * margin + 2 * grown)
      // Nobody sees the corners of what is so small, and a path for each of thousands is what painting costs.
      if (Math.min(width, height) < roundedMin) return context.fillRect(left, top, across, down)
      context.beginPath()
      context.roundRect(left, top, across, down, Math.min(3, width / 4, height / 4))
      context.fill()
    }
    // News fades until the actor looks like any other.
    const news = health === "restarted" ? 1 - 0.8 * Math.min(1, ageMillis / newsMillisMax) : 0
    if (health === "unknown") round(colours.dim, 0.25)
    else if (health === "down") round(colours["map-bad"], 1)
    else if (health === "queued") round(colours.queue, 1)
    else round(colours["map-well"], idle)
    if (news > 0) round(colours["map-warn"], news)
    if (width > 44 && height > 18 && !isOut) {
      const isBright = health === "down" || health === "queued" || news > 0.6 || idle > 0.75
      context.globalAlpha = 0.9
      context.fillStyle = isBright ? colours.surface : colours.text
      context.save()
      context.beginPath()
      context.rect(x + 4, y, width - 8, height)
      context.clip()
      context.fillText(actor.name, x + 7, y + Math.min(height / 2, 12))
      context.restore()
    }
  }

  #outline(context: CanvasRenderingContext2D, cell: Cell | undefined, colour: string, width: number): void {
    if (cell === undefined) return
    context.globalAlpha = 1
    context.strokeStyle = colour
    context.lineWidth = width
    context.beginPath()
    context.roundRect(
      cell.x + 0.5,
      cell.y + 0.5,
      Math.max(1, cell.width - 1),
      Math.max(1, cell.height - 1),
      3
    )
    context.stroke()
  }

  /** As the style sheet has them for the theme of now. */
  #readColours(): Colours {
    const read = (name: string): string => {
      this.#probe.style.color = `var(--${name})`
      return getComputedStyle(this.#probe).color
    }
    const colours = Object.fromEntries(colourNames.map((name) => [name, read(name)]))
    return colours as Colours
  }

  #hover(event: PointerEvent): void {
    const cell = cellAt(this.#cells, event.offsetX, event.offsetY)
    if (cell === this.#hovered) return
    this.#hovered = cell
    this.#tip.hidden = cell === undefined
    this.#paint()
    if (cell === undefined) return
    const { actor } = cell
    this.#canvas.style.cursor = "pointer"
    const told = cell.isFrame
      ? `${count(actor.total)} actors · ${rate(actor.rateBelow)} msg/s${actor.unwell > 0 ? ` · ${actor.unwell} down` : ""}`
      : `${actor.row.status} · life ${actor.row.incarnation} · ${rate(actor.rate)} msg/s · ${percent(actor.busy)} busy`
    this.#tip.replaceChildren(h("strong", {}, actor.path), h("span", {}, told))
    const left = Math.min(event.offsetX + 14, Math.max(0, this.#width - this.#tip.offsetWidth - 4))
    this.#tip.style.transform = `translate(${left}px, ${Math.min(event.offsetY + 14, this.#height)}px)`
  }

  #leave(): void {
    this.#hovered = undefined
    this.#tip.hidden = true
    this.#paint()
  }
}
