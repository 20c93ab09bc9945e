/**
 * The supervisor: an actor around the supervision machine.
 *
 * It turns signals of its children and requests of clients into the machine's events, and does what the
 * machine says: start, stop, answer, wait, give up. What to do is decided in supervision.ts; the kernel
 * knows how a life begins and ends. A supervisor that gives up ends with reason "shutdown", as in OTP:
 * to the supervisor above it is one more child that ended.
 */
import { Cause, Effect, Exit, Layer, ScheduleDecision, ScheduleIntervals, Schema } from "effect"
import * as Actor from "#actors/kernel/actor.ts"
import type { InitContext, ReplyTo, SpawnOptions } from "#actors/kernel/context.ts"
import {
  type ChildSpec,
  type DynamicSpec,
  Supervision as SupervisionPort,
  type SupervisorSpec
} from "#actors/kernel/ports/supervision.ts"
import { describeCause, isAbnormal } from "#actors/kernel/ref.ts"
import { SupervisorEscalated } from "#protocols/runtime.ts"
import {
  BackoffExhausted,
  type ChildInfo,
  ChildNotFound,
  ChildPresent,
  ChildRestarting,
  ChildRunning,
  ChildStartFailed,
  type Decision,
  DeleteChild,
  DynamicChildren,
  ExplainChild,
  RestartChild,
  RestartLimitReached,
  StartDynamicChild,
  SupervisionFault,
  TerminateChild,
  UnfitChild,
  WhichChildren
} from "#protocols/supervision.ts"
import { affected } from "./restart-policy.ts"
import * as Machine from "./supervision.ts"
import { type Declared, dynamicTreeOf, misfit, type Tree, treeOf } from "./tree.ts"

const isChildSpec = (value: unknown): value is ChildSpec<unknown> =>
  typeof value === "object" && value !== null && "actor" in value && "restart" in value

/** A child's declaration is code, so these two are sent within one process only. */
const declared = { child: Schema.declare(isChildSpec, { identifier: "ChildSpec" }) }

/** Adds a child at the end of the start order. Succeeds with whether it runs now. */
export class StartChild extends Schema.TaggedRequest<StartChild>()("StartChild", {
  payload: declared,
  success: Schema.Boolean,
  failure: SupervisionFault
}) {}

/** Stops the child of that name and starts the new declaration in its place. */
export class ReplaceChild extends Schema.TaggedRequest<ReplaceChild>()("ReplaceChild", {
  payload: declared,
  success: Schema.Boolean,
  failure: SupervisionFault
}) {}

/** The delay before a child's restart is over; or, if it is exhausted, its schedule knew of none. */
class DelayElapsed extends Schema.TaggedClass<DelayElapsed>()("DelayElapsed", {
  name: Schema.String,
  starts: Schema.Int,
  reason: Schema.String,
  exhausted: Schema.Boolean,
  scheduleState: Schema.Unknown
}) {}

const messages = [
  TerminateChild,
  RestartChild,
  DeleteChild,
  StartDynamicChild,
  WhichChildren,
  ExplainChild,
  StartChild,
  ReplaceChild,
  DelayElapsed
] as const

export type SupervisorMessage = Actor.MessageOf<typeof messages>

export interface SupervisorActor<out Services>
  extends Actor.Actor<SupervisorMessage, void, Services>,
    Declared {}

/** Declares a supervisor. Throws when the declaration contradicts itself. */
export const make = <const Children extends ReadonlyArray<ChildSpec<unknown>>>(
  name: string,
  spec: Omit<SupervisorSpec<unknown>, "children"> & { readonly children: Children }
): SupervisorActor<NeedsOf<Children>> => supervisor(treeOf(name, spec))

/** Declares a supervisor of many alike, which are started by `StartDynamicChild` and stop together. */
export const dynamic = <A, S>(name: string, spec: DynamicSpec<A, S>): SupervisorActor<S> =>
  supervisor(dynamicTreeOf(name, spec))

/** For actors, which do not import this room. */
export const SupervisionLive: Layer.Layer<SupervisionPort> = Layer.succeed(SupervisionPort, {
  supervisor: (name, spec) => supervisor(treeOf(name, spec)),
  dynamic
})

/** What all children of a supervisor need together. */
type NeedsOf<Children extends ReadonlyArray<ChildSpec<unknown>>> =
  Children[number] extends ChildSpec<infer Services> ? Services : never

type Spec = ChildSpec<unknown>
type Event = Machine.Event<Spec>

