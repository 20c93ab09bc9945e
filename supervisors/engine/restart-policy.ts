/**
 * Restart policy: the questions a supervisor asks when a child ends. Pure, and OTP's answers.
 *
 *   Should this child come back?      wantsRestart
 *   Who else must restart with it?    affected
 *   Have we tried too often?          RestartWindow
 *   Is the work of all done?          completesShutdown
 */
import type { Restart } from "#protocols/supervision.ts"

export type Strategy = "one-for-one" | "one-for-all" | "rest-for-one" | "dynamic"
export type AutoShutdown = "never" | "any-significant" | "all-significant"

export interface Intensity {
  /** Restarts that are fine within the period; one more and the supervisor gives up. */
  readonly restarts: number
  readonly withinMillis: number
}

export const wantsRestart = (restart: Restart, abnormal: boolean): boolean => {
  switch (restart) {
    case "permanent":
      return true
    case "transient":
      return abnormal
    case "temporary":
      return false
  }
}

/** Whom the end of `name` takes along, in start order, itself included. */
export const affected = (
  strategy: Strategy,
  name: string,
  names: ReadonlyArray<string>
): ReadonlyArray<string> => {
  switch (strategy) {
    case "one-for-one":
    case "dynamic":
      return [name]
    case "one-for-all":
      return names
    case "rest-for-one":
      return names.slice(names.indexOf(name))
  }
}

/**
 * Counts the restarts of the last period. A restart exactly one period ago still counts.
 *
 * It is asked at every restart, so it forgets old ones as it goes instead of searching.
 */
export class RestartWindow {
  readonly #intensity: Intensity
  #restartsMillis: Array<number> = []
  #oldest = 0

  constructor(intensity: Intensity) {
    this.#intensity = intensity
  }

  /** Notes a restart. True when that was one too many. */
  exceeds(nowMillis: number): boolean {
    const times = this.#restartsMillis
    times.push(nowMillis)
    while ((times[this.#oldest] ?? nowMillis) < nowMillis - this.#intensity.withinMillis) this.#oldest++
    if (this.#oldest > times.length / 2) {
      this.#restartsMillis = times.slice(this.#oldest)
      this.#oldest = 0
    }
    return this.#restartsMillis.length - this.#oldest > this.#intensity.restarts
  }

  /** Restarts of the last period. */
  count(nowMillis: number): number {
    const sinceMillis = nowMillis - this.#intensity.withinMillis
    return this.#restartsMillis.filter((millis) => millis >= sinceMillis).length
  }
}

/** Whether the end of a significant child ends its supervisor too. */
export const completesShutdown = (
  autoShutdown: AutoShutdown,
  significant: boolean,
  otherSignificantLive: boolean
): boolean => {
  if (!significant) return false
  switch (autoShutdown) {
    case "never":
      return false
    case "any-significant":
      return true
    case "all-significant":
      return !otherSignificantLive
  }
}
