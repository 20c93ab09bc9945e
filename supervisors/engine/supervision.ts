/**
 * The supervision machine: OTP's `supervisor` (supervisor.erl) as events in, effects out. No I/O, no
 * clock: the same events at the same times always give the same effects.
 *
 * Each child is in one of five states:
 *
 *              start            started               stop
 *   stopped ─────────► starting ───────► running ───────────► stopping ───► stopped │ removed
 *                 ▲       │ failed          │ ended
 *                 └─────waiting ◄───────────┘            waiting: its restart is decided, not begun
 *
 * Boot, and the restart of a group (one-for-all, rest-for-one), go one child at a time; meanwhile all
 * other events wait in `#queue`, as they would in the mailbox of OTP's supervisor. A start that failed is
 * tried again from the back of that queue, so a request to end the restarts gets through.
 *
 * Where children are independent (one-for-one, dynamic) nothing waits for a neighbour that is slow to
 * start: there we are more concurrent than OTP, and a child sees no difference. Backoff and replacement
 * are ours alone; without them the machine is OTP's.
 */
import type { ChildStatus, Restart } from "#protocols/supervision.ts"
import {
  type AutoShutdown,
  affected,
  completesShutdown,
  type Intensity,
  RestartWindow,
  type Strategy,
  wantsRestart
} from "./restart-policy.ts"

export interface Policy {
  readonly strategy: Strategy
  readonly intensity: Intensity
  readonly autoShutdown: AutoShutdown
}

/** What the machine has to know of a child's declaration; it hands the whole of it back in its effects. */
export interface ChildPolicy {
  readonly name: string
  readonly restart: Restart
  readonly significant: boolean
  /** If there is one the machine asks for a delay before each restart, and waits for it to elapse. */
  readonly backoff?: unknown
}

/** Names an answer that somebody waits for. */
export type Token = number

export type Event<Spec extends ChildPolicy> =
  | { readonly _tag: "Boot" }
  | { readonly _tag: "Started"; readonly name: string }
  | {
      readonly _tag: "Ended"
      readonly name: string
      readonly abnormal: boolean
      readonly ignored: boolean
      readonly reason: string
    }
  /** `starts` says which restart the delay was for. */
  | { readonly _tag: "DelayElapsed"; readonly name: string; readonly starts: number }
  /** There is no next delay: this child may not be restarted any more. */
  | {
      readonly _tag: "DelaysExhausted"
      readonly name: string
      readonly starts: number
      readonly reason: string
    }
  | { readonly _tag: "Add"; readonly child: Spec; readonly token: Token }
  | { readonly _tag: "Replace"; readonly child: Spec; readonly token: Token }
  | { readonly _tag: "Terminate"; readonly name: string; readonly token: Token }
  | { readonly _tag: "Restart"; readonly name: string; readonly token: Token }
  | { readonly _tag: "Delete"; readonly name: string; readonly token: Token }

export type Answer =
  | "done"
  | "running"
  | "ignored"
  | "not found"
  | "already running"
  | "already present"
  | "restarting"
  | "dynamic"
  | { readonly startFailed: string }

export type Effect<Spec extends ChildPolicy> =
  | { readonly _tag: "Start"; readonly child: Spec }
  | { readonly _tag: "Stop"; readonly name: string }
  /** Its place holds this declaration from the next start on. */
  | { readonly _tag: "Redeclare"; readonly child: Spec }
  /** Its place is given up. */
  | { readonly _tag: "Remove"; readonly name: string }
  /** Ask for `DelayElapsed` after the child's next backoff delay, or for `DelaysExhausted`. */
  | { readonly _tag: "Delay"; readonly child: Spec; readonly starts: number; readonly reason: string }
  | { readonly _tag: "Answer"; readonly token: Token; readonly answer: Answer }
  /** All children are there. */
  | { readonly _tag: "Ready" }
  /** A child did not start while booting: the supervisor does not start either. */
  | { readonly _tag: "BootFailed"; readonly name: string; readonly reason: string }
  | {
      readonly _tag: "GiveUp"
      readonly name: string
      readonly reason: string
      readonly exhausted: "intensity" | "backoff"
    }
  /** Its significant children have ended: so does it. */
  | { readonly _tag: "Shutdown" }

