/**
 * The supervisor: an actor around the supervision machine.
 *
 * It turns signals of its children and requests of clients into the machine's events, and does what the
 * machine says: start, stop, answer, wait, give up. What to do is decided in supervision.ts; the kernel
 * knows how a life begins and ends. A supervisor that gives up ends with reason "shutdown", as in OTP:
 * to the supervisor above it is one more child that ended.
 */
import { Cause, Effect, Layer, ScheduleDecision, ScheduleIntervals, Schema } from "effect"
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
  DeleteChild,
  DynamicChildren,
  RestartChild,
  RestartLimitReached,
  StartDynamicChild,
  SupervisionFault,
  TerminateChild,
  WhichChildren
} from "#protocols/supervision.ts"
import {
  type Answer,
  type ChildPolicy,
  type Event,
  type Effect as Step,
  Supervision,
  type Token
} from "./supervision.ts"
import { type Declared, dynamicTreeOf, type Tree, treeOf } from "./tree.ts"

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

/** A backoff schedule has said how long to wait; null: it allows no further restart. */
class DelayKnown extends Schema.TaggedClass<DelayKnown>()("DelayKnown", {
  name: Schema.String,
  starts: Schema.Int,
  reason: Schema.String,
  delayMillis: Schema.NullOr(Schema.Number),
  scheduleState: Schema.Unknown
}) {}

class DelayElapsed extends Schema.TaggedClass<DelayElapsed>()("DelayElapsed", {
  name: Schema.String,
  starts: Schema.Int
}) {}

const messages = [
  TerminateChild,
  RestartChild,
  DeleteChild,
  StartDynamicChild,
  WhichChildren,
  StartChild,
  ReplaceChild,
  DelayKnown,
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

/** One life of a supervisor. It is the machine's shell, and as mutable as the machine. */
interface Life {
  readonly tree: Tree
  readonly machine: Supervision
  /** What each place holds; for dynamic children the template under their own names. */
  readonly specs: Map<string, ChildSpec<unknown>>
  readonly waiting: Map<Token, (answer: Answer) => void>
  readonly scheduleStates: Map<string, unknown>
  readonly runningSinceMillis: Map<string, number>
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
      if (signal._tag === "ChildStarted") {
        life.runningSinceMillis.set(signal.name, context.nowMillis())
        return advance(life, context, { _tag: "Started", name: signal.name })
      }
      const { cause, reason } = signal.ended
      return advance(life, context, {
        _tag: "Ended",
        name: signal.name,
        abnormal: isAbnormal(reason),
        ignored: reason === "ignored",
        reason: Cause.isEmpty(cause) ? reason : describeCause(cause)
      })
    },
    handlers: {
      TerminateChild: (life, request, context) => {
        const { name } = request
        const answered = answering(life, context, name, context.replyTo(request), () => undefined)
        return ask(life, context, answered, (token) => ({ _tag: "Terminate", name, token }))
      },
      RestartChild: (life, request, context) => {
        const { name } = request
        const answered = answering(life, context, name, context.replyTo(request), runs)
        return ask(life, context, answered, (token) => ({ _tag: "Restart", name, token }))
      },
      DeleteChild: (life, request, context) => {
        const { name } = request
        const answered = answering(life, context, name, context.replyTo(request), () => undefined)
        return ask(life, context, answered, (token) => ({ _tag: "Delete", name, token }))
      },
      StartDynamicChild: (life, request, context) => {
        const { args, name } = request
        const [template] = life.tree.children
        if (life.tree.strategy !== "dynamic" || template === undefined) {
          return Actor.refuse(life, notFound(life, context, name))
        }
        return add(life, context, { ...template, name, args }, context.replyTo(request))
      },
      StartChild: (life, request, context) =>
        life.tree.strategy === "dynamic"
          ? Actor.refuse(life, new DynamicChildren({ supervisor: context.path, name: request.child.name }))
          : add(life, context, request.child, context.replyTo(request)),
      ReplaceChild: (life, request, context) => {
        const { child } = request
        if (life.tree.strategy === "dynamic") {
          return Actor.refuse(life, new DynamicChildren({ supervisor: context.path, name: child.name }))
        }
        if (!life.specs.has(child.name)) return Actor.refuse(life, notFound(life, context, child.name))
        const answered = answering(life, context, child.name, context.replyTo(request), runs)
        return ask(life, context, answered, (token) => {
          life.specs.set(child.name, child)
          return { _tag: "Replace", child: policyOf(child), token }
        })
      },
      WhichChildren: (life, _request, context) => Actor.reply(life, childrenOf(life, context)),
      DelayKnown: (life, message, context) => delayKnown(life, context, message),
      DelayElapsed: (life, { name, starts }, context) =>
        advance(life, context, { _tag: "DelayElapsed", name, starts })
    },
    inspect: (life) => ({
      strategy: life.tree.strategy,
      intensity: { restarts: life.tree.restarts, withinMillis: life.tree.withinMillis },
      children: life.machine.children.map(({ policy, starts, status }) => ({ ...policy, starts, status }))
    })
  }),
  tree
})

const begin = (tree: Tree): Life => {
  const { autoShutdown, restarts, strategy, withinMillis } = tree
  const children = strategy === "dynamic" ? [] : tree.children
  return {
    tree,
    machine: new Supervision(
      { strategy, intensity: { restarts, withinMillis }, autoShutdown },
      children.map(policyOf)
    ),
    specs: new Map(children.map((child) => [child.name, child])),
    waiting: new Map(),
    scheduleStates: new Map(),
    runningSinceMillis: new Map(),
    tokens: 0
  }
}

const policyOf = ({ backoff, name, restart, significant }: ChildSpec<unknown>): ChildPolicy => ({
  name,
  restart,
  significant,
  backoff: backoff !== undefined
})

