/**
 * Compaction without an operator, as etcd does it: by time, so that what is younger than a period can be read, or
 * by number, so that so many revisions can. Every member watches the revisions pass, and whoever leads compacts.
 * A core without a clock: it is asked now and then.
 *
 * `periodic` notes the revision every tenth of the period, or of an hour where the period is longer. After the
 * first period it compacts every such interval to what was noted a period ago. `revision` looks every five minutes.
 */
import { Data } from "effect"
import type { ChainfireSettings } from "./settings.ts"

export interface AutoCompactor {
  /** The revision to compact to now, if it is time and this member leads. */
  readonly look: (nowMillis: number, revision: number, leads: boolean) => number | undefined
  /** It is compacted, whoever has done it. What is not told is tried again. */
  readonly done: (nowMillis: number, revision: number) => void
}

const hourMillis = 60 * 60_000
const perInterval = 10

export class PeriodicCompactor implements AutoCompactor {
  readonly #compactMillis: number
  readonly #noteMillis: number
  readonly #notesMax: number
  /** Oldest first; when full, the first one is that of a period and one interval ago, as in etcd. */
  #notes: ReadonlyArray<number> = []
  #nextMillis = Number.NEGATIVE_INFINITY
  #doneMillis = 0
  #waitMillis: number

  constructor(periodMillis: number) {
    this.#compactMillis = Math.min(periodMillis, hourMillis)
    this.#noteMillis = this.#compactMillis / perInterval
    this.#notesMax = Math.floor(periodMillis / this.#noteMillis) + 1
    this.#waitMillis = periodMillis
  }

  look(nowMillis: number, revision: number, leads: boolean): number | undefined {
    if (nowMillis < this.#nextMillis) return undefined
    if (this.#notes.length === 0) this.#doneMillis = nowMillis
    const [oldest] = this.#notes
    const isDue = leads && nowMillis - this.#doneMillis >= this.#waitMillis
    if (isDue) this.#waitMillis = this.#compactMillis
    this.#notes = [...this.#notes, revision].slice(-this.#notesMax)
    this.#nextMillis = Math.max(this.#nextMillis, nowMillis - this.#noteMillis) + this.#noteMillis
    return isDue ? oldest : undefined
  }

  done(nowMillis: number): void {
    this.#doneMillis = nowMillis
  }
}

const lookMillis = 5 * 60_000

export class RevisionCompactor implements AutoCompactor {
  readonly #kept: number
  #nextMillis = Number.NaN
  #done = 0

  constructor(kept: number) {
    this.#kept = kept
  }

  look(nowMillis: number, revision: number, leads: boolean): number | undefined {
    if (Number.isNaN(this.#nextMillis)) this.#nextMillis = nowMillis + lookMillis
    if (nowMillis < this.#nextMillis) return undefined
    this.#nextMillis = nowMillis + lookMillis
    const wanted = revision - this.#kept
    return leads && wanted > 0 && wanted !== this.#done ? wanted : undefined
  }

  done(_nowMillis: number, revision: number): void {
    this.#done = revision
  }
}

/** What was set means nothing. */
export class RetentionUnreadable extends Data.TaggedError("RetentionUnreadable")<{
  readonly mode: string
  readonly retention: string
}> {
  override get message() {
    const { mode, retention } = this
    const wanted =
      mode === "revision"
        ? "a number of revisions, such as 1000"
        : "hours, such as 8, or a time, such as 1h30m"
    return `autoCompactionRetention is "${retention}"; with the mode ${mode} set it to ${wanted}`
  }
}

/** Undefined: nothing is compacted by itself. Throws `RetentionUnreadable`. */
export const autoCompactorOf = ({
  autoCompactionMode: mode,
  autoCompactionRetention: retention
}: Pick<ChainfireSettings, "autoCompactionMode" | "autoCompactionRetention">): AutoCompactor | undefined => {
  const count = /^\d+$/.test(retention) ? Number(retention) : undefined
  const millis = count === undefined ? millisOf(retention) : count * hourMillis
  const value = mode === "revision" ? count : millis
  if (value === undefined) throw new RetentionUnreadable({ mode, retention })
  if (value === 0) return undefined
  return mode === "revision" ? new RevisionCompactor(value) : new PeriodicCompactor(value)
}

const units: Readonly<Record<string, number>> = { ms: 1, s: 1_000, m: 60_000, h: hourMillis }

/** As Go writes durations, down to milliseconds. */
const millisOf = (text: string): number | undefined => {
  if (!/^(\d+(\.\d+)?(ms|s|m|h))+$/.test(text)) return undefined
  let millis = 0
  for (const [, value, unit = ""] of text.matchAll(/(\d+(?:\.\d+)?)(ms|s|m|h)/g))
    millis += Number(value) * (units[unit] ?? 0)
  return millis
}
