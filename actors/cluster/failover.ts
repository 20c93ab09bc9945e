/**
 * The failover coordinator: decides who has which role, and sees to it that the agents know.
 *
 *   learning ──all agents have answered, or time is up──► running ──an agent obeys a later one──► deposed
 *
 * It first asks every live agent what it has. The question carries its term, and an agent that has heard
 * it refuses all earlier coordinators, so what it answers stays true. Those who do not answer may have a
 * role that is then given to another; the fence refuses them.
 *
 * While it runs it asks the policy after each change. What the policy wants differently becomes a move:
 *
 *   wanted ──not held, not vetoed, no grace, fleet breaker says yes──► assigned, new epoch, event
 *                                                   former holder gives up, if it lives ──┘──► new one takes
 *
 * From then on it only makes the agents agree: it repeats what was not answered, under the same epoch, and
 * looks at all agents now and then. Who has what was not given is told to give it up; who has lost what it
 * was given, since its agent has restarted, gets it again under a new epoch, as a move of its own.
 *
 * By hand: holding stops the machine and not people, so a role can be forced while it is held or automation
 * has stopped. A forced role stays until its node is gone, the force is lifted or vetoed. A veto takes the
 * role away at once, and who gets it then is the policy's affair again. A member that comes back gets
 * nothing back: the policy sees the present holder, and has to want a move.
 *
 * Pure: time is an argument, effects are returned. Not a fold: hundreds of members are not worth copying.
 */
import {
  DecisionVetoed,
  FailoverBegan,
  FailoverDeposed,
  FailoverEnded,
  type FailoverEvent,
  FailoverHeld,
  FailoverLearning,
  type FailoverStatus,
  FailoverStopped,
  type OrderFault,
  RoleAssigned,
  RoleLearned,
  type RolesReport,
  RoleUnassigned,
  type StaleEpoch,
  type StandingOrders
} from "#protocols/failover.ts"
import type { MemberRecord, MembershipEvent } from "#protocols/membership.ts"
import { FailoverLooks } from "./failover-looks.ts"
import { FailoverMembers } from "./failover-members.ts"
import { FailoverOrders, type HandOrder } from "./failover-orders.ts"
import type { Policy, Situation, Wanted } from "./failover-policy.ts"
import { roleEpoch, termOf } from "./fence.ts"
import { rolesMax } from "./role-agent.ts"

export interface FailoverRules {
  /** How long a failed member keeps its roles. Failure detection has waited already. */
  readonly graceMillis: number
  /** How long a new coordinator waits for agents that do not answer. */
  readonly learnMillis: number
  /** How long the former holder is given to give a role up before the new one is told to take it. */
  readonly giveUpMillis: number
  /** Between one try and the next. */
  readonly retryMillis: number
  /** Between two looks at an agent. */
  readonly lookMillis: number
  /** How long an agent, or the fleet breaker, may take to answer. */
  readonly answerMillis: number
}

export const defaultRules: FailoverRules = {
  graceMillis: 0,
  learnMillis: 3_000,
  giveUpMillis: 2_000,
  retryMillis: 2_000,
  lookMillis: 5_000,
  answerMillis: 1_500
}

export type FailoverEffect =
  | { readonly _tag: "Report"; readonly node: string; readonly orders: StandingOrders | null }
  /** Who takes it, or gives it up, under which epoch. */
  | {
      readonly _tag: "Take" | "GiveUp"
      readonly node: string
      readonly role: string
      readonly epoch: number
      readonly reason: string
    }
  | { readonly _tag: "MayAutomate"; readonly role: string; readonly ticket: number; readonly zone: string }
  | { readonly _tag: "Publish"; readonly event: FailoverEvent }
  /** There is a later coordinator: this one is over. */
  | { readonly _tag: "Deposed" }

/** What became of a question to an agent. */
export type Answered<A> =
  | { readonly _tag: "Done"; readonly value: A }
  | { readonly _tag: "Stale"; readonly fault: StaleEpoch }
  | { readonly _tag: "Failed"; readonly reason: string }

