/**
 * Traces of supervisors as text, one line for each thing seen, so that two of them can be compared.
 *
 * Ours and OTP's differ in what neither promises; this file writes those things in one way:
 *
 * - Reasons. OTP says why a start failed in a term of its own, ours in a sentence: both are `failed`.
 * - Who ended a supervisor. OTP's trace tells an ordered stop from an exit; an end here is an end.
 * - The instances of a dynamic supervisor that stops. They end at the same time, so they are sorted, each
 *   with all below it.
 * - The orphans of a killed supervisor. Ours kills all below first and ends after them; OTP's is gone at
 *   once, its children hear of it, and nobody waits for them. What ended with it is sorted, reasons left out.
 * - Instances that have ended. OTP knows instances by pid and terminates a dead one with `ok`; ours knows
 *   them by name, and says that there is no such child.
 */
import type { OracleEvent, OracleNode, OraclePath, Trace } from "./otp-oracle.ts"
import { placesOf, type TimedScenario } from "./supervision-scenarios.ts"

/** One text for the boot and one for each action. */
export const written = (scenario: TimedScenario, trace: Trace): ReadonlyArray<string> => {
  const all = [{ path: [], spec: { supervisor: scenario.root } }, ...placesOf(scenario)]
  const dynamics = all.flatMap(({ path, spec }) =>
    spec.supervisor?.strategy === "dynamic" ? [text(path)] : []
  )
  return trace.map((step, index) => {
    const action = scenario.actions[index - 1]
    const ofInstance = action?.kind === "terminate-child" && dynamics.includes(text(action.path.slice(0, -1)))
    return [
      ...seen(step.events, dynamics).map(({ line }) => line),
      ...(step.answer === null ? [] : [`answer ${answered(step.answer, ofInstance)}`]),
      `tree ${step.tree.map(drawn).join(" ")}`,
      ...(step.rootEnding === null ? [] : [`root ${ended(step.rootEnding)}`])
    ].join("\n")
  })
}

/** Where two traces of one scenario part, in words; undefined where they do not. */
export const difference = (
  expected: ReadonlyArray<string>,
  found: ReadonlyArray<string>
): string | undefined => {
  const at = expected.findIndex((step, index) => step !== found[index])
  if (at < 0) return undefined
  const after = at === 0 ? "at boot" : `after action ${at}`
  return [
    `${after}, expected (-) and found (+):`,
    ...parting(linesOf(expected[at]), linesOf(found[at]))
  ].join("\n")
}

const linesOf = (step: string | undefined): ReadonlyArray<string> => step?.split("\n") ?? ["nothing"]

/** What both have at the beginning and at the end once, and in between what each has. */
const parting = (expected: ReadonlyArray<string>, found: ReadonlyArray<string>): ReadonlyArray<string> => {
  const shorter = Math.min(expected.length, found.length)
  let [head, tail] = [0, 0]
  while (head < shorter && expected[head] === found[head]) head++
  while (tail < shorter - head && expected.at(-1 - tail) === found.at(-1 - tail)) tail++
  return [
    ...expected.slice(0, head).map((line) => `  ${line}`),
    ...expected.slice(head, expected.length - tail).map((line) => `- ${line}`),
    ...found.slice(head, found.length - tail).map((line) => `+ ${line}`),
    ...expected.slice(expected.length - tail).map((line) => `  ${line}`)
  ]
}

interface Seen {
  readonly path: string
  readonly end: boolean
  readonly killed: boolean
  readonly line: string
}

const seen = (events: ReadonlyArray<OracleEvent>, dynamics: ReadonlyArray<string>): ReadonlyArray<Seen> =>
  // Outer ones first: only then what is below an inner one stands together.
  withKilled(dynamics.toSorted((one, other) => one.length - other.length).reduce(withSorted, events.map(saw)))

const saw = (event: OracleEvent): Seen => {
  const path = text(event.path)
  return event.event === "start"
    ? { path, end: false, killed: false, line: `start ${path} #${event.attempt} ${event.outcome}` }
    : { path, end: true, killed: event.reason === "killed", line: `end ${path} ${event.reason}` }
}

/** Sorts the instances that end right before their dynamic supervisor does. */
const withSorted = (events: ReadonlyArray<Seen>, dynamic: string): ReadonlyArray<Seen> => {
  const sorted = [...events]
  for (const [at, { end, path }] of events.entries()) {
    if (!end || path !== dynamic) continue
    const first =
      1 + events.slice(0, at).findLastIndex((event) => !event.end || !isBelow(event.path, dynamic))
    const instances = events.slice(first, at)
    const instanceOf = (event: Seen) =>
      event.path.slice(dynamic === "/" ? 0 : dynamic.length + 1).split("/")[0] ?? ""
    sorted.splice(
      first,
      at - first,
      ...instances.toSorted((one, other) => order(instanceOf(one), instanceOf(other)))
    )
  }
  return sorted
}

/** Makes one of a killed actor and of what ended below it, just before or just after. */
const withKilled = (events: ReadonlyArray<Seen>): ReadonlyArray<Seen> => {
  const depth = ({ path }: Seen) => (path === "/" ? 0 : path.split("/").length)
  const [killed] = events
    .filter((event) => event.killed && !event.line.includes(" with "))
    .toSorted((one, other) => depth(one) - depth(other))
  if (killed === undefined) return events
  const at = events.indexOf(killed)
  const apart = ({ end, path }: Seen) => !end || !isBelow(path, killed.path)
  const first = 1 + events.slice(0, at).findLastIndex(apart)
  const after = events.slice(at + 1).findIndex(apart)
  const last = after < 0 ? events.length : at + 1 + after
  const gone = [...events.slice(first, at), ...events.slice(at + 1, last)].map(({ path }) => path)
  const line = `${killed.line} with [${gone.toSorted().join(" ")}]`
  return withKilled([...events.slice(0, first), { ...killed, line }, ...events.slice(last)])
}

const isBelow = (path: string, above: string): boolean =>
  above === "/" ? path !== "/" : path.startsWith(`${above}/`)

const order = (one: string, other: string): number => (one < other ? -1 : one > other ? 1 : 0)

const text = (path: OraclePath): string => path.join("/") || "/"

/** Names in order: in parentheses what does not run, in brackets what hangs below. */
const drawn = ({ children, name, state }: OracleNode): string =>
  state === "undefined" ? `(${name})` : children ? `${name}[${children.map(drawn).join(" ")}]` : name

const answered = (answer: string, ofInstance: boolean): string => {
  if (ofInstance && (answer === "ok" || answer === "not_found")) return "ok or not_found"
  if (answer === "already_started") return "running"
  if (answer === "planned" || answer.startsWith("{shutdown,")) return "failed"
  return answer.startsWith("{bad_combination,") ? "unfit" : answer
}

const ended = (reason: string): string =>
  reason.startsWith("{shutdown,{failed_to_start_child,") ? "failed" : reason