type Ended = Event<ChildPolicy> & { readonly _tag: "Ended" }

/** What waits for its turn; `starts` says which life of the child it is about. */
type Queued<Spec extends ChildPolicy> =
  | Exclude<Event<Spec>, { readonly _tag: "Boot" | "Started" | "Ended" }>
  | {
      readonly _tag: "Down"
      readonly name: string
      readonly starts: number
      readonly abnormal: boolean
      readonly startFailed: boolean
      readonly reason: string
    }

interface Child<Spec extends ChildPolicy> {
  spec: Spec
  /** Takes its place once it has stopped. */
  successor: Spec | undefined
  status: ChildStatus
  starts: number
  /** Who waits for its start, the one that is under way or the one after it has stopped. */
  startToken: Token | undefined
  stopTokens: ReadonlyArray<Token>
  /** It was added by request and is kept only if it starts. */
  adding: boolean
  /** Who is down until it is restarted, itself included. In start order. */
  waitingAlong: ReadonlyArray<string>
}

/** What goes one child at a time: a group is stopped from its end, and started from its beginning. */
type Operation<Spec extends ChildPolicy> =
  | {
      readonly phase: "stop"
      /** In start order. */
      readonly names: ReadonlyArray<string>
      /** Index into `names`. */
      next: number
      /** Whose backoff, and for what reason, comes between the stop and the start. */
      readonly delayed: { readonly child: Child<Spec>; readonly reason: string } | undefined
    }
  | { readonly phase: "start"; readonly names: ReadonlyArray<string>; next: number; readonly boot: boolean }

export class Supervision<Spec extends ChildPolicy> {
  readonly policy: Policy
  /** Its children restart in groups, so only one thing happens at a time. */
  readonly #together: boolean
  /** In start order. */
  readonly #children = new Map<string, Child<Spec>>()
  readonly #window: RestartWindow
  #operation: Operation<Spec> | undefined
  /** Children that are starting or stopping. */
  #inTransit = 0
  #over = false
  readonly #queue: Array<Queued<Spec>> = []
  #effects: Array<Effect<Spec>> = []

  constructor(policy: Policy, children: ReadonlyArray<Spec>) {
    this.policy = policy
    this.#together = policy.strategy === "one-for-all" || policy.strategy === "rest-for-one"
    this.#window = new RestartWindow(policy.intensity)
    for (const spec of children) this.#place(spec)
  }

  /** In start order. */
  get children(): ReadonlyArray<{
    readonly spec: Spec
    readonly status: ChildStatus
    readonly starts: number
  }> {
    return [...this.#children.values()]
  }

  /** Restarts that count towards its intensity at this moment. */
  restartsAt(nowMillis: number): number {
    return this.#window.count(nowMillis)
  }

  /** Whether the restart after that start is still to come. */
  waits(name: string, starts: number): boolean {
    const child = this.#children.get(name)
    return child?.status === "waiting" && child.starts === starts
  }

  step(event: Event<Spec>, nowMillis: number): ReadonlyArray<Effect<Spec>> {
    this.#effects = []
    if (!this.#over) this.#take(event)
    while (!this.#over && !this.#busy()) {
      const queued = this.#queue.shift()
      if (queued === undefined) break
      this.#handle(queued, nowMillis)
    }
    return this.#effects
  }

  /** What an operation waits for is taken at once, everything else in its turn. */
  #take(event: Event<Spec>): void {
    switch (event._tag) {
      case "Boot":
        this.#operation = { phase: "start", names: [...this.#children.keys()], next: 0, boot: true }
        return this.#continue()
      case "Started":
        return this.#started(event.name)
      case "Ended":
        return this.#ended(event)
      default:
        this.#queue.push(event)
    }
  }

  #busy(): boolean {
    return this.#operation !== undefined || (this.#together && this.#inTransit > 0)
  }