/** One life of a supervisor. It is the machine's shell, and as mutable as the machine. */
interface Life {
  readonly tree: Tree
  readonly machine: Machine.Supervision<Spec>
  readonly waiting: Map<Machine.Token, (answer: Machine.Answer) => void>
  /** How far the backoff of each child has got. */
  readonly scheduleStates: Map<string, unknown>
  readonly runningSinceMillis: Map<string, number>
  /** The last one about each child that ended by itself. */
  readonly decisions: Map<string, Decision>
  /** Of their backoff, the last ones. */
  readonly delaysMillis: Map<string, number>
  tokens: number
}

type Context = InitContext<SupervisorMessage, unknown>

const supervisor = <S>(tree: Tree): SupervisorActor<S> => ({
  ...Actor.make(tree.name, {
    messages,
    kind: tree.strategy,
    readiness: "manual",
    ...(tree.strategy === "dynamic" && { stopsChildren: "together" as const }),
    init: (context: Context): Life => {
      const life = begin(tree)
      advance(life, context, { _tag: "Boot" })
      return life
    },
    onChild: (life, signal, context) => {
      const { name } = signal
      if (signal._tag === "ChildStarted") {
        life.runningSinceMillis.set(name, context.nowMillis())
        return advance(life, context, { _tag: "Started", name })
      }
      const { cause, reason } = signal.ended
      const ended = {
        _tag: "Ended",
        name,
        abnormal: isAbnormal(reason),
        ignored: reason === "ignored",
        reason: Cause.isEmpty(cause) ? reason : describeCause(cause)
      } as const
      const before = life.machine.children.find(({ spec }) => spec.name === name)?.status
      advance(life, context, ended)
      if (before === "running" || before === "starting") noteDecision(life, context, ended)
      return life
    },
    handlers: {
      TerminateChild: (life, request, context) => {
        const { name } = request
        const to = context.replyTo(request)
        return asked(life, context, name, to, done, (token) => ({ _tag: "Terminate", name, token }))
      },
      RestartChild: (life, request, context) => {
        const { name } = request
        const to = context.replyTo(request)
        return asked(life, context, name, to, runs, (token) => ({ _tag: "Restart", name, token }))
      },
      DeleteChild: (life, request, context) => {
        const { name } = request
        const to = context.replyTo(request)
        return asked(life, context, name, to, done, (token) => ({ _tag: "Delete", name, token }))
      },
      StartDynamicChild: (life, request, context) => {
        const { args, name } = request
        const [template] = life.tree.children
        if (life.tree.strategy !== "dynamic" || template === undefined) {
          const reason = "its children are declared one by one"
          const remedy = "send it a StartChild with the whole declaration"
          return Actor.refuse(life, new UnfitChild({ supervisor: context.path, name, reason, remedy }))
        }
        const nameless = namelessOf(context, name)
        if (nameless !== undefined) return Actor.refuse(life, nameless)
        const to = context.replyTo(request)
        const child = { ...template, name, args }
        return asked(life, context, name, to, runs, (token) => ({ _tag: "Add", child, token }))
      },
      StartChild: (life, request, context) => {
        const { child } = request
        const refusal = refusalOf(life, context, child)
        if (refusal !== undefined) return Actor.refuse(life, refusal)
        const to = context.replyTo(request)
        return asked(life, context, child.name, to, runs, (token) => ({ _tag: "Add", child, token }))
      },
      ReplaceChild: (life, request, context) => {
        const { child } = request
        const refusal = refusalOf(life, context, child)
        if (refusal !== undefined) return Actor.refuse(life, refusal)
        const to = context.replyTo(request)
        return asked(life, context, child.name, to, runs, (token) => ({ _tag: "Replace", child, token }))
      },
      WhichChildren: (life, _request, context) => Actor.reply(life, childrenOf(life, context)),
      ExplainChild: (life, { name }, context) => {
        const child = childrenOf(life, context).find((one) => one.name === name)
        if (child === undefined) return Actor.refuse(life, childNotFound(life, context, name))
        const { restarts: restartsMax, strategy, withinMillis } = life.tree
        const restarts = life.machine.restartsAt(context.nowMillis())
        const decision = life.decisions.get(name) ?? null
        return Actor.reply(life, { child, strategy, restarts, restartsMax, withinMillis, decision })
      },
      DelayElapsed: (life, message, context) => delayElapsed(life, context, message)
    },
    inspect: (life) => ({
      strategy: life.tree.strategy,
      intensity: { restarts: life.tree.restarts, withinMillis: life.tree.withinMillis },
      children: life.machine.children.map(({ spec: { name, restart, significant }, starts, status }) => ({
        name,
        restart,
        significant,
        starts,
        status
      }))
    })
  }),
  tree
})

