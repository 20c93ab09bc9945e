/**
 * A troupe: one supervision tree on the simulator's stage, whose workers do as they are told.
 *
 * Tests direct it like a script, without effects of their own: `crash("a")`, `wait(1_000)`, and then
 * `seen()`, which says what has started and ended since the last time it was asked. The supervisor at
 * the top is at `/sim/top`; all paths here are below it, and "" is the top itself.
 */
import { Cause, Effect, Exit, Logger, Option, Schema, Scope } from "effect"
import * as Actor from "#actors/kernel/actor.ts"
import { type Answered, askWith, type Failure, type Request, type Success } from "#actors/kernel/ask.ts"
import type { ChildSpec } from "#actors/kernel/ports/supervision.ts"
import { type ActorRef, describeCause, type Ended } from "#actors/kernel/ref.ts"
import * as System from "#actors/kernel/system.ts"
import type { DeliveryFault } from "#protocols/delivery.ts"
import { ActorEnded, ActorStarted, NoSuchActor, SupervisorEscalated } from "#protocols/runtime.ts"
import { WhichChildren } from "#protocols/supervision.ts"
import type { SupervisorActor, SupervisorMessage } from "#supervisors/engine/supervisor.ts"
import { child } from "#supervisors/engine/tree.ts"
import { SimWorld } from "../sim/world.ts"

class Finish extends Schema.TaggedClass<Finish>()("Finish", {}) {}
class Leave extends Schema.TaggedClass<Leave>()("Leave", {}) {}

/** Which life a worker is in. */
export class GetLife extends Schema.TaggedRequest<GetLife>()("GetLife", {
  payload: {},
  success: Schema.Int,
  failure: Schema.Never
}) {}

/** What a worker does beyond nothing: an Effect takes its time, and may fail. */
export interface Part {
  /** `life` counts from 1. */
  readonly init?: (life: number) => Effect.Effect<unknown, unknown> | Actor.Ignore | undefined
  readonly stop?: () => Effect.Effect<void> | undefined
}

export const Worker = Actor.make("worker", {
  messages: [Finish, Leave, GetLife],
  init: ({ incarnation }, part: Part | undefined) => {
    const state = { part: part ?? {} }
    const begun = part?.init?.(incarnation)
    if (begun === Actor.ignore) return Actor.ignore
    return begun === undefined ? state : Effect.as(begun, state)
  },
  handlers: {
    Finish: (state, _message, context) => {
      context.stop("finished")
      return state
    },
    Leave: (state, _message, context) => {
      context.stop("shutdown")
      return state
    },
    GetLife: (state, _request, { incarnation }) => Actor.reply(state, incarnation)
  },
  onStop: ({ part }) => part.stop?.()
})

export const worker = (
  name: string,
  { init, stop, ...options }: Partial<Omit<ChildSpec, "name" | "actor" | "args">> & Part = {}
): ChildSpec => child(Worker, { ...options, name, args: { ...(init && { init }), ...(stop && { stop }) } })

class Dismiss extends Schema.TaggedClass<Dismiss>()("Dismiss", {}) {}

const Above = Actor.make("above", {
  messages: [Dismiss],
  init: () => null,
  handlers: {
    Dismiss: (state, _message, context) => {
      context.stopChild("top")
      return state
    }
  }
})

/** A request on its way, or what came back. */
export class Reply<Asked extends Request> {
  exit: Answered<Asked> | undefined

  get pending(): boolean {
    return this.exit === undefined
  }
  get value(): Success<Asked> | undefined {
    return this.exit && Exit.getOrElse(this.exit, () => undefined)
  }
  get fault(): Failure<Asked> | DeliveryFault | undefined {
    const cause = this.exit && Exit.causeOption(this.exit)
    return cause && Option.getOrUndefined(Option.flatMap(cause, Cause.failureOption))
  }
}

export class Troupe {
  readonly system: System.ActorSystem<Dismiss>
  readonly top: ActorRef<SupervisorMessage>
  /** How the top has ended, once it has. */
  ended: Ended | undefined
  readonly #world: SimWorld
  readonly #started = new Set<string>()
  #seen: Array<string> = []
  #seenAt: Array<string> = []

