/**
 * The fleet breaker: whether machines may act on nodes by themselves, per zone and for the whole fleet.
 *
 * One dead node is what automation is for. Half a zone dead within a minute is something else: a switch,
 * a power feed, a bad rollout, or a mistake of our own eyes; moving everything at once then makes it
 * worse. So automation stops, until most nodes are healthy again or a person has looked.
 *
 *   runs ──of the members tripRate died within the window──► stopped
 *     ▲                                                         │
 *     └── resetRate of the members are healthy, or by hand ─────┘
 *
 * While it runs, a death counts for the window and is then forgotten: slow attrition, which automation has
 * dealt with, never trips it. Once it has tripped nothing is forgotten, or else it would reset merely
 * because time passes while all are still dead. Between the two rates it stays as it is.
 *
 * Members are those who were seen alive and have not left. A planned leave is no death and trips nothing;
 * a suspected member is not dead, but not healthy either. Pure: membership events and time in, changes out.
 */
import type { FleetScope, Order, ScopeStatus } from "#protocols/breakers.ts"
import type { MemberRecord, MembershipEvent } from "#protocols/membership.ts"

export interface FleetRules {
  /** Deaths further apart than this are not one event. */
  readonly windowMillis: number
  /** It trips when this share of the members has died within the window. */
  readonly tripRate: number
  /** It resets when this share of the members is healthy. */
  readonly resetRate: number
  /** Fewer deaths never trip it, so that a zone of one or two nodes can lose one. */
  readonly deathsMin: number
}

export const defaultRules: FleetRules = {
  windowMillis: 60_000,
  tripRate: 0.5,
  resetRate: 0.8,
  deathsMin: 2
}

export interface FleetChange {
  readonly to: "tripped" | "reset"
  readonly zone: FleetScope
  readonly reason: string
  /** Undefined where it decided by itself. */
  readonly by: string | undefined
  readonly dead: ReadonlyArray<string>
  readonly healthy: number
  readonly members: number
}

/** Why automation is stopped. */
export interface Stop {
  readonly tripped: FleetScope
  readonly by: string | undefined
  readonly reason: string
  readonly sinceMillis: number
  readonly status: ScopeStatus
  /** Healthy members at which it resets by itself; null where it waits for a hand. */
  readonly healthyNeeded: number | null
}

interface Node {
  zone: string
  incarnation: number
  suspected: boolean
  death: Death | undefined
}

interface Death {
  readonly number: number
  readonly atMillis: number
}

interface Watched {
  trip: Trip | undefined
  /** Deaths up to this number were forgiven by hand. */
  forgiven: number
}

interface Trip {
  readonly atMillis: number
  readonly reason: string
  readonly by: string | undefined
}

export class FleetBreaker {
  readonly rules: FleetRules
  readonly #nodes = new Map<string, Node>()
  readonly #scopes = new Map<FleetScope, Watched>([[null, { trip: undefined, forgiven: 0 }]])
  #deaths = 0
  #changes: Array<FleetChange> = []

  constructor(rules: FleetRules) {
    const { deathsMin, resetRate, tripRate, windowMillis } = rules
    if (!(tripRate > 0 && resetRate <= 1 && resetRate + tripRate > 1)) {
      throw new RangeError(
        `a fleet breaker that trips at ${tripRate} dead and resets at ${resetRate} healthy would flap: the two rates must add up to more than 1`
      )
    }
    if (!(windowMillis > 0 && deathsMin >= 1)) {
      throw new RangeError(
        `a fleet breaker with a window of ${windowMillis} ms and a minimum of ${deathsMin} deaths makes no sense: both must be more than 0`
      )
    }
    this.rules = rules
  }

  /** Who is remembered: members, and the dead for as long as they count. */
  get size(): number {
    return this.#nodes.size
  }

