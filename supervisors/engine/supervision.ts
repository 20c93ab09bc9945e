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
 * other events wait in `#queue`, as they would in the mailbox of OTP's supervisor. Where children are
 * independent (one-for-one, dynamic) nothing waits for a neighbour that is slow to start: there we are
 * more concurrent than OTP, and a child sees no difference.
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

export interface ChildPolicy {
  readonly name: string
  readonly restart: Restart
  readonly significant: boolean
  /** Its restarts are delayed: the machine asks for a delay and waits for it to elapse. */
  readonly backoff: boolean
}

/** Names an answer that somebody waits for. */
export type Token = number

export type Event =
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
  | { readonly _tag: "Add"; readonly child: ChildPolicy; readonly token: Token }
  | { readonly _tag: "Replace"; readonly child: ChildPolicy; readonly token: Token }
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

export type Effect =
  | { readonly _tag: "Start"; readonly name: string }
  | { readonly _tag: "Stop"; readonly name: string }
  /** Its place is to hold the new declaration from now on. */
  | { readonly _tag: "Redeclare"; readonly name: string }
  /** Its place is given up. */
  | { readonly _tag: "Remove"; readonly name: string }
  /** Ask for `DelayElapsed` after the child's next backoff delay. */
  | { readonly _tag: "Delay"; readonly name: string; readonly starts: number; readonly reason: string }
  | { readonly _tag: "Answer"; readonly token: Token; readonly answer: Answer }
  /** All children are there. */
  | { readonly _tag: "Ready" }
  /** A child did not start while booting: the supervisor does not start either. */
  | { readonly _tag: "BootFailed"; readonly name: string; readonly reason: string }
  | { readonly _tag: "GiveUp"; readonly name: string; readonly reason: string }
  /** Its significant children have ended: so does it. */
  | { readonly _tag: "Shutdown" }

interface Child {
  policy: ChildPolicy
  /** What it is to become once it has stopped. */
  successor: ChildPolicy | undefined
  status: ChildStatus
  starts: number
  /** Who waits for what it is doing now. */
  token: Token | undefined
  /** It was added by request and is kept only if it starts. */
  adding: boolean
}

type Operation =
  | { readonly kind: "boot"; readonly names: ReadonlyArray<string>; next: number }
  | {
      readonly kind: "group"
      /** Whose end or failed start it is about. */
      readonly name: string
      readonly reason: string
      /** In start order. */
      readonly names: ReadonlyArray<string>
      phase: "stop" | "delay" | "start"
      /** Index into `names`: goes down while stopping, up while starting. */
      next: number
    }

export class Supervision {
  readonly policy: Policy
  /** In start order. */
  readonly #children = new Map<string, Child>()
  readonly #window: RestartWindow
  #operation: Operation | undefined
  /** Children between two states; in a group strategy everything else waits for them. */
  #inTransit = 0
  #over = false
  readonly #queue: Array<{ readonly event: Event; readonly starts: number }> = []
  #effects: Array<Effect> = []

  constructor(policy: Policy, children: ReadonlyArray<ChildPolicy>) {
    this.policy = policy
    this.#window = new RestartWindow(policy.intensity)
    for (const child of children) this.#children.set(child.name, this.#placed(child))
  }

