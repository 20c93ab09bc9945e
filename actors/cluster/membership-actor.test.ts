import test from "ava"
import { Cause, Effect, Logger, Schema, Scope } from "effect"
import { ask } from "#actors/kernel/ask.ts"
import * as ActorSystem from "#actors/kernel/system.ts"
import { Compartment } from "#chaos/sim/compartment.ts"
import { SimDatagrams } from "#chaos/sim/sim-datagrams.ts"
import { SimWorld } from "#chaos/sim/world.ts"
import { Describe, Leave, Members, MembershipEvent, Metadata } from "#protocols/membership.ts"
import * as Supervisor from "#supervisors/engine/supervisor.ts"
import { child } from "#supervisors/engine/tree.ts"
import { type Identity, Membership } from "./membership-actor.ts"
import { defaultConfig, detectionMillisMax, healMillisMax } from "./swim-config.ts"

test("nodes that know one seed find each other", (t) => {
  for (const size of [3, 10]) {
    const outcome = play(size, 1, (cluster) =>
      Effect.gen(function* () {
        yield* Effect.sleep("5 seconds")
        return yield* Effect.forEach(cluster.nodes, (node) => alive(node))
      })
    )
    for (const members of outcome) t.is(members.length, size)
  }
})

test("a node that loses its power is reported failed by all others within the bound, on any seed", (t) => {
  for (let seed = 1; seed <= 20; seed++) {
    const size = 3 + (seed % 8)
    const reports = play(size, seed, ({ datagrams, nodes }) =>
      Effect.gen(function* () {
        datagrams.weather = { loss: (seed % 4) / 10, duplicate: 0.1, delayMillisMax: 50 }
        yield* Effect.sleep("20 seconds")
        const [victim, ...others] = nodes
        victim?.powerOff()
        const awareness = seed % 4 > 1 ? 1 : 0
        yield* Effect.sleep(detectionMillisMax(defaultConfig, { members: size, awareness }))
        return others.map(({ events }) => events.filter(is("MemberFailed", "n0")).length)
      })
    )
    t.deepEqual(reports, Array(size - 1).fill(1), `seed ${seed}`)
  }
})

test("the two sides of a partition give each other up, and find each other again", (t) => {
  const { apart, together } = play(6, 3, ({ datagrams, nodes }) =>
    Effect.gen(function* () {
      yield* Effect.sleep("10 seconds")
      datagrams.partition(["n0", "n1"], ["n2", "n3", "n4", "n5"])
      yield* Effect.sleep("90 seconds")
      const apart = yield* Effect.forEach(nodes, (node) => alive(node))
      datagrams.heal()
      yield* Effect.sleep(healMillisMax(defaultConfig, 6))
      const together = yield* Effect.forEach(nodes, (node) => alive(node))
      return { apart, together }
    })
  )
  t.deepEqual(
    apart.map((members) => members.length),
    [2, 2, 4, 4, 4, 4]
  )
  t.deepEqual(
    together.map((members) => members.length),
    [6, 6, 6, 6, 6, 6]
  )
})

test("a leave is answered once it was heard, and nobody takes it for a failure", (t) => {
  const { again, events, tookMillis } = play(5, 4, ({ nodes, world }) =>
    Effect.gen(function* () {
      yield* Effect.sleep("10 seconds")
      const [leaving, ...others] = nodes
      if (leaving === undefined) throw new Error("nobody to leave")
      const startMillis = world.nowMillis
      yield* ask(leaving.ref, new Leave({}), "10 seconds")
      const tookMillis = world.nowMillis - startMillis
      const again = yield* ask(leaving.ref, new Leave({}), "1 second")
      leaving.powerOff()
      yield* Effect.sleep("60 seconds")
      return { again, tookMillis, events: others.map((node) => node.events) }
    })
  )
  t.is(again, undefined)
  t.true(tookMillis < 2_000, `${tookMillis} ms`)
  for (const heard of events) {
    t.is(heard.filter(is("MemberLeft", "n0")).length, 1)
    t.false(heard.some(is("MemberFailed", "n0")))
  }
})

