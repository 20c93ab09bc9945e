/**
 * Failover: who has which role, who decides that, and what keeps a former holder out.
 *
 * Two ways to have a role. A *leader role* is campaigned for by every candidate through the lease store:
 * one at a time, no coordinator. All other roles are given out by the failover coordinator, itself a
 * leader role, which asks a policy of the component and speaks to the role agent of each node.
 *
 * Promised: epochs of one role grow with each change of its holder, across coordinators too. An agent that
 * has heard from a later coordinator refuses an earlier one. Every change is an event that says who brought
 * it about and why. While failover is held, or the fleet breaker has stopped automation, no role is moved
 * except by hand; to a vetoed node none is moved at all.
 *
 * Not promised: that a former holder knows. It may be cut off, or paused, and believe. What a role may
 * change stands behind a `Fence`, which refuses it with `StaleEpoch` from the new holder's first request on.
 * Nor that orders of operators outlive everybody: the agents keep them for the next coordinator, and one
 * that reaches none of the agents that know them begins without.
 */
import { Schema } from "effect"
import type { FaultUnion } from "./fault.ts"
import { Epoch } from "./leases.ts"
import { ActorId, admin, event, observe, operate } from "./message.ts"

// Values

const Role = Schema.NonEmptyString.pipe(Schema.maxLength(256))
const Node = Schema.NonEmptyString.pipe(Schema.maxLength(256))
const Reason = Schema.NonEmptyString

/** Who, as the gateway has authenticated them, and why. */
const order = { by: ActorId, reason: Reason }

export const RoleHeld = Schema.Struct({ role: Role, epoch: Epoch })
export type RoleHeld = typeof RoleHeld.Type

/** What a node may not have, or must have, until somebody says otherwise. */
export const HolderOrder = Schema.Struct({ role: Role, node: Node, by: Schema.String, reason: Schema.String })
export type HolderOrder = typeof HolderOrder.Type

/** Orders of each kind that there may be at a time. */
export const ordersMax = 1_000

/** What operators have said and not taken back. The later version counts: first the term, then the number. */
export const StandingOrders = Schema.Struct({
  term: Schema.Int,
  number: Schema.Int,
  held: Schema.NullOr(Schema.Struct({ by: Schema.String, reason: Schema.String })),
  vetoes: Schema.Array(HolderOrder).pipe(Schema.maxItems(ordersMax)),
  forced: Schema.Array(HolderOrder).pipe(Schema.maxItems(ordersMax))
})
export type StandingOrders = typeof StandingOrders.Type

export const RolesReport = Schema.Struct({
  node: Node,
  /** The latest coordinator it has heard from; 0 for none. */
  term: Schema.Int,
  held: Schema.Array(RoleHeld),
  /** The highest epoch it knows of each role, held or not. */
  seen: Schema.Array(RoleHeld),
  orders: Schema.NullOr(StandingOrders)
})
export type RolesReport = typeof RolesReport.Type

export const LeaderRoleStatus = Schema.Struct({
  role: Role,
  holder: Schema.String,
  phase: Schema.Literal("waiting", "asking", "leading", "stopping"),
  /** While it leads or stops. */
  epoch: Schema.NullOr(Epoch),
  /** Until its lease runs out by its own clock, or while it waits until it campaigns again. */
  remainingMillis: Schema.NullOr(Schema.Number),
  /** Why it is in this phase. */
  reason: Schema.String
})
export type LeaderRoleStatus = typeof LeaderRoleStatus.Type

export const RoleStatus = Schema.Struct({
  role: Role,
  holder: Schema.NullOr(Node),
  epoch: Schema.Int,
  /** The holder has said that it has it. */
  confirmed: Schema.Boolean,
  reason: Schema.String,
  by: Schema.String,
  /** Why a move that the policy wants is not made; empty where it wants none. */
  waits: Schema.String
})
export type RoleStatus = typeof RoleStatus.Type

export const FailoverStatus = Schema.Struct({
  term: Schema.Int,
  phase: Schema.Literal("learning", "running", "deposed"),
  members: Schema.Array(
    Schema.Struct({ name: Node, zone: Schema.String, status: Schema.Literal("alive", "suspect") })
  ),
  roles: Schema.Array(RoleStatus),
  orders: StandingOrders
})
export type FailoverStatus = typeof FailoverStatus.Type

