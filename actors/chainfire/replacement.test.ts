/** A member is replaced by another one while leaders die: it ends, with evidence, and without losing anything. */
import test from "ava"
import { Effect, Either, Fiber } from "effect"
import { SimWorld } from "#chaos/sim/world.ts"
import { PutRequest } from "#protocols/wire/etcd/kv-fast.ts"
import { encodeCommand } from "./command.ts"
import { MemberCluster } from "./fixtures/member-cluster.ts"
import { canAbort, decodeReplacement, encodeReplacement, isUnderWay } from "./replacement.ts"

const seedOnly = process.env["UC_SEED"]
const count = Number(process.env["UC_SEEDS"] ?? 25)
const seeds =
  seedOnly === undefined ? Array.from({ length: count }, (_, index) => index + 1) : [Number(seedOnly)]

const bytes = (text: string): Uint8Array => new TextEncoder().encode(text)
const peerUrl = "http://fresh:7700"

const leading = (cluster: MemberCluster) =>
  Effect.gen(function* () {
    for (;;) {
      const { leader } = cluster
      const changes = leader === undefined ? undefined : cluster.changes(leader.id)
      if (leader !== undefined && changes !== undefined) return { leader, changes }
      yield* Effect.sleep("50 millis")
    }
  })

const put = (cluster: MemberCluster, key: string): Effect.Effect<boolean> =>
  Effect.async<boolean>((resume) => {
    const { leader } = cluster
    if (leader === undefined) return resume(Effect.succeed(false))
    const request = PutRequest.encode(PutRequest.make({ key: bytes(key), value: bytes("there") }))
    leader.propose(encodeCommand("Put", request), ({ _tag }) => resume(Effect.succeed(_tag === "Applied")))
  }).pipe(Effect.timeoutTo({ duration: "2 seconds", onSuccess: (done) => done, onTimeout: () => false }))

const order = (cluster: MemberCluster, old: number) =>
  Effect.gen(function* () {
    for (;;) {
      const { changes } = yield* leading(cluster)
      if (changes.replacement !== undefined) return
      yield* Effect.async<unknown>((resume) =>
        changes.replace(old, peerUrl, (outcome) => resume(Effect.succeed(outcome)))
      ).pipe(Effect.timeoutOption("3 seconds"))
    }
  })

/** The node at that URL: runs once it was added, and says who it is. */
const freshNode = (cluster: MemberCluster) =>
  Effect.gen(function* () {
    for (;;) {
      yield* Effect.sleep("300 millis")
      const { changes } = yield* leading(cluster)
      const found = changes.members.find(({ peerURLs }) => peerURLs.includes(peerUrl))
      if (found === undefined) continue
      const id = Number(found.ID)
      if (!cluster.ids.includes(id)) cluster.addMachine(id)
      yield* Effect.timeoutOption(cluster.start(id), "1 second")
      changes.announce({ name: "fresh", peerUrl, clientUrl: "http://fresh:2379", dataId: "fresh" }, () => {})
    }
  })

