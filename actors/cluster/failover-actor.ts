/**
 * The failover coordinator as an actor: hears membership, asks the agents and the fleet breaker, publishes
 * each decision, and takes the orders of operators. What to do is decided in failover.ts.
 *
 * It runs as the child of a leader role and gets that role's epoch as its term, so it never restarts in
 * place: another life needs another term, or two decisions would share an epoch. When it finds itself
 * deposed it ends, and its candidate gives the lease back.
 *
 *   leaderRole({ role: "failover", child: FailoverActor, args: (term) => ({ term, members, … }) })
 */
import { Cause, Effect, Exit, Option, Schema } from "effect"
import * as Actor from "#actors/kernel/actor.ts"
import { ask, type Answered as Outcome } from "#actors/kernel/ask.ts"
import type { InitContext } from "#actors/kernel/context.ts"
import { describeCause } from "#actors/kernel/ref.ts"
import type { Address } from "#protocols/address.ts"
import { AutomationStopped, MayAutomate } from "#protocols/breakers.ts"
import {
  ForceHolder,
  GetFailover,
  GiveUpRole,
  HoldFailover,
  LiftForce,
  LiftVeto,
  ReleaseFailover,
  ReportRoles,
  StaleEpoch,
  TakeRole,
  VetoHolder
} from "#protocols/failover.ts"
import {
  MemberFailed,
  MemberJoined,
  MemberLeft,
  MemberRecovered,
  MemberSuspected,
  Members,
  type MembershipEvent,
  MemberUpdated
} from "#protocols/membership.ts"
import {
  type Answered,
  defaultRules,
  Failover,
  type FailoverEffect,
  type FailoverRules,
  type Permission
} from "./failover.ts"
import type { HandOrder } from "./failover-orders.ts"
import type { Policy } from "./failover-policy.ts"

export type AgentAddress = Address<ReportRoles | TakeRole | GiveUpRole>

export interface FailoverArgs {
  /** The epoch under which this coordinator leads. */
  readonly term: number
  /** The membership actor of this node. */
  readonly members: Address<Members>
  readonly fleetBreaker: Address<MayAutomate>
  /** The role agent of a node, by its name as membership has it. */
  readonly agentOf: (node: string) => AgentAddress
  /** Who takes which role, given who is there. */
  readonly policy: Policy
  readonly rules?: Partial<FailoverRules>
}

class Tick extends Schema.TaggedClass<Tick>()("Tick", {}) {}
const nextTick = new Tick()

/** Something was answered: how the coordinator goes on from there. Made and handled in this process. */
class Heard extends Schema.TaggedClass<Heard>()("Heard", {
  step: Schema.declare((value): value is Step => typeof value === "function")
}) {}

type Step = (core: Failover, nowMillis: number) => ReadonlyArray<FailoverEffect>

const heard = [
  MemberJoined,
  MemberSuspected,
  MemberRecovered,
  MemberLeft,
  MemberFailed,
  MemberUpdated
] as const
const orders = [HoldFailover, ReleaseFailover, VetoHolder, LiftVeto, ForceHolder, LiftForce] as const

export type FailoverMessage = GetFailover | Actor.MessageOf<typeof orders>
type Message = FailoverMessage | MembershipEvent | Tick | Heard
type Context = InitContext<Message>

interface Coordinator {
  readonly core: Failover
  readonly args: FailoverArgs
}

export const FailoverActor = Actor.make("failover", {
  messages: [...heard, ...orders, GetFailover, Tick, Heard],
  init: (context, args: FailoverArgs) => {
    // Before the question, so that nothing falls between its answer and the first event.
    context.subscribe(
      heard.map(({ _tag }) => _tag),
      (event) => event as MembershipEvent
    )
    return Effect.map(ask(context.at(args.members), new Members(), "5 seconds"), (records) => {
      const rules = { ...defaultRules, ...args.rules }
      const core = new Failover(args.term, context.path, args.policy, rules)
      return act({ core, args }, core.begin(records, context.nowMillis()), context)
    })
  },
  handlers: {
    MemberJoined: (state, event, context) => hear(state, event, context),
    MemberSuspected: (state, event, context) => hear(state, event, context),
    MemberRecovered: (state, event, context) => hear(state, event, context),
    MemberLeft: (state, event, context) => hear(state, event, context),
    MemberFailed: (state, event, context) => hear(state, event, context),
    MemberUpdated: (state, event, context) => hear(state, event, context),
    Tick: (state, _tick, context) => act(state, state.core.tick(context.nowMillis()), context),
    Heard: (state, { step }, context) => act(state, step(state.core, context.nowMillis()), context),
    GetFailover: (state) => Actor.reply(state, state.core.status),
    HoldFailover: (state, order, context) => obey(state, { ...order, _tag: "Hold" }, context),
    ReleaseFailover: (state, order, context) => obey(state, { ...order, _tag: "Release" }, context),
    VetoHolder: (state, order, context) => obey(state, { ...order, _tag: "Veto" }, context),
    LiftVeto: (state, order, context) => obey(state, { ...order, _tag: "LiftVeto" }, context),
    ForceHolder: (state, order, context) => obey(state, { ...order, _tag: "Force" }, context),
    LiftForce: (state, order, context) => obey(state, { ...order, _tag: "LiftForce" }, context)
  },
  inspect: ({ args, core }) => ({ term: args.term, over: core.over, rules: core.rules })
})

