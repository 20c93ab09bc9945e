import test from "ava"
import { Chunk, Effect, Either, Fiber, Schedule, Schema, type Scope, Stream } from "effect"
import { Clients } from "#actors/cluster/clients-actor.ts"
import { inSimCluster, type NodeOptions, type SimCluster } from "#actors/cluster/fixtures/sim-cluster.ts"
import * as Actor from "#actors/kernel/actor.ts"
import { child } from "#supervisors/engine/tree.ts"
import { address } from "../address.ts"
import { LinkLost, NotPermitted, UnknownMessage } from "../delivery.ts"
import { event, type MessageSchema, observe, operate } from "../message.ts"
import { Resumed } from "./client.ts"
import { simClient } from "./fixtures/sim-client.ts"

test("a client asks any actor of the cluster, by path or by address, and gets typed answers and faults", (t) => {
  const outcome = play(2, 1, (cluster) =>
    Effect.gen(function* () {
      const cloud = yield* simClient(cluster)
      const here: string = yield* cloud.ask(`/${cloud.node}/clock`, new GetTime({}), "1 second")
      const there: string = yield* cloud.ask(address("/n1/clock", GetTime), new GetTime({}), "1 second")
      const failed = yield* Effect.flip(cloud.ask("/n1/clock", new Wind({ turns: -1 }), "1 second"))
      const turns = failed._tag === "TooEarly" ? failed.turns : 0
      const faults = yield* Effect.forEach(["/n1/nobody", "/n9/clock", "clock", ""], (path) =>
        Effect.flip(cloud.ask(path, new GetTime({}), "1 second"))
      )
      const crash = yield* Effect.flip(cloud.ask("/n0/clock", new Wind({ turns: 13 }), "1 second"))
      const late = yield* Effect.flip(cloud.ask("/n0/clock", new Wait({}), "1 second"))
      return { here, there, turns, failed, faults, crash, late }
    })
  )
  t.deepEqual([outcome.here, outcome.there], ["n0", "n1"])
  t.true(outcome.failed instanceof TooEarly && outcome.turns === -1)
  t.deepEqual(
    outcome.faults.map((fault) => fault._tag),
    Array(4).fill("ActorUnavailable")
  )
  t.deepEqual([outcome.crash._tag, outcome.late._tag], ["ActorCrashed", "DeadlineExceeded"])
})

test("what does not fit its schema, its address or the link is refused before it is sent", (t) => {
  const outcome = play(1, 2, (cluster) =>
    Effect.gen(function* () {
      const cloud = yield* simClient(cluster)
      const wrong = Object.assign(new Wind({ turns: 1 }), { turns: "many" })
      const malformed = yield* Effect.flip(cloud.ask("/n0/clock", wrong, "1 second"))
      const plain = yield* Effect.flip(cloud.tell("/n0/clock", { _tag: "Chime" }))
      const unlike = Object.assign(address("/n0/clock", Wind), { messages: new Map() })
      const unknown = yield* Effect.flip(cloud.ask(unlike, new Wind({ turns: 1 }), "1 second"))
      const uncarried = yield* Effect.flip(
        cloud.tell("/n0/clock", new Engrave({ text: () => "no", by: "me" }))
      )
      return { malformed, plain, unknown, uncarried }
    })
  )
  t.regex(outcome.malformed.message, /did not take Wind: turns: .*"many"/)
  t.regex(outcome.plain.message, /not an instance of a message class/)
  t.true(outcome.unknown instanceof UnknownMessage)
  t.regex(outcome.uncarried.message, /holds a function, which no link carries/)
})

test("grants hold; a tell that is refused comes back as undelivered, and others arrive", (t) => {
  const outcome = play(1, 3, (cluster) =>
    Effect.gen(function* () {
      const cloud = yield* simClient(cluster, { grants: [{ permission: "observe", prefix: "/n0" }] })
      const undelivered = yield* collected(cloud.undelivered)
      const refused = yield* Effect.flip(cloud.ask("/n0/clock", new Wind({ turns: 1 }), "1 second"))
      yield* Effect.sleep("1 second")
      yield* cloud.tell("/n0/clock", new Engrave({ text: "x", by: "" }))
      yield* cloud.tell(address("/n0/nobody", Chime), new Chime({}))
      yield* cloud.tell("/n0/clock", new Chime({}))
      yield* Effect.sleep("1 second")
      return { refused, undelivered, chimes: yield* cloud.ask("/n0/clock", new GetChimes({}), "1 second") }
    })
  )
  t.true(outcome.refused instanceof NotPermitted)
  t.deepEqual(
    outcome.undelivered.map(({ fault, path }) => [path, fault._tag]),
    [
      ["/n0/clock", "NotPermitted"],
      ["/n0/nobody", "ActorUnavailable"]
    ]
  )
  t.is(outcome.chimes, 1)
})