  constructor(tree: SupervisorActor<never>, seed = 1) {
    this.#world = new SimWorld(seed)
    const scope = Effect.runSync(Scope.make())
    const quiet = Logger.remove(Logger.defaultLogger)
    this.system = this.#world.run(System.make("sim", Above).pipe(Scope.extend(scope), Effect.provide(quiet)))
    this.system.events.subscribe((event) => this.#see(event))
    this.top = this.system.spawn(tree, { name: "top", shutdown: "1 hour" })
    this.top.addWatcher({
      notice: (ended) => {
        this.ended = ended
      }
    })
    this.#world.settle()
  }

  // Seeing

  /** What happened since the last time. */
  seen(): ReadonlyArray<string> {
    const seen = this.#seen
    this.#seen = []
    this.#seenAt = []
    return seen
  }

  /** The same, each with the milliseconds since the beginning. */
  seenAt(): ReadonlyArray<string> {
    const seenAt = this.#seenAt
    this.seen()
    return seenAt
  }

  get nowMillis(): number {
    return this.#world.nowMillis
  }

  /** Why the top ended, in its own words. */
  get lastWords(): string {
    return this.ended === undefined ? "" : describeCause(this.ended.cause)
  }

  /** What a supervisor says of its children. */
  children(of: ActorRef<SupervisorMessage> = this.top): string {
    const said = this.ask(new WhichChildren({}), of).value ?? []
    return said.map(({ name, status }) => `${name} ${status}`).join(", ")
  }

  /** Who runs, and in which life. */
  lives(path = ""): string {
    const found = this.system.snapshot(outside(path))
    if (found instanceof NoSuchActor) return ""
    return found.children
      .filter(({ status }) => status === "running")
      .map(({ incarnation, name }) => `${name} ${incarnation}`)
      .join(", ")
  }

  // Directing

  crash(path: string, reason = "boom"): void {
    this.system.inject(outside(path), Cause.die(new Error(reason)))
    this.#world.settle()
  }

  kill(path: string): void {
    this.system.kill(outside(path))
    this.#world.settle()
  }

  /** A worker ends by itself, its work done. */
  finish(path: string): void {
    this.system.lookup(outside(path), Worker)?.tell(new Finish())
    this.#world.settle()
  }

  /** A worker ends by itself with the reason "shutdown". */
  leave(path: string): void {
    this.system.lookup(outside(path), Worker)?.tell(new Leave())
    this.#world.settle()
  }

  /** The top is stopped from above. */
  stop(): void {
    this.system.root.tell(new Dismiss())
    this.#world.settle()
  }

  wait(millis: number): void {
    this.#world.run(Effect.sleep(millis))
    this.#world.settle()
  }

  ask<Asked extends Request>(request: Asked, of: ActorRef<Asked>): Reply<Asked> {
    const reply = new Reply<Asked>()
    askWith(of, request, "1 hour", (exit) => {
      reply.exit = exit
    })
    this.#world.settle()
    return reply
  }

  /** Asks the supervisor at the top. */
  request<Asked extends Extract<SupervisorMessage, Request>>(request: Asked): Reply<Asked> {
    return this.ask(request, this.top)
  }

  #see(event: unknown): void {
    if (event instanceof ActorStarted) {
      this.#started.add(event.path)
      this.#note(`start ${inside(event.path)}`)
    } else if (event instanceof ActorEnded) {
      const started = this.#started.delete(event.path)
      this.#note(`${started ? "end" : "no start"} ${inside(event.path)} ${event.reason}`)
    } else if (event instanceof SupervisorEscalated) this.#note(`give up ${inside(event.path)}`)
  }

  #note(line: string): void {
    this.#seen.push(line)
    this.#seenAt.push(`${this.nowMillis} ${line}`)
  }
}

const topPath = "/sim/top"

const outside = (path: string): string => (path === "" ? topPath : `${topPath}/${path}`)
const inside = (path: string): string => (path === topPath ? "top" : path.slice(topPath.length + 1))