const begin = (tree: Tree): Life => {
  const { autoShutdown, children, restarts, strategy, withinMillis } = tree
  return {
    tree,
    machine: new Machine.Supervision(
      { strategy, intensity: { restarts, withinMillis }, autoShutdown },
      strategy === "dynamic" ? [] : children
    ),
    waiting: new Map(),
    scheduleStates: new Map(),
    runningSinceMillis: new Map(),
    decisions: new Map(),
    delaysMillis: new Map(),
    tokens: 0
  }
}

// Requests

/** Passes a request on to the machine, which answers it now or later. */
const asked = <A>(
  life: Life,
  context: Context,
  name: string,
  to: ReplyTo<A, SupervisionFault>,
  success: (answer: Machine.Answer) => A,
  event: (token: Machine.Token) => Event
) => {
  const token = life.tokens++
  life.waiting.set(token, answering(life, context, name, to, success))
  return Actor.later(advance(life, context, event(token)))
}

const done = (): void => {}
const runs = (answer: Machine.Answer): boolean => answer === "running"

/** Why a declaration does not even get to the machine. */
const refusalOf = (
  { tree: { autoShutdown, strategy } }: Life,
  context: Context,
  child: Spec
): DynamicChildren | UnfitChild | undefined => {
  const { path: supervisor } = context
  const { name } = child
  if (strategy === "dynamic") return new DynamicChildren({ supervisor, name })
  const nameless = namelessOf(context, name)
  if (nameless !== undefined) return nameless
  const unfit = misfit(child, autoShutdown)
  return unfit && new UnfitChild({ supervisor, name, ...unfit })
}

/** It would not crash alone: its supervisor has to spawn it. */
const namelessOf = ({ path: supervisor }: Context, name: string): UnfitChild | undefined =>
  name !== "" && !name.includes("/")
    ? undefined
    : new UnfitChild({
        supervisor,
        name,
        reason: "a name is a step of a path",
        remedy: "give it one that is not empty and has no slash"
      })

/** Puts the machine's answer into the words of the protocol. */
const answering =
  <A>(
    life: Life,
    context: Context,
    name: string,
    to: ReplyTo<A, SupervisionFault>,
    success: (answer: Machine.Answer) => A
  ) =>
  (answer: Machine.Answer): void => {
    const child = { supervisor: context.path, name }
    if (typeof answer === "object")
      return to.refuse(new ChildStartFailed({ ...child, reason: answer.startFailed }))
    switch (answer) {
      case "not found":
        return to.refuse(childNotFound(life, context, name))
      case "already running":
        return to.refuse(new ChildRunning(child))
      case "already present":
        return to.refuse(new ChildPresent(child))
      case "restarting":
        return to.refuse(new ChildRestarting(child))
      case "dynamic":
        return to.refuse(new DynamicChildren(child))
      case "done":
      case "running":
      case "ignored":
        return to.reply(success(answer))
    }
  }

const childNotFound = ({ machine }: Life, { path: supervisor }: Context, name: string): ChildNotFound =>
  new ChildNotFound({
    supervisor,
    name,
    known: machine.children.slice(0, knownMax).map(({ spec }) => spec.name)
  })

/** Names that a fault carries along. A dynamic supervisor may have many thousands. */
const knownMax = 100

const childrenOf = (life: Life, context: Context): ReadonlyArray<ChildInfo> =>
  life.machine.children.map(({ spec: { name, restart }, starts, status }) => ({
    name,
    path: `${context.path}/${name}`,
    restart,
    status,
    starts
  }))

/** For whoever asks later why things are as they are. */
const noteDecision = (
  life: Life,
  context: Context,
  { name, reason }: Event & { readonly _tag: "Ended" }
): void => {
  const { machine, tree } = life
  const names = machine.children.map(({ spec }) => spec.name)
  const child = machine.children.find(({ spec }) => spec.name === name)
  if (child === undefined) return
  const decided = decisionOf(child.spec, child.status, life.delaysMillis.get(name))
  const along =
    child.status === "stopped" ? [] : affected(tree.strategy, name, names).filter((one) => one !== name)
  life.decisions.set(name, {
    atMillis: context.wallMillis(),
    reason,
    decided,
    along: along.slice(0, knownMax)
  })
}

const decisionOf = (
  { backoff, restart }: Spec,
  status: ChildInfo["status"],
  delayMillis: number | undefined
): string => {
  if (status === "stopped") return `left down: ${restart} children come back only after a crash`
  if (backoff === undefined) return "started again at once"
  // Those of a group first wait for the others to stop.
  return delayMillis === undefined
    ? "started again after its backoff"
    : `started again after ${Math.round(delayMillis)} ms`
}

// What the machine says

