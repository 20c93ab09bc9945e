import test from "ava"
import { Cause, Effect, Exit, Schema } from "effect"
import * as Actor from "#actors/kernel/actor.ts"
import { ask } from "#actors/kernel/ask.ts"
import { Introspection } from "#actors/kernel/introspection.ts"
import { Links } from "#actors/kernel/ports/links.ts"
import type { Ended } from "#actors/kernel/ref.ts"
import * as ActorSystem from "#actors/kernel/system.ts"
import { simPacking } from "#chaos/sim/sim-links.ts"
import { SimWorld } from "#chaos/sim/world.ts"
import { AddressOf, address } from "#protocols/address.ts"
import { GetAccepted } from "#protocols/catalogue-requests.ts"
import { ActorUnavailable, DeadlineExceeded, LinkLost } from "#protocols/delivery.ts"
import { GetLinks } from "#protocols/links.ts"
import { Members } from "#protocols/membership.ts"
import { GetTree, Inspect } from "#protocols/runtime.ts"
import * as Supervisor from "#supervisors/engine/supervisor.ts"
import { child } from "#supervisors/engine/tree.ts"
import { inSimCluster, type SimNode } from "./fixtures/sim-cluster.ts"
import { LinkDatagrams, NodeLinks } from "./links-actor.ts"
import { Membership } from "./membership-actor.ts"

test("nodes that know one seed find each other, and have one link per pair, on any seed", (t) => {
  for (let seed = 1; seed <= 30; seed++) {
    const size = 3 + (seed % 4)
    const { links, members } = inSimCluster(size, seed, {}, ({ nodes }) =>
      Effect.gen(function* () {
        yield* Effect.sleep("10 seconds")
        const links = yield* Effect.forEach(nodes, linked)
        const members = yield* Effect.forEach(nodes, alive)
        return { links, members }
      })
    )
    for (const [index, peers] of links.entries()) {
      const others = links.map((_, other) => `n${other}`).filter((name) => name !== `n${index}`)
      t.deepEqual(peers, others, `seed ${seed}`)
    }
    for (const names of members) t.is(names.length, size)
  }
})

test("an actor of another node is asked by its path, like one of our own", (t) => {
  const { answer, fault } = inSimCluster(2, 1, withShop, ({ node }) =>
    Effect.gen(function* () {
      yield* Effect.sleep("5 seconds")
      const shop = shopOf(node("n1"), "n0")
      const answer = yield* ask(shop, new Buy({ count: 3 }), "1 second")
      const fault = yield* Effect.flip(ask(shop, new Buy({ count: 13 }), "1 second"))
      return { answer, fault }
    })
  )
  t.is(answer, 15)
  t.deepEqual(fault, new SoldOut({ left: 7 }))
})

test("an actor that puts itself into a message is reached there, wherever the message went", (t) => {
  const heard = inSimCluster(3, 2, withShop, ({ node }) =>
    Effect.gen(function* () {
      yield* Effect.sleep("5 seconds")
      const listener = node("n1").system.spawn(Listener, { name: "listener" })
      shopOf(node("n1"), "n0").tell(new Subscribe({ listener }))
      yield* Effect.sleep("1 second")
      shopOf(node("n2"), "n0").tell(new Announce({ text: "open" }))
      yield* Effect.sleep("1 second")
      return yield* ask(listener, new Heard({}), "1 second")
    })
  )
  t.deepEqual(heard, ["open"])
})

test("an address leads to its actor from any node", (t) => {
  const answer = inSimCluster(2, 3, withShop, ({ node }) =>
    Effect.gen(function* () {
      yield* Effect.sleep("5 seconds")
      const shop = node("n1").system.at(address("/n0/shop", Buy))
      const own = node("n0").system.at(address("/n0/shop", Buy))
      return [
        yield* ask(shop, new Buy({ count: 1 }), "1 second"),
        yield* ask(own, new Buy({ count: 1 }), "1 second")
      ]
    })
  )
  t.deepEqual(answer, [5, 5])
})