  #handle(event: Queued<Spec>, nowMillis: number): void {
    switch (event._tag) {
      case "Add":
        return this.#add(event.child, event.token)
      case "Replace":
        return this.#replace(event.child, event.token)
      case "Terminate":
        return this.#terminate(event.name, event.token)
      case "Restart":
        return this.#restartByRequest(event.name, event.token)
      case "Delete":
        return this.#delete(event.name, event.token)
    }
    // The rest is about a restart. It may have been called off since, or have come along with others.
    const child = this.#children.get(event.name)
    if (child?.status !== "waiting" || child.starts !== event.starts) return
    switch (event._tag) {
      case "Down":
        if (event.startFailed || wantsRestart(child.spec.restart, event.abnormal)) {
          return this.#restart(child, event.reason, nowMillis)
        }
        return this.#endedForGood(child)
      case "DelayElapsed":
        return this.#together ? this.#stopGroup(child, undefined) : this.#start(child)
      case "DelaysExhausted":
        return this.#giveUp(child, event.reason, "backoff")
    }
  }

  // A child's own doing

  #started(name: string): void {
    const child = this.#children.get(name)
    if (child?.status !== "starting") return
    this.#inTransit--
    child.status = "running"
    child.adding = false
    this.#answerStart(child, "running")
    this.#continue()
  }

  #ended(event: Ended): void {
    const child = this.#children.get(event.name)
    if (child === undefined) return
    if (child.status === "running") this.#down(child, event, false)
    else if (child.status === "starting") this.#notStarted(child, event)
    else if (child.status === "stopping") this.#stopped(child)
  }

  /** What follows from it is decided in its turn. */
  #down(child: Child<Spec>, { abnormal, name, reason }: Ended, startFailed: boolean): void {
    child.status = "waiting"
    this.#queue.push({ _tag: "Down", name, starts: child.starts, abnormal, startFailed, reason })
  }

  #notStarted(child: Child<Spec>, event: Ended): void {
    const { ignored, name, reason } = event
    this.#inTransit--
    if (ignored) {
      this.#answerStart(child, "ignored")
      this.#settle(child)
      return this.#continue()
    }
    if (this.#operation?.phase === "start" && this.#operation.boot) {
      this.#over = true
      return this.#emit({ _tag: "BootFailed", name, reason })
    }
    if (child.startToken !== undefined) {
      this.#answerStart(child, { startFailed: reason })
      if (child.adding) this.#remove(child)
      else this.#settle(child)
      return this.#continue()
    }
    if (this.#operation?.phase === "start") {
      child.waitingAlong = [name, ...this.#operation.names.slice(this.#operation.next)]
    }
    this.#operation = undefined
    this.#down(child, event, true)
  }

  #stopped(child: Child<Spec>): void {
    this.#inTransit--
    for (const token of child.stopTokens) this.#emit({ _tag: "Answer", token, answer: "done" })
    child.stopTokens = []
    if (child.successor !== undefined) this.#redeclare(child, child.successor)
    if (child.startToken !== undefined) return this.#start(child)
    if (child.adding) this.#remove(child)
    else this.#settle(child)
    this.#continue()
  }

  #endedForGood(child: Child<Spec>): void {
    this.#settle(child)
    const { significant } = child.spec
    const othersLive = significant && this.#significantLive()
    if (!completesShutdown(this.policy.autoShutdown, significant, othersLive)) return
    this.#over = true
    this.#emit({ _tag: "Shutdown" })
  }

  #significantLive(): boolean {
    for (const { spec, status } of this.#children.values()) {
      if (spec.significant && status !== "stopped") return true
    }
    return false
  }

  // Restarts

  /** Restarts a child that is down, and whoever goes with it; or gives up. */
  #restart(child: Child<Spec>, reason: string, nowMillis: number): void {
    if (this.#window.exceeds(nowMillis)) return this.#giveUp(child, reason, "intensity")
    const delayed = child.spec.backoff === undefined ? undefined : { child, reason }
    if (this.#together) this.#stopGroup(child, delayed)
    else if (delayed === undefined) this.#start(child)
    else this.#delay(delayed)
  }

  #stopGroup(
    child: Child<Spec>,
    delayed: { readonly child: Child<Spec>; readonly reason: string } | undefined
  ): void {
    const names = this.#groupOf(child)
    this.#operation = { phase: "stop", names, next: names.length - 1, delayed }
    this.#continue()
  }

  #startGroup(names: ReadonlyArray<string>): void {
    this.#operation = { phase: "start", names, next: 0, boot: false }
    this.#continue()
  }

  #groupOf(child: Child<Spec>): ReadonlyArray<string> {
    return affected(this.policy.strategy, child.spec.name, [...this.#children.keys()])
  }

  /** The next step of a boot or of a group's restart, once the one before is done. */
  #continue(): void {
    const operation = this.#operation
    if (operation === undefined || this.#inTransit > 0) return
    if (operation.phase === "stop") this.#stopNext(operation)
    else this.#startNext(operation)
  }

  /** Stops the last of the group that still runs. Once all are down it is time to start them. */
  #stopNext(operation: Operation<Spec> & { readonly phase: "stop" }): void {
    const { delayed, names } = operation
    while (operation.next >= 0) {
      const child = this.#children.get(names[operation.next--] ?? "")
      if (child === undefined) continue
      if (child.status === "running") return this.#stop(child)
      // A temporary child is removed here: it is not restarted, whoever's crash has taken it down.
      if (child !== delayed?.child) this.#settle(child)
    }
    this.#operation = undefined
    if (delayed === undefined) return this.#startGroup(names)
    delayed.child.waitingAlong = names
    this.#delay(delayed)
  }

  #startNext(operation: Operation<Spec> & { readonly phase: "start" }): void {
    while (operation.next < operation.names.length) {
      const child = this.#children.get(operation.names[operation.next++] ?? "")
      if (child?.status === "stopped") return this.#start(child)
      // It waits for a delay of its own. Those after it start when it does.
      if (child?.status === "waiting") break
    }
    this.#operation = undefined
    if (operation.boot) this.#emit({ _tag: "Ready" })
  }

  #giveUp(child: Child<Spec>, reason: string, exhausted: "intensity" | "backoff"): void {
    this.#over = true
    this.#emit({ _tag: "GiveUp", name: child.spec.name, reason, exhausted })
  }

  // Requests

  #add(spec: Spec, token: Token): void {
    const present = this.#children.get(spec.name)
    if (present !== undefined) {
      const { status } = present
      const answer =
        status === "stopped" ? "already present" : status === "waiting" ? "restarting" : "already running"
      return this.#emit({ _tag: "Answer", token, answer })
    }
    const child = this.#place(spec)
    child.adding = true
    child.startToken = token
    this.#start(child)
  }

  /** The new declaration takes the old one's place in the start order. */
  #replace(spec: Spec, token: Token): void {
    const child = this.#children.get(spec.name)
    if (child === undefined) return this.#emit({ _tag: "Answer", token, answer: "not found" })
    this.#answerStart(child, outpaced("replaced"))
    child.startToken = token
    child.adding = false
    if (child.status === "stopped" || child.status === "waiting") {
      const along = child.waitingAlong
      this.#redeclare(child, spec)
      child.status = "stopped"
      return along.length === 0 ? this.#start(child) : this.#startGroup(along)
    }
    child.successor = spec
    this.#ensureStopping(child)
  }

  #terminate(name: string, token: Token): void {
    const child = this.#children.get(name)
    if (child === undefined) return this.#emit({ _tag: "Answer", token, answer: "not found" })
    this.#answerStart(child, outpaced("terminated"))
    if (child.status === "stopped" || child.status === "waiting") {
      // Those that were to come back with it come back without it.
      const others = child.waitingAlong.filter((other) => other !== name)
      this.#settle(child)
      this.#emit({ _tag: "Answer", token, answer: "done" })
      if (others.length > 0) this.#startGroup(others)
      return
    }
    child.stopTokens = [...child.stopTokens, token]
    this.#ensureStopping(child)
  }

  #restartByRequest(name: string, token: Token): void {
    const child = this.#children.get(name)
    if (this.policy.strategy === "dynamic" || child?.status !== "stopped") {
      return this.#emit({ _tag: "Answer", token, answer: this.#whyNotStopped(child) })
    }
    this.#answerStart(child, outpaced("restarted"))
    child.startToken = token
    this.#start(child)
  }

  #delete(name: string, token: Token): void {
    const child = this.#children.get(name)
    if (this.policy.strategy === "dynamic" || child?.status !== "stopped") {
      return this.#emit({ _tag: "Answer", token, answer: this.#whyNotStopped(child) })
    }
    this.#answerStart(child, outpaced("deleted"))
    this.#remove(child)
    this.#emit({ _tag: "Answer", token, answer: "done" })
  }

  #whyNotStopped(child: Child<Spec> | undefined): Answer {
    if (this.policy.strategy === "dynamic") return "dynamic"
    if (child === undefined) return "not found"
    return child.status === "waiting" ? "restarting" : "already running"
  }

  // What changes a child's state

  #place(spec: Spec): Child<Spec> {
    const child: Child<Spec> = {
      spec,
      successor: undefined,
      status: "stopped",
      starts: 0,
      startToken: undefined,
      stopTokens: [],
      adding: false,
      waitingAlong: []
    }
    this.#children.set(spec.name, child)
    return child
  }

  #start(child: Child<Spec>): void {
    this.#inTransit++
    child.waitingAlong = []
    child.status = "starting"
    child.starts++
    this.#emit({ _tag: "Start", child: child.spec })
  }

  #stop(child: Child<Spec>): void {
    this.#inTransit++
    child.status = "stopping"
    this.#emit({ _tag: "Stop", name: child.spec.name })
  }

  #ensureStopping(child: Child<Spec>): void {
    if (child.status === "stopping") return
    if (child.status === "starting") this.#inTransit--
    this.#stop(child)
  }

  #delay({ child, reason }: { readonly child: Child<Spec>; readonly reason: string }): void {
    this.#emit({ _tag: "Delay", child: child.spec, starts: child.starts, reason })
  }

  /** Down for good, or until somebody asks for it. */
  #settle(child: Child<Spec>): void {
    if (child.spec.restart === "temporary" || this.policy.strategy === "dynamic") return this.#remove(child)
    child.status = "stopped"
    child.adding = false
    child.waitingAlong = []
  }

  #redeclare(child: Child<Spec>, spec: Spec): void {
    child.spec = spec
    child.successor = undefined
    this.#emit({ _tag: "Redeclare", child: spec })
  }

  #remove(child: Child<Spec>): void {
    const { name } = child.spec
    this.#children.delete(name)
    this.#emit({ _tag: "Remove", name })
  }

  #answerStart(child: Child<Spec>, answer: Answer): void {
    if (child.startToken === undefined) return
    this.#emit({ _tag: "Answer", token: child.startToken, answer })
    child.startToken = undefined
  }

  #emit(effect: Effect<Spec>): void {
    this.#effects.push(effect)
  }
}

/** Somebody waits for a start, and another request comes first. */
const outpaced = (by: string): Answer => ({ startFailed: `it was ${by} before it had started` })