const advance = (life: Life, context: Context, event: Event): Life => {
  for (const step of life.machine.step(event, context.nowMillis())) perform(life, context, step)
  return life
}

const perform = (life: Life, context: Context, step: Machine.Effect<Spec>): void => {
  switch (step._tag) {
    case "Start":
      return start(context, step.child)
    case "Stop":
      return context.stopChild(step.name)
    case "Redeclare":
      life.scheduleStates.delete(step.child.name)
      return context.redeclareChild(step.child.actor, optionsOf(step.child))
    case "Remove":
      life.scheduleStates.delete(step.name)
      life.runningSinceMillis.delete(step.name)
      life.decisions.delete(step.name)
      life.delaysMillis.delete(step.name)
      return context.forgetChild(step.name)
    case "Delay":
      return delay(life, context, step)
    case "Answer": {
      const answered = life.waiting.get(step.token)
      life.waiting.delete(step.token)
      return answered?.(step.answer)
    }
    case "Ready":
      return context.ready()
    case "BootFailed": {
      const { name, reason } = step
      return context.stop(
        "shutdown",
        Cause.fail(new ChildStartFailed({ supervisor: context.path, name, reason }))
      )
    }
    case "GiveUp":
      return giveUp(life, context, step)
    case "Shutdown":
      return context.stop("shutdown")
  }
}

const start = (context: Context, spec: Spec): void => {
  if (context.hasChild(spec.name)) context.restartChild(spec.name)
  else context.spawn(spec.actor, optionsOf(spec))
}

const optionsOf = (spec: Spec): SpawnOptions & { readonly args: never } => ({
  name: spec.name,
  shutdown: spec.shutdown,
  startDeadline: spec.startDeadline,
  keep: true,
  role: spec.restart,
  args: forgetArgs(spec.args)
})

/** `child` and `StartDynamicChild` took the arguments; the actor they are for is no longer known by type. */
const forgetArgs = (args: unknown): never => args as never

const giveUp = (
  { tree: { restarts, withinMillis } }: Life,
  context: Context,
  { exhausted, name, reason }: Machine.Effect<Spec> & { readonly _tag: "GiveUp" }
): void => {
  const { incarnation, path: supervisor } = context
  const fault =
    exhausted === "intensity"
      ? new RestartLimitReached({ supervisor, child: name, restarts, withinMillis, reason })
      : new BackoffExhausted({ supervisor, name, reason })
  const atMillis = context.wallMillis()
  context.publish(new SupervisorEscalated({ path: supervisor, incarnation, atMillis, reason: fault.message }))
  context.stop("shutdown", Cause.fail(fault))
}

// Backoff

/** Waits as long as the child's schedule says; one that ran well for a whole period starts it anew. */
const delay = (
  life: Life,
  context: Context,
  { child: { backoff, name }, reason, starts }: Machine.Effect<Spec> & { readonly _tag: "Delay" }
): void => {
  if (backoff === undefined) return
  const sinceMillis = life.runningSinceMillis.get(name)
  life.runningSinceMillis.delete(name)
  if (sinceMillis !== undefined && context.nowMillis() - sinceMillis >= life.tree.withinMillis)
    life.scheduleStates.delete(name)
  const state = life.scheduleStates.has(name) ? life.scheduleStates.get(name) : backoff.initial
  const nowMillis = context.wallMillis()
  const waiting = Effect.flatMap(backoff.step(nowMillis, reason, state), ([scheduleState, , decision]) => {
    const exhausted = ScheduleDecision.isDone(decision)
    const delayMillis = exhausted ? 0 : Math.max(0, ScheduleIntervals.start(decision.intervals) - nowMillis)
    life.delaysMillis.set(name, delayMillis)
    const elapsed = new DelayElapsed({ name, starts, reason, exhausted, scheduleState })
    return Effect.as(delayMillis > 0 ? Effect.sleep(delayMillis) : Effect.void, elapsed)
  })
  // A schedule that dies is a bug of the declaration, so it takes down whoever was declared with it.
  context.pipe(waiting, Exit.getOrElse(throwCause))
}

const throwCause = (cause: Cause.Cause<never>): never => {
  throw Cause.squash(cause)
}

const delayElapsed = (life: Life, context: Context, message: DelayElapsed): Life => {
  const { exhausted, name, reason, scheduleState, starts } = message
  // It may have been replaced meanwhile, schedule and all.
  if (!life.machine.waits(name, starts)) return life
  life.scheduleStates.set(name, scheduleState)
  if (exhausted) return advance(life, context, { _tag: "DelaysExhausted", name, starts, reason })
  return advance(life, context, { _tag: "DelayElapsed", name, starts })
}