  /**
   * What membership knows when this begins. Nobody can say when those who have failed did, so they count
   * as dying now: after a restart in the middle of an outage automation stays stopped.
   */
  begin(members: ReadonlyArray<MemberRecord>, nowMillis: number): ReadonlyArray<FleetChange> {
    const present = members.filter(({ status }) => status !== "left")
    for (const member of present) this.#see(member).suspected = member.status === "suspect"
    const failed = present.filter(({ status }) => status === "failed")
    for (const { name } of failed) this.#bury(name, nowMillis)
    for (const zone of new Set([...failed.map(({ metadata }) => metadata.zone), null])) {
      this.#tripWhereDue(zone, nowMillis)
    }
    return this.#taken()
  }

  observe({ _tag, member }: MembershipEvent, nowMillis: number): ReadonlyArray<FleetChange> {
    const known = this.#nodes.get(member.name)
    // What was already queued when `begin` heard something newer.
    if (known !== undefined && member.incarnation < known.incarnation) return []
    switch (_tag) {
      case "MemberJoined":
      case "MemberRecovered": {
        const node = this.#see(member)
        node.suspected = false
        node.death = undefined
        break
      }
      case "MemberSuspected":
        if (known !== undefined && known.death === undefined) known.suspected = true
        break
      case "MemberUpdated":
        if (known !== undefined) this.#see(member)
        break
      case "MemberLeft":
        this.#nodes.delete(member.name)
        break
      case "MemberFailed":
        if (known !== undefined && known.death === undefined) {
          known.incarnation = member.incarnation
          this.#bury(member.name, nowMillis)
          this.#tripWhereDue(known.zone, nowMillis)
          this.#tripWhereDue(null, nowMillis)
        }
        break
    }
    this.#resetWhereDue(nowMillis)
    this.#forget(nowMillis)
    return this.#taken()
  }

  /** Why nothing may act by itself in this zone, or undefined: it may. The fleet's reason goes first. */
  stopped(zone: string, nowMillis: number): Stop | undefined {
    for (const scope of [null, zone]) {
      const trip = this.#scopes.get(scope)?.trip
      if (trip !== undefined) {
        const { atMillis, by, reason } = trip
        const status = this.#status(scope, nowMillis)
        const healthyNeeded = by === undefined ? leastFor(this.rules.resetRate, status.members) : null
        return { tripped: scope, by, reason, sinceMillis: nowMillis - atMillis, status, healthyNeeded }
      }
    }
    return undefined
  }

  /** Stops automation until somebody resets it: health alone does not. */
  trip(scope: FleetScope, { by, reason }: Order, nowMillis: number): ReadonlyArray<FleetChange> {
    this.#trip(scope, reason, by, nowMillis)
    return this.#taken()
  }

  /** Lets automation go on. Who is dead now does not count again. */
  reset(scope: FleetScope, { by, reason }: Order, nowMillis: number): ReadonlyArray<FleetChange> {
    const watched = this.#watched(scope)
    const wasTripped = watched.trip !== undefined
    const status = this.#status(scope, nowMillis)
    watched.trip = undefined
    watched.forgiven = this.#deaths
    if (wasTripped) this.#note("reset", status, reason, by)
    this.#forget(nowMillis)
    return this.#taken()
  }

