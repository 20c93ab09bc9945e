import test from "ava"
import { Cause, Effect, Schema } from "effect"
import * as Actor from "#actors/kernel/actor.ts"
import { ask } from "#actors/kernel/ask.ts"
import { GetRegistry, GroupMembers, JoinGroup, RegisterName, WhereIs } from "#protocols/registry.ts"
import { inSimCluster, type SimNode } from "./fixtures/sim-cluster.ts"
import { ClusterRegistry, RegistryView } from "./registry-actor.ts"

test("a name that is registered on one node is found on all, and gone when its actor ends", (t) => {
  const { after, before, fault } = inSimCluster(3, 1, {}, (cluster) =>
    Effect.gen(function* () {
      yield* settle(cluster.nodes)
      const { system } = cluster.node("n1")
      const { path } = system.spawn(Idle, { name: "leader" })
      yield* ask(registry(cluster.node("n1")), new RegisterName({ name: "leader", path }), "1 second")
      yield* Effect.sleep("1 second")
      const before = yield* whereIs(cluster.nodes, "leader")
      const other = cluster.node("n2").system.spawn(Idle, { name: "other" })
      const claim = new RegisterName({ name: "leader", path: other.path })
      const fault = yield* Effect.flip(ask(registry(cluster.node("n2")), claim, "1 second"))
      system.inject(path, Cause.die("a bug"))
      yield* Effect.sleep("1 second")
      return { before, fault, after: yield* whereIs(cluster.nodes, "leader") }
    })
  )
  t.deepEqual(before, Array(3).fill("/n1/leader"))
  t.regex(fault.message, /^the name leader is held by \/n1\/leader; stop that actor first/)
  t.deepEqual(after, [null, null, null])
})

test("the actors of a node that fails leave their groups everywhere; a lost link alone takes nobody out", (t) => {
  const { cut, failed } = inSimCluster(4, 2, {}, (cluster) =>
    Effect.gen(function* () {
      yield* settle(cluster.nodes)
      yield* Effect.forEach(cluster.nodes, (node) => join(node))
      yield* Effect.sleep("1 second")
      cluster.network.partition(["n1:7700"], ["n2:7700"])
      yield* Effect.sleep("20 seconds")
      const cut = yield* members(cluster.nodes)
      cluster.network.heal()
      cluster.node("n3").powerOff()
      yield* Effect.sleep("1 minute")
      return { cut, failed: yield* members(cluster.nodes.slice(0, 3)) }
    })
  )
  for (const paths of cut) t.is(paths.length, 4)
  for (const paths of failed) t.deepEqual(paths, ["/n0/worker", "/n1/worker", "/n2/worker"])
})

test("two sides of a partition may each register a name; once they meet the earlier one has it", (t) => {
  for (let seed = 1; seed <= 10; seed++) {
    const { apart, lost, together } = inSimCluster(4, seed, {}, (cluster) =>
      Effect.gen(function* () {
        yield* settle(cluster.nodes)
        cluster.network.partition(["n0:7700", "n1:7700"], ["n2:7700", "n3:7700"])
        yield* Effect.sleep("1 minute")
        for (const name of ["n3", "n0"]) {
          const { path } = cluster.node(name).system.spawn(Idle, { name: "leader" })
          const claim = new RegisterName({ name: "leader", path })
          yield* ask(registry(cluster.node(name)), claim, "1 second")
          yield* Effect.sleep("1 second")
        }
        const apart = yield* whereIs(cluster.nodes, "leader")
        cluster.network.heal()
        yield* Effect.sleep("3 minutes")
        const lost = cluster.node("n0").events.filter(({ _tag }) => _tag === "NameLost")
        return { apart, lost, together: yield* whereIs(cluster.nodes, "leader") }
      })
    )
    t.deepEqual(apart, ["/n0/leader", "/n0/leader", "/n3/leader", "/n3/leader"])
    t.deepEqual(together, Array(4).fill("/n3/leader"), `seed ${seed}`)
    t.like(lost[0], { path: "/n0/leader", winner: "/n3/leader" })
  }
})

test("a node that comes late, and one that comes back, know what was registered before", (t) => {
  const found = inSimCluster(2, 3, {}, (cluster) =>
    Effect.gen(function* () {
      yield* settle(cluster.nodes)
      yield* join(cluster.node("n1"))
      const late = yield* cluster.boot("n2")
      yield* Effect.sleep("10 seconds")
      yield* settle([late])
      cluster.node("n0").kill()
      yield* Effect.sleep("1 second")
      const back = yield* cluster.boot("n0", { bootId: "n0#2", seeds: ["n1:7700"] })
      yield* settle([back])
      return yield* members([late, back])
    })
  )
  for (const paths of found) t.deepEqual(paths, ["/n1/worker"])
})