  get children(): ReadonlyArray<{
    readonly policy: ChildPolicy
    readonly status: ChildStatus
    readonly starts: number
  }> {
    return [...this.#children.values()]
  }

  step(event: Event, nowMillis: number): ReadonlyArray<Effect> {
    this.#effects = []
    if (!this.#over) this.#take(event, nowMillis)
    while (!this.#over && !this.#busy()) {
      const queued = this.#queue.shift()
      if (queued === undefined) break
      // It ended, and was restarted along with others before its end was looked at.
      if (queued.event._tag === "Ended" && this.#children.get(queued.event.name)?.starts !== queued.starts)
        continue
      this.#handle(queued.event, nowMillis)
    }
    return this.#effects
  }

  #take(event: Event, nowMillis: number): void {
    if (event._tag === "Boot") {
      this.#operation = { kind: "boot", names: [...this.#children.keys()], next: 0 }
      return this.#continue()
    }
    if (event._tag === "Started") return this.#started(event.name)
    if (event._tag === "DelayElapsed") return this.#delayElapsed(event.name, event.starts)
    if (event._tag === "Ended") {
      const child = this.#children.get(event.name)
      if (child === undefined) return
      if (child.status === "stopping") return this.#stopped(child)
      if (child.status === "starting") return this.#startFailed(child, event, nowMillis)
      // From here on it is known to be down, though what follows from that may have to wait.
      child.status = "waiting"
      if (!this.#busy()) return this.#handle(event, nowMillis)
      this.#queue.push({ event, starts: child.starts })
      return
    }
    if (this.#busy()) this.#queue.push({ event, starts: 0 })
    else this.#handle(event, nowMillis)
  }

  #busy(): boolean {
    const { strategy } = this.policy
    const together = strategy === "one-for-all" || strategy === "rest-for-one"
    return this.#operation !== undefined || (together && this.#inTransit > 0)
  }

  #handle(event: Event, nowMillis: number): void {
    switch (event._tag) {
      case "Ended":
        return this.#ended(event, nowMillis)
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
  }

  // A child's own doing

  #ended({ abnormal, name, reason }: Event & { _tag: "Ended" }, nowMillis: number): void {
    const child = this.#children.get(name)
    if (child === undefined) return
    if (wantsRestart(child.policy.restart, abnormal)) return this.#restart(child, reason, nowMillis)
    this.#settle(child)
    const { significant } = child.policy
    const othersLive = significant && this.#significantLive()
    if (!completesShutdown(this.policy.autoShutdown, significant, othersLive)) return
    this.#over = true
    this.#emit({ _tag: "Shutdown" })
  }

  #significantLive(): boolean {
    for (const { policy, status } of this.#children.values()) {
      if (policy.significant && status !== "stopped") return true
    }
    return false
  }

  /** Restarts a child that ended or did not start, and whoever goes with it; or gives up. */
  #restart(child: Child, reason: string, nowMillis: number): void {
    const { name } = child.policy
    const { strategy } = this.policy
    if (this.#window.exceeds(nowMillis)) {
      this.#over = true
      return this.#emit({ _tag: "GiveUp", name, reason })
    }
    child.status = "waiting"
    if (strategy === "one-for-one" || strategy === "dynamic") {
      if (child.policy.backoff) this.#emit({ _tag: "Delay", name, starts: child.starts, reason })
      else this.#start(child)
      return
    }
    const names = affected(strategy, name, [...this.#children.keys()])
    this.#operation = { kind: "group", name, reason, names, phase: "stop", next: names.length - 1 }
    this.#continue()
  }

  #started(name: string): void {
    const child = this.#children.get(name)
    if (child?.status !== "starting") return
    this.#inTransit--
    child.status = "running"
    child.adding = false
    this.#answer(child, "running")
    this.#continue()
  }

  #startFailed(child: Child, { ignored, name, reason }: Event & { _tag: "Ended" }, nowMillis: number): void {
    this.#inTransit--
    const requested = child.token !== undefined
    if (ignored) {
      this.#answer(child, "ignored")
      child.adding = false
      this.#settle(child)
      return this.#continue()
    }
    if (this.#operation?.kind === "boot") {
      this.#over = true
      return this.#emit({ _tag: "BootFailed", name, reason })
    }
    if (requested) {
      this.#answer(child, { startFailed: reason })
      if (child.adding) this.#remove(child)
      else child.status = "stopped"
      return
    }
    this.#operation = undefined
    this.#restart(child, reason, nowMillis)
  }