test("a node that comes back under its name is another life", (t) => {
  const events = play(4, 5, ({ boot, nodes }) =>
    Effect.gen(function* () {
      yield* Effect.sleep("10 seconds")
      nodes[1]?.powerOff()
      yield* Effect.sleep("3 seconds")
      yield* boot("n1", "n1#2")
      yield* Effect.sleep("10 seconds")
      return nodes.filter((_, index) => index !== 1).map((node) => node.events)
    })
  )
  for (const heard of events) {
    const story = heard
      .filter(({ member }) => member.name === "n1")
      .map(({ _tag, member }) => `${_tag} ${member.bootId}`)
      .filter((line) => !line.startsWith("MemberSuspected"))
    t.deepEqual(story, ["MemberJoined n1#1", "MemberFailed n1#1", "MemberJoined n1#2"])
  }
})

test("a seed that left and comes back knowing nobody is found by those who joined through it", (t) => {
  const view = play(4, 10, ({ boot, nodes }) =>
    Effect.gen(function* () {
      yield* Effect.sleep("10 seconds")
      const [seed] = nodes
      if (seed === undefined) throw new Error("nobody there")
      yield* ask(seed.ref, new Leave({}), "10 seconds")
      seed.powerOff()
      yield* Effect.sleep("10 seconds")
      const again = yield* boot("n0", "n0#2")
      yield* Effect.sleep("20 seconds")
      return yield* alive(again)
    })
  )
  t.is(view.length, 4)
})

test("an actor that crashes and is restarted in its process is met again without a word of failure", (t) => {
  const { events, view } = play(4, 6, ({ nodes }) =>
    Effect.gen(function* () {
      yield* Effect.sleep("10 seconds")
      const [first, second] = nodes
      if (first === undefined || second === undefined) throw new Error("nobody there")
      // The seed itself: it has nobody to ask, and still learns who is there.
      first.crash()
      yield* Effect.sleep("30 seconds")
      return { events: second.events, view: yield* alive(first) }
    })
  )
  t.is(view.length, 4)
  t.false(events.some(is("MemberFailed", "n0")))
})

test("new metadata reaches everybody", (t) => {
  const events = play(4, 7, ({ nodes }) =>
    Effect.gen(function* () {
      yield* Effect.sleep("10 seconds")
      const [first, ...others] = nodes
      if (first === undefined) throw new Error("nobody there")
      const metadata = new Metadata({ roles: ["db"], zone: "b", version: "2", ports: { sql: 5_432 } })
      yield* ask(first.ref, new Describe({ metadata }), "1 second")
      yield* Effect.sleep("5 seconds")
      return others.map((node) => node.events)
    })
  )
  for (const heard of events) {
    const updates = heard.filter(is("MemberUpdated", "n0"))
    t.is(updates.length, 1)
    t.deepEqual(updates[0]?.member.metadata.ports, { sql: 5_432 })
  }
})

test("malformed packets are counted and dropped, and the actor goes on", (t) => {
  const news = { by: "x", record: { name: "x" } }
  const malformed: ReadonlyArray<unknown> = [
    null,
    "ping",
    7,
    [],
    {},
    { kind: "pong" },
    { kind: "ping", seq: -1, target: "n0", news: [] },
    { kind: "ping", seq: 1.5, target: "n0", news: [] },
    { kind: "ping", seq: 1, target: "x".repeat(10_000), news: [] },
    { kind: "gossip", news: [news] },
    { kind: "gossip", news: Array(1_000).fill(news) },
    { kind: "sync", reply: "yes", records: [] }
  ]
  const { inspected, view } = play(3, 8, ({ datagrams, nodes }) =>
    Effect.gen(function* () {
      yield* Effect.sleep("5 seconds")
      for (const packet of malformed) datagrams.send("evil", "n0", packet)
      yield* Effect.sleep("5 seconds")
      const [first] = nodes
      if (first === undefined) throw new Error("nobody there")
      return { inspected: first.inspect(), view: yield* alive(first) }
    })
  )
  t.is(view.length, 3)
  t.like(inspected, {
    packets: { malformed: malformed.length },
    awareness: 0,
    hasLeft: false,
    self: { name: "n0" },
    members: [{ name: "n0", status: "alive" }, { status: "alive" }, { status: "alive" }]
  })
})

