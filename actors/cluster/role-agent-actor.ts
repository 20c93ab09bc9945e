/**
 * The role agent as an actor: one on each node, where the failover coordinator gives and takes roles.
 *
 * There is nothing to decide here. The component of this node subscribes to `RoleGranted` and `RoleRevoked`
 * of its roles, and asks `GetRoles` when it starts, for what was granted before. An agent that ends revokes
 * what it had; one that is killed cannot, and the coordinator finds out at its next look.
 */
import * as Actor from "#actors/kernel/actor.ts"
import type { InitContext } from "#actors/kernel/context.ts"
import { GetRoles, GiveUpRole, ReportRoles, RoleGranted, RoleRevoked, TakeRole } from "#protocols/failover.ts"
import { type AgentAnswer, RoleAgent, type RoleChange } from "./role-agent.ts"

export type AgentMessage = GetRoles | ReportRoles | TakeRole | GiveUpRole
type Context = InitContext<AgentMessage>

export interface RoleAgentArgs {
  /** The name of this node, as membership has it. */
  readonly node: string
}

interface State {
  readonly agent: RoleAgent
  readonly publish: (changes: ReadonlyArray<RoleChange>) => void
}

export const RoleAgentActor = Actor.make("role-agent", {
  messages: [GetRoles, ReportRoles, TakeRole, GiveUpRole],
  init: (context, { node }: RoleAgentArgs): State => ({
    agent: new RoleAgent(node),
    publish: (changes) => publish(node, changes, context)
  }),
  handlers: {
    GetRoles: (state) => Actor.reply(state, state.agent.report),
    ReportRoles: (state, { orders, term }) => {
      const stale = state.agent.meet(term, orders)
      return stale === undefined ? Actor.reply(state, state.agent.report) : Actor.refuse(state, stale)
    },
    TakeRole: (state, order) => answer(state, state.agent.take(order.term, order, order.reason)),
    GiveUpRole: (state, order) => answer(state, state.agent.giveUp(order.term, order, order.reason))
  },
  onStop: ({ agent, publish }, { reason }) =>
    publish(agent.giveUpAll(`the agent of ${agent.node} has ended: ${reason}`)),
  inspect: ({ agent }) => agent.report
})

const answer = (state: State, answered: AgentAnswer) => {
  if (answered._tag === "Refused") return Actor.refuse(state, answered.fault)
  state.publish(answered.changes)
  return Actor.reply(state, undefined)
}

const publish = (node: string, changes: ReadonlyArray<RoleChange>, context: Context): void => {
  for (const { to, ...about } of changes) {
    const event = { node, ...about }
    context.publish(to === "granted" ? new RoleGranted(event) : new RoleRevoked(event))
    context.log("info", `${about.role} was ${to}, epoch ${about.epoch}: ${about.reason}`)
  }
}
