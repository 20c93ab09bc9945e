/** A run that goes on as lines of text: who leads, which faults are in force, how much is answered, how long it takes. */
import type { Step } from "#chaos/faults/schedule.ts"
import type { Scenario } from "#chaos/scenarios/scenario.ts"
import type { Progress } from "./run.ts"

export interface ProgressView {
  readonly title: string
  readonly now: Progress
  /** An earlier one, for rates. */
  readonly before: Progress | undefined
  /** Undefined: nobody can tell. */
  readonly expectedMillis: number | undefined
}

export interface Style {
  readonly colour: boolean
  readonly columns: number
}

const phases: Readonly<Record<Progress["phase"], string>> = {
  opening: "coming up",
  faults: "faults",
  recovery: "all healed, recovering",
  checks: "checking"
}

export const drawProgress = (view: ProgressView, style: Style): ReadonlyArray<string> => {
  const { expectedMillis, now, title } = view
  const left =
    expectedMillis === undefined || now.phase === "checks" || expectedMillis <= now.elapsedMillis
      ? ""
      : `, about ${seconds(expectedMillis - now.elapsedMillis)} left`
  const lines: ReadonlyArray<readonly [text: string, colour: number | undefined]> = [
    [`${title}: ${phases[now.phase]}, ${seconds(now.elapsedMillis)}${left}`, 1],
    [`nodes       ${nodesText(now)}`, Object.values(now.nodes).includes("down") ? 33 : undefined],
    [
      `faults      ${now.inForce.length === 0 ? "none in force" : now.inForce.join("; ")}`,
      now.inForce.length > 0 ? 33 : undefined
    ],
    [`operations  ${operationsText(view)}`, undefined]
  ]
  const shown = now.phase === "opening" || now.phase === "checks" ? lines.slice(0, 1) : lines
  return shown.map(([text, colour]) => {
    const line = printable(text).slice(0, style.columns).trimEnd()
    return style.colour && colour !== undefined ? `\u001b[${colour}m${line}\u001b[0m` : line
  })
}

/** The same in one line, for a file or a pipe. */
export const progressLine = (view: ProgressView): string => {
  const { now } = view
  const when = `${seconds(now.elapsedMillis).padStart(9)}  ${phases[now.phase]}`
  // There is nothing else to see yet, or any more.
  if (now.phase === "opening" || now.phase === "checks") return when
  const faults = now.inForce.length === 0 ? "no faults" : now.inForce.join("; ")
  return printable(`${when}  ${nodesText(now)}  ${faults}  ${operationsText(view)}`)
}

/** What is worth a line of its own where nothing is redrawn. */
export const isNews = (now: Progress, said: Progress | undefined, everyMillis: number): boolean =>
  said === undefined ||
  said.phase !== now.phase ||
  said.inForce.join() !== now.inForce.join() ||
  nodesText(said) !== nodesText(now) ||
  now.elapsedMillis - said.elapsedMillis >= everyMillis

const nodesText = ({ nodes }: Progress): string => {
  const names = Object.entries(nodes)
  const shown = names.map(([name, state]) => (state === "follows" ? name : `${name} ${state}`))
  return names.length === 0 ? "none yet" : shown.join(", ")
}

const operationsText = ({ before, now }: ProgressView): string => {
  const millis = before === undefined ? 0 : now.elapsedMillis - before.elapsedMillis
  const rate =
    before === undefined || millis <= 0
      ? ""
      : `${Math.max(0, Math.round(((now.answered - before.answered) * 1000) / millis)).toLocaleString("en")}/s, `
  return `${rate}${now.answered.toLocaleString("en")} answered, ${now.failed} failed, ${now.unknown} unknown`
}

const seconds = (millis: number): string =>
  millis < 120_000 ? `${(millis / 1000).toFixed(1)} s` : `${(millis / 60_000).toFixed(1)} min`

/** Names come from anywhere, and a terminal obeys control characters. */
const printable = (text: string): string => text.replaceAll(/\p{Cc}/gu, "?")

/** By the waits of its schedule; how long it waits for things to happen is not known. */
export const expectedMillis = (scenario: Scenario, forMillis: number | undefined): number => {
  const duration = (steps: ReadonlyArray<Step>): number =>
    steps.reduce((sum, step) => sum + durationOf(step), 0)
  const durationOf = (step: Step): number => {
    switch (step._tag) {
      case "Wait":
        return (step.millis + step.millisMax) / 2
      case "Repeat":
        return step.times * duration(step.steps)
      case "Draw":
        return duration(step.among) / Math.max(1, step.among.length)
      default:
        return 0
    }
  }
  return (forMillis ?? duration(scenario.faults)) + scenario.recoveryMillis
}
