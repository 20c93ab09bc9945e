/** Everything of this folder together: links, SWIM, fleet breaker, leader roles and failover on whole nodes. */
import test from "ava"
import { Effect } from "effect"
import { ask } from "#actors/kernel/ask.ts"
import { address } from "#protocols/address.ts"
import { AutomationStopped, MayAutomate, ResetFleetBreaker } from "#protocols/breakers.ts"
import { ForceHolder, GetFailover, GetRoles, GiveUpRole, ReportRoles, TakeRole } from "#protocols/failover.ts"
import { Members } from "#protocols/membership.ts"
import { child } from "#supervisors/engine/tree.ts"
import { FailoverActor } from "./failover-actor.ts"
import { stayOrLeastLoaded } from "./failover-policy.ts"
import { inSimCluster, type NodeOptions, type SimCluster, type SimNode } from "./fixtures/sim-cluster.ts"
import { FleetBreakerActor } from "./fleet-breaker-actor.ts"
import { leaderRole } from "./leader-role-actor.ts"
import { RoleAgentActor } from "./role-agent-actor.ts"
import { defaultConfig, detectionMillisMax } from "./swim-config.ts"

const roles = ["volumes", "routes"]

test("roles are given out once, and move when the node that holds them goes dark, on any seed", (t) => {
  for (let seed = 1; seed <= 15; seed++) {
    const { after, before, epochs } = play(5, seed, ({ nodes, node }) =>
      Effect.gen(function* () {
        yield* Effect.sleep("40 seconds")
        const before = yield* holders(nodes)
        const [victim = ""] = before.get("volumes") ?? []
        node(victim).powerOff()
        yield* Effect.sleep(detectionMillisMax(defaultConfig, { members: 5, awareness: 1 }) + 40_000)
        const live = nodes.filter(({ name }) => name !== victim)
        const after = yield* holders(live)
        return { before, after, epochs: yield* epochsOf(live) }
      })
    )
    for (const role of roles) {
      t.is(before.get(role)?.length, 1, `seed ${seed}: ${role} before`)
      t.is(after.get(role)?.length, 1, `seed ${seed}: ${role} after`)
    }
    t.notDeepEqual(after.get("volumes"), before.get("volumes"), `seed ${seed}`)
    t.true(epochs.every((epoch) => epoch > 0))
  }
})

test("a holder on the smaller side of a partition is replaced, and when it returns it has given up", (t) => {
  for (let seed = 1; seed <= 8; seed++) {
    const { apart, healed, holder } = play(5, seed, ({ network, nodes }) =>
      Effect.gen(function* () {
        yield* Effect.sleep("40 seconds")
        // The coordinator's leases are reached from everywhere here; only the nodes are cut off.
        yield* orderOf(
          nodes,
          new ForceHolder({ role: "volumes", node: "n4", by: "HUMAN::ann", reason: "a drill" })
        )
        yield* Effect.sleep("10 seconds")
        const [holder = ""] = (yield* holders(nodes)).get("volumes") ?? []
        network.partition(["n4:7700"], ["n0:7700", "n1:7700", "n2:7700", "n3:7700"])
        yield* Effect.sleep("90 seconds")
        const apart = (yield* holders(nodes.filter(({ name }) => name !== "n4"))).get("volumes")
        network.heal()
        yield* Effect.sleep("3 minutes")
        return { holder, apart, healed: (yield* holders(nodes)).get("volumes") }
      })
    )
    t.is(holder, "n4")
    t.is(apart?.length, 1, `seed ${seed}`)
    t.not(apart?.[0], "n4")
    t.deepEqual(healed, apart, `seed ${seed}: one holder, and no move back`)
  }
})

