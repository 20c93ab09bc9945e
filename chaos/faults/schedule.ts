/**
 * When what goes wrong: a list of steps, and the player that goes through them.
 *
 *   wait ──► until ──► strike ──► wait ──► ...          what struck for a time ends by itself,
 *                        │                              everything else when the schedule has ended
 *                        └── in force ──► ended
 *
 * The player looks at what was seen of the cluster, and calls nobody in it. So a run of the simulator that is played
 * again from the actions that it wrote down is the same run, and one that leaves some of them out differs in nothing
 * else.
 */
import { Clock, Effect, Schema } from "effect"
import type { NodeName } from "#chaos/lab/world.ts"
import type { Prng } from "#chaos/sim/prng.ts"
import { Action, type ActionTag, describeAction } from "./action.ts"
import { type Fault, targets } from "./fault.ts"

export type Step =
  | { readonly _tag: "Wait"; readonly millis: number; readonly millisMax: number }
  | {
      readonly _tag: "Until"
      readonly what: string
      /** Now, and when the step began. */
      readonly holds: (now: View, before: View) => boolean
      readonly atMostMillis: number
    }
  | { readonly _tag: "Strike"; readonly fault: Fault; readonly forMillis: number | undefined }
  | { readonly _tag: "EndAll" }
  | { readonly _tag: "Repeat"; readonly times: number; readonly steps: ReadonlyArray<Step> }
  | { readonly _tag: "Draw"; readonly among: ReadonlyArray<Step> }

/** What whoever plays a schedule knows of the run. */
export interface View {
  readonly leader: NodeName | undefined
  /** Writes that clients have got acknowledged so far. */
  readonly acknowledged: number
  /** Those that have run, and did not answer when they were asked last. */
  readonly down: ReadonlyArray<NodeName>
}

/** Or anything from `millis` to `millisMax`, as the seed has it. */
export const wait = (millis: number, millisMax = millis): Step => ({ _tag: "Wait", millis, millisMax })
export const strike = (fault: Fault): Step => ({ _tag: "Strike", fault, forMillis: undefined })
export const strikeFor = (forMillis: number, fault: Fault): Step => ({ _tag: "Strike", fault, forMillis })
export const endAll: Step = { _tag: "EndAll" }
export const repeat = (times: number, ...steps: ReadonlyArray<Step>): Step => ({
  _tag: "Repeat",
  times,
  steps
})
/** One of them that the world can do, as the seed has it. */
export const draw = (...among: ReadonlyArray<Step>): Step => ({ _tag: "Draw", among })
export const until = (
  what: string,
  holds: (now: View, before: View) => boolean,
  atMostMillis: number
): Step => ({
  _tag: "Until",
  what,
  holds,
  atMostMillis
})

export const somebodyLeads = until("somebody leads", ({ leader }) => leader !== undefined, 10_000)

/** A machine under load takes its time to start a node. */
export const everybodyIsUp = until("everybody is up", ({ down }) => down.length === 0, 60_000)

export const nextCommit = until(
  "a write is acknowledged",
  (now, before) => now.acknowledged > before.acknowledged,
  10_000
)

/**
 * Why a world cannot go through these steps: the first reason that it gives, if there is one. Of those that are drawn
 * among, only those that it can do are drawn, so one is enough.
 */
export const whyImpossible = (steps: ReadonlyArray<Step>, cannot: Cannot): string | undefined => {
  for (const step of steps) {
    const reason = whyNotOne(step, cannot)
    if (reason !== undefined) return reason
  }
  return undefined
}

/** Why a world cannot do an action; undefined if it can. */
export type Cannot = (action: ActionTag) => string | undefined

const whyNotOne = (step: Step, cannot: Cannot): string | undefined => {
  switch (step._tag) {
    case "Strike":
      return step.fault.needs.map(cannot).find((reason) => reason !== undefined)
    case "Repeat":
      return whyImpossible(step.steps, cannot)
    case "Draw": {
      const reasons = step.among.map((one) => whyNotOne(one, cannot))
      return reasons.includes(undefined) ? undefined : reasons[0]
    }
    default:
      return undefined
  }
}

/** An action with its time, as a report has it and a replay plays it. */
export class Timed extends Schema.Class<Timed>("Timed")({
  atMillis: Schema.Number,
  action: Action,
  fault: Schema.String,
  ends: Schema.Boolean
}) {}

export interface Stage<E> {
  readonly nodes: ReadonlyArray<NodeName>
  readonly prng: Prng
  /** Times of a schedule are multiplied with it. */
  readonly slowness: number
  readonly view: () => View
  readonly cannot: Cannot
  readonly act: (timed: Timed) => Effect.Effect<void, E>
  /** What the schedule waited for in vain, and whom it did not find: the run is not the one that was meant. */
  readonly problem: (what: string) => void
}

interface InForce {
  readonly fault: Fault
  readonly victims: ReadonlyArray<NodeName>
  readonly others: ReadonlyArray<NodeName>
  readonly endsMillis: number
}

const lookMillis = 20

export class Player<E> {
  readonly #stage: Stage<E>
  readonly #beganMillis: number
  #inForce: Array<InForce> = []

  private constructor(stage: Stage<E>, beganMillis: number) {
    this.#stage = stage
    this.#beganMillis = beganMillis
  }

