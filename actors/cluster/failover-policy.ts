/**
 * Failover policies: pure functions from what a coordinator sees to who should have which role.
 *
 * A policy is asked again whenever something changes, and after each move, so it must want the same while
 * the situation is the same. What it does not mention stays as it is. It need not know about vetoes, grace
 * or the fleet breaker: the coordinator forbids what is forbidden. But one that ignores a veto leaves the
 * role with nobody, since nobody else will choose for it.
 */
import type { Metadata } from "#protocols/membership.ts"

export interface SituationMember {
  readonly name: string
  readonly zone: string
  /** One that has failed counts as suspect until its grace is over; after that it is none. */
  readonly status: "alive" | "suspect"
  readonly metadata: Metadata
}

export interface SituationRole {
  readonly role: string
  /** May be somebody who is no member any more. */
  readonly holder: string | null
  readonly epoch: number
  /** The holder has said that it has it. */
  readonly confirmed: boolean
}

export interface Situation {
  readonly members: ReadonlyMap<string, SituationMember>
  /** All roles that any coordinator has given out, as far as this one knows. */
  readonly roles: ReadonlyMap<string, SituationRole>
  readonly isVetoed: (role: string, node: string) => boolean
}

export interface Wanted {
  /** Null: nobody. */
  readonly holder: string | null
  /** In words, for people: it becomes the reason of the move. */
  readonly reason: string
}

export type Policy = (situation: Situation) => ReadonlyMap<string, Wanted>

/**
 * Each role stays where it is while its holder is a member, suspected or not. Otherwise it goes to the
 * live candidate with the fewest of these roles, of several to the first by name. Where there is no
 * candidate it stays with whom it was.
 */
export const stayOrLeastLoaded =
  (roles: ReadonlyArray<string>, isCandidate: (member: SituationMember, role: string) => boolean): Policy =>
  (situation) => {
    const wanted = new Map<string, Wanted>()
    const load = new Map<string, number>()
    const put = (role: string, holder: string, reason: string) => {
      wanted.set(role, { holder, reason })
      load.set(holder, (load.get(holder) ?? 0) + 1)
    }
    const homeless: Array<string> = []
    for (const role of roles) {
      const holder = situation.roles.get(role)?.holder
      if (typeof holder !== "string" || !situation.members.has(holder) || situation.isVetoed(role, holder))
        homeless.push(role)
      else put(role, holder, `${holder} has it`)
    }
    for (const role of homeless) {
      const best = [...situation.members.values()]
        .filter(({ name, status }) => status === "alive" && !situation.isVetoed(role, name))
        .filter((member) => isCandidate(member, role))
        .map(({ name }) => ({ name, has: load.get(name) ?? 0 }))
        .toSorted((one, other) => one.has - other.has || (one.name < other.name ? -1 : 1))[0]
      const former = situation.roles.get(role)?.holder ?? null
      const why = former === null ? "nobody has it" : `${former} cannot have it`
      if (best !== undefined) put(role, best.name, `${why}, and ${best.name} has ${best.has} others`)
    }
    return wanted
  }