// Faults

/** Whoever asks has been followed by another holder. */
export class StaleEpoch extends Schema.TaggedError<StaleEpoch>()("StaleEpoch", {
  role: Schema.String,
  epoch: Schema.Int,
  current: Schema.Int
}) {
  readonly definite = true
  override get message() {
    return `epoch ${this.epoch} of ${this.role} is over: ${this.current} was seen; nothing happened, stop acting in this role`
  }
}

export class TooManyRoles extends Schema.TaggedError<TooManyRoles>()("TooManyRoles", {
  node: Schema.String,
  role: Schema.String,
  rolesMax: Schema.Int
}) {
  readonly definite = true
  override get message() {
    return `the agent of ${this.node} did not take ${this.role}: it knows ${this.rolesMax} roles already; give the role to another node`
  }
}

export class FailoverIsHeld extends Schema.TaggedError<FailoverIsHeld>()("FailoverIsHeld", {
  by: Schema.String,
  reason: Schema.String
}) {
  readonly definite = true
  override get message() {
    return `failover is held already by ${this.by} (${this.reason}); release it first`
  }
}

/** A new coordinator does not know yet who has what. */
export class FailoverLearning extends Schema.TaggedError<FailoverLearning>()("FailoverLearning", {
  term: Schema.Int,
  remainingMillis: Schema.Number
}) {
  readonly definite = true
  override get message() {
    return `the coordinator of term ${this.term} is still learning who has which role; nothing happened, ask again in ${(this.remainingMillis / 1_000).toFixed(1)} s`
  }
}

/** This coordinator has learned that there is a later one. */
export class FailoverDeposed extends Schema.TaggedError<FailoverDeposed>()("FailoverDeposed", {
  term: Schema.Int,
  current: Schema.Int
}) {
  readonly definite = true
  override get message() {
    return `the coordinator of term ${this.term} is over, there is one of term ${this.current}; nothing happened, ask that one`
  }
}

export class HolderVetoed extends Schema.TaggedError<HolderVetoed>()("HolderVetoed", {
  role: Schema.String,
  node: Schema.String,
  by: Schema.String,
  reason: Schema.String
}) {
  readonly definite = true
  override get message() {
    return `${this.node} may not have ${this.role}: ${this.by} has vetoed it (${this.reason}); lift the veto first`
  }
}

export class NoSuchHolder extends Schema.TaggedError<NoSuchHolder>()("NoSuchHolder", {
  role: Schema.String,
  node: Schema.String,
  members: Schema.Array(Schema.String)
}) {
  readonly definite = true
  override get message() {
    return `${this.node} cannot have ${this.role}, it is no live member; live are ${this.members.slice(0, 10).join(", ") || "none"}`
  }
}

export class TooManyOrders extends Schema.TaggedError<TooManyOrders>()("TooManyOrders", {
  ordersMax: Schema.Int
}) {
  readonly definite = true
  override get message() {
    return `there are ${this.ordersMax} such orders already; lift some of them first`
  }
}

/** Why an order of an operator was not taken. */
export const OrderFault = Schema.Union(
  FailoverLearning,
  FailoverDeposed,
  FailoverIsHeld,
  HolderVetoed,
  NoSuchHolder,
  TooManyOrders
)
export type OrderFault = typeof OrderFault.Type

export const FailoverFault = Schema.Union(StaleEpoch, TooManyRoles, OrderFault)
export type FailoverFault = FaultUnion<typeof FailoverFault.Type>

// Requests to a candidate of a leader role

export class GetLeaderRole extends Schema.TaggedRequest<GetLeaderRole>()(
  "GetLeaderRole",
  { payload: {}, success: LeaderRoleStatus, failure: Schema.Never },
  observe("Whether this candidate leads, under which epoch and until when, or when it campaigns again.")
) {}

