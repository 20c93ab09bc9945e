/**
 * Supervision said as simply as it can be: what must come of a tree, and of what happens to it.
 *
 * It follows OTP's documentation sentence by sentence, with plain recursion and nothing that waits: every
 * start, stop and restart is over before the next line runs. It shares no line with the machine, nor its
 * way of thinking, so the two can hardly be wrong in the same way. Tests hold the machine against it, and
 * it against OTP.
 */

import type {
  OracleAction,
  OracleChild,
  OracleNode,
  OraclePath,
  OracleSupervisor
} from "../harness/otp-oracle.ts"

/** The oracle's actions, and time: OTP counts in whole seconds, so only the model can be asked about it. */
export type ModelAction = OracleAction | { readonly kind: "wait"; readonly millis: number }

type Outcome = "ok" | "failed" | "ignored"

export type ModelEvent =
  | {
      readonly event: "start"
      readonly path: OraclePath
      readonly attempt: number
      readonly outcome: Outcome
    }
  | { readonly event: "exit"; readonly path: OraclePath; readonly reason: string }

export interface ModelStep {
  readonly events: ReadonlyArray<ModelEvent>
  readonly answer: string | null
  readonly tree: ReadonlyArray<OracleNode>
  readonly rootEnding: string | null
}

/** What comes of the boot, and of each action. Between two of them a millisecond passes. */
export const playModel = (
  root: OracleSupervisor,
  actions: ReadonlyArray<ModelAction>
): ReadonlyArray<ModelStep> => {
  const model = new Model(root)
  return [model.step(null), ...actions.map((action) => model.step(model.perform(action)))]
}

/** A child's place at its supervisor, and what runs there. */
interface Place {
  readonly path: OraclePath
  readonly spec: OracleChild
  up: boolean
  /** If it is a supervisor, who is below it. */
  crew: Crew | undefined
}

/** Whom a running supervisor has below it. */
interface Crew {
  readonly spec: OracleSupervisor
  readonly place: Place
  /** The supervisor's own supervisor; the root has none. */
  readonly above: Crew | undefined
  places: Array<Place>
  readonly restartsMillis: Array<number>
}

class Model {
  readonly #attempts = new Map<string, number>()
  readonly #root: Place
  #nowMillis = 0
  #events: Array<ModelEvent> = []
  #rootEnding: string | null = null

  constructor(supervisor: OracleSupervisor) {
    this.#root = placeAt([], { name: "", restart: "temporary", shutdown: 0, initFailures: [], supervisor })
    if (this.#start(this.#root, undefined) === "failed") this.#rootEnding = "failed"
  }

  step(answer: string | null): ModelStep {
    const events = this.#events
    this.#events = []
    this.#nowMillis++
    const tree = this.#root.crew?.places.map(drawn) ?? []
    return { events, answer, tree, rootEnding: this.#rootEnding }
  }

  // One start, one stop

  #start(place: Place, above: Crew | undefined): Outcome {
    const { path } = place
    const attempt = (this.#attempts.get(path.join("/")) ?? 0) + 1
    this.#attempts.set(path.join("/"), attempt)
    const outcome = this.#attempt(place, above, attempt)
    this.#events.push({ event: "start", path, attempt, outcome })
    place.up = outcome === "ok"
    return outcome
  }

  #attempt(place: Place, above: Crew | undefined, attempt: number): Outcome {
    const { ignoreStarts = [], initFailures, supervisor } = place.spec
    if (initFailures.includes(attempt)) return "failed"
    if (ignoreStarts.includes(attempt)) return "ignored"
    return supervisor === undefined ? "ok" : this.#boot(place, supervisor, above)
  }

  /** "When the supervisor is started, the child processes are started in order." */
  #boot(place: Place, spec: OracleSupervisor, above: Crew | undefined): Outcome {
    const crew: Crew = { spec, place, above, places: [], restartsMillis: [] }
    for (const child of spec.strategy === "dynamic" ? [] : spec.children) {
      const next = placeAt([...place.path, child.name], child)
      const outcome = this.#start(next, crew)
      if (outcome === "failed") {
        this.#stopAll(crew)
        return "failed"
      }
      if (outcome === "ok" || child.restart !== "temporary") crew.places.push(next)
    }
    place.crew = crew
    return "ok"
  }

