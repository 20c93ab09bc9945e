/** Locks in a world where members lose their power and each other: never two that hold one, and none waits for ever. */
import test from "ava"
import { Effect, Either } from "effect"
import { SimWorld } from "#chaos/sim/world.ts"
import { etcdErrors } from "#protocols/wire/etcd/errors.ts"
import { LEASE, LOCK, type Method } from "#protocols/wire/etcd/methods.ts"
import { lockCalls } from "./etcd-lock.ts"
import { MemberCluster } from "./fixtures/member-cluster.ts"
import { ServedMembers, TestCall } from "./fixtures/served-members.ts"
import { prefixed } from "./mvcc.ts"
import { placeOf, WaitingLines } from "./waiting-line.ts"

const seedOnly = process.env["UC_SEED"]
const seeds =
  seedOnly === undefined ? Array.from({ length: 30 }, (_, index) => index + 1) : [Number(seedOnly)]

const name = new TextEncoder().encode("lock")
const clients = 5

test("whatever happens to members, a lock has one holder, and everybody has it in the end", (t) => {
  t.timeout(120_000)
  let held = 0
  let left = 0
  for (const seed of seeds) {
    const run = contention(seed)
    held += run.held
    left += run.left
    t.deepEqual(run.problems, [], `replay with UC_SEED=${seed} npx ava actors/chainfire/waiting-line.test.ts`)
  }
  t.log(`${seeds.length} seeds: held ${held} times, left ${left} times before it was had`)
  t.true(held >= seeds.length * clients * 2 && (left > seeds.length || seedOnly !== undefined))
})

test("a member has room for so many that wait, and whoever leaves makes room", (t) => {
  const world = new SimWorld(1)
  const cluster = new MemberCluster(world, 1)
  world.run(
    Effect.gen(function* () {
      yield* cluster.start(1)
      yield* Effect.sleep("3 seconds")
      const member = cluster.member(1)
      if (member === undefined) throw new Error("there is no member")
      const handlers = new ServedMembers(world, cluster).handlers(member)
      const waitingLines = new WaitingLines(handlers, 1)
      const calls = lockCalls(handlers, waitingLines)
      const locking = { unary: { ...handlers.unary, ...calls }, streams: {} }
      const called = (lease: bigint) =>
        Effect.gen(function* () {
          new TestCall(handlers, LEASE.grant, { ID: lease, TTL: 600 })
          yield* Effect.sleep("1 second")
          const call = new TestCall(locking, LOCK.lock, { name, lease })
          yield* Effect.sleep("1 second")
          return call
        })
      yield* called(1n)
      const second = yield* called(2n)
      const third = yield* called(3n)
      t.is(waitingLines.waiting, 1)
      t.is(second.answer, undefined)
      t.deepEqual(third.answer, Either.left(etcdErrors.tooManyRequests))
      second.leave()
      yield* Effect.sleep("1 second")
      t.is(waitingLines.waiting, 0)
      const keys = [...member.machine.mvcc.range(prefixed(name))].map(({ key }) =>
        new TextDecoder().decode(key)
      )
      t.deepEqual(keys, ["lock/1"])
    })
  )
})

test("a place in line is the name and the lease, as clients make it, too", (t) => {
  const text = (bytes: Uint8Array) => new TextDecoder().decode(bytes)
  const { key, prefix } = placeOf(name, 0x694d5765fc71500bn)
  t.deepEqual([text(prefix), text(key)], ["lock/", "lock/694d5765fc71500b"])
  t.is(text(placeOf(name, -255n).key), "lock/-ff")
})

const contention = (seed: number) => {
  const world = new SimWorld(seed)
  const cluster = new MemberCluster(world, 3)
  const served = new ServedMembers(world, cluster)
  const { prng } = world
  const holders = new Set<string>()
  const problems: Array<string> = []
  let held = 0
  let left = 0
  let troubled = true

  /** Undefined: the member died, or the client left. */
  const call = <Request extends object, Answer extends object>(
    method: Method<Request, Answer>,
    request: Partial<Request>,
    patienceMillis: number
  ) =>
    Effect.gen(function* () {
      const alive = cluster.ids.flatMap((id) => cluster.member(id) ?? [])
      const member = alive[prng.below(alive.length)]
      if (member === undefined) return yield* Effect.as(Effect.sleep("50 millis"), undefined)
      const called = new TestCall(served.handlers(member), method, request)
      const untilMillis = world.nowMillis + patienceMillis
      while (called.answer === undefined) {
        yield* Effect.sleep("5 millis")
        if (cluster.member(member.id) !== member) return undefined
        if (world.nowMillis > untilMillis) {
          called.leave()
          return undefined
        }
      }
      return Either.getOrUndefined(called.answer)
    })

  const insist = <Request extends object, Answer extends object>(
    method: Method<Request, Answer>,
    request: Partial<Request>
  ) =>
    Effect.gen(function* () {
      for (;;) {
        const answer = yield* call(method, request, 5_000)
        if (answer !== undefined) return answer
        yield* Effect.sleep("20 millis")
      }
    })

  const client = (index: number, dies: boolean) =>
    Effect.gen(function* () {
      const who = `client ${index}`
      const grant = insist(LEASE.grant, { TTL: dies ? 3 : 100_000 })
      let { ID } = yield* grant
      for (let done = 0; done < 3; ) {
        // It may have run out in line.
        if (dies) ID = (yield* grant).ID
        const { key } = placeOf(name, ID)
        const locked = yield* call(LOCK.lock, { name, lease: ID }, prng.chance(0.3) ? 300 : 60_000)
        if (locked === undefined) {
          left++
          // It may be ours without our knowing. Some give it up first, others ask again at once.
          if (prng.chance(0.5)) yield* insist(LOCK.unlock, { key })
          continue
        }
        if (holders.size > 0) problems.push(`${who} holds the lock, and so does ${[...holders].join()}`)
        held++
        if (dies) return
        holders.add(who)
        yield* Effect.sleep(prng.below(300))
        holders.delete(who)
        yield* insist(LOCK.unlock, { key })
        done++
      }
    })

  const trouble = Effect.gen(function* () {
    for (let round = 0; round < 6; round++) {
      yield* Effect.sleep(prng.below(1_500))
      const id = 1 + prng.below(3)
      if (prng.chance(0.5)) {
        if (prng.chance(0.5)) cluster.kill(id)
        else cluster.powerOff(id)
        yield* Effect.sleep(prng.below(1_500))
        yield* cluster.start(id)
      } else {
        cluster.partition([id])
        yield* Effect.sleep(prng.below(3_000))
        cluster.heal()
      }
    }
    troubled = false
  })

  world.run(
    Effect.gen(function* () {
      yield* Effect.forEach(cluster.ids, (id) => cluster.start(id))
      yield* Effect.fork(
        Effect.forever(
          Effect.delay(
            Effect.sync(() => served.tick()),
            "250 millis"
          )
        )
      )
      yield* Effect.fork(trouble)
      const all = Effect.all(
        Array.from({ length: clients }, (_, index) => client(index, index === clients - 1)),
        { concurrency: "unbounded" }
      )
      const done = yield* Effect.timeoutOption(all, "300 seconds")
      if (done._tag === "None")
        problems.push(`after 300 s somebody still waits; trouble was ${troubled ? "on" : "over"}`)
    })
  )
  return { held, left, problems }
}