test("a thousand tells to another node arrive in order, and so do those after a link was lost", (t) => {
  const { after, before } = inSimCluster(2, 4, withShop, ({ network, node }) =>
    Effect.gen(function* () {
      yield* Effect.sleep("5 seconds")
      const listener = node("n0").system.spawn(Listener, { name: "listener" })
      const remote = node("n1").system.at(address("/n0/listener", Note))
      for (let count = 0; count < 1_000; count++) remote.tell(new Note({ text: `${count}` }))
      yield* Effect.sleep("1 second")
      const before = yield* ask(listener, new Heard({}), "1 second")
      network.partition(["n0:7700"], ["n1:7700"])
      yield* Effect.sleep("10 seconds")
      network.heal()
      yield* Effect.sleep("60 seconds")
      for (let count = 0; count < 10; count++) remote.tell(new Note({ text: `again ${count}` }))
      yield* Effect.sleep("1 second")
      const after = yield* ask(listener, new Heard({}), "1 second")
      return { before, after: after.slice(before.length) }
    })
  )
  t.deepEqual(
    before,
    Array.from({ length: 1_000 }, (_, count) => `${count}`)
  )
  t.deepEqual(
    after,
    Array.from({ length: 10 }, (_, count) => `again ${count}`)
  )
})

for (const [how, most] of [
  ["kill", 200],
  ["powerOff", 6_200]
] as const) {
  test(`after a ${how} pending asks fail and watches fire, within ${most} ms`, (t) => {
    for (let seed = 1; seed <= 10; seed++) {
      const { asked, ended, tookMillis, unsent } = inSimCluster(3, seed, withShop, ({ node, world }) =>
        Effect.gen(function* () {
          yield* Effect.sleep("10 seconds")
          const shop = shopOf(node("n1"), "n0")
          const deaths = watching(node("n1"), "n0")
          const asking = yield* Effect.fork(Effect.exit(ask(shop, new Ponder({}), "1 minute")))
          yield* Effect.sleep("1 second")
          const fromMillis = world.nowMillis
          node("n0")[how]()
          const asked = yield* asking
          const tookMillis = world.nowMillis - fromMillis
          yield* Effect.sleep("1 second")
          const unsent = yield* Effect.flip(ask(shop, new Buy({ count: 1 }), "1 second"))
          return { asked, tookMillis, unsent, ended: deaths() }
        })
      )
      t.true(Exit.isFailure(asked) && Cause.squash(asked.cause) instanceof LinkLost, String(asked))
      t.true(tookMillis <= most, `${tookMillis} ms`)
      t.is(ended.length, 1)
      t.true(ended.every(({ reason }) => reason === "lost" || reason === "node-lost"))
      t.true(unsent instanceof ActorUnavailable)
    }
  })
}

test("of a machine that went dark, watchers learn that it is the node when membership is first to know", (t) => {
  const reasons = new Set<string>()
  for (let seed = 1; seed <= 20; seed++) {
    const ended = inSimCluster(3, seed, withShop, ({ node }) =>
      Effect.gen(function* () {
        yield* Effect.sleep("10 seconds")
        const deaths = watching(node("n1"), "n0")
        node("n0").powerOff()
        yield* Effect.sleep("10 seconds")
        return deaths().map(({ reason }) => reason)
      })
    )
    t.is(ended.length, 1, "once")
    for (const reason of ended) reasons.add(reason)
  }
  t.deepEqual([...reasons].toSorted(), ["lost", "node-lost"])
})

test("a watched actor of another node that stops, crashes or was never there is told apart", (t) => {
  const reasons = inSimCluster(2, 8, withShop, ({ node }) =>
    Effect.gen(function* () {
      yield* Effect.sleep("5 seconds")
      const first = watching(node("n1"), "n0")
      yield* Effect.sleep("1 second")
      node("n0").system.inject("/n0/shop", Cause.die("a bug"))
      yield* Effect.sleep("1 second")
      const second = watching(node("n1"), "n0", "watcher2")
      const third = watching(node("n1"), "n0", "watcher3", "/n0/nobody")
      yield* Effect.sleep("1 second")
      yield* node("n0").stop
      yield* Effect.sleep("1 second")
      return [first, second, third].map((ended) => ended().map(({ reason }) => reason))
    })
  )
  t.deepEqual(reasons, [["crashed"], ["shutdown"], ["absent"]])
})