  /** The fleet, and all zones that have members or have tripped. */
  status(nowMillis: number): ReadonlyArray<ScopeStatus> {
    this.#forget(nowMillis)
    const zones = new Set([...this.#scopes.keys(), ...[...this.#nodes.values()].map(({ zone }) => zone)])
    return [...zones].map((scope) => this.#status(scope, nowMillis))
  }

  #see({ incarnation, metadata, name }: MemberRecord): Node {
    const node = this.#nodes.get(name) ?? { zone: "", incarnation, suspected: false, death: undefined }
    node.zone = metadata.zone
    node.incarnation = incarnation
    this.#nodes.set(name, node)
    return node
  }

  #bury(name: string, nowMillis: number): void {
    this.#deaths++
    const node = this.#nodes.get(name)
    if (node !== undefined) node.death = { number: this.#deaths, atMillis: nowMillis }
  }

  #tripWhereDue(scope: FleetScope, nowMillis: number): void {
    if (this.#scopes.get(scope)?.trip !== undefined) return
    const { deathsMin, tripRate, windowMillis } = this.rules
    const { dead, members } = this.#status(scope, nowMillis)
    if (dead.length < deathsMin || dead.length / members < tripRate) return
    const reason = `${dead.length} of ${members} nodes died within ${windowMillis / 1_000} s`
    this.#trip(scope, reason, undefined, nowMillis)
  }

  #resetWhereDue(nowMillis: number): void {
    for (const [scope, watched] of this.#scopes) {
      if (watched.trip === undefined || watched.trip.by !== undefined) continue
      const status = this.#status(scope, nowMillis)
      // Of nobody all are healthy: the last dead one was taken out of the cluster.
      if (status.healthy < leastFor(this.rules.resetRate, status.members)) continue
      watched.trip = undefined
      this.#note("reset", status, `${status.healthy} of ${status.members} nodes are healthy`, undefined)
    }
  }

  #trip(scope: FleetScope, reason: string, by: string | undefined, nowMillis: number): void {
    const watched = this.#watched(scope)
    // Tripped twice, it still counts who died before the first time.
    watched.trip = { atMillis: watched.trip?.atMillis ?? nowMillis, reason, by }
    this.#note("tripped", this.#status(scope, nowMillis), reason, by)
  }

  /** Drops the dead that nobody counts any more, and zones without anything to remember. */
  #forget(nowMillis: number): void {
    for (const [name, node] of this.#nodes) {
      if (node.death === undefined) continue
      if (!this.#counts(node.death, null, nowMillis) && !this.#counts(node.death, node.zone, nowMillis)) {
        this.#nodes.delete(name)
      }
    }
    const zones = new Set([...this.#nodes.values()].map(({ zone }) => zone))
    for (const [scope, { trip }] of this.#scopes) {
      if (scope !== null && trip === undefined && !zones.has(scope)) this.#scopes.delete(scope)
    }
  }

  #counts({ atMillis, number }: Death, scope: FleetScope, nowMillis: number): boolean {
    const watched = this.#scopes.get(scope)
    const endMillis = watched?.trip?.atMillis ?? nowMillis
    return number > (watched?.forgiven ?? 0) && atMillis > endMillis - this.rules.windowMillis
  }

  #status(scope: FleetScope, nowMillis: number): ScopeStatus {
    const trip = this.#scopes.get(scope)?.trip
    const dead: Array<string> = []
    let healthy = 0
    let suspected = 0
    for (const [name, node] of this.#nodes) {
      if (scope !== null && node.zone !== scope) continue
      if (node.death === undefined) {
        if (node.suspected) suspected++
        else healthy++
      } else if (this.#counts(node.death, scope, nowMillis)) dead.push(name)
    }
    return {
      zone: scope,
      tripped: trip !== undefined,
      reason: trip?.reason ?? "",
      by: trip?.by ?? "",
      dead,
      healthy,
      members: healthy + suspected + dead.length
    }
  }

  #watched(scope: FleetScope): Watched {
    const watched = this.#scopes.get(scope) ?? { trip: undefined, forgiven: 0 }
    this.#scopes.set(scope, watched)
    return watched
  }

  #note(to: FleetChange["to"], status: ScopeStatus, reason: string, by: string | undefined): void {
    const { dead, healthy, members, zone } = status
    this.#changes.push({ to, zone, reason, by, dead, healthy, members })
  }

  #taken(): ReadonlyArray<FleetChange> {
    const changes = this.#changes
    this.#changes = []
    return changes
  }
}

/** The least number of them that is this share, in spite of how fractions are rounded. */
const leastFor = (share: number, of: number): number => {
  const least = Math.floor(share * of)
  return least >= share * of || least / of >= share ? least : least + 1
}