// Requests

const add = (
  life: Life,
  context: Context,
  child: ChildSpec<unknown>,
  to: ReplyTo<boolean, SupervisionFault>
) => {
  const answered = answering(life, context, child.name, to, runs)
  return ask(life, context, answered, (token) => {
    if (!life.specs.has(child.name)) life.specs.set(child.name, child)
    return { _tag: "Add", child: policyOf(child), token }
  })
}

const ask = (
  life: Life,
  context: Context,
  answered: (answer: Answer) => void,
  event: (token: Token) => Event
) => {
  const token = life.tokens++
  life.waiting.set(token, answered)
  return Actor.later(advance(life, context, event(token)))
}

const runs = (answer: Answer): boolean => answer === "running"

/** Puts the machine's answer into the words of the protocol. */
const answering =
  <A>(
    life: Life,
    context: Context,
    name: string,
    to: ReplyTo<A, SupervisionFault>,
    success: (answer: Answer) => A
  ) =>
  (answer: Answer): void => {
    const child = { supervisor: context.path, name }
    if (typeof answer === "object")
      return to.refuse(new ChildStartFailed({ ...child, reason: answer.startFailed }))
    switch (answer) {
      case "not found":
        return to.refuse(notFound(life, context, name))
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

const notFound = (life: Life, context: Context, name: string) =>
  new ChildNotFound({ supervisor: context.path, name, known: [...life.specs.keys()] })

const childrenOf = (life: Life, context: Context): ReadonlyArray<ChildInfo> =>
  life.machine.children.map(({ policy, starts, status }) => ({
    name: policy.name,
    path: `${context.path}/${policy.name}`,
    restart: policy.restart,
    status,
    starts
  }))

// What the machine says

const advance = (life: Life, context: Context, event: Event): Life => {
  for (const step of life.machine.step(event, context.nowMillis())) perform(life, context, step)
  return life
}

const perform = (life: Life, context: Context, step: Step): void => {
  switch (step._tag) {
    case "Start":
      return start(life, context, step.name)
    case "Stop":
      return context.stopChild(step.name)
    case "Redeclare": {
      const spec = life.specs.get(step.name)
      life.scheduleStates.delete(step.name)
      if (spec !== undefined) context.redeclareChild(spec.actor, optionsOf(spec))
      return
    }
    case "Remove":
      life.specs.delete(step.name)
      life.scheduleStates.delete(step.name)
      life.runningSinceMillis.delete(step.name)
      return context.forgetChild(step.name)
    case "Delay":
      return delay(life, context, step.name, step.starts, step.reason)
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
      return giveUp(life, context, step.name, step.reason)
    case "Shutdown":
      return context.stop("shutdown")
  }
}

const start = (life: Life, context: Context, name: string): void => {
  const spec = life.specs.get(name)
  if (spec === undefined) return
  if (context.hasChild(name)) context.restartChild(name)
  else context.spawn(spec.actor, optionsOf(spec))
}

const optionsOf = (spec: ChildSpec<unknown>): SpawnOptions & { readonly args: never } => ({
  name: spec.name,
  shutdown: spec.shutdown,
  startDeadline: spec.startDeadline,
  keep: true,
  role: spec.restart,
  args: forgetArgs(spec.args)
})

/** `child` and `StartDynamicChild` took the arguments; the actor they are for is no longer known by type. */
const forgetArgs = (args: unknown): never => args as never

const giveUp = (life: Life, context: Context, child: string, reason: string): void => {
  const { restarts, withinMillis } = life.tree
  const fault = new RestartLimitReached({ supervisor: context.path, child, restarts, withinMillis, reason })
  escalate(context, fault)
}

const escalate = (context: Context, fault: RestartLimitReached | BackoffExhausted): void => {
  const { incarnation, path } = context
  context.publish(
    new SupervisorEscalated({ path, incarnation, atMillis: context.wallMillis(), reason: fault.message })
  )
  context.stop("shutdown", Cause.fail(fault))
}

// Backoff

/** Asks the child's schedule for the next delay; one that ran well for a whole period starts it anew. */
const delay = (life: Life, context: Context, name: string, starts: number, reason: string): void => {
  const schedule = life.specs.get(name)?.backoff
  if (schedule === undefined) return
  const sinceMillis = life.runningSinceMillis.get(name)
  const healthy = sinceMillis !== undefined && context.nowMillis() - sinceMillis >= life.tree.withinMillis
  life.runningSinceMillis.delete(name)
  if (healthy) life.scheduleStates.delete(name)
  const state = life.scheduleStates.has(name) ? life.scheduleStates.get(name) : schedule.initial
  const nowMillis = context.wallMillis()
  const stepping = Effect.map(schedule.step(nowMillis, reason, state), ([next, , decision]) => ({
    scheduleState: next,
    delayMillis: ScheduleDecision.isDone(decision)
      ? null
      : Math.max(0, ScheduleIntervals.start(decision.intervals) - nowMillis)
  }))
  context.pipe(stepping, (exit) => {
    const { delayMillis, scheduleState } =
      exit._tag === "Success" ? exit.value : { delayMillis: null, scheduleState: state }
    return new DelayKnown({ name, starts, reason, delayMillis, scheduleState })
  })
}

const delayKnown = (life: Life, context: Context, message: DelayKnown): Life => {
  const { delayMillis, name, reason, scheduleState, starts } = message
  if (!life.specs.has(name)) return life
  life.scheduleStates.set(name, scheduleState)
  if (delayMillis === null)
    escalate(context, new BackoffExhausted({ supervisor: context.path, name, reason }))
  else context.after(delayMillis, new DelayElapsed({ name, starts }), `restart ${name}`)
  return life
}