test("a node that comes back as another process is linked again, and its actors are found under their old paths", (t) => {
  for (const how of ["kill", "powerOff"] as const) {
    const answer = inSimCluster(3, 9, withShop, ({ boot, node }) =>
      Effect.gen(function* () {
        yield* Effect.sleep("10 seconds")
        const shop = shopOf(node("n1"), "n0")
        yield* ask(shop, new Buy({ count: 3 }), "1 second")
        node("n0")[how]()
        yield* Effect.sleep("2 seconds")
        yield* boot("n0", { bootId: "n0#2", seeds: ["n1:7700"] })
        yield* Effect.sleep("20 seconds")
        return yield* ask(shop, new Buy({ count: 10 }), "1 second")
      })
    )
    t.is(answer, 50, how)
  }
})

test("two live processes with one name: the second is refused, and says so", (t) => {
  const { links, reasons } = inSimCluster(2, 10, withShop, ({ boot, node }) =>
    Effect.gen(function* () {
      yield* Effect.sleep("5 seconds")
      const second = yield* boot("n1", { bootId: "n1#2", address: "elsewhere:7700" })
      yield* Effect.sleep("20 seconds")
      const status = yield* linksOf(second)
      return { reasons: status.map(({ reason }) => reason), links: yield* linked(node("n0")) }
    })
  )
  t.deepEqual(links, ["n1"])
  t.regex(reasons.join(), /a node named n1 is linked already, from n1:7700 \(boot n1#1\); stop it first/)
})

for (const [what, options, message] of [
  ["another cluster", { cluster: "other" }, /n0 belongs to cluster test, not to other/],
  ["another protocol", { protocol: 1 }, /n0 speaks link protocol 2 and was offered 1/]
] as const) {
  test(`a node of ${what} gets no link, and is told why`, (t) => {
    const { others, reasons } = inSimCluster(2, 11, {}, ({ boot, node }) =>
      Effect.gen(function* () {
        const stranger = yield* boot("n2", options)
        yield* Effect.sleep("20 seconds")
        const status = yield* linksOf(stranger)
        return { reasons: status.map(({ reason }) => reason), others: yield* linked(node("n0")) }
      })
    )
    t.deepEqual(others, ["n1"])
    t.regex(reasons.join(), message)
  })
}

test("a node whose link ends as soon as it is there is dialed again", (t) => {
  const self = { protocol: 2, cluster: "test", name: "a", bootId: "a#1", address: "a:7700" }
  const other = { ...self, name: "b", bootId: "b#1", address: "b:7700" }
  const datagrams = new LinkDatagrams()
  let dials = 0
  const links: typeof Links.Service = {
    self,
    packing: simPacking,
    admit: () => Effect.void,
    dial: (_address, opened) =>
      Effect.sync(() => {
        dials++
        const link = {
          introduction: other,
          identity: { actorId: "SYSTEM::b", grants: [] },
          send: () => {},
          close: () => {}
        }
        // Before anybody had a turn.
        opened(link).onClosed("the connection was closed")
        return link
      })
  }
  const program = Effect.gen(function* () {
    const tree = Supervisor.make("a", {
      strategy: "one-for-one",
      children: [child(NodeLinks, { args: { datagrams } })]
    })
    const system = yield* Effect.provideService(ActorSystem.make("a", tree), Links, links)
    datagrams.send("b:7700", "hello")
    yield* Effect.sleep("10 seconds")
    const actor = system.lookup("/a/links", NodeLinks)
    return actor === undefined ? [] : yield* ask(actor, new GetLinks(), "1 second")
  })
  const statuses = new SimWorld(1).run(Effect.scoped(Effect.provide(program, Supervisor.SupervisionLive)))
  t.true(dials > 3, `${dials} times`)
  t.like(statuses, [{ address: "b:7700", state: "waiting" }])
  t.regex(statuses[0]?.reason ?? "", /the connection was closed/)
})

test("after a partition both sides find each other again", (t) => {
  for (let seed = 1; seed <= 10; seed++) {
    const { apart, together } = inSimCluster(4, seed, {}, ({ network, nodes }) =>
      Effect.gen(function* () {
        yield* Effect.sleep("10 seconds")
        network.partition(["n0:7700", "n1:7700"], ["n2:7700", "n3:7700"])
        yield* Effect.sleep("1 minute")
        const apart = yield* Effect.forEach(nodes, linked)
        network.heal()
        yield* Effect.sleep("2 minutes")
        return { apart, together: yield* Effect.forEach(nodes, linked) }
      })
    )
    t.deepEqual(apart, [["n1"], ["n0"], ["n3"], ["n2"]])
    for (const peers of together) t.is(peers.length, 3)
  }
})

test("an ask that is interrupted is withdrawn on the other node before it is handled", (t) => {
  const answer = inSimCluster(2, 12, withShop, ({ node }) =>
    Effect.gen(function* () {
      yield* Effect.sleep("5 seconds")
      const shop = shopOf(node("n1"), "n0")
      yield* Effect.fork(ask(shop, new Nap({ millis: 5_000 }), "1 minute"))
      yield* Effect.sleep("100 millis")
      const buying = yield* Effect.fork(ask(shop, new Buy({ count: 5 }), "1 minute"))
      yield* Effect.sleep("100 millis")
      yield* buying.interruptAsFork(buying.id())
      yield* Effect.sleep("10 seconds")
      return yield* Effect.flip(ask(shop, new Buy({ count: 20 }), "1 second"))
    })
  )
  t.deepEqual(answer, new SoldOut({ left: 10 }), "nothing was bought")
})

test("an operator looks into an actor of another node, and learns what it takes", (t) => {
  const { absent, accepted, inspected, tree } = inSimCluster(2, 14, withShop, ({ node }) =>
    Effect.gen(function* () {
      yield* Effect.sleep("5 seconds")
      const { system } = node("n1")
      const catalogueEntries = () => []
      const introspection = system.spawn(Introspection, { args: { catalogueEntries } })
      const inspected = yield* ask(introspection, new Inspect({ path: "/n0/links" }), "1 second")
      const accepted = yield* ask(introspection, new GetAccepted({ path: "/n0/membership" }), "1 second")
      const absent = yield* Effect.flip(ask(introspection, new Inspect({ path: "/n0/nobody" }), "1 second"))
      const tree = yield* ask(introspection, new GetTree({ path: "/n0" }), "1 second")
      return { absent, accepted, inspected, tree }
    })
  )
  t.is(inspected.actor.path, "/n0/links")
  t.like(inspected.state, [{ node: "n1", state: "linked" }])
  t.true(accepted.includes("Members") && !accepted.includes("Tick"))
  t.is(absent.message.split(";")[0], "there is no actor at /n0/nobody")
  t.deepEqual(
    tree.children.map(({ name }) => name),
    ["links", "membership", "shop"]
  )
})

test("the deadline of an ask holds on both nodes", (t) => {
  const fault = inSimCluster(2, 13, withShop, ({ node }) =>
    Effect.gen(function* () {
      yield* Effect.sleep("5 seconds")
      return yield* Effect.flip(ask(shopOf(node("n1"), "n0"), new Ponder({}), "2 seconds"))
    })
  )
  t.true(fault instanceof DeadlineExceeded)
})

class SoldOut extends Schema.TaggedError<SoldOut>()("SoldOut", { left: Schema.Int }) {}
class Buy extends Schema.TaggedRequest<Buy>()("Buy", {
  payload: { count: Schema.Int },
  success: Schema.Int,
  failure: SoldOut
}) {}
/** Never answered. */
class Ponder extends Schema.TaggedRequest<Ponder>()("Ponder", {
  payload: {},
  success: Schema.Void,
  failure: Schema.Never
}) {}
class Nap extends Schema.TaggedRequest<Nap>()("Nap", {
  payload: { millis: Schema.Int },
  success: Schema.Void,
  failure: Schema.Never
}) {}
class Note extends Schema.TaggedClass<Note>()("Note", { text: Schema.String }) {}
class Heard extends Schema.TaggedRequest<Heard>()("Heard", {
  payload: {},
  success: Schema.Array(Schema.String),
  failure: Schema.Never
}) {}
class Subscribe extends Schema.TaggedClass<Subscribe>()("Subscribe", { listener: AddressOf(Note) }) {}
class Announce extends Schema.TaggedClass<Announce>()("Announce", { text: Schema.String }) {}
class Died extends Schema.TaggedClass<Died>()("Died", { ended: Schema.Any }) {}

/** Sells ten apples for five each. */
const Shop = Actor.make("shop", {
  messages: [Buy, Ponder, Nap, Subscribe, Announce],
  init: () => ({ left: 10, listeners: [] as Subscribe["listener"][] }),
  handlers: {
    Buy: (shop, { count }) =>
      count > shop.left
        ? Actor.refuse(shop, new SoldOut({ left: shop.left }))
        : Actor.reply({ ...shop, left: shop.left - count }, count * 5),
    Ponder: (shop, ponder, context) => {
      context.replyTo(ponder)
      return Actor.later(shop)
    },
    Nap: (shop, { millis }) => Effect.as(Effect.sleep(millis), Actor.reply(shop, undefined)),
    Subscribe: (shop, { listener }) => ({ ...shop, listeners: [...shop.listeners, listener] }),
    Announce: (shop, { text }, context) => {
      for (const listener of shop.listeners) context.at(listener).tell(new Note({ text }))
      return shop
    }
  }
})

const Listener = Actor.make("listener", {
  messages: [Note, Heard],
  init: () => ({ texts: [] as string[] }),
  handlers: {
    Note: (state, { text }) => ({ texts: [...state.texts, text] }),
    Heard: (state) => Actor.reply(state, state.texts)
  }
})

const withShop = { children: () => [child(Shop)] }

const shopOf = ({ system }: SimNode, other: string) => {
  const shop = system.lookup(`/${other}/shop`, Shop)
  if (shop === undefined) throw new Error("no shop")
  return shop
}

/** What a watcher on the node hears of the shop of another. */
const watching = ({ system }: SimNode, other: string, name = "watcher", path = `/${other}/shop`) => {
  const heard: Array<Ended> = []
  const Watcher = Actor.make("watcher", {
    messages: [Died],
    init: (context) => {
      const shop = context.lookup(path, Shop)
      if (shop !== undefined) context.watch(shop, (ended) => new Died({ ended }))
      return {}
    },
    handlers: {
      Died: (state, { ended }) => {
        heard.push(ended)
        return state
      }
    }
  })
  system.spawn(Watcher, { name })
  return () => heard
}

const linksOf = ({ name, system }: SimNode) => {
  const links = system.lookup(`/${name}/links`, NodeLinks)
  if (links === undefined) throw new Error("no links")
  return ask(links, new GetLinks({}), "1 second")
}

const linked = (node: SimNode) =>
  Effect.map(linksOf(node), (status) =>
    status
      .filter(({ state }) => state === "linked")
      .map((link) => link.node)
      .toSorted()
  )

const alive = ({ name, system }: SimNode) => {
  const membership = system.lookup(`/${name}/membership`, Membership)
  if (membership === undefined) throw new Error("no membership")
  return Effect.map(ask(membership, new Members({}), "1 second"), (members) =>
    members.filter(({ status }) => status === "alive")
  )
}
