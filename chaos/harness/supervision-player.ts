/**
 * Plays a scenario of the OTP oracle on our own supervisors, in the simulator, and writes down the same
 * kind of trace: what ended and started, what was answered, how the tree looks once it has settled.
 *
 * The supervisors are the production ones. Around the `init` of each actor is a plan, which says which of
 * its starts fail and which are ignored; everything else is seen from outside, in the runtime's events and
 * in its snapshot of the tree.
 */
import { Cause, Effect, Either } from "effect"
import * as Actor from "#actors/kernel/actor.ts"
import { ask } from "#actors/kernel/ask.ts"
import type { InitContext } from "#actors/kernel/context.ts"
import type { ChildSpec } from "#actors/kernel/ports/supervision.ts"
import type { ActorRef } from "#actors/kernel/ref.ts"
import * as System from "#actors/kernel/system.ts"
import type { DeliveryFault } from "#protocols/delivery.ts"
import { ActorEnded, type ActorSnapshot, ActorStarted, NoSuchActor } from "#protocols/runtime.ts"
import {
  DeleteChild,
  RestartChild,
  StartDynamicChild,
  type SupervisionFault,
  TerminateChild,
  WhichChildren
} from "#protocols/supervision.ts"
import { dynamic, make, StartChild, type SupervisorMessage } from "#supervisors/engine/supervisor.ts"
import { child } from "#supervisors/engine/tree.ts"
import { SimWorld } from "../sim/world.ts"
import type {
  OracleAction,
  OracleChild,
  OracleEvent,
  OracleNode,
  OraclePath,
  OracleSupervisor,
  Step,
  Trace
} from "./otp-oracle.ts"
import type { TimedScenario, Wait } from "./supervision-scenarios.ts"

/** One action after the other, each once the tree has settled. */
export const play = ({ actions, root }: TimedScenario, seed: number): Trace =>
  onStage(
    root,
    (stage) =>
      Effect.gen(function* () {
        const steps: Array<Step> = [yield* stage.step(null)]
        for (const action of actions) steps.push(yield* stage.step(yield* stage.perform(action)))
        return steps
      }),
    new SimWorld(seed),
    noPause
  )

export interface Storm {
  readonly answers: ReadonlyArray<string | null>
  readonly tree: ReadonlyArray<OracleNode>
  readonly rootEnding: string | null
  /** What must not be, whatever happens. */
  readonly violations: ReadonlyArray<string>
}

/** All actions within a few milliseconds, on actors that take their time to start and to stop. */
export const playAtOnce = ({ actions, root }: TimedScenario, seed: number): Storm => {
  const world = new SimWorld(seed)
  const pause = () => world.prng.below(6)
  return onStage(
    root,
    (stage) =>
      Effect.gen(function* () {
        yield* Effect.sleep("1 minute")
        const answers = yield* Effect.forEach(
          actions,
          (action) => Effect.suspend(() => Effect.delay(stage.perform(action), world.prng.below(12))),
          { concurrency: "unbounded" }
        )
        yield* Effect.sleep("1 minute")
        const { rootEnding, tree } = yield* stage.step(null)
        return { answers, tree, rootEnding, violations: yield* Effect.suspend(() => stage.violations) }
      }),
    world,
    pause
  )
}

const onStage = <A>(
  root: OracleSupervisor,
  played: (stage: Stage) => Effect.Effect<A>,
  world: SimWorld,
  pause: () => number
): A =>
  world.run(
    Effect.gen(function* () {
      const system = yield* System.make("sim", Above)
      const stage = new Stage(system, pause)
      system.spawn(stage.supervisor("root", root), { name: "root", args: plain })
      return yield* played(stage)
    }).pipe(Effect.scoped)
  )

const noPause = () => 0

/** What an actor's `init` is told to do, by the number of its start. */
interface Plan {
  readonly failures: ReadonlyArray<number>
  readonly ignores: ReadonlyArray<number>
}

const plain: Plan = { failures: [], ignores: [] }

const planOf = ({ ignoreStarts, initFailures }: OracleChild): Plan => ({
  failures: initFailures,
  ignores: ignoreStarts ?? []
})

/** Holds the scenario's root, so that its first start can be listened to. */
const Above = Actor.make("above", { messages: [], init: () => ({}), handlers: {} })

type SupervisorContext = InitContext<SupervisorMessage, unknown>

class Stage {
  readonly #system: System.ActorSystem
  /** Of the current life at each path. */
  readonly #contexts = new Map<string, SupervisorContext>()
  readonly #attempts = new Map<string, number>()
  readonly #running = new Set<string>()
  /** Paths at which a life has begun and not ended. */
  readonly #living = new Set<string>()
  readonly #violations: Array<string> = []
  readonly #pause: () => number
  #events: Array<OracleEvent> = []
  #rootEnding: string | null = null