test("when half of a fleet goes dark nothing moves by itself until somebody says so", (t) => {
  const { after, fault, stopped } = play(6, 3, ({ node, nodes }) =>
    Effect.gen(function* () {
      yield* Effect.sleep("40 seconds")
      const before = yield* holders(nodes)
      const [first = ""] = before.get("volumes") ?? []
      const victims = [first, ...nodes.map(({ name }) => name).filter((name) => name !== first)].slice(0, 3)
      for (const victim of victims) node(victim).powerOff()
      const live = nodes.filter(({ name }) => !victims.includes(name))
      yield* Effect.sleep("90 seconds")
      const stopped = yield* holders(live)
      const [witness] = live
      if (witness === undefined) throw new Error("nobody left")
      const breaker = witness.system.at(address(`/${witness.name}/fleet-breaker`, MayAutomate))
      const fault = yield* Effect.flip(ask(breaker, new MayAutomate({ zone: "a" }), "1 second"))
      for (const { name, system } of live) {
        const reset = new ResetFleetBreaker({ zone: "a", by: "HUMAN::ann", reason: "the rack is off" })
        const fleet = new ResetFleetBreaker({ zone: null, by: "HUMAN::ann", reason: "the rack is off" })
        const own = system.at(address(`/${name}/fleet-breaker`, ResetFleetBreaker))
        yield* Effect.either(ask(own, reset, "1 second"))
        yield* Effect.either(ask(own, fleet, "1 second"))
      }
      yield* Effect.sleep("1 minute")
      return { stopped, fault, after: yield* holders(live) }
    })
  )
  t.deepEqual(stopped.get("volumes") ?? [], [], "its holder is dark and nobody took it over")
  t.true(fault instanceof AutomationStopped)
  t.is(after.get("volumes")?.length, 1)
})

const policy = stayOrLeastLoaded(roles, () => true)

/** What each node runs besides links and membership. */
const children: NodeOptions["children"] = (name) => {
  const members = address(`/${name}/membership`, Members)
  const fleetBreaker = address(`/${name}/fleet-breaker`, MayAutomate)
  const agentOf = (node: string) => address(`/${node}/role-agent`, ReportRoles, TakeRole, GiveUpRole)
  const candidate = leaderRole({
    role: "failover",
    child: FailoverActor,
    args: (term) => ({ term, members, fleetBreaker, agentOf, policy })
  })
  return [
    child(FleetBreakerActor, { args: { members } }),
    child(RoleAgentActor, { args: { node: name } }),
    child(candidate, { name: "candidate", args: { holder: `${name}#1` } })
  ]
}

const play = <A, E>(size: number, seed: number, body: (cluster: SimCluster) => Effect.Effect<A, E>): A =>
  inSimCluster(size, seed, { children }, body)

/** Who has which role, as the agents say. */
const holders = (nodes: ReadonlyArray<SimNode>) =>
  Effect.map(
    Effect.forEach(nodes, ({ name, system }) =>
      Effect.map(
        ask(system.at(address(`/${name}/role-agent`, GetRoles)), new GetRoles({}), "1 second"),
        (report) => ({
          name,
          report
        })
      )
    ),
    (reports) => {
      const found = new Map<string, Array<string>>()
      for (const { name, report } of reports) {
        for (const { role } of report.held) found.set(role, [...(found.get(role) ?? []), name])
      }
      return found
    }
  )

const epochsOf = (nodes: ReadonlyArray<SimNode>) =>
  Effect.map(
    Effect.forEach(nodes, ({ name, system }) =>
      ask(system.at(address(`/${name}/role-agent`, GetRoles)), new GetRoles({}), "1 second")
    ),
    (reports) => reports.flatMap(({ held }) => held.map(({ epoch }) => epoch))
  )

/** Gives an order to whichever node coordinates. */
const orderOf = (nodes: ReadonlyArray<SimNode>, order: ForceHolder) =>
  Effect.forEach(nodes, ({ name, system }) => {
    const path = `/${name}/candidate/failover`
    const present = system.lookup(path, FailoverActor)
    if (present === undefined) return Effect.void
    return Effect.zipRight(
      ask(system.at(address(path, GetFailover)), new GetFailover({}), "1 second"),
      ask(system.at(address(path, ForceHolder)), order, "1 second")
    )
  })