  #stopped(child: Child): void {
    this.#inTransit--
    if (child.successor !== undefined) return this.#succeed(child, child.successor)
    this.#answer(child, "done")
    this.#settle(child)
    this.#continue()
  }

  #delayElapsed(name: string, starts: number): void {
    const child = this.#children.get(name)
    if (child?.starts !== starts) return
    const operation = this.#operation
    if (operation?.kind === "group" && operation.phase === "delay" && operation.name === name) {
      operation.phase = "start"
      operation.next = 0
      return this.#continue()
    }
    if (operation === undefined && child.status === "waiting") this.#start(child)
  }

  /** The next step of a boot or of a group's restart, once the one before is done. */
  #continue(): void {
    const operation = this.#operation
    if (operation === undefined || this.#inTransit > 0) return
    if (operation.kind === "group" && operation.phase === "stop" && !this.#stopNext(operation)) return
    if (operation.kind === "group" && operation.phase === "delay") return
    while (operation.next < operation.names.length) {
      const child = this.#children.get(operation.names[operation.next++] ?? "")
      if (child !== undefined) return this.#start(child)
    }
    this.#operation = undefined
    if (operation.kind === "boot") this.#emit({ _tag: "Ready" })
  }

  /** Stops the last of the group that still runs. True once all are down and may be started again. */
  #stopNext(operation: Operation & { kind: "group" }): boolean {
    for (; operation.next >= 0; operation.next--) {
      const child = this.#children.get(operation.names[operation.next] ?? "")
      if (child === undefined) continue
      if (child.status === "running") {
        operation.next--
        this.#stop(child)
        return false
      }
      // A temporary child is not restarted, whoever's crash has taken it down.
      if (child.policy.restart === "temporary") this.#remove(child)
    }
    const { name, reason } = operation
    const child = this.#children.get(name)
    const delayed = child?.policy.backoff === true
    operation.phase = delayed ? "delay" : "start"
    operation.next = 0
    if (delayed) this.#emit({ _tag: "Delay", name, starts: child.starts, reason })
    return !delayed
  }

  // Requests

  #add(policy: ChildPolicy, token: Token): void {
    const present = this.#children.get(policy.name)
    if (present !== undefined) {
      return this.#emit({
        _tag: "Answer",
        token,
        answer: present.status === "stopped" ? "already present" : "already running"
      })
    }
    const child = this.#placed(policy)
    child.adding = true
    child.token = token
    this.#children.set(policy.name, child)
    this.#start(child)
  }

  /** The new declaration takes the old one's place in the start order. */
  #replace(policy: ChildPolicy, token: Token): void {
    const child = this.#children.get(policy.name)
    if (child === undefined) return this.#emit({ _tag: "Answer", token, answer: "not found" })
    if (child.status === "starting" || child.status === "stopping") {
      return this.#emit({ _tag: "Answer", token, answer: "restarting" })
    }
    child.token = token
    if (child.status !== "running") return this.#succeed(child, policy)
    child.successor = policy
    this.#stop(child)
  }

  #succeed(child: Child, policy: ChildPolicy): void {
    child.policy = policy
    child.successor = undefined
    this.#emit({ _tag: "Redeclare", name: policy.name })
    this.#start(child)
  }

  #terminate(name: string, token: Token): void {
    const child = this.#children.get(name)
    if (child === undefined) return this.#emit({ _tag: "Answer", token, answer: "not found" })
    if (child.status === "running" || child.status === "starting") {
      this.#answer(child, { startFailed: "it was terminated while it started" })
      child.token = token
      if (child.status === "starting") this.#inTransit--
      child.successor = undefined
      return this.#stop(child)
    }
    if (child.status === "stopping") {
      this.#answer(
        child,
        child.successor === undefined ? "done" : { startFailed: "it was terminated meanwhile" }
      )
      child.successor = undefined
      child.token = token
      return
    }
    this.#emit({ _tag: "Answer", token, answer: "done" })
    this.#settle(child)
  }

  #restartByRequest(name: string, token: Token): void {
    const refusal = this.#notStopped(name)
    const child = this.#children.get(name)
    if (refusal !== undefined || child === undefined) {
      return this.#emit({ _tag: "Answer", token, answer: refusal ?? "not found" })
    }
    child.token = token
    this.#start(child)
  }

  #delete(name: string, token: Token): void {
    const refusal = this.#notStopped(name)
    const child = this.#children.get(name)
    if (refusal === undefined && child !== undefined) this.#remove(child)
    this.#emit({ _tag: "Answer", token, answer: refusal ?? "done" })
  }

  #notStopped(name: string): Answer | undefined {
    if (this.policy.strategy === "dynamic") return "dynamic"
    const status = this.#children.get(name)?.status
    if (status === undefined) return "not found"
    if (status === "stopped") return undefined
    return status === "waiting" ? "restarting" : "already running"
  }

  // What changes a child's state

  #placed(policy: ChildPolicy): Child {
    return { policy, successor: undefined, status: "stopped", starts: 0, token: undefined, adding: false }
  }

  #start(child: Child): void {
    this.#inTransit++
    child.status = "starting"
    child.starts++
    this.#emit({ _tag: "Start", name: child.policy.name })
  }

  #stop(child: Child): void {
    this.#inTransit++
    child.status = "stopping"
    this.#emit({ _tag: "Stop", name: child.policy.name })
  }

  /** Down for good, or until somebody asks for it. */
  #settle(child: Child): void {
    const groupRestart = this.#operation?.kind === "group"
    if (child.policy.restart === "temporary" || (this.policy.strategy === "dynamic" && !groupRestart))
      this.#remove(child)
    else child.status = "stopped"
  }

  #remove(child: Child): void {
    this.#children.delete(child.policy.name)
    this.#emit({ _tag: "Remove", name: child.policy.name })
  }

  #answer(child: Child, answer: Answer): void {
    if (child.token === undefined) return
    this.#emit({ _tag: "Answer", token: child.token, answer })
    child.token = undefined
  }

  #emit(effect: Effect): void {
    this.#effects.push(effect)
  }
}