/** Null: it may. Otherwise who or what said no, and why. */
export type Permission = { readonly by: string; readonly reason: string } | null

interface Assignment {
  readonly role: string
  readonly holder: string | null
  /** Which life of the holder was meant; empty where that is not known. */
  readonly bootId: string
  /** Where the holder was when it got the role. */
  readonly zone: string | undefined
  readonly epoch: number
  readonly reason: string
  readonly by: string
  /** The former holder is to give it up; the new one is to take it; both are done. */
  phase: "giving up" | "taking" | "settled"
  /** The holder has it no longer, though nobody took it. */
  lost: string | undefined
  /** When something was last known of it; answers to older questions say nothing about it. */
  knownMillis: number
  dueMillis: number
}

/** A move that the policy wants, on its way through the fleet breaker. */
interface Move {
  readonly holder: string | null
  readonly ticket: number
  readonly zones: Array<string>
  allowed: boolean
  askAtMillis: number
}

interface Why {
  readonly reason: string
  readonly by: string
}

const never = Number.POSITIVE_INFINITY

/** A move that was refused lately is not asked about again before its time, wherever it goes. */
const isNew = (move: Move | undefined, holder: string | null): boolean =>
  move === undefined || (move.holder !== holder && move.askAtMillis === never)

export class Failover {
  readonly rules: FailoverRules
  readonly #term: number
  readonly #path: string
  readonly #policy: Policy
  readonly #members: FailoverMembers
  readonly #orders: FailoverOrders
  readonly #roles = new Map<string, Assignment>()
  readonly #moves = new Map<string, Move>()
  readonly #looks = new FailoverLooks()
  /** What was said last about a move that was not made, so that it is said once. */
  readonly #said = new Map<string, string>()
  #phase: "learning" | "running" | "deposed" = "learning"
  #learnUntilMillis = 0
  #current = 0
  #count = 0
  #tickets = 0
  #effects: Array<FailoverEffect> = []

  /** `term` is the epoch under which this coordinator leads; `path` names it in events. */
  constructor(term: number, path: string, policy: Policy, rules: FailoverRules) {
    const wrong = Object.entries(rules).find(
      ([name, value]) => !(name === "graceMillis" ? value >= 0 : value > 0)
    )
    if (wrong !== undefined)
      throw new RangeError(`${wrong[0]} of a failover coordinator is ${wrong[1]}: it must be more than 0`)
    roleEpoch(term, 0)
    this.rules = rules
    this.#term = term
    this.#path = path
    this.#policy = policy
    this.#members = new FailoverMembers(rules.graceMillis)
    this.#orders = new FailoverOrders(term)
    this.#current = term
  }

  get over(): boolean {
    return this.#phase === "deposed"
  }

  // What happens