test("a member is replaced, whoever dies meanwhile, and every step has left its evidence", (t) => {
  t.timeout(Math.max(120_000, 3_000 * seeds.length))
  for (const seed of seeds) {
    const replay = `replay with UC_SEED=${seed} npx ava actors/chainfire/replacement.test.ts`
    const world = new SimWorld(seed)
    const { prng } = world
    const cluster = new MemberCluster(world, 3, {}, seed % 2 === 0 ? { entriesMax: 40, tailEntries: 5 } : {})
    world.run(
      Effect.gen(function* () {
        yield* Effect.forEach(cluster.ids, (id) => cluster.start(id))
        for (let key = 0; key < 100; key++) yield* put(cluster, `key${key}`)
        const acknowledged: Array<string> = []
        yield* Effect.fork(
          Effect.gen(function* () {
            for (let key = 0; ; key++) {
              if (yield* put(cluster, `more${key}`)) acknowledged.push(`more${key}`)
              yield* Effect.sleep(prng.next() * 50)
            }
          })
        )
        yield* Effect.fork(freshNode(cluster))
        const old = 1 + prng.below(3)
        yield* order(cluster, old)
        const nemesis = yield* Effect.fork(
          Effect.gen(function* () {
            for (;;) {
              yield* Effect.sleep(prng.next() * 2_000)
              const victim = prng.chance(0.7) ? (cluster.leader?.id ?? 1) : 1 + prng.below(3)
              cluster.powerOff(victim)
              yield* Effect.sleep(prng.next() * 1_000)
              yield* Effect.timeoutOption(cluster.start(victim), "1 second")
            }
          })
        )
        for (;;) {
          const { changes } = yield* leading(cluster)
          if (changes.replacement?.step === "done") break
          yield* Effect.sleep("100 millis")
        }
        yield* Fiber.interrupt(nemesis)
        yield* Effect.forEach(cluster.ids, (id) => Effect.timeoutOption(cluster.start(id), "1 second"))
        yield* Effect.sleep("8 seconds")
        const { changes, leader } = yield* leading(cluster)
        const { replacement } = changes
        t.is(leader.membership.voters.length, 3, replay)
        t.false(leader.membership.has(old), replay)
        t.true(leader.membership.isVoter(replacement?.added ?? 0), replay)
        const steps = replacement?.evidence.map(({ step }) => step)
        t.deepEqual(
          [...new Set(steps)],
          ["adding", "catching up", "promoting", "removing", "verifying", "done"],
          replay
        )
        const { mvcc } = leader.machine
        t.deepEqual(
          acknowledged.filter((key) => mvcc.get(bytes(key)) === undefined),
          [],
          replay
        )
      })
    )
  }
})

test("with another member down the old one is not removed before there is a quorum without it", (t) => {
  const world = new SimWorld(5)
  const cluster = new MemberCluster(world, 3)
  world.run(
    Effect.gen(function* () {
      yield* Effect.forEach(cluster.ids, (id) => cluster.start(id))
      yield* Effect.sleep("3 seconds")
      const { leader } = yield* leading(cluster)
      const [old = 0, dead = 0] = cluster.ids.filter((id) => id !== leader.id)
      yield* order(cluster, old)
      yield* Effect.fork(freshNode(cluster))
      while ((yield* leading(cluster)).changes.replacement?.step !== "promoting")
        yield* Effect.sleep("20 millis")
      cluster.powerOff(dead)
      yield* Effect.sleep("20 seconds")
      // Of leader, old, dead and fresh three live; without the old one two of the other three would.
      const { changes } = yield* leading(cluster)
      t.is(changes.replacement?.step, "done")
      t.deepEqual(changes.members.length, 3)
    })
  )
})

test("a replacement is called off as long as the new one has no vote; a second one is refused meanwhile", (t) => {
  const world = new SimWorld(6)
  const cluster = new MemberCluster(world, 3)
  world.run(
    Effect.gen(function* () {
      yield* Effect.forEach(cluster.ids, (id) => cluster.start(id))
      yield* Effect.sleep("3 seconds")
      yield* order(cluster, 1)
      yield* Effect.sleep("3 seconds")
      const { changes } = yield* leading(cluster)
      t.is(changes.members.length, 4)
      t.regex(changes.replacement?.waitsFor ?? "", /announce itself/)
      const second = yield* Effect.async<Either.Either<unknown, unknown>>((resume) =>
        changes.replace(2, "http://other:7700", (outcome) => resume(Effect.succeed(outcome)))
      )
      t.deepEqual(second, Either.left(`member 1 is being replaced by ${peerUrl}`))
      const called = yield* Effect.async<Either.Either<unknown, unknown>>((resume) =>
        changes.abortReplacement((outcome) => resume(Effect.succeed(outcome)))
      )
      t.true(Either.isRight(called))
      yield* Effect.sleep("3 seconds")
      t.is(changes.members.length, 3)
      const { replacement } = changes
      if (replacement === undefined) throw new Error("there was one")
      t.false(isUnderWay(replacement) || canAbort(replacement))
      t.deepEqual(decodeReplacement(encodeReplacement(replacement)), replacement)
    })
  )
})