  static make<E>(stage: Stage<E>): Effect.Effect<Player<E>> {
    return Effect.map(Clock.currentTimeMillis, (now) => new Player(stage, now))
  }

  /** Names of the faults that are in force, for people. */
  get inForce(): ReadonlyArray<string> {
    return this.#inForce.map(({ fault, victims }) => `${fault.name} (${victims.join(", ")})`)
  }

  /** To the end of the steps; everything that is still in force then ends. */
  play(steps: ReadonlyArray<Step>): Effect.Effect<void, E> {
    return Effect.andThen(
      this.#steps(steps),
      this.#endThose(() => true)
    )
  }

  /** What was written down of another run, each action at its time. */
  playBack(actions: ReadonlyArray<Timed>): Effect.Effect<void, E> {
    return Effect.forEach(
      actions,
      (timed) =>
        Effect.gen(this, function* () {
          const now = yield* this.#now
          if (timed.atMillis > now) yield* Effect.sleep(timed.atMillis - now)
          yield* this.#stage.act(timed)
        }),
      { discard: true }
    )
  }

  get #now(): Effect.Effect<number> {
    return Effect.map(Clock.currentTimeMillis, (millis) => millis - this.#beganMillis)
  }

  #steps(steps: ReadonlyArray<Step>): Effect.Effect<void, E> {
    return Effect.forEach(steps, (step) => this.#step(step), { discard: true })
  }

  #step(step: Step): Effect.Effect<void, E> {
    const { prng, slowness } = this.#stage
    switch (step._tag) {
      case "Wait":
        return this.#wait((step.millis + prng.next() * (step.millisMax - step.millis)) * slowness)
      case "Until":
        return Effect.suspend(() => {
          const before = this.#stage.view()
          const holds = () => step.holds(this.#stage.view(), before)
          return Effect.map(this.#wait(step.atMostMillis * slowness, holds), () => {
            if (!holds())
              this.#stage.problem(`for ${step.atMostMillis * slowness} ms it was not so that ${step.what}`)
          })
        })
      case "Strike":
        return this.#strike(step.fault, step.forMillis)
      case "EndAll":
        return this.#endThose(() => true)
      case "Repeat":
        return Effect.forEach(Array.from({ length: step.times }), () => this.#steps(step.steps), {
          discard: true
        })
      case "Draw":
        return Effect.suspend(() => {
          const possible = step.among.filter((one) => whyNotOne(one, this.#stage.cannot) === undefined)
          const drawn = possible[prng.below(possible.length)]
          return drawn === undefined ? Effect.void : this.#step(drawn)
        })
    }
  }

  /** Meanwhile what is to end ends. Looks are taken only where there is something to look for. */
  #wait(millis: number, isEnough?: () => boolean): Effect.Effect<void, E> {
    return Effect.gen(this, function* () {
      const untilMillis = (yield* this.#now) + millis
      while (true) {
        const now = yield* this.#now
        yield* this.#endThose(({ endsMillis }) => endsMillis <= now)
        if (now >= untilMillis || isEnough?.() === true) return
        const looksMillis = isEnough === undefined ? Number.POSITIVE_INFINITY : lookMillis
        const endsMillis = this.#inForce.map((one) => one.endsMillis - now)
        yield* Effect.sleep(Math.max(1, Math.min(looksMillis, untilMillis - now, ...endsMillis)))
      }
    })
  }

  #strike(fault: Fault, forMillis: number | undefined): Effect.Effect<void, E> {
    return Effect.gen(this, function* () {
      const { nodes, prng, slowness, view } = this.#stage
      const { leader } = view()
      const victims = targets(fault.target, nodes, leader, prng)
      const whom = typeof fault.target === "string" ? fault.target : "among those it is for"
      if (victims.length === 0 || (fault.target === "the leader" && leader === undefined))
        this.#stage.problem(`${fault.name}: nobody was ${whom}`)
      const others = nodes.filter((node) => !victims.includes(node))
      const now = yield* this.#now
      const endsMillis = forMillis === undefined ? Number.POSITIVE_INFINITY : now + forMillis * slowness
      this.#inForce.push({ fault, victims, others, endsMillis })
      yield* this.#act(fault.begin(victims, others, prng), fault.name, false)
    })
  }

  #endThose(which: (inForce: InForce) => boolean): Effect.Effect<void, E> {
    return Effect.suspend(() => {
      const ending = this.#inForce.filter(which)
      this.#inForce = this.#inForce.filter((one) => !ending.includes(one))
      return Effect.forEach(
        ending,
        ({ fault, others, victims }) => this.#act(fault.end(victims, others), fault.name, true),
        { discard: true }
      )
    }).pipe(
      // Or what had ended only in name would be in force for good.
      Effect.uninterruptible
    )
  }

  #act(actions: ReadonlyArray<Action>, fault: string, ends: boolean): Effect.Effect<void, E> {
    // Whoever runs out of time leaves nothing half done.
    return Effect.forEach(
      actions,
      (action) =>
        Effect.flatMap(this.#now, (atMillis) =>
          this.#stage.act(new Timed({ atMillis, action, fault, ends }))
        ),
      { discard: true }
    ).pipe(Effect.uninterruptible)
  }
}

/** A line of a timeline. */
export const describeTimed = ({ action, atMillis }: Timed): string =>
  `${(atMillis / 1000).toFixed(3).padStart(9)} s  ${describeAction(action)}`