test("large messages and answers cross; over the size of either end they are refused with a fault", (t) => {
  const outcome = play(1, 4, (cluster) =>
    Effect.gen(function* () {
      const cloud = yield* simClient(cluster, { messageBytesMax: 6_000_000 })
      const blob = (bytes: number) =>
        cloud.ask("/n0/clock", new Blob({ bytes: new Uint8Array(bytes) }), "1 minute")
      const [echoed, small] = yield* Effect.all(
        [blob(5_000_000), cloud.ask("/n0/clock", new GetTime({}), "1 minute")],
        { concurrency: "unbounded" }
      )
      const tooLarge = yield* Effect.flip(blob(7_000_000))
      const answer = yield* Effect.flip(cloud.ask("/n0/clock", new Zeros({ count: 7_000_000 }), "1 minute"))
      const after = yield* cloud.ask("/n0/clock", new GetTime({}), "1 second")
      return { echoed: echoed.length, small, tooLarge: tooLarge._tag, answer: answer._tag, after }
    })
  )
  t.deepEqual(outcome, {
    echoed: 5_000_000,
    small: "n0",
    tooLarge: "MessageTooLarge",
    answer: "AnswerTooLarge",
    after: "n0"
  })
})

test("a consumer that is slow holds nobody up: it gets events in order, and how many it did not", (t) => {
  const items = play(2, 5, (cluster) =>
    Effect.gen(function* () {
      const cloud = yield* simClient(cluster)
      const slow = yield* Effect.fork(
        cloud.subscribe("/n1", [Struck], { capacity: 10 }).pipe(
          Stream.tap(() => Effect.sleep("50 millis")),
          Stream.takeUntil((item) => item._tag === "Struck" && item.hour === 999),
          Stream.runCollect
        )
      )
      yield* Effect.sleep("1 second")
      for (let hour = 0; hour < 1_000; hour++) {
        cluster.node("n1").system.events.publish(new Struck({ hour }))
        if (hour % 100 === 99) yield* Effect.sleep("1 second")
        if (hour === 998) yield* Effect.sleep("10 seconds")
      }
      return Chunk.toReadonlyArray(yield* Fiber.join(slow))
    })
  )
  const hours = items.flatMap((item) => (item._tag === "Struck" ? [item.hour] : []))
  const missed = items.reduce((sum, item) => sum + (item._tag === "Missed" ? item.count : 0), 0)
  t.true(missed > 500)
  t.is(hours.length + missed, 1_000)
  t.deepEqual(
    hours,
    hours.toSorted((one, other) => one - other)
  )
  let expected = 0
  for (const item of items) {
    if (item._tag === "Struck") t.is(item.hour, expected++)
    else if (item._tag === "Missed") expected += item.count
  }
})

test("who stops consuming is unsubscribed, and a subscription that is not granted fails", (t) => {
  const { during, open, refused } = play(1, 6, (cluster) =>
    Effect.gen(function* () {
      const { events } = cluster.node("n0").system
      let open = 0
      const subscribe = events.subscribe.bind(events)
      events.subscribe = (listener, tags) => {
        open++
        const end = subscribe(listener, tags)
        return () => {
          open--
          end()
        }
      }
      const cloud = yield* simClient(cluster, { grants: [{ permission: "observe", prefix: "/n0" }] })
      const taking = yield* Effect.fork(Stream.runHead(cloud.subscribe("/n0", [Struck])))
      yield* Effect.sleep("1 second")
      const openDuring = open
      events.publish(new Struck({ hour: 1 }))
      const during = yield* Fiber.join(taking)
      yield* Effect.sleep("1 second")
      const refused = yield* Effect.flip(Stream.runHead(cloud.subscribe("/n1", [Struck])))
      return { during, open: [openDuring, open], refused }
    })
  )
  t.like(during, { value: { hour: 1 } })
  t.deepEqual(open, [1, 0])
  t.true(refused instanceof NotPermitted)
})