test("a registry that crashes is heard again: what was held is free, and what is registered then is found", (t) => {
  const { after, held } = inSimCluster(3, 6, {}, (cluster) =>
    Effect.gen(function* () {
      yield* settle(cluster.nodes)
      const node = cluster.node("n1")
      const register = (name: string) =>
        ask(
          registry(node),
          new RegisterName({ name, path: node.system.spawn(Idle, { name }).path }),
          "1 second"
        )
      for (const name of ["one", "two", "three"]) yield* register(name)
      yield* Effect.sleep("1 second")
      node.system.inject(registry(node).path, Cause.die("a drill"))
      yield* Effect.sleep("1 second")
      // As its supervisor does.
      node.system.spawn(ClusterRegistry, { args: { node: node.name, bootId: node.bootId } })
      yield* Effect.sleep("15 seconds")
      const held = yield* whereIs(cluster.nodes, "one")
      yield* register("four")
      yield* Effect.sleep("15 seconds")
      return { held, after: yield* whereIs(cluster.nodes, "four") }
    })
  )
  t.deepEqual(held, [null, null, null])
  t.deepEqual(after, Array(3).fill("/n1/four"))
})

test("who leaves in order is out of the registry at once, and stays out", (t) => {
  const { events, tables } = inSimCluster(3, 4, {}, (cluster) =>
    Effect.gen(function* () {
      yield* settle(cluster.nodes)
      yield* join(cluster.node("n2"))
      yield* Effect.sleep("1 second")
      yield* cluster.node("n2").stop
      yield* Effect.sleep("2 minutes")
      const { events } = cluster.node("n0")
      return { events, tables: yield* ask(registry(cluster.node("n0")), new GetRegistry({}), "1 second") }
    })
  )
  const told = events.filter(({ _tag }) => _tag === "MemberLeft" || _tag === "MemberFailed")
  t.deepEqual(
    told.map(({ _tag }) => _tag),
    ["MemberLeft"]
  )
  t.deepEqual(tables.map(({ claims, node }) => [node, claims.length]).toSorted(), [
    ["n0", 0],
    ["n1", 0]
  ])
})

test("five thousand claims come over, and a flood of changes leaves as few messages", (t) => {
  const count = inSimCluster(2, 5, {}, (cluster) =>
    Effect.gen(function* () {
      yield* settle(cluster.nodes)
      const { path } = cluster.node("n1").system.spawn(Idle, { name: "worker" })
      for (let index = 0; index < 5_000; index++) {
        yield* ask(registry(cluster.node("n1")), new JoinGroup({ group: `g${index}`, path }), "1 second")
      }
      yield* Effect.sleep("1 second")
      const before = cluster.network.delivered
      const tables = yield* ask(registry(cluster.node("n0")), new GetRegistry({}), "1 second")
      return { before, claims: tables.find(({ node }) => node === "n1")?.claims.length }
    })
  )
  t.is(count.claims, 5_000)
  t.true(count.before < 2_000, `${count.before} batches`)
})

class Nothing extends Schema.TaggedClass<Nothing>()("Nothing", {}) {}
const Idle = Actor.make("idle", {
  messages: [Nothing],
  init: () => ({}),
  handlers: { Nothing: (state) => state }
})

const views = new WeakMap<SimNode, RegistryView>()

/** Starts the registry of each node and lets them find each other. */
const settle = (nodes: ReadonlyArray<SimNode>) =>
  Effect.zipRight(
    Effect.sync(() => {
      for (const node of nodes) {
        if (views.has(node)) continue
        const view = new RegistryView()
        views.set(node, view)
        node.system.spawn(ClusterRegistry, { args: { node: node.name, bootId: node.bootId, view } })
      }
    }),
    Effect.sleep("15 seconds")
  )

const registry = ({ name, system }: SimNode) => {
  const found = system.lookup(`/${name}/registry`, ClusterRegistry)
  if (found === undefined) throw new Error("no registry")
  return found
}

const join = (node: SimNode) => {
  const { path } = node.system.spawn(Idle, { name: "worker" })
  return ask(registry(node), new JoinGroup({ group: "workers", path }), "1 second")
}

const whereIs = (nodes: ReadonlyArray<SimNode>, name: string) =>
  Effect.forEach(nodes, (node) => ask(registry(node), new WhereIs({ name }), "1 second"))

/** As the registry answers and as its view shows: the same. */
const members = (nodes: ReadonlyArray<SimNode>) =>
  Effect.forEach(nodes, (node) =>
    Effect.map(ask(registry(node), new GroupMembers({ group: "workers" }), "1 second"), (paths) => {
      const seen = views.get(node)?.members("workers") ?? []
      if (seen.join() !== paths.join()) throw new Error(`the view shows ${seen.join()}`)
      return paths
    })
  )
