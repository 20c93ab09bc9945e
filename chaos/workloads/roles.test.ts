import test from "ava"
import { Effect } from "effect"
import { FailoverActor } from "#actors/cluster/failover-actor.ts"
import { stayOrLeastLoaded } from "#actors/cluster/failover-policy.ts"
import { inSimCluster, type SimCluster } from "#actors/cluster/fixtures/sim-cluster.ts"
import { FleetBreakerActor } from "#actors/cluster/fleet-breaker-actor.ts"
import { leaderRole } from "#actors/cluster/leader-role-actor.ts"
import { RoleAgentActor } from "#actors/cluster/role-agent-actor.ts"
import { ask } from "#actors/kernel/ask.ts"
import type { Holding } from "#chaos/checkers/evidence.ts"
import { judged } from "#chaos/checkers/fixtures/evidence.ts"
import { leaseSafety } from "#chaos/checkers/lease-safety.ts"
import { singleHolder } from "#chaos/checkers/single-holder.ts"
import { Unanswered, type World } from "#chaos/lab/world.ts"
import { Prng } from "#chaos/sim/prng.ts"
import { address } from "#protocols/address.ts"
import { MayAutomate } from "#protocols/breakers.ts"
import { GiveUpRole, ReportRoles, TakeRole } from "#protocols/failover.ts"
import { Members } from "#protocols/membership.ts"
import * as Supervisor from "#supervisors/engine/supervisor.ts"
import { child } from "#supervisors/engine/tree.ts"
import { roles } from "./roles.ts"

test("when the coordinator's node is cut off or dies another one follows it, and roles have one holder at a time", (t) => {
  t.timeout(60_000)
  for (let seed = 1; seed <= 2; seed++) {
    const holdings = watched(seed, ({ leader, network, node }) =>
      Effect.gen(function* () {
        yield* Effect.sleep("40 seconds")
        const others = names.filter((name) => name !== leader())
        network.partition(
          [`${leader()}:7700`],
          others.map((name) => `${name}:7700`)
        )
        yield* Effect.sleep("90 seconds")
        network.heal()
        yield* Effect.sleep("60 seconds")
        node(leader() ?? "").powerOff()
        yield* Effect.sleep("90 seconds")
      })
    )
    for (const check of [singleHolder, leaseSafety]) {
      const { lines, verdict } = judged(check, { holdings })
      t.is(verdict, "passed", `seed ${seed}, ${check.name}: ${lines.join("\n")}`)
      t.log(check.name, ...lines)
    }
    const of = (what: string) => holdings.filter((holding) => holding.what === what)
    t.true(of("role failover").length > 1, `seed ${seed}`)
    t.true(of("role volumes").length > 0)
    t.true(of("role failover").some(({ fromMillis, untilMillis = 0 }) => untilMillis - fromMillis > 20_000))
  }
})

// Fixtures

const names = ["n0", "n1", "n2", "n3", "n4"]

interface Watched extends SimCluster {
  /** As it says itself, in the latest epoch. */
  readonly leader: () => string | undefined
}

/** What nodes believe while something happens. */
const watched = (seed: number, body: (watched: Watched) => Effect.Effect<void>): ReadonlyArray<Holding> =>
  inSimCluster(names.length, seed, { children }, (cluster) =>
    Effect.gen(function* () {
      const { world: sim } = cluster
      let isOver = false
      const world: World = {
        kind: "sim",
        nodes: names,
        slowness: 1,
        facts: {},
        etcd: {
          call: () => {},
          watch: () => () => {},
          after: () => () => {},
          isDefinite: () => false
        },
        ask: (name, path, request) =>
          ask(cluster.node(name).system.at({ path, messages: new Map() }), request, "1 second").pipe(
            Effect.mapError((fault) => new Unanswered({ node: name, reason: String(fault) })),
            Effect.timeoutFail({
              duration: "2 seconds",
              onTimeout: () => new Unanswered({ node: name, reason: "it says nothing" })
            })
          ),
        strike: () => Effect.void,
        peerUrl: (name) => name,
        residentBytes: () => Effect.succeed(undefined),
        complaints: () => []
      }
      const running = roles().begin({
        world,
        prng: new Prng(seed),
        nowMillis: () => sim.nowMillis,
        nodes: names,
        isOver: () => isOver
      })
      const watching = yield* Effect.fork(running.run)
      const holdings = () => running.gathered().holdings ?? []
      const leader = () =>
        holdings()
          .filter(({ what }) => what === "role failover")
          .toSorted((one, other) => other.fence - one.fence)[0]?.holder
      yield* body({ ...cluster, leader })
      isOver = true
      yield* watching.await
      return holdings()
    })
  )

/** As supervisors/trees/roles.ts has them. */
const children = (name: string) => [
  child(FleetBreakerActor, { args: { members: address(`/${name}/membership`, Members) } }),
  child(
    Supervisor.make("roles", {
      strategy: "one-for-one",
      children: [
        child(RoleAgentActor, { args: { node: name } }),
        child(candidateOf(name), { args: { holder: name } })
      ]
    })
  )
]
const candidateOf = (name: string) =>
  leaderRole({
    role: "failover",
    child: FailoverActor,
    args: (term) => ({
      term,
      members: address(`/${name}/membership`, Members),
      fleetBreaker: address(`/${name}/fleet-breaker`, MayAutomate),
      agentOf: (node) => address(`/${node}/roles/role-agent`, ReportRoles, TakeRole, GiveUpRole),
      policy: stayOrLeastLoaded(["volumes", "routes"], () => true)
    })
  })