  begin(records: ReadonlyArray<MemberRecord>, nowMillis: number): ReadonlyArray<FailoverEffect> {
    this.#learnUntilMillis = nowMillis + this.rules.learnMillis
    this.#members.begin(records)
    for (const name of this.#members.liveNames) this.#looks.soon(name, nowMillis)
    return this.#step(nowMillis)
  }

  observe(event: MembershipEvent, nowMillis: number): ReadonlyArray<FailoverEffect> {
    const { name } = event.member
    if (!this.#members.observe(event, nowMillis)) return this.#step(nowMillis)
    if (event._tag === "MemberJoined") {
      for (const held of this.#roles.values()) {
        if (held.holder === name && held.bootId !== event.member.bootId)
          held.lost = `${name} has started anew`
      }
    }
    if (event._tag === "MemberJoined" || event._tag === "MemberRecovered") this.#looks.soon(name, nowMillis)
    return this.#step(nowMillis)
  }

  tick(nowMillis: number): ReadonlyArray<FailoverEffect> {
    return this.#step(nowMillis)
  }

  reported(node: string, answered: Answered<RolesReport>, nowMillis: number): ReadonlyArray<FailoverEffect> {
    const { lookMillis, retryMillis } = this.rules
    const nextMillis = nowMillis + (answered._tag === "Failed" ? retryMillis : lookMillis)
    const askedMillis = this.#looks.settled(node, answered._tag === "Done", nextMillis)
    if (askedMillis === undefined) return this.#step(nowMillis)
    if (answered._tag === "Stale") this.#depose(answered.fault.current)
    if (answered._tag === "Done") {
      if (answered.value.orders !== null) this.#learnOrders(answered.value.orders)
      this.#compare(node, answered.value, askedMillis, nowMillis)
    }
    const isBehind = this.#phase === "running" && this.#looks.isBehind(node, this.#orders.standing)
    if (isBehind) this.#looks.soon(node, nowMillis)
    return this.#step(nowMillis)
  }

  took(
    role: string,
    epoch: number,
    answered: Answered<void>,
    nowMillis: number
  ): ReadonlyArray<FailoverEffect> {
    const held = this.#roles.get(role)
    if (held?.epoch === epoch && held.phase === "taking") {
      held.knownMillis = nowMillis
      if (answered._tag === "Done") {
        held.phase = "settled"
        held.dueMillis = never
      } else if (answered._tag === "Failed") held.dueMillis = nowMillis + this.rules.retryMillis
      else if (termOf(answered.fault.current) > this.#term) this.#depose(termOf(answered.fault.current))
      else held.lost = `${held.holder} knows a later epoch`
    } else if (answered._tag === "Stale" && termOf(answered.fault.current) > this.#term)
      this.#depose(termOf(answered.fault.current))
    return this.#step(nowMillis)
  }

  gaveUp(
    role: string,
    epoch: number,
    answered: Answered<void>,
    nowMillis: number
  ): ReadonlyArray<FailoverEffect> {
    const held = this.#roles.get(role)
    if (answered._tag === "Stale" && termOf(answered.fault.current) > this.#term)
      this.#depose(termOf(answered.fault.current))
    // One that does not answer is waited for until its time is up.
    else if (held?.epoch === epoch && held.phase === "giving up" && answered._tag !== "Failed")
      held.dueMillis = nowMillis
    return this.#step(nowMillis)
  }

  mayAutomate(
    role: string,
    ticket: number,
    permission: Permission,
    nowMillis: number
  ): ReadonlyArray<FailoverEffect> {
    const move = this.#moves.get(role)
    if (move?.ticket !== ticket) return this.#step(nowMillis)
    const zone = move.zones.shift() ?? ""
    if (permission === null) {
      if (move.zones.length > 0) this.#ask(role, move)
      else move.allowed = true
      return this.#step(nowMillis)
    }
    const fields = { ...this.#decision(permission), role, holder: move.holder, zone }
    this.#say(role, `stopped ${move.holder} ${permission.reason}`, new FailoverStopped(fields))
    this.#moves.set(role, { ...move, zones: [], ticket: 0, askAtMillis: nowMillis + this.rules.retryMillis })
    return this.#step(nowMillis)
  }

  /** What an operator orders. Refused, it has changed nothing. */
  order(order: HandOrder, nowMillis: number): ReadonlyArray<FailoverEffect> | OrderFault {
    const notNow = this.#notNow(nowMillis)
    if (notNow !== undefined) return notNow
    const outcome = this.#orders.take(order, this.#members.liveNames)
    if (outcome._tag === "Refused") return outcome.fault
    for (const event of outcome.events) this.#publish(event)
    if (outcome.events.length > 0) this.#looks.everybodySoon(nowMillis)
    const holder = "role" in order ? (this.#roles.get(order.role)?.holder ?? null) : null
    const why = { reason: order.reason, by: order.by }
    if (order._tag === "Veto" && holder === order.node) this.#assign(order.role, null, why, nowMillis)
    if (order._tag === "Force" && holder !== order.node) this.#assign(order.role, order.node, why, nowMillis)
    return this.#step(nowMillis)
  }

  get status(): FailoverStatus {
    const members = this.#members.situation
    const roles = [...this.#roles.values()].map(({ by, epoch, holder, lost, phase, reason, role }) => {
      const confirmed = phase === "settled" && lost === undefined
      return { role, holder, epoch, confirmed, reason, by, waits: this.#said.get(role) ?? "" }
    })
    for (const [role, waits] of this.#said) {
      if (!this.#roles.has(role))
        roles.push({ role, holder: null, epoch: 0, confirmed: false, reason: "", by: "", waits })
    }
    return {
      term: this.#term,
      phase: this.#phase,
      members: [...members.values()].map(({ name, status, zone }) => ({ name, status, zone })),
      roles,
      orders: this.#orders.standing
    }
  }

  /** When `tick` will have something to do, if nothing else happens. */
  get wakeMillis(): number {
    if (this.#phase === "deposed") return never
    if (this.#phase === "learning") return Math.min(this.#learnUntilMillis, this.#looks.wakeMillis)
    let wake = Math.min(this.#members.wakeMillis, this.#looks.wakeMillis)
    for (const { dueMillis } of this.#roles.values()) wake = Math.min(wake, dueMillis)
    for (const { askAtMillis } of this.#moves.values()) wake = Math.min(wake, askAtMillis)
    return wake
  }

  // Deciding

  /** After every input: what time has brought, what the policy wants now, what the agents must hear. */
  #step(nowMillis: number): ReadonlyArray<FailoverEffect> {
    if (this.#phase !== "deposed") {
      this.#members.expire(nowMillis)
      if (this.#phase === "learning" && this.#hasLearned(nowMillis)) this.#run(nowMillis)
      if (this.#phase === "running") this.#decide(nowMillis)
      this.#tell(nowMillis)
      this.#lookAround(nowMillis)
    }
    const effects = this.#effects
    this.#effects = []
    return effects
  }

  #hasLearned(nowMillis: number): boolean {
    if (nowMillis >= this.#learnUntilMillis) return true
    return this.#members.liveNames.every((name) => this.#looks.hasMet(name))
  }

  #run(nowMillis: number): void {
    this.#phase = "running"
    const asked = this.#members.liveNames.length
    const answered = this.#looks.met
    const reason = `${answered} of ${asked} agents have said what they have`
    this.#publish(new FailoverBegan({ ...this.#decision({ reason, by: this.#path }), answered, asked }))
    for (const held of this.#roles.values()) held.knownMillis = nowMillis
  }

  #decide(nowMillis: number): void {
    for (const event of this.#orders.drop((name) => this.#members.has(name), this.#path)) this.#publish(event)
    const situation = this.#situation()
    const wanted = this.#policy(situation)
    if (wanted.size > rolesMax)
      throw new RangeError(`the failover policy wants ${wanted.size} roles, at most ${rolesMax}`)
    for (const role of new Set([...wanted.keys(), ...this.#roles.keys()])) {
      const forced = this.#orders.forced(role)
      if (forced !== undefined) this.#consider(role, { ...forced, holder: forced.node }, nowMillis)
      else this.#consider(role, { ...(wanted.get(role) ?? this.#asItIs(role)), by: this.#path }, nowMillis)
    }
    for (const role of [...this.#said.keys(), ...this.#moves.keys()]) {
      if (wanted.has(role) || this.#roles.has(role)) continue
      this.#said.delete(role)
      this.#moves.delete(role)
    }
  }

  #asItIs(role: string): Wanted {
    return { holder: this.#roles.get(role)?.holder ?? null, reason: "the policy leaves it as it is" }
  }

  #consider(role: string, { by, holder, reason }: Wanted & Why, nowMillis: number): void {
    const current = this.#roles.get(role)
    const lost = current?.lost
    const isLost = lost !== undefined && holder !== null && this.#members.isLive(holder)
    if (holder === (current?.holder ?? null) && !isLost) {
      this.#moves.delete(role)
      this.#said.delete(role)
      return
    }
    const why =
      holder === current?.holder && lost !== undefined ? { reason: lost, by: this.#path } : { reason, by }
    const forbidden = this.#forbidden(role, holder)
    if (forbidden !== undefined) {
      this.#moves.delete(role)
      const event = new DecisionVetoed({ ...this.#decision(forbidden), role, holder })
      return this.#say(role, `${forbidden.by} forbids ${holder}: ${forbidden.reason}`, event)
    }
    if (current?.holder != null && this.#members.inGrace(current.holder)) {
      this.#moves.delete(role)
      this.#said.set(role, `${current.holder} has failed and keeps it for its grace`)
      return
    }
    const move = this.#moves.get(role)
    if (move !== undefined && move.holder === holder && move.allowed) {
      this.#assign(role, holder, why, nowMillis)
    } else if (isNew(move, holder) || (move !== undefined && nowMillis >= move.askAtMillis)) {
      this.#propose(role, holder, current)
    }
  }

  /** By whom and why the policy may not have it so; undefined where it may. */
  #forbidden(role: string, holder: string | null): Why | undefined {
    const { held } = this.#orders
    if (!this.#roles.has(role) && this.#roles.size >= rolesMax)
      return { by: this.#path, reason: `there are ${rolesMax} roles already` }
    if (held !== null) return { by: held.by, reason: `failover is held: ${held.reason}` }
    if (holder === null) return undefined
    const veto = this.#orders.veto(role, holder)
    if (veto !== undefined) return { by: veto.by, reason: veto.reason }
    if (this.#members.isLive(holder)) return undefined
    return { by: this.#path, reason: `${holder} is no live member` }
  }

  #propose(role: string, holder: string | null, current: Assignment | undefined): void {
    const from = current?.holder == null ? undefined : (this.#members.zoneOf(current.holder) ?? current.zone)
    const to = holder === null ? undefined : this.#members.zoneOf(holder)
    // From nobody to nobody is no move, so there is at least one.
    const zones = [...new Set([from, to])].filter((zone) => zone !== undefined)
    const move = { holder, ticket: ++this.#tickets, zones, allowed: false, askAtMillis: never }
    this.#moves.set(role, move)
    this.#ask(role, move)
  }

  #ask(role: string, { ticket, zones }: Move): void {
    this.#effects.push({ _tag: "MayAutomate", role, ticket, zone: zones[0] ?? "" })
  }

  /** The one place where a role changes its holder. */
  #assign(role: string, holder: string | null, why: Why, nowMillis: number): void {
    const former = this.#roles.get(role)
    const previous = former?.holder ?? null
    const epoch = roleEpoch(this.#term, ++this.#count)
    const giver =
      previous !== null && previous !== holder && this.#members.isLive(previous) ? previous : undefined
    const assignment: Assignment = {
      ...why,
      role,
      holder,
      bootId: holder === null ? "" : this.#members.bootIdOf(holder),
      zone: holder === null ? undefined : this.#members.zoneOf(holder),
      epoch,
      phase: giver === undefined ? "taking" : "giving up",
      lost: undefined,
      knownMillis: nowMillis,
      dueMillis: giver === undefined ? nowMillis : nowMillis + this.rules.giveUpMillis
    }
    this.#roles.set(role, assignment)
    this.#moves.delete(role)
    this.#said.delete(role)
    const fields = { ...this.#decision(why), role, epoch, previous }
    this.#publish(holder === null ? new RoleUnassigned(fields) : new RoleAssigned({ ...fields, holder }))
    if (giver !== undefined)
      this.#effects.push({ _tag: "GiveUp", node: giver, role, epoch, reason: why.reason })
  }

  // What the agents must hear

  #tell(nowMillis: number): void {
    for (const held of this.#roles.values()) {
      if (nowMillis < held.dueMillis) continue
      if (held.holder === null) {
        held.phase = "settled"
        held.dueMillis = never
      } else if (this.#members.isLive(held.holder)) {
        held.phase = "taking"
        // Until its answer; that comes, or its deadline does.
        held.dueMillis = never
        const { epoch, holder, reason, role } = held
        this.#effects.push({ _tag: "Take", node: holder, role, epoch, reason })
      } else held.dueMillis = nowMillis + this.rules.retryMillis
    }
  }

  /** What an agent has, beside what it was given. */
  #compare(node: string, report: RolesReport, askedMillis: number, nowMillis: number): void {
    const has = new Map(report.held.map(({ epoch, role }) => [role, epoch]))
    for (const { epoch, role } of report.seen) {
      const known = this.#roles.get(role)
      const holds = has.has(role)
      const better =
        known === undefined ||
        epoch > known.epoch ||
        (epoch === known.epoch && holds && known.holder === null)
      if (better && termOf(epoch) !== this.#term) this.#learn(node, role, epoch, holds, nowMillis)
      else if (known !== undefined && holds && epoch < known.epoch && known.phase !== "giving up") {
        const { reason } = known
        if (known.holder !== node)
          this.#effects.push({ _tag: "GiveUp", node, role, epoch: known.epoch, reason })
      }
    }
    for (const held of this.#roles.values()) {
      if (held.holder !== node || held.knownMillis >= askedMillis || held.phase !== "settled") continue
      if (has.get(held.role) !== held.epoch) held.lost = `the agent of ${node} has it no longer`
    }
  }

  #learn(node: string, role: string, epoch: number, holds: boolean, nowMillis: number): void {
    if (!this.#roles.has(role) && this.#roles.size >= rolesMax) return
    const holder = holds ? node : null
    const reason = holds ? `the agent of ${node} has it` : `the agent of ${node} has seen it given up`
    const why = { reason, by: this.#path }
    this.#roles.set(role, {
      ...why,
      role,
      holder,
      bootId: holds ? this.#members.bootIdOf(node) : "",
      zone: this.#members.zoneOf(node),
      epoch,
      phase: "settled",
      lost: undefined,
      knownMillis: nowMillis,
      dueMillis: never
    })
    this.#publish(new RoleLearned({ ...this.#decision(why), role, holder, epoch }))
  }

  #learnOrders(orders: StandingOrders): void {
    const wasHeld = this.#orders.held !== null
    if (!this.#orders.learn(orders) || orders.held === null || wasHeld) return
    this.#publish(new FailoverHeld(this.#decision(orders.held)))
  }

  #lookAround(nowMillis: number): void {
    if (this.over) return
    const orders = this.#phase === "running" ? this.#orders.standing : null
    const isLive = (node: string) => this.#members.isLive(node)
    for (const node of this.#looks.due(isLive, orders, nowMillis))
      this.#effects.push({ _tag: "Report", node, orders })
  }

  #situation(): Situation {
    const roles = new Map(
      [...this.#roles.values()].map(({ epoch, holder, lost, phase, role }) => {
        const confirmed = phase === "settled" && lost === undefined
        return [role, { role, holder, epoch, confirmed }] as const
      })
    )
    const isVetoed = (role: string, node: string) => this.#orders.veto(role, node) !== undefined
    return { members: this.#members.situation, roles, isVetoed }
  }

  #depose(current: number): void {
    if (this.over) return
    this.#phase = "deposed"
    this.#current = current
    const reason = `an agent obeys the coordinator of term ${current}`
    this.#publish(new FailoverEnded(this.#decision({ reason, by: this.#path })))
    this.#effects.push({ _tag: "Deposed" })
  }

  #notNow(nowMillis: number): OrderFault | undefined {
    const term = this.#term
    if (this.over) return new FailoverDeposed({ term, current: this.#current })
    if (this.#phase === "running") return undefined
    return new FailoverLearning({ term, remainingMillis: Math.max(0, this.#learnUntilMillis - nowMillis) })
  }

  #say(role: string, text: string, event: FailoverEvent): void {
    if (this.#said.get(role) === text) return
    this.#said.set(role, text)
    this.#publish(event)
  }

  #decision({ by, reason }: Why) {
    return { term: this.#term, by, reason }
  }

  #publish(event: FailoverEvent): void {
    this.#effects.push({ _tag: "Publish", event })
  }
}