test("the same seed gives the same story, byte for byte", (t) => {
  const story = () =>
    play(5, 9, ({ datagrams, nodes, world }) =>
      Effect.gen(function* () {
        datagrams.weather = { loss: 0.3, duplicate: 0.1, delayMillisMax: 90 }
        yield* Effect.sleep("20 seconds")
        nodes[2]?.powerOff()
        yield* Effect.sleep("40 seconds")
        return [...world.trace, `${datagrams.sent} sent, ${datagrams.lost} lost`]
      })
    )
  t.true(story().length > 20)
  t.deepEqual(story(), story())
})

const is =
  (tag: MembershipEvent["_tag"], name: string) =>
  ({ _tag, member }: MembershipEvent): boolean =>
    _tag === tag && member.name === name

const alive = ({ ref }: Pick<Node, "ref">) =>
  Effect.map(ask(ref, new Members({}), "1 second"), (members) =>
    members.filter(({ status }) => status === "alive").map(({ name }) => name)
  )

type Node = Effect.Effect.Success<ReturnType<typeof bootNode>>

interface Cluster {
  readonly world: SimWorld
  readonly datagrams: SimDatagrams
  readonly nodes: ReadonlyArray<Node>
  readonly boot: (name: string, bootId: string) => ReturnType<typeof bootNode>
}

const play = <A, E>(size: number, seed: number, body: (cluster: Cluster) => Effect.Effect<A, E>): A => {
  const world = new SimWorld(seed)
  const datagrams = new SimDatagrams(world)
  const boot = (name: string, bootId: string) => bootNode(world, datagrams, name, bootId)
  return world.run(
    Effect.gen(function* () {
      const names = Array.from({ length: size }, (_, index) => `n${index}`)
      const nodes = yield* Effect.forEach(names, (name) => boot(name, `${name}#1`))
      return yield* body({ world, datagrams, nodes, boot })
    })
  )
}

/** A node with a power switch: an actor system of its own, of which only the membership matters here. */
const bootNode = (world: SimWorld, datagrams: SimDatagrams, name: string, bootId: string) =>
  Effect.gen(function* () {
    const compartment = new Compartment(world)
    const metadata = new Metadata({ roles: [], zone: "a", version: "1", ports: {} })
    const identity: Identity = { name, address: name, bootId, metadata, seeds: ["n0"] }
    const root = Supervisor.make(name, {
      strategy: "one-for-one",
      children: [child(Membership, { args: identity })]
    })
    // Nobody closes this scope: a node without power closes nothing.
    const scope = yield* Scope.make()
    const system = yield* ActorSystem.make(name, root).pipe(
      Effect.provideService(Scope.Scope, scope),
      Effect.provide([compartment.layer, datagrams.layer(name), Logger.remove(Logger.defaultLogger)])
    )
    const path = `/${name}/membership`
    const ref = system.lookup(path, Membership)
    if (ref === undefined) throw new Error(`nobody at ${path}`)
    const events: Array<MembershipEvent> = []
    system.events.subscribe((event) => {
      if (!isMembershipEvent(event)) return
      events.push(event)
      world.note(`${name} ${event._tag} ${event.member.name}`)
    })
    return {
      ref,
      events,
      crash: () => void system.inject(path, Cause.die("a bug")),
      inspect: () => {
        const found = system.inspect(path)
        return "state" in found ? found.state : found
      },
      powerOff: () => {
        compartment.powerOff()
        datagrams.unplug(name)
      }
    }
  })

const isMembershipEvent = Schema.is(MembershipEvent)