test("a subscription to a node behind ours ends with that node, and can be made again", (t) => {
  const { fault, hours } = play(2, 11, (cluster) =>
    Effect.gen(function* () {
      const cloud = yield* simClient(cluster)
      const once = yield* Effect.fork(Effect.flip(Stream.runDrain(cloud.subscribe("/n1", [Struck]))))
      const again = cloud.subscribe("/n1", [Struck]).pipe(Stream.retry(Schedule.spaced("1 second")))
      const items = yield* collected(again)
      yield* Effect.sleep("1 second")
      cluster.node("n1").kill()
      const fault = yield* Fiber.join(once)
      yield* cluster.boot("n1", { bootId: "n1#2" })
      yield* Effect.sleep("30 seconds")
      cluster.node("n1").system.events.publish(new Struck({ hour: 7 }))
      yield* Effect.sleep("1 second")
      return { fault, hours: items.flatMap((item) => (item._tag === "Struck" ? [item.hour] : [])) }
    })
  )
  t.is(fault._tag, "LinkLost")
  t.deepEqual(hours, [7])
})

test("when its node dies and comes back: repeatable asks are answered, others are lost, events go on", (t) => {
  const outcome = play(1, 7, (cluster) =>
    Effect.gen(function* () {
      const cloud = yield* simClient(cluster)
      const states = yield* collected(cloud.states)
      const events = yield* collected(cloud.subscribe("/n0", [Struck]))
      yield* Effect.sleep("1 second")
      cluster.node("n0").system.events.publish(new Struck({ hour: 1 }))
      yield* Effect.sleep("1 second")
      const looking = yield* Effect.fork(cloud.ask("/n0/clock", new GetTimeSlowly({}), "1 minute"))
      const winding = yield* Effect.fork(Effect.flip(cloud.ask("/n0/clock", new WindSlowly({}), "1 minute")))
      yield* Effect.sleep("100 millis")
      cluster.node("n0").kill()
      yield* Effect.sleep("1 second")
      const lost = yield* Fiber.join(winding)
      const meanwhile = yield* Effect.fork(cloud.ask("/n0/clock", new Wind({ turns: 2 }), "1 minute"))
      const short = yield* Effect.flip(cloud.ask("/n0/clock", new GetTime({}), "100 millis"))
      const told = yield* Effect.flip(cloud.tell("/n0/clock", new Chime({})))
      yield* cluster.boot("n0", { bootId: "n0#2" })
      const looked = yield* Fiber.join(looking)
      const wound = yield* Fiber.join(meanwhile)
      cluster.node("n0").system.events.publish(new Struck({ hour: 2 }))
      yield* Effect.sleep("1 second")
      return { states, events, lost, short, told, looked, wound, links: cloud.counters.links }
    })
  )
  t.true(outcome.lost instanceof LinkLost && !outcome.lost.definite)
  t.is(outcome.looked, "n0")
  t.is(outcome.wound, 2)
  t.like(outcome.short, { _tag: "ActorUnavailable", why: "link lost", definite: true })
  t.like(outcome.told, { _tag: "ActorUnavailable", why: "link lost" })
  t.deepEqual(
    outcome.events.map((item) => (item._tag === "Struck" ? item.hour : item)),
    [1, new Resumed({ reason: "connection reset" }), 2]
  )
  t.deepEqual([outcome.states[0]?._tag, outcome.states.at(-1)?._tag], ["connected", "connected"])
  const [, first, second] = outcome.states
  t.like(first, { _tag: "reconnecting", reason: "connection reset", attempt: 1 })
  t.like(second, { _tag: "reconnecting", attempt: 2 })
  t.regex(second?._tag === "reconnecting" ? second.reason : "", /connection refused/)
  t.is(outcome.links, 2)
})

test("of several nodes the next one is taken, also when the one in use goes", (t) => {
  const outcome = play(2, 8, (cluster) =>
    Effect.gen(function* () {
      const cloud = yield* simClient(cluster, { nodes: ["n7", "n0", "n1"] })
      const before = cloud.node
      cluster.node("n0").kill()
      yield* Effect.sleep("3 seconds")
      return { before, after: cloud.node, answer: yield* cloud.ask("/n1/clock", new GetTime({}), "1 second") }
    })
  )
  t.deepEqual(outcome, { before: "n0", after: "n1", answer: "n1" })
})

test("who cannot connect hears why; of several reasons the one that says more", (t) => {
  const faults = play(1, 9, (cluster) =>
    Effect.gen(function* () {
      const refused = (options: Parameters<typeof simClient>[1]) => Effect.flip(simClient(cluster, options))
      return [
        yield* refused({ nodes: ["n7"] }),
        yield* refused({ introduction: { cluster: "another" } }),
        yield* refused({ nodes: ["n7", "n0"], introduction: { protocol: 99 } }),
        yield* refused({ nodes: [] })
      ]
    })
  )
  t.deepEqual(
    faults.map((fault) => fault._tag),
    ["Unreachable", "ClusterMismatch", "ProtocolMismatch", "Unreachable"]
  )
})

