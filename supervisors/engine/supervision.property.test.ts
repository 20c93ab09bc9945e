/** The machine under everything that its children and its clients may do. */
import test from "ava"
import fc from "fast-check"
import type { Restart } from "#protocols/supervision.ts"
import type { Strategy } from "./restart-policy.ts"
import { type ChildPolicy, type Effect, type Event, Supervision } from "./supervision.ts"

test("never do two lives of one child overlap, and nothing is said after it is over", (t) => {
  fc.assert(
    fc.property(declaration, walk, (declared, choices) => {
      const rehearsal = new RandomWalk(declared, { requests: true })
      rehearsal.go(choices)
    }),
    { numRuns: 2_000 }
  )
  t.pass()
})

test("every request is answered exactly once, unless the supervisor ends first", (t) => {
  fc.assert(
    fc.property(declaration, walk, (declared, choices) => {
      const rehearsal = new RandomWalk(declared, { requests: true })
      rehearsal.go(choices)
      rehearsal.comeToRest()
      if (!rehearsal.over) t.is(rehearsal.unanswered, 0)
    }),
    { numRuns: 2_000 }
  )
  t.pass()
})

test("at rest the machine knows who runs, nobody is between two states, and all permanent children run", (t) => {
  fc.assert(
    fc.property(declaration, walk, (declared, choices) => {
      const rehearsal = new RandomWalk(declared, { requests: false })
      rehearsal.go(choices)
      rehearsal.comeToRest()
      if (rehearsal.over) return
      for (const { running, spec, status } of rehearsal.children) {
        t.is(status, running ? "running" : "stopped")
        if (spec.restart === "permanent") t.true(running || rehearsal.ignored.has(spec.name))
      }
    }),
    { numRuns: 2_000 }
  )
  t.pass()
})

test("children that restart together start and stop only while nobody after them runs", (t) => {
  fc.assert(
    fc.property(declaration, walk, (declared, choices) => {
      fc.pre(declared.strategy !== "one-for-one")
      new RandomWalk(declared, { requests: false, ordered: true }).go(choices)
    }),
    { numRuns: 2_000 }
  )
  t.pass()
})

// Fixtures

interface Spec extends ChildPolicy {
  readonly backoff?: string
}

const specOf = (name: string, restart: Restart = "permanent"): Spec => ({ name, restart, significant: false })

interface WalkDeclaration {
  readonly strategy: Exclude<Strategy, "dynamic">
  readonly restarts: number
  readonly children: ReadonlyArray<Spec>
}

const names = ["a", "b", "c", "d"]

const declaration: fc.Arbitrary<WalkDeclaration> = fc.record({
  strategy: fc.constantFrom("one-for-one", "one-for-all", "rest-for-one"),
  restarts: fc.constantFrom(0, 1, 3, 1_000, 1_000),
  children: fc
    .array(
      fc.record({
        restart: fc.constantFrom(
          "permanent" as const,
          "permanent" as const,
          "transient" as const,
          "temporary" as const
        ),
        backoff: fc.boolean()
      }),
      { maxLength: names.length }
    )
    .map((children) =>
      children.map(({ backoff, restart }, index) => ({
        ...specOf(names[index] ?? "", restart),
        ...(backoff && { backoff: "some" })
      }))
    )
})

/** Each number chooses one of the things that may happen next. */
const walk = fc.array(fc.nat({ max: 10_000 }), { maxLength: 80 })

type Request = "Add" | "Replace" | "Terminate" | "Restart" | "Delete"

type Alive = "starting" | "running" | "stopping"

/** Children and clients that do anything they may do, and watch what the machine makes of it. */
class RandomWalk {
  over = false
  readonly ignored = new Set<string>()
  readonly #machine: Supervision<Spec>
  readonly #options: { readonly requests: boolean; readonly ordered?: boolean }
  readonly #alive = new Map<string, Alive>()
  readonly #delays = new Map<string, number>()
  readonly #asked = new Set<number>()
  #tokens = 0
  #ready = false

  constructor(
    { children, restarts, strategy }: WalkDeclaration,
    options: { readonly requests: boolean; readonly ordered?: boolean }
  ) {
    const intensity = { restarts, withinMillis: 1_000 }
    this.#machine = new Supervision<Spec>({ strategy, intensity, autoShutdown: "never" }, children)
    this.#options = options
    this.#step({ _tag: "Boot" })
  }

  get unanswered(): number {
    return this.#asked.size
  }

