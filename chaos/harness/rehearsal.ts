/**
 * A rehearsal: the supervision machine alone, without actors. The test plays its children and its clients,
 * and reads what the machine would have done, one line for each effect.
 */
import {
  type Answer,
  type ChildPolicy,
  type Effect,
  type Event,
  type Policy,
  Supervision
} from "#supervisors/engine/supervision.ts"

interface Spec extends ChildPolicy {
  readonly backoff?: string
}

type Declared = string | readonly [name: string, options: Partial<Spec>]

const specOf = (declared: Declared): Spec => {
  const [name, options] = typeof declared === "string" ? [declared, {}] : declared
  return { name, restart: "permanent", significant: false, ...options }
}

type Request = "Add" | "Replace" | "Terminate" | "Restart" | "Delete"

/** A machine whose children and clients are played by the test. What it says is put into words. */
export class Rehearsal {
  nowMillis = 0
  readonly #machine: Supervision<Spec>
  readonly #delays = new Map<string, number>()
  #token = 0

  constructor(policy: Partial<Policy>, children: ReadonlyArray<Declared>) {
    const intensity = { restarts: 10, withinMillis: 1_000 }
    this.#machine = new Supervision<Spec>(
      { strategy: "one-for-one", intensity, autoShutdown: "never", ...policy },
      children.map(specOf)
    )
  }

  take(event: Event<Spec>): ReadonlyArray<string> {
    const effects = this.#machine.step(event, this.nowMillis)
    for (const effect of effects)
      if (effect._tag === "Delay") this.#delays.set(effect.child.name, effect.starts)
    return effects.map(sentence)
  }

  started(name: string) {
    return this.take({ _tag: "Started", name })
  }
  crashed(name: string) {
    return this.take({ _tag: "Ended", name, abnormal: true, ignored: false, reason: "boom" })
  }
  ended(name: string) {
    return this.take({ _tag: "Ended", name, abnormal: false, ignored: false, reason: "finished" })
  }
  ignored(name: string) {
    return this.take({ _tag: "Ended", name, abnormal: false, ignored: true, reason: "ignored" })
  }
  elapsed(name: string) {
    return this.take({ _tag: "DelayElapsed", name, starts: this.#delays.get(name) ?? -1 })
  }
  exhausted(name: string) {
    return this.take({ _tag: "DelaysExhausted", name, starts: this.#delays.get(name) ?? -1, reason: "boom" })
  }
  /** Tokens count from 1. */
  request(_tag: Request, name: string, options: Partial<Spec> = {}) {
    const token = ++this.#token
    return _tag === "Add" || _tag === "Replace"
      ? this.take({ _tag, child: specOf([name, options]), token })
      : this.take({ _tag, name, token })
  }

  get drawn(): string {
    return this.#machine.children.map(({ spec, status }) => `${spec.name} ${status}`).join(", ")
  }
  /** Of the first child. */
  get starts(): number {
    return this.#machine.children[0]?.starts ?? 0
  }
}

/** A machine whose children all run. */
export const rehearsed = (policy: Partial<Policy>, children: ReadonlyArray<Declared>): Rehearsal => {
  const rehearsal = new Rehearsal(policy, children)
  rehearsal.take({ _tag: "Boot" })
  for (const declared of children) rehearsal.started(specOf(declared).name)
  return rehearsal
}

const sentence = (effect: Effect<Spec>): string => {
  switch (effect._tag) {
    case "Start":
      return `start ${effect.child.name}`
    case "Redeclare":
      return `redeclare ${effect.child.name}`
    case "Delay":
      return `delay ${effect.child.name}`
    case "Stop":
      return `stop ${effect.name}`
    case "Remove":
      return `remove ${effect.name}`
    case "Answer":
      return `answer ${effect.token}: ${answered(effect.answer)}`
    case "BootFailed":
      return `boot failed at ${effect.name}: ${effect.reason}`
    case "GiveUp":
      return `give up, ${effect.name}: ${effect.reason}, ${effect.exhausted}`
    case "Ready":
    case "Shutdown":
      return effect._tag.toLowerCase()
  }
}

const answered = (answer: Answer): string =>
  typeof answer === "string" ? answer : `start failed: ${answer.startFailed}`