  /** Actors pause for so many milliseconds before they have started, and before they have stopped. */
  constructor(system: System.ActorSystem, pause: () => number) {
    this.#system = system
    this.#pause = pause
    system.events.subscribe(
      (event) => {
        if (event instanceof ActorStarted) this.#started(event)
        else if (event instanceof ActorEnded) this.#ended(event)
      },
      ["ActorStarted", "ActorEnded"]
    )
  }

  // Declaring

  supervisor(name: string, spec: OracleSupervisor): Actor.Actor<SupervisorMessage, Plan> {
    const { autoShutdown, children, strategy } = spec
    const intensity = { restarts: spec.intensity.restarts, within: spec.intensity.withinMillis }
    if (strategy !== "dynamic") {
      const declared = children.map((each) => this.#child(each))
      return this.#planned(make(name, { strategy, intensity, autoShutdown, children: declared }))
    }
    const [template] = children
    if (template === undefined) throw new Error(`the dynamic supervisor ${name} has no template`)
    const { restart, shutdown } = this.#child(template)
    return this.#planned(dynamic(name, { child: this.#actorOf(template), restart, shutdown, intensity }))
  }

  #child(spec: OracleChild): ChildSpec {
    const { name, restart, shutdown, significant = false } = spec
    return child(this.#actorOf(spec), {
      name,
      restart,
      significant,
      shutdown: shutdown === "brutal" ? "kill" : shutdown,
      args: planOf(spec)
    })
  }

  #actorOf({ name, supervisor }: OracleChild): Actor.Actor<SupervisorMessage, Plan> {
    return supervisor === undefined ? this.#planned(Worker) : this.supervisor(name, supervisor)
  }

  #planned({ definition, name }: Actor.AnyActor): Actor.Actor<SupervisorMessage, Plan> {
    const init = (context: unknown, plan: unknown) => {
      const begin = () =>
        this.#enter(context as SupervisorContext, plan as Plan) ?? definition.init(context, undefined)
      return paused(this.#pause(), begin)
    }
    const onStop = () => paused(this.#pause(), () => {})
    return { name, definition: { ...definition, init, onStop } }
  }

  #enter(context: SupervisorContext, { failures, ignores }: Plan): Actor.Ignore | undefined {
    const { path } = context
    if (this.#living.has(path)) this.#violations.push(`two lives at ${path}`)
    this.#living.add(path)
    const attempt = (this.#attempts.get(path) ?? 0) + 1
    this.#attempts.set(path, attempt)
    if (failures.includes(attempt)) throw new Error("planned")
    if (ignores.includes(attempt)) return Actor.ignore
    this.#contexts.set(path, context)
    return undefined
  }

  // Watching

  #started({ path }: ActorStarted): void {
    this.#running.add(path)
    this.#note({ event: "start", path: inside(path), attempt: this.#attempts.get(path) ?? 0, outcome: "ok" })
  }

  #ended({ path, reason }: ActorEnded): void {
    const started = this.#running.delete(path)
    this.#living.delete(path)
    const attempt = this.#attempts.get(path) ?? 0
    if (started) this.#note({ event: "exit", path: inside(path), reason: reasons[reason] ?? reason })
    else {
      const outcome = reason === "ignored" ? "ignored" : "failed"
      this.#note({ event: "start", path: inside(path), attempt, outcome })
    }
    if (path === rootPath) this.#rootEnding = started ? (reasons[reason] ?? reason) : "failed"
  }

  #note(event: OracleEvent): void {
    this.#events.push(event)
  }

  /** What was seen since the last step, once nothing moves any more. */
  step(answer: string | null): Effect.Effect<Step> {
    return Effect.map(Effect.sleep(1), () => {
      const events = this.#events
      this.#events = []
      const root = this.#system.snapshot(rootPath)
      const tree = root instanceof NoSuchActor ? [] : root.children.map(nodeOf)
      return { events, answer, tree, rootEnding: this.#rootEnding }
    })
  }

  /** At rest: what the supervisors say of their children, held against what is there. */
  get violations(): Effect.Effect<ReadonlyArray<string>> {
    const root = this.#system.snapshot(rootPath)
    const below = root instanceof NoSuchActor ? [] : [root]
    const there = 1 + sum(below.map(sizeOf))
    if (this.#system.actors !== there)
      this.#violations.push(`${this.#system.actors} actors are counted, and ${there} are there`)
    return Effect.as(
      Effect.forEach(below, (actor) => this.#audit(actor)),
      this.#violations
    )
  }

  #audit({ children, kind, path, status }: ActorSnapshot): Effect.Effect<void> {
    if (status !== "running" && status !== "down") this.#violations.push(`${path} is still ${status}`)
    const supervisor = this.#contexts.get(path)?.self
    if (status !== "running" || kind === Worker.name || supervisor === undefined) return Effect.void
    const there = children.map(
      (child) => `${child.name} ${child.status === "down" ? "stopped" : child.status}`
    )
    const listing = Effect.map(Effect.either(ask(supervisor, new WhichChildren({}), patience)), (answer) => {
      const said = Either.getOrElse(answer, () => []).map((child) => `${child.name} ${child.status}`)
      if (said.join() !== there.join())
        this.#violations.push(`${path} says it has [${said.join()}], and it has [${there.join()}]`)
    })
    return Effect.zipRight(
      listing,
      Effect.forEach(children, (child) => this.#audit(child), { discard: true })
    )
  }

  // Acting

  perform(action: OracleAction | Wait): Effect.Effect<string | null> {
    switch (action.kind) {
      case "wait":
        return Effect.as(Effect.sleep(action.millis), null)
      case "exit":
        return Effect.sync(() => this.#exit(action.path, action.reason))
      case "start-child": {
        const { child } = action
        return this.#manage(action.path, (supervisor, isDynamic) =>
          isDynamic
            ? ask(supervisor, new StartDynamicChild({ name: child.name, args: planOf(child) }), patience)
            : ask(supervisor, new StartChild({ child: this.#child(child) }), patience)
        )
      }
      default: {
        const name = action.path.at(-1) ?? ""
        const Request = requests[action.kind]
        return this.#manage(action.path.slice(0, -1), (supervisor) =>
          ask(supervisor, new Request({ name }), patience)
        )
      }
    }
  }

  #exit(names: OraclePath, reason: (OracleAction & { readonly kind: "exit" })["reason"]): string | null {
    const path = outside(names)
    if (!this.#running.has(path)) return "noproc"
    if (reason === "kill") this.#system.kill(path)
    else if (reason === "crash") this.#system.inject(path, Cause.die(new Error("crash")))
    else this.#contexts.get(path)?.stop(reason === "normal" ? "finished" : "shutdown")
    return null
  }

  #manage(
    names: OraclePath,
    request: (
      supervisor: ActorRef<SupervisorMessage>,
      isDynamic: boolean
    ) => Effect.Effect<unknown, SupervisionFault | DeliveryFault>
  ): Effect.Effect<string> {
    const path = outside(names)
    const found = this.#system.snapshot(path, 0)
    const supervisor = this.#contexts.get(path)?.self
    if (found instanceof NoSuchActor || found.kind === Worker.name || supervisor === undefined)
      return Effect.succeed("noproc")
    if (found.status !== "running") return Effect.succeed("noproc")
    return Effect.match(request(supervisor, found.kind === "dynamic"), {
      onFailure: ({ _tag }) => answers[_tag] ?? _tag,
      onSuccess: (runs) => (runs === false ? "ignored" : "ok")
    })
  }
}

const Worker = Actor.make("worker", { messages: [], init: () => ({}), handlers: {} })

const paused = <A>(millis: number, then: () => A): A | Effect.Effect<A> =>
  millis === 0 ? then() : Effect.map(Effect.sleep(millis), then)

const sizeOf = ({ children }: ActorSnapshot): number => 1 + sum(children.map(sizeOf))

const sum = (numbers: ReadonlyArray<number>): number => numbers.reduce((total, number) => total + number, 0)

const requests = {
  "terminate-child": TerminateChild,
  "restart-child": RestartChild,
  "delete-child": DeleteChild
} as const

const patience = "1 hour"

// Their words

const reasons: { readonly [reason: string]: string } = { finished: "normal", crashed: "crash" }

const answers: { readonly [tag: string]: string } = {
  ChildNotFound: "not_found",
  ChildRunning: "running",
  ChildRestarting: "restarting",
  ChildPresent: "already_present",
  DynamicChildren: "simple_one_for_one",
  UnfitChild: "unfit",
  ChildStartFailed: "failed"
}

const rootPath = "/sim/root"

const outside = (names: OraclePath): string => [rootPath, ...names].join("/")

const inside = (path: string): OraclePath =>
  path
    .slice(rootPath.length + 1)
    .split("/")
    .filter((name) => name !== "")

const nodeOf = ({ children, kind, name, status }: ActorSnapshot): OracleNode => {
  if (status !== "running") return { name, state: "undefined" }
  return kind === Worker.name
    ? { name, state: "running" }
    : { name, state: "running", children: children.map(nodeOf) }
}