export class YieldRole extends Schema.TaggedRequest<YieldRole>()(
  "YieldRole",
  {
    payload: { ...order, forMillis: Schema.optional(Schema.Number.pipe(Schema.between(0, 86_400_000))) },
    success: LeaderRoleStatus,
    failure: Schema.Never
  },
  operate(
    "Gives the role up where it leads, and does not campaign for it for `forMillis` (30 s unless stated; with 0 only for the moment that leaves others the first chance). Answers before its actor has stopped.",
    { repeatable: true }
  )
) {}

// Requests to the agent of a node

export class GetRoles extends Schema.TaggedRequest<GetRoles>()(
  "GetRoles",
  { payload: {}, success: RolesReport, failure: Schema.Never },
  observe("The roles that this node has been given, with their epochs.")
) {}

/** From a coordinator, which the agent obeys from now on, and none before it. Leaves its orders there, if it has any. */
export class ReportRoles extends Schema.TaggedRequest<ReportRoles>()("ReportRoles", {
  payload: { term: Schema.Int, orders: Schema.NullOr(StandingOrders) },
  success: RolesReport,
  failure: StaleEpoch
}) {}

/** Taking twice what one has is taking it once. */
export class TakeRole extends Schema.TaggedRequest<TakeRole>()("TakeRole", {
  payload: { term: Schema.Int, role: Role, epoch: Epoch, reason: Reason },
  success: Schema.Void,
  failure: Schema.Union(StaleEpoch, TooManyRoles)
}) {}

/** Whatever earlier epoch of the role it has, it has no longer. */
export class GiveUpRole extends Schema.TaggedRequest<GiveUpRole>()("GiveUpRole", {
  payload: { term: Schema.Int, role: Role, epoch: Epoch, reason: Reason },
  success: Schema.Void,
  failure: Schema.Union(StaleEpoch, TooManyRoles)
}) {}

// Requests to the coordinator

export class GetFailover extends Schema.TaggedRequest<GetFailover>()(
  "GetFailover",
  { payload: {}, success: FailoverStatus, failure: Schema.Never },
  observe("Who has which role, why, and what operators have ordered.")
) {}

export class HoldFailover extends Schema.TaggedRequest<HoldFailover>()(
  "HoldFailover",
  { payload: order, success: Schema.Void, failure: OrderFault },
  operate("Moves no role by itself until it is released. What was decided before is carried out.")
) {}

export class ReleaseFailover extends Schema.TaggedRequest<ReleaseFailover>()(
  "ReleaseFailover",
  { payload: order, success: Schema.Void, failure: OrderFault },
  operate("Lets it decide again, at once. Releasing what is not held succeeds.", { repeatable: true })
) {}

const holder = { role: Role, node: Node, ...order }

export class VetoHolder extends Schema.TaggedRequest<VetoHolder>()(
  "VetoHolder",
  { payload: holder, success: Schema.Void, failure: OrderFault },
  operate(
    "Keeps the role away from that node until the veto is lifted. Takes it away at once where the node has it.",
    { repeatable: true }
  )
) {}

export class LiftVeto extends Schema.TaggedRequest<LiftVeto>()(
  "LiftVeto",
  { payload: holder, success: Schema.Void, failure: OrderFault },
  operate("Takes a veto back. Lifting one that is not there succeeds.", { repeatable: true })
) {}

export class ForceHolder extends Schema.TaggedRequest<ForceHolder>()(
  "ForceHolder",
  {
    payload: holder,
    success: Schema.Void,
    failure: OrderFault
  },
  admin(
    "Gives the role to that node whatever the policy says, also while failover is held or automation stopped. It stays there until the node fails or leaves, the force is lifted, or somebody vetoes it.",
    { repeatable: true }
  )
) {}

export class LiftForce extends Schema.TaggedRequest<LiftForce>()(
  "LiftForce",
  {
    payload: { role: Role, ...order },
    success: Schema.Void,
    failure: OrderFault
  },
  operate("Asks the policy again about a role that was forced. Lifting what is not there succeeds.", {
    repeatable: true
  })
) {}

// Events

const taken = { role: Role, holder: Node, epoch: Epoch, reason: Reason, by: Schema.String }

export class RoleTaken extends Schema.TaggedClass<RoleTaken>()(
  "RoleTaken",
  taken,
  event("A candidate leads: it has the lease, and its actor is started.")
) {}

