/**
 * What operators have ordered a failover coordinator and not taken back: the hold, the vetoes, the forced
 * holders. Each change has a version, by which a later coordinator tells which of the copies that the
 * agents keep is the last. Pure.
 */
import {
  type FailoverEvent,
  FailoverHeld,
  FailoverIsHeld,
  FailoverReleased,
  ForceEnded,
  ForcePlaced,
  type HolderOrder,
  HolderVetoed,
  NoSuchHolder,
  type OrderFault,
  ordersMax,
  type StandingOrders,
  TooManyOrders,
  VetoLifted,
  VetoPlaced
} from "#protocols/failover.ts"
import { isLater } from "./role-agent.ts"

interface Why {
  readonly by: string
  readonly reason: string
}

export type HandOrder = Why &
  (
    | { readonly _tag: "Hold" | "Release" }
    | { readonly _tag: "Veto" | "LiftVeto" | "Force"; readonly role: string; readonly node: string }
    | { readonly _tag: "LiftForce"; readonly role: string }
  )

type Outcome =
  | { readonly _tag: "Done"; readonly events: ReadonlyArray<FailoverEvent> }
  | { readonly _tag: "Refused"; readonly fault: OrderFault }

export class FailoverOrders {
  readonly #term: number
  #standing: StandingOrders = { term: 0, number: 0, held: null, vetoes: [], forced: [] }

  constructor(term: number) {
    this.#term = term
  }

  /** With its version. */
  get standing(): StandingOrders {
    return this.#standing
  }

  get held(): Why | null {
    return this.#standing.held
  }

  veto(role: string, node: string): HolderOrder | undefined {
    return this.#standing.vetoes.find((veto) => veto.role === role && veto.node === node)
  }

  forced(role: string): HolderOrder | undefined {
    return this.#standing.forced.find((forced) => forced.role === role)
  }

  /** A copy that an agent has kept counts if it is later than what is known. True when it did. */
  learn(orders: StandingOrders): boolean {
    if (!isLater(orders, this.#standing)) return false
    this.#standing = orders
    return true
  }

  /** What stands already is done already. */
  take(order: HandOrder, liveNames: ReadonlyArray<string>): Outcome {
    const { forced, held, vetoes } = this.#standing
    const { by, reason } = order
    const decision = { term: this.#term, by, reason }
    switch (order._tag) {
      case "Hold":
        if (held !== null) return refused(new FailoverIsHeld(held))
        return this.#change({ held: { by, reason } }, new FailoverHeld(decision))
      case "Release":
        return held === null ? nothing : this.#change({ held: null }, new FailoverReleased(decision))
      case "Veto": {
        const { node, role } = order
        if (this.veto(role, node) !== undefined) return nothing
        if (vetoes.length >= ordersMax) return refused(new TooManyOrders({ ordersMax }))
        const about = { ...decision, role, node }
        const events: Array<FailoverEvent> = [new VetoPlaced(about)]
        if (this.forced(role)?.node === node) events.push(new ForceEnded(about))
        const others = forced.filter((one) => one.role !== role || one.node !== node)
        return this.#change({ vetoes: [...vetoes, { role, node, by, reason }], forced: others }, ...events)
      }
      case "LiftVeto": {
        const { node, role } = order
        const veto = this.veto(role, node)
        if (veto === undefined) return nothing
        const others = vetoes.filter((one) => one !== veto)
        return this.#change({ vetoes: others }, new VetoLifted({ ...decision, role, node }))
      }
      case "Force": {
        const { node, role } = order
        const veto = this.veto(role, node)
        if (veto !== undefined) return refused(new HolderVetoed(veto))
        if (!liveNames.includes(node)) return refused(new NoSuchHolder({ role, node, members: liveNames }))
        if (this.forced(role)?.node === node) return nothing
        const others = forced.filter((one) => one.role !== role)
        if (others.length >= ordersMax) return refused(new TooManyOrders({ ordersMax }))
        const event = new ForcePlaced({ ...decision, role, node })
        return this.#change({ forced: [...others, { role, node, by, reason }] }, event)
      }
      case "LiftForce": {
        const lifted = this.forced(order.role)
        if (lifted === undefined) return nothing
        const { node, role } = lifted
        const others = forced.filter((one) => one !== lifted)
        return this.#change({ forced: others }, new ForceEnded({ ...decision, role, node }))
      }
    }
  }

  /** Ends the force of whoever is no member any more. */
  drop(isMember: (node: string) => boolean, path: string): ReadonlyArray<FailoverEvent> {
    const gone = this.#standing.forced.filter(({ node }) => !isMember(node))
    if (gone.length === 0) return []
    const forced = this.#standing.forced.filter(({ node }) => isMember(node))
    const events = gone.map(({ node, role }) => {
      const reason = `${node} is no member any more`
      return new ForceEnded({ term: this.#term, by: path, reason, role, node })
    })
    this.#change({ forced }, ...events)
    return events
  }

  /** The one place where an order changes. */
  #change(
    change: Partial<Pick<StandingOrders, "held" | "vetoes" | "forced">>,
    ...events: ReadonlyArray<FailoverEvent>
  ): Outcome {
    const number = this.#standing.term === this.#term ? this.#standing.number + 1 : 1
    this.#standing = { ...this.#standing, ...change, term: this.#term, number }
    return { _tag: "Done", events }
  }
}

const nothing: Outcome = { _tag: "Done", events: [] }

const refused = (fault: OrderFault): Outcome => ({ _tag: "Refused", fault })
