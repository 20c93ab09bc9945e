/**
 * Shows a run on this terminal while it goes on: redrawn in place on a TTY, a line when something changes where the
 * output goes to a file or a pipe, and nothing at all where a program reads the result.
 */
import { drawProgress, isNews, type ProgressView, progressLine } from "./progress-view.ts"
import type { Progress } from "./run.ts"

const redrawMillis = 100
/** Rates are taken over as long at least. */
const rateMillis = 1000
const sayEveryMillis = 10_000

export interface ScreenOptions {
  readonly mode: "redrawn" | "lines" | "silent"
  readonly write: (text: string) => void
  readonly columns: () => number
  readonly nowMillis: () => number
}

export class Screen {
  readonly #options: ScreenOptions
  #title = ""
  #expectedMillis: number | undefined
  #drawn = 0
  #drawnAtMillis = Number.NEGATIVE_INFINITY
  #said: Progress | undefined
  /** Two looks back, so that a rate is never of the last instant. */
  #marks: ReadonlyArray<Progress> = []

  constructor(options: ScreenOptions) {
    this.#options = options
  }

  begin(title: string, expectedMillis: number | undefined): void {
    this.#erase()
    this.#title = title
    this.#expectedMillis = expectedMillis
    this.#said = undefined
    this.#marks = []
    this.#drawnAtMillis = Number.NEGATIVE_INFINITY
  }

  readonly progress = (now: Progress): void => {
    if (this.#options.mode === "silent") return
    const [before] = this.#marks
    const view: ProgressView = {
      title: this.#title,
      now,
      before,
      expectedMillis: this.#expectedMillis
    }
    const newest = this.#marks.at(-1)
    if (newest === undefined || now.elapsedMillis - newest.elapsedMillis >= rateMillis)
      this.#marks = [...this.#marks, now].slice(-2)
    if (this.#options.mode === "redrawn") this.#redraw(view)
    else if (isNews(now, this.#said, sayEveryMillis)) {
      this.#said = now
      this.#options.write(`${progressLine(view)}\n`)
    }
  }

  /** A line that stays. */
  readonly say = (line: string): void => {
    if (this.#options.mode === "silent") return
    this.#erase()
    this.#options.write(`${line}\n`)
  }

  /** A line that the next one takes the place of, on a TTY; elsewhere it is left out. */
  readonly passing = (line: string): void => {
    if (this.#options.mode !== "redrawn") return
    this.#erase()
    this.#options.write(`${line.slice(0, Math.max(20, this.#options.columns() - 1))}\n`)
    this.#drawn = 1
  }

  /** For runs that nobody watches. */
  get muted(): Screen {
    return new Screen({ ...this.#options, mode: "silent" })
  }

  /** What was drawn goes away; what comes next is written below what stays. */
  readonly end = (): void => this.#erase()

  #redraw(view: ProgressView): void {
    const { columns, nowMillis, write } = this.#options
    const now = nowMillis()
    if (now - this.#drawnAtMillis < redrawMillis) return
    this.#drawnAtMillis = now
    // One column is left free, or a full line would wrap and be counted as one.
    const lines = drawProgress(view, { colour: true, columns: Math.max(20, columns() - 1) })
    this.#erase()
    write(`${lines.join("\n")}\n`)
    this.#drawn = lines.length
  }

  #erase(): void {
    if (this.#drawn > 0) this.#options.write(`\u001b[${this.#drawn}A\u001b[J`)
    this.#drawn = 0
  }
}

/** Of this process; notes of a silent one go nowhere. */
export const terminal = (json: boolean): Screen =>
  new Screen({
    mode: json ? "silent" : process.stdout.isTTY === true ? "redrawn" : "lines",
    write: (text) => void process.stdout.write(text),
    columns: () => process.stdout.columns ?? 120,
    nowMillis: () => performance.now()
  })