export class RoleLost extends Schema.TaggedClass<RoleLost>()(
  "RoleLost",
  taken,
  event("It leads no longer. Its actor has stopped, unless the reason says otherwise.")
) {}

export class RoleGranted extends Schema.TaggedClass<RoleGranted>()(
  "RoleGranted",
  { role: Role, node: Node, epoch: Epoch, reason: Reason },
  event("This node has the role from now on.")
) {}

export class RoleRevoked extends Schema.TaggedClass<RoleRevoked>()(
  "RoleRevoked",
  { role: Role, node: Node, epoch: Epoch, reason: Reason },
  event("This node has the role under that epoch no longer.")
) {}

const decision = { term: Schema.Int, reason: Reason, by: Schema.String }

export class FailoverBegan extends Schema.TaggedClass<FailoverBegan>()(
  "FailoverBegan",
  { ...decision, answered: Schema.Int, asked: Schema.Int },
  event("A coordinator has learned what it could and decides from now on.")
) {}

export class FailoverEnded extends Schema.TaggedClass<FailoverEnded>()(
  "FailoverEnded",
  decision,
  event("A coordinator has met the traces of a later one and decides no longer.")
) {}

export class RoleLearned extends Schema.TaggedClass<RoleLearned>()(
  "RoleLearned",
  { ...decision, role: Role, holder: Schema.NullOr(Node), epoch: Epoch },
  event("A coordinator found that somebody has a role which it did not give out.")
) {}

export class RoleAssigned extends Schema.TaggedClass<RoleAssigned>()(
  "RoleAssigned",
  { ...decision, role: Role, holder: Node, epoch: Epoch, previous: Schema.NullOr(Node) },
  event("A coordinator has given the role to a node, which takes it as soon as it hears.")
) {}

export class RoleUnassigned extends Schema.TaggedClass<RoleUnassigned>()(
  "RoleUnassigned",
  { ...decision, role: Role, epoch: Epoch, previous: Schema.NullOr(Node) },
  event("Nobody has the role from now on.")
) {}

export class DecisionVetoed extends Schema.TaggedClass<DecisionVetoed>()(
  "DecisionVetoed",
  { ...decision, role: Role, holder: Schema.NullOr(Node) },
  event("The policy wants the role there, and somebody or something forbids it.")
) {}

export class FailoverStopped extends Schema.TaggedClass<FailoverStopped>()(
  "FailoverStopped",
  { ...decision, role: Role, holder: Schema.NullOr(Node), zone: Schema.String },
  event("The policy wants the role there, and the fleet breaker does not let machines act, or did not say.")
) {}

export class FailoverHeld extends Schema.TaggedClass<FailoverHeld>()(
  "FailoverHeld",
  decision,
  event("No role is moved by itself from now on.")
) {}

export class FailoverReleased extends Schema.TaggedClass<FailoverReleased>()(
  "FailoverReleased",
  decision,
  event("Roles may be moved again.")
) {}

const onHolder = { ...decision, role: Role, node: Node }

export class VetoPlaced extends Schema.TaggedClass<VetoPlaced>()(
  "VetoPlaced",
  onHolder,
  event("That node may not have the role.")
) {}

export class VetoLifted extends Schema.TaggedClass<VetoLifted>()(
  "VetoLifted",
  onHolder,
  event("That node may have the role again.")
) {}

export class ForcePlaced extends Schema.TaggedClass<ForcePlaced>()(
  "ForcePlaced",
  onHolder,
  event("The role stays with that node, whatever the policy says.")
) {}

export class ForceEnded extends Schema.TaggedClass<ForceEnded>()(
  "ForceEnded",
  onHolder,
  event("The policy is asked about the role again.")
) {}

export const FailoverEvent = Schema.Union(
  FailoverBegan,
  FailoverEnded,
  RoleLearned,
  RoleAssigned,
  RoleUnassigned,
  DecisionVetoed,
  FailoverStopped,
  FailoverHeld,
  FailoverReleased,
  VetoPlaced,
  VetoLifted,
  ForcePlaced,
  ForceEnded
)
export type FailoverEvent = typeof FailoverEvent.Type
