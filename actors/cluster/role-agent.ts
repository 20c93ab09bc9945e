/**
 * The role agent's memory: which roles this node has, and whom it still obeys.
 *
 * It knows the highest epoch of each role that it was told of, and the latest term of any coordinator. A
 * coordinator that reports in with its term is obeyed from then on, and none before it, for any role: what
 * an earlier one decided and the network delivers late is refused. That is what lets a new coordinator
 * rely on what the agents answer, as the first phase of Paxos does.
 *
 *   nothing ──TakeRole 5──► has 5 ──TakeRole 7──► has 7 ──GiveUpRole 8──► has nothing, has seen 8
 *                                     └──TakeRole 6: StaleEpoch
 *
 * It remembers in memory only. Started again it has nothing and has seen nothing, and would obey a former
 * coordinator until a present one reports in; the fence before the resource refuses what comes of that.
 * Pure, and changes in place.
 */
import {
  type RoleHeld,
  type RolesReport,
  StaleEpoch,
  type StandingOrders,
  TooManyRoles
} from "#protocols/failover.ts"
import { roleEpoch } from "./fence.ts"

export const rolesMax = 1_024

export interface RoleChange {
  readonly to: "granted" | "revoked"
  readonly role: string
  readonly epoch: number
  readonly reason: string
}

export type AgentAnswer =
  | { readonly _tag: "Done"; readonly changes: ReadonlyArray<RoleChange> }
  | { readonly _tag: "Refused"; readonly fault: StaleEpoch | TooManyRoles }

interface Known {
  seen: number
  held: boolean
}

export class RoleAgent {
  readonly node: string
  readonly #roles = new Map<string, Known>()
  #term = 0
  #orders: StandingOrders | null = null

  constructor(node: string) {
    this.node = node
  }

  /** The fault, or undefined: this coordinator is obeyed, and its orders are kept. */
  meet(term: number, orders: StandingOrders | null): StaleEpoch | undefined {
    if (term < this.#term)
      return new StaleEpoch({ role: "the failover coordinator", epoch: term, current: this.#term })
    this.#term = term
    if (orders !== null && (this.#orders === null || isLater(orders, this.#orders))) this.#orders = orders
    return undefined
  }

  take(term: number, { epoch, role }: RoleHeld, reason: string): AgentAnswer {
    const refused = this.#refusal(term, role, epoch)
    if (refused !== undefined) return { _tag: "Refused", fault: refused }
    const known = this.#roles.get(role)
    if (known?.held === true && known.seen === epoch) return done([])
    // Given up under this very epoch: a late copy does not give it back.
    if (known?.seen === epoch) return stale(role, epoch, known.seen)
    const changes = this.#revoked(role, reason)
    this.#know(role, epoch, true)
    return done([...changes, { to: "granted", role, epoch, reason }])
  }

  giveUp(term: number, { epoch, role }: RoleHeld, reason: string): AgentAnswer {
    const refused = this.#refusal(term, role, epoch)
    if (refused !== undefined) return { _tag: "Refused", fault: refused }
    if (this.#roles.get(role)?.seen === epoch) return done([])
    const changes = this.#revoked(role, reason)
    this.#know(role, epoch, false)
    return done(changes)
  }

  /** All that it has, when its life ends. */
  giveUpAll(reason: string): ReadonlyArray<RoleChange> {
    const changes = [...this.#roles.keys()].flatMap((role) => this.#revoked(role, reason))
    for (const known of this.#roles.values()) known.held = false
    return changes
  }

  get report(): RolesReport {
    const held: Array<RoleHeld> = []
    const seen: Array<RoleHeld> = []
    for (const [role, known] of this.#roles) {
      seen.push({ role, epoch: known.seen })
      if (known.held) held.push({ role, epoch: known.seen })
    }
    return { node: this.node, term: this.#term, held, seen, orders: this.#orders }
  }

  #refusal(term: number, role: string, epoch: number): StaleEpoch | TooManyRoles | undefined {
    const known = this.#roles.get(role)
    if (term < this.#term) return new StaleEpoch({ role, epoch, current: roleEpoch(this.#term, 0) })
    this.#term = term
    if (known !== undefined && epoch < known.seen) return new StaleEpoch({ role, epoch, current: known.seen })
    return known === undefined && this.#roles.size >= rolesMax
      ? new TooManyRoles({ node: this.node, role, rolesMax })
      : undefined
  }

  #revoked(role: string, reason: string): ReadonlyArray<RoleChange> {
    const known = this.#roles.get(role)
    return known?.held === true ? [{ to: "revoked", role, epoch: known.seen, reason }] : []
  }

  #know(role: string, epoch: number, held: boolean): void {
    this.#roles.set(role, { seen: epoch, held })
  }
}

/** Of two sets of orders the one that was given later. */
export const isLater = (one: StandingOrders, other: StandingOrders): boolean =>
  one.term > other.term || (one.term === other.term && one.number > other.number)

const done = (changes: ReadonlyArray<RoleChange>): AgentAnswer => ({ _tag: "Done", changes })

const stale = (role: string, epoch: number, current: number): AgentAnswer => ({
  _tag: "Refused",
  fault: new StaleEpoch({ role, epoch, current })
})
