/**
 * Nobody works here: nodes are asked again and again which roles they believe to have, the coordinator of failover
 * and those that it gives out. Each node is asked by itself, so that one that is away holds up nobody.
 */
import { Effect, Option } from "effect"
import type { NodeName } from "#chaos/lab/world.ts"
import { GetLeaderRole, GetRoles, type LeaderRoleStatus, type RolesReport } from "#protocols/failover.ts"
import { RoleBeliefs, type Said } from "./role-beliefs.ts"
import type { Running, Site, Workload } from "./workload.ts"

export interface RolesOptions {
  readonly pauseMillis: number
  /** Of those that are over. */
  readonly holdingsMax: number
}

export const usualRoles: RolesOptions = { pauseMillis: 250, holdingsMax: 10_000 }

export const roles = (chosen: Partial<RolesOptions> = {}): Workload => {
  const options = { ...usualRoles, ...chosen }
  return { name: "who has which role", begin: (site) => begin(options, site) }
}

const begin = (
  { holdingsMax, pauseMillis }: RolesOptions,
  { isOver, nodes, nowMillis, world }: Site
): Running => {
  const beliefs = new RoleBeliefs(holdingsMax)
  const counts = { answered: 0, failed: 0, unknown: 0, acknowledged: 0 }
  /** Which roles each node's agent has had, so that it is known when it has one no longer. */
  const hadBy = new Map(nodes.map((node) => [node, new Set<string>()]))
  const hear = (when: Pick<Said, "node" | "askedMillis" | "answeredMillis">, { held }: RolesReport) => {
    const had = hadBy.get(when.node) ?? new Set()
    const epochs = new Map(held.map(({ epoch, role }) => [role, epoch]))
    for (const role of epochs.keys()) had.add(role)
    for (const role of had)
      beliefs.say({ ...when, role, epoch: epochs.get(role), remainingMillis: undefined })
  }
  const look = (node: NodeName) =>
    Effect.gen(function* () {
      const firstMillis = nowMillis()
      const leader = yield* Effect.option(
        world.ask(node, `/${node}/roles/failover-candidate`, new GetLeaderRole({}))
      )
      if (Option.isSome(leader))
        beliefs.say({
          node,
          askedMillis: firstMillis,
          answeredMillis: nowMillis(),
          ...leaderSays(leader.value)
        })
      const askedMillis = nowMillis()
      const agent = yield* Effect.option(world.ask(node, `/${node}/roles/role-agent`, new GetRoles({})))
      if (Option.isSome(agent)) hear({ node, askedMillis, answeredMillis: nowMillis() }, agent.value)
      if (Option.isSome(leader) && Option.isSome(agent)) counts.answered++
      else counts.failed++
    })
  const watch = (node: NodeName) =>
    Effect.gen(function* () {
      while (!isOver()) {
        yield* look(node)
        yield* Effect.sleep(pauseMillis * world.slowness)
      }
    })
  return {
    run: Effect.forEach(nodes, watch, { concurrency: "unbounded", discard: true }),
    gathered: () => ({ holdings: beliefs.holdings }),
    counts: () => ({ ...counts })
  }
}

/** While it stops it may still act. */
const leaderSays = ({
  epoch,
  phase,
  remainingMillis,
  role
}: LeaderRoleStatus): Pick<Said, "role" | "epoch" | "remainingMillis"> => {
  const leads = (phase === "leading" || phase === "stopping") && epoch !== null
  return {
    role,
    epoch: leads ? epoch : undefined,
    remainingMillis: leads ? (remainingMillis ?? undefined) : undefined
  }
}