const hear = (state: Coordinator, event: MembershipEvent, context: Context): Coordinator =>
  act(state, state.core.observe(event, context.nowMillis()), context)

const obey = (state: Coordinator, order: HandOrder, context: Context) => {
  const outcome = state.core.order(order, context.nowMillis())
  if ("_tag" in outcome) return Actor.refuse(state, outcome)
  return Actor.reply(act(state, outcome, context), undefined)
}

const act = (state: Coordinator, effects: ReadonlyArray<FailoverEffect>, context: Context): Coordinator => {
  const { args, core } = state
  const { answerMillis } = core.rules
  const { term } = args
  for (const effect of effects) {
    switch (effect._tag) {
      case "Report": {
        const { node, orders } = effect
        context.ask(
          context.at(args.agentOf(node)),
          new ReportRoles({ term, orders }, true),
          answerMillis,
          (answered) => then((at, nowMillis) => at.reported(node, outcomeOf(answered), nowMillis))
        )
        break
      }
      case "Take": {
        const { epoch, node, reason, role } = effect
        context.ask(
          context.at(args.agentOf(node)),
          new TakeRole({ term, role, epoch, reason }),
          answerMillis,
          (answered) => then((at, nowMillis) => at.took(role, epoch, outcomeOf(answered), nowMillis))
        )
        break
      }
      case "GiveUp": {
        const { epoch, node, reason, role } = effect
        context.ask(
          context.at(args.agentOf(node)),
          new GiveUpRole({ term, role, epoch, reason }),
          answerMillis,
          (answered) => then((at, nowMillis) => at.gaveUp(role, epoch, outcomeOf(answered), nowMillis))
        )
        break
      }
      case "MayAutomate": {
        const { role, ticket, zone } = effect
        context.ask(context.at(args.fleetBreaker), new MayAutomate({ zone }), answerMillis, (answered) =>
          then((at, nowMillis) =>
            at.mayAutomate(role, ticket, permissionOf(answered, context.path), nowMillis)
          )
        )
        break
      }
      case "Publish":
        context.publish(effect.event)
        context.log("info", `${effect.event._tag}: ${effect.event.reason}`, { by: effect.event.by })
        break
      case "Deposed":
        context.stop("finished")
        break
    }
  }
  if (core.wakeMillis === Number.POSITIVE_INFINITY) context.cancel("tick")
  else context.after(Math.max(1, Math.ceil(core.wakeMillis - context.nowMillis())), nextTick, "tick")
  return state
}

const then = (step: Step): Heard => new Heard({ step }, true)

const outcomeOf = <A, E extends { readonly message: string }>(exit: Exit.Exit<A, E>): Answered<A> => {
  if (Exit.isSuccess(exit)) return { _tag: "Done", value: exit.value }
  const fault = Option.getOrUndefined(Cause.failureOption(exit.cause))
  if (fault instanceof StaleEpoch) return { _tag: "Stale", fault }
  return { _tag: "Failed", reason: fault?.message ?? describeCause(exit.cause) }
}

/** Who cannot be asked has not said yes. */
const permissionOf = (exit: Outcome<MayAutomate>, path: string): Permission => {
  if (Exit.isSuccess(exit)) return null
  const fault = Option.getOrUndefined(Cause.failureOption(exit.cause))
  if (fault instanceof AutomationStopped) return { by: fault.by, reason: fault.reason }
  return { by: path, reason: `the fleet breaker did not say: ${describeCause(exit.cause)}` }
}
