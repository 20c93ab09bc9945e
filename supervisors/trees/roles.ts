/**
 * What a node needs of chainfire, and what one node at a time does for all, in start order:
 *
 *   coordination        asks chainfire for the components of this node; restarted, its watches begin where they were
 *   role-agent          has the roles that this node was given; restarted it has none, and is asked about it
 *   failover-candidate  campaigns for the coordinator of failover, which runs below it where it leads
 *
 * A candidate needs a group whose members all campaign in one store. A node that is a group of its own would lead
 * for itself alone, so it does not campaign.
 */
import { CoordinationActor, type TreeCoordination } from "#actors/cluster/coordination-actor.ts"
import { FailoverActor } from "#actors/cluster/failover-actor.ts"
import { stayOrLeastLoaded } from "#actors/cluster/failover-policy.ts"
import { leaderRole } from "#actors/cluster/leader-role-actor.ts"
import { RoleAgentActor } from "#actors/cluster/role-agent-actor.ts"
import { address } from "#protocols/address.ts"
import { MayAutomate } from "#protocols/breakers.ts"
import { GiveUpRole, ReportRoles, TakeRole } from "#protocols/failover.ts"
import type { Introduction } from "#protocols/links.ts"
import { Members } from "#protocols/membership.ts"
import * as Supervisor from "../engine/supervisor.ts"
import { child } from "../engine/tree.ts"

export interface RolesTreeOptions {
  readonly self: Introduction
  readonly coordination: TreeCoordination
  /** Each of them one node has at a time. */
  readonly roles: ReadonlyArray<string>
  /** Whether all nodes have one chainfire. */
  readonly isGroup: boolean
}

const agentOf = (node: string) => address(`/${node}/roles/role-agent`, ReportRoles, TakeRole, GiveUpRole)

export const rolesTree = ({ coordination, isGroup, roles, self }: RolesTreeOptions) => {
  const { bootId, name } = self
  const failover = leaderRole({
    role: "failover",
    child: FailoverActor,
    args: (term) => ({
      term,
      members: address(`/${name}/cluster/membership`, Members),
      fleetBreaker: address(`/${name}/cluster/fleet-breaker`, MayAutomate),
      agentOf,
      policy: stayOrLeastLoaded(roles, () => true)
    })
  })
  return Supervisor.make("roles", {
    strategy: "one-for-one",
    intensity: { restarts: 10, within: "1 minute" },
    children: [
      child(CoordinationActor, { args: { tree: coordination } }),
      child(RoleAgentActor, { args: { node: name } }),
      // It stops its actor and gives its lease back, which takes up to 5 s.
      ...(isGroup ? [child(failover, { args: { holder: `${name}#${bootId}` }, shutdown: "6 seconds" })] : [])
    ]
  })
}