  /** "It first terminates its child processes in reversed start order." */
  #stopAll(crew: Crew): void {
    for (const place of crew.places.toReversed()) this.#stop(place)
  }

  #stop(place: Place): void {
    if (!place.up) return
    if (place.spec.shutdown === "brutal") return this.#kill(place)
    if (place.crew !== undefined) this.#stopAll(place.crew)
    this.#down(place, "shutdown")
  }

  #kill(place: Place): void {
    for (const below of place.crew?.places ?? []) if (below.up) this.#kill(below)
    this.#down(place, "killed")
  }

  #down(place: Place, reason: string): void {
    place.up = false
    place.crew = undefined
    this.#events.push({ event: "exit", path: place.path, reason })
  }

  // What a supervisor makes of an end

  #ended(place: Place, crew: Crew | undefined, reason: string): void {
    if (crew === undefined) {
      this.#rootEnding = reason
      return
    }
    const { restart, significant } = place.spec
    const abnormal = reason === "crash" || reason === "killed"
    if (restart === "permanent" || (restart === "transient" && abnormal)) return this.#restart(place, crew)
    this.#settle(place, crew)
    if (significant !== true) return
    const { autoShutdown } = crew.spec
    const last = !crew.places.some(({ spec, up }) => spec.significant === true && up)
    if (autoShutdown === "any-significant" || (autoShutdown === "all-significant" && last)) this.#end(crew)
  }

  /** A temporary child loses its place, and so does an instance. */
  #settle(place: Place, crew: Crew): void {
    if (place.spec.restart !== "temporary" && crew.spec.strategy !== "dynamic") return
    crew.places = crew.places.filter((other) => other !== place)
  }

  /** "If more than MaxR restarts occur within MaxT seconds", it ends; a start that fails is one more to restart. */
  #restart(place: Place, crew: Crew): void {
    const { restarts, withinMillis } = crew.spec.intensity
    let next: Place | undefined = place
    while (next !== undefined) {
      crew.restartsMillis.push(this.#nowMillis)
      const recent = crew.restartsMillis.filter((millis) => this.#nowMillis - millis <= withinMillis)
      if (recent.length > restarts) return this.#end(crew)
      next = this.#restartFrom(next, crew)
    }
  }

  /** Returns whose start has failed. */
  #restartFrom(place: Place, crew: Crew): Place | undefined {
    const group = groupOf(place, crew)
    for (const each of group.toReversed()) {
      this.#stop(each)
      if (each.spec.restart === "temporary") this.#settle(each, crew)
    }
    for (const each of group) {
      if (!crew.places.includes(each)) continue
      const outcome = this.#start(each, crew)
      if (outcome === "failed") return each
      if (outcome === "ignored") this.#settle(each, crew)
    }
    return undefined
  }

  /** "The termination reason for the supervisor itself in that case will be shutdown." */
  #end({ above, place }: Crew): void {
    if (place.crew !== undefined) this.#stopAll(place.crew)
    this.#down(place, "shutdown")
    this.#ended(place, above, "shutdown")
  }

  // Actions

  perform(action: ModelAction): string | null {
    switch (action.kind) {
      case "wait":
        this.#nowMillis += action.millis
        return null
      case "exit":
        return this.#exit(action.path, action.reason)
      case "start-child": {
        const crew = this.#crewAt(action.path)
        return crew === undefined ? "noproc" : this.#startChild(crew, action.child)
      }
      default: {
        const crew = this.#crewAt(action.path.slice(0, -1))
        if (crew === undefined) return "noproc"
        const place = crew.places.find(({ spec }) => spec.name === action.path.at(-1))
        if (crew.spec.strategy === "dynamic" && action.kind !== "terminate-child") return "simple_one_for_one"
        return place === undefined ? "not_found" : this.#manage(action.kind, place, crew)
      }
    }
  }

  #exit(path: OraclePath, reason: (ModelAction & { readonly kind: "exit" })["reason"]): string | null {
    const place = this.#placeAt(path)
    if (place?.up !== true) return "noproc"
    const above = path.length === 0 ? undefined : this.#crewAt(path.slice(0, -1))
    if (reason === "kill") {
      this.#kill(place)
      this.#ended(place, above, "killed")
    } else {
      if (place.crew !== undefined) this.#stopAll(place.crew)
      this.#down(place, reason)
      this.#ended(place, above, reason)
    }
    return null
  }

  #startChild(crew: Crew, child: OracleChild): string {
    const { autoShutdown, children, strategy } = crew.spec
    const { ignoreStarts = [], initFailures, name } = child
    const [template = child] = children
    const spec = strategy === "dynamic" ? { ...template, name, initFailures, ignoreStarts } : child
    if (spec.significant === true && autoShutdown === "never") return "unfit"
    const present = crew.places.find((place) => place.spec.name === name)
    if (present !== undefined) return present.up ? "running" : "already_present"
    const place = placeAt([...crew.place.path, name], spec)
    const outcome = this.#start(place, crew)
    if (outcome !== "failed") crew.places.push(place)
    if (outcome === "ignored") this.#settle(place, crew)
    return outcome
  }

  #manage(kind: "terminate-child" | "restart-child" | "delete-child", place: Place, crew: Crew): string {
    if (kind === "terminate-child") {
      this.#stop(place)
      this.#settle(place, crew)
      return "ok"
    }
    if (place.up) return "running"
    if (kind === "restart-child") return this.#start(place, crew)
    crew.places = crew.places.filter((other) => other !== place)
    return "ok"
  }

  #crewAt(path: OraclePath): Crew | undefined {
    return this.#placeAt(path)?.crew
  }

  #placeAt(path: OraclePath): Place | undefined {
    return path.reduce<Place | undefined>(
      (at, name) => at?.crew?.places.find(({ spec }) => spec.name === name),
      this.#root
    )
  }
}

const placeAt = (path: OraclePath, spec: OracleChild): Place => ({ path, spec, up: false, crew: undefined })

/** Who restarts along with a child, itself included. In start order. */
const groupOf = (place: Place, { places, spec: { strategy } }: Crew): ReadonlyArray<Place> => {
  if (strategy === "one-for-all") return places
  return strategy === "rest-for-one" ? places.slice(places.indexOf(place)) : [place]
}

const drawn = ({ crew, spec: { name }, up }: Place): OracleNode =>
  up
    ? { name, state: "running", ...(crew !== undefined && { children: crew.places.map(drawn) }) }
    : { name, state: "undefined" }