test("when the client closes, its asks and streams end, and its link goes", (t) => {
  const outcome = play(1, 10, (cluster) =>
    Effect.gen(function* () {
      const scoped = Effect.gen(function* () {
        const cloud = yield* simClient(cluster)
        const asking = yield* Effect.forkDaemon(Effect.flip(cloud.ask("/n0/clock", new Wait({}), "1 hour")))
        const consuming = yield* Effect.forkDaemon(
          Effect.flip(Stream.runDrain(cloud.subscribe("/n0", [Struck])))
        )
        const states = yield* Effect.forkDaemon(Stream.runCollect(cloud.states))
        yield* Effect.sleep("1 second")
        return { cloud, asking, consuming, states }
      })
      const { asking, cloud, consuming, states } = yield* Effect.scoped(scoped)
      yield* Effect.sleep("1 second")
      const actors = cluster.node("n0").system.actors
      const later = yield* Effect.flip(cloud.ask("/n0/clock", new GetTime({}), "1 second"))
      return {
        faults: [yield* Fiber.join(asking), yield* Fiber.join(consuming), later].map(({ _tag }) => _tag),
        states: Chunk.toReadonlyArray(yield* Fiber.join(states)).map(({ _tag }) => _tag),
        state: cloud.state._tag,
        left: actors
      }
    })
  )
  t.deepEqual(outcome.faults, ["LinkLost", "LinkLost", "ActorUnavailable"])
  t.deepEqual(outcome.states, ["connected", "closed"])
  t.is(outcome.state, "closed")
})

test("whatever happens between client and node, every ask ends in time and no work is done twice", (t) => {
  let lost = 0
  let links = 0
  for (let seed = 100; seed < 130; seed++) {
    play(2, seed, (cluster) =>
      Effect.gen(function* () {
        const { prng } = cluster.world
        const cloud = yield* simClient(cluster, { nodes: ["n0", "n1"] })
        const work: Array<
          Fiber.RuntimeFiber<Either.Either<unknown, { readonly _tag: string; readonly definite: boolean }>>
        > = []
        for (let job = 0; job < 150; job++) {
          const deadline = prng.below(8_000)
          const path = prng.chance(0.5) ? "/n0/clock" : "/n1/clock"
          work.push(
            yield* Effect.fork(
              Effect.either(
                prng.chance(0.5)
                  ? cloud.ask(path, new Work({ job }), deadline)
                  : cloud.ask(path, new GetTime({}), deadline)
              )
            )
          )
          if (prng.chance(0.3)) yield* Effect.sleep(prng.below(200))
          if (prng.chance(0.2)) {
            cluster.network.partition(["client"], prng.chance(0.5) ? ["n0:7700"] : ["n0:7700", "n1:7700"])
            yield* Effect.sleep(prng.below(12_000))
            cluster.network.heal()
          }
        }
        yield* Effect.sleep("10 seconds")
        const ended = yield* Effect.forEach(work, (fiber) => Fiber.join(fiber))
        for (const [job, outcome] of ended.entries()) {
          const times = workDone.get(job) ?? 0
          t.true(times <= 1, `seed ${seed}: job ${job} was done ${times} times`)
          if (Either.isLeft(outcome) && outcome.left.definite) t.is(times, 0, `seed ${seed}: job ${job}`)
          if (Either.isLeft(outcome) && outcome.left._tag === "LinkLost") lost++
        }
        t.is(cloud.counters.pending, 0)
        links += cloud.counters.links
      })
    )
    workDone.clear()
  }
  t.true(lost > 20, `${lost} were lost`)
  t.true(links > 60, `${links} links`)
})

/** How often each job of a run was done, on whichever node. */
const workDone = new Map<number, number>()