  get children() {
    return this.#machine.children.map((child) => ({
      ...child,
      running: this.#alive.get(child.spec.name) === "running"
    }))
  }

  go(choices: ReadonlyArray<number>): void {
    for (const choice of choices) {
      const moves = this.#moves()
      if (moves.length > 0) moves[choice % moves.length]?.()
    }
  }

  /** All that is under way goes well. */
  comeToRest(): void {
    for (let left = 1_000; !this.over; left--) {
      if (left === 0) throw new Error("it does not come to rest")
      const [name, alive] = [...this.#alive].find(([, status]) => status !== "running") ?? []
      const [delayed] = this.#delays.keys()
      if (name !== undefined) alive === "starting" ? this.#start(name) : this.#end(name, false)
      else if (delayed !== undefined) this.#elapse(delayed)
      else return
    }
  }

  #moves(): ReadonlyArray<() => void> {
    const own = [...this.#alive].flatMap(([name, status]) => {
      if (status === "stopping") return [() => this.#end(name, false)]
      if (status === "running") return [() => this.#end(name, true), () => this.#end(name, false)]
      return [
        ...[() => this.#start(name), () => this.#start(name), () => this.#end(name, true)],
        () => this.#ignore(name)
      ]
    })
    const delays = [...this.#delays.keys()].map((name) => () => this.#elapse(name))
    if (!this.#options.requests) return [...own, ...delays]
    const asks = [...names, "e"].flatMap((name) =>
      (["Add", "Replace", "Terminate", "Restart", "Delete"] as const).map(
        (kind) => () => this.#ask(kind, name)
      )
    )
    // Children do more than clients ask.
    return [...own, ...own, ...own, ...own, ...delays, ...asks]
  }

  #start(name: string): void {
    this.#alive.set(name, "running")
    this.#step({ _tag: "Started", name })
  }

  #end(name: string, abnormal: boolean): void {
    this.#alive.delete(name)
    this.#step({ _tag: "Ended", name, abnormal, ignored: false, reason: "boom" })
  }

  #ignore(name: string): void {
    this.#alive.delete(name)
    this.ignored.add(name)
    this.#step({ _tag: "Ended", name, abnormal: false, ignored: true, reason: "ignored" })
  }

  #elapse(name: string): void {
    const starts = this.#delays.get(name) ?? 0
    this.#delays.delete(name)
    this.#step({ _tag: "DelayElapsed", name, starts })
  }

  #ask(_tag: Request, name: string): void {
    const token = ++this.#tokens
    this.#asked.add(token)
    this.#step(
      _tag === "Add" || _tag === "Replace" ? { _tag, child: specOf(name), token } : { _tag, name, token }
    )
  }

  #step(event: Event<Spec>): void {
    const effects = this.#machine.step(event, 0)
    if (this.over && effects.length > 0) throw new Error(`said after it was over: ${JSON.stringify(effects)}`)
    for (const effect of effects) this.#take(effect)
  }

  #take(effect: Effect<Spec>): void {
    const must = (truth: boolean, what: string) => {
      if (!truth) throw new Error(`${JSON.stringify(effect)}: ${what}`)
    }
    must(!this.over, "it is over")
    switch (effect._tag) {
      case "Start":
        must(!this.#alive.has(effect.child.name), "it has a life already")
        if (this.#options.ordered) must(!this.#anyAliveAfter(effect.child.name), "somebody after it runs")
        this.#alive.set(effect.child.name, "starting")
        return
      case "Stop": {
        const status = this.#alive.get(effect.name)
        must(status === "running" || status === "starting", "it cannot stop")
        if (this.#options.ordered) must(!this.#anyAliveAfter(effect.name), "somebody after it runs")
        this.#alive.set(effect.name, "stopping")
        return
      }
      case "Redeclare":
        return must(!this.#alive.has(effect.child.name), "its old life has not ended")
      case "Remove":
        this.#delays.delete(effect.name)
        return must(!this.#alive.has(effect.name), "its life has not ended")
      case "Delay":
        must(!this.#alive.has(effect.child.name), "it runs")
        this.#delays.set(effect.child.name, effect.starts)
        return
      case "Answer":
        return must(this.#asked.delete(effect.token), "nobody waits for it")
      case "Ready":
        must(!this.#ready, "it was ready before")
        this.#ready = true
        return
      case "BootFailed":
        must(!this.#ready, "it was ready before")
        this.over = true
        return
      case "GiveUp":
      case "Shutdown":
        this.over = true
    }
  }

  #anyAliveAfter(name: string): boolean {
    const order = this.#machine.children.map(({ spec }) => spec.name)
    return order.slice(order.indexOf(name) + 1).some((later) => this.#alive.has(later))
  }
}
