/**
 * A part of the member's actor: tells who looks on that there is another leader, that the members are others, or
 * how far the replacement of one has come.
 */
import type { InitContext } from "#actors/kernel/context.ts"
import type { Membership } from "#actors/raft/raft-membership.ts"
import type { NodeId } from "#actors/raft/raft-messages.ts"
import {
  ChainfireLed,
  ChainfireMembersChanged,
  type Replacement,
  ReplacementAdvanced
} from "#protocols/chainfire.ts"
import type { Endpoint } from "./etcd-calls.ts"
import type { Member } from "./member.ts"

/** As it was when it was told last. */
export interface Told {
  leader: NodeId
  term: number
  members: Membership | undefined
  replacement: Replacement | undefined
}

interface Sources {
  readonly member: Member
  readonly endpoint: Pick<Endpoint, "changes">
  readonly told: Told
  readonly watchLeader: (leader: NodeId) => void
}

export const publishNews = (
  { endpoint, member, told, watchLeader }: Sources,
  context: Pick<InitContext<never>, "publish">
): void => {
  const { id, leader, membership, term } = member
  if (told.leader !== leader || told.term !== term) {
    if (told.leader !== leader) watchLeader(leader)
    told.leader = leader
    told.term = term
    context.publish(new ChainfireLed({ member: id, term, leader }))
  }
  if (told.members !== membership) {
    told.members = membership
    const { learners, voters } = membership
    context.publish(new ChainfireMembersChanged({ member: id, voters, learners }))
  }
  const { replacement } = endpoint.changes
  if (replacement === undefined || told.replacement === replacement) return
  told.replacement = replacement
  const { step, waitsFor } = replacement
  context.publish(new ReplacementAdvanced({ id: replacement.id, step, waitsFor }))
}