class TooEarly extends Schema.TaggedError<TooEarly>()("TooEarly", { turns: Schema.Int }) {
  readonly definite = true
}
class GetTime extends Schema.TaggedRequest<GetTime>()(
  "GetTime",
  { payload: {}, success: Schema.String, failure: Schema.Never },
  observe("The time.")
) {}
class GetTimeSlowly extends Schema.TaggedRequest<GetTimeSlowly>()(
  "GetTimeSlowly",
  { payload: {}, success: Schema.String, failure: Schema.Never },
  observe("The time, after half a minute in the first life.")
) {}
class GetChimes extends Schema.TaggedRequest<GetChimes>()(
  "GetChimes",
  { payload: {}, success: Schema.Int, failure: Schema.Never },
  observe("How often it chimed.")
) {}
class Wait extends Schema.TaggedRequest<Wait>()(
  "Wait",
  { payload: {}, success: Schema.Void, failure: Schema.Never },
  observe("Never answers.")
) {}
class Wind extends Schema.TaggedRequest<Wind>()(
  "Wind",
  { payload: { turns: Schema.Int }, success: Schema.Int, failure: TooEarly },
  operate("Winds it up.")
) {}
class WindSlowly extends Schema.TaggedRequest<WindSlowly>()(
  "WindSlowly",
  { payload: {}, success: Schema.Void, failure: Schema.Never },
  operate("Never answers.")
) {}
class Work extends Schema.TaggedRequest<Work>()(
  "Work",
  { payload: { job: Schema.Int }, success: Schema.Void, failure: Schema.Never },
  operate("What must not be done twice.")
) {}
class Blob extends Schema.TaggedRequest<Blob>()(
  "Blob",
  {
    payload: { bytes: Schema.Uint8ArrayFromSelf },
    success: Schema.Uint8ArrayFromSelf,
    failure: Schema.Never
  },
  observe("The same.")
) {}
class Zeros extends Schema.TaggedRequest<Zeros>()(
  "Zeros",
  { payload: { count: Schema.Int }, success: Schema.Uint8ArrayFromSelf, failure: Schema.Never },
  observe("So many.")
) {}
class Chime extends Schema.TaggedClass<Chime>()("Chime", {}, observe("Chimes.")) {}
class Engrave extends Schema.TaggedClass<Engrave>()(
  "Engrave",
  { text: Schema.Unknown, by: Schema.String },
  operate("Engraves it.")
) {}
class Struck extends Schema.TaggedClass<Struck>()("Struck", { hour: Schema.Int }, event("It struck.")) {}

const messages = [
  GetTime,
  GetTimeSlowly,
  GetChimes,
  Wait,
  Wind,
  WindSlowly,
  Work,
  Blob,
  Zeros,
  Chime,
  Engrave
] as const

const Clock = Actor.make("clock", {
  messages,
  init: (context) => ({
    node: context.path.split("/")[1] ?? "",
    chimes: 0,
    firstLife: context.nowMillis() < 6_500
  }),
  handlers: {
    GetTime: (state) => Actor.reply(state, state.node),
    GetTimeSlowly: (state, request, context) => {
      if (!state.firstLife) return Actor.reply(state, state.node)
      context.replyTo(request)
      return Actor.later(state)
    },
    GetChimes: (state) => Actor.reply(state, state.chimes),
    Wait: (state, wait, context) => {
      context.replyTo(wait)
      return Actor.later(state)
    },
    Wind: (state, { turns }) => {
      if (turns === 13) throw new Error("the spring broke")
      return turns < 0 ? Actor.refuse(state, new TooEarly({ turns })) : Actor.reply(state, turns)
    },
    WindSlowly: (state, wind, context) => {
      context.replyTo(wind)
      return Actor.later(state)
    },
    Work: (state, { job }) => {
      workDone.set(job, (workDone.get(job) ?? 0) + 1)
      return Actor.reply(state, undefined)
    },
    Blob: (state, { bytes }) => Actor.reply(state, bytes),
    Zeros: (state, { count }) => Actor.reply(state, new Uint8Array(count)),
    Chime: (state) => ({ ...state, chimes: state.chimes + 1 }),
    Engrave: (state) => state
  }
})

const catalogue = new Map<string, MessageSchema>(
  [...messages, Struck].map((message) => [message._tag, message])
)
const served: NodeOptions = { children: () => [child(Clients, { args: { catalogue } }), child(Clock)] }

/** In a cluster that has found together. */
const play = <A, E>(
  size: number,
  seed: number,
  body: (cluster: SimCluster) => Effect.Effect<A, E, Scope.Scope>
): A =>
  inSimCluster(size, seed, served, (cluster) =>
    Effect.sleep("5 seconds").pipe(Effect.zipRight(Effect.scoped(body(cluster))))
  )

/** What a stream has brought so far. */
const collected = <A, E>(stream: Stream.Stream<A, E>) =>
  Effect.gen(function* () {
    const all: Array<A> = []
    yield* Effect.forkScoped(Stream.runForEach(stream, (item) => Effect.sync(() => void all.push(item))))
    return all
  })
