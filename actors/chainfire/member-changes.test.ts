/** Members come and go while clients write and machines die: nothing that was acknowledged is lost. */
import test from "ava"
import { Effect, Either } from "effect"
import { SimWorld } from "#chaos/sim/world.ts"
import { type EtcdError, etcdErrors } from "#protocols/wire/etcd/errors.ts"
import { PutRequest } from "#protocols/wire/etcd/kv-fast.ts"
import { encodeCommand } from "./command.ts"
import { MemberCluster } from "./fixtures/member-cluster.ts"
import type { Done, MemberChanges } from "./member-changes.ts"
import type { MemberRecord } from "./member-records.ts"

const seedOnly = process.env["UC_SEED"]
const count = Number(process.env["UC_SEEDS"] ?? 25)
const seeds =
  seedOnly === undefined ? Array.from({ length: count }, (_, index) => index + 1) : [Number(seedOnly)]

const bytes = (text: string): Uint8Array => new TextEncoder().encode(text)

/** Undefined: it was put. */
const put = (cluster: MemberCluster, key: string): Effect.Effect<string | undefined> =>
  Effect.async<string | undefined>((resume) => {
    const { leader } = cluster
    if (leader === undefined) return resume(Effect.succeed("nobody leads"))
    const request = PutRequest.encode(PutRequest.make({ key: bytes(key), value: bytes("there") }))
    leader.propose(encodeCommand("Put", request), (proposed) =>
      resume(Effect.succeed(proposed._tag === "Applied" ? undefined : proposed._tag))
    )
  }).pipe(Effect.timeoutTo({ duration: "2 seconds", onSuccess: (done) => done, onTimeout: () => "timeout" }))

const leading = (cluster: MemberCluster): Effect.Effect<MemberChanges> =>
  Effect.gen(function* () {
    for (;;) {
      const changes = cluster.leader === undefined ? undefined : cluster.changes(cluster.leader.id)
      if (changes !== undefined) return changes
      yield* Effect.sleep("50 millis")
    }
  })

const carryOut = (begin: (done: Done) => void): Effect.Effect<EtcdError | undefined> =>
  Effect.async<EtcdError | undefined>((resume) => begin((refused) => resume(Effect.succeed(refused)))).pipe(
    Effect.timeoutTo({
      duration: "10 seconds",
      onSuccess: (done) => done,
      onTimeout: () => etcdErrors.timeout
    })
  )

const add = (changes: MemberChanges, peerUrl: string) =>
  Effect.async<Either.Either<MemberRecord, EtcdError>>((resume) =>
    changes.add({ peerURLs: [peerUrl], isLearner: false }, (outcome) => resume(Effect.succeed(outcome)))
  ).pipe(
    Effect.timeoutTo({
      duration: "10 seconds",
      onSuccess: (done) => done,
      onTimeout: () => Either.left(etcdErrors.timeout)
    })
  )

/** Has a machine added, and announces it until it votes. What a leader had begun when it died may not have come about. */
const join = (cluster: MemberCluster, name: string) =>
  Effect.gen(function* () {
    const peerUrl = `http://${name}:7700`
    const clientUrl = `http://${name}:2379`
    for (;;) {
      yield* Effect.sleep("200 millis")
      const changes = yield* leading(cluster)
      const found = changes.members.find(({ peerURLs }) => peerURLs.includes(peerUrl))
      if (found === undefined) {
        yield* add(changes, peerUrl)
        continue
      }
      const id = Number(found.ID)
      if (!cluster.ids.includes(id)) cluster.addMachine(id)
      // Its power may go while it starts.
      yield* Effect.timeoutOption(cluster.start(id), "1 second")
      if (!found.isLearner && cluster.leader?.membership.isVoter(id) === true) return
      yield* carryOut((done) =>
        changes.announce({ name, peerUrl, clientUrl, dataId: name }, (outcome) =>
          done(Either.isLeft(outcome) ? outcome.left : undefined)
        )
      )
    }
  })

const remove = (cluster: MemberCluster, id: number) =>
  Effect.gen(function* () {
    for (;;) {
      const changes = yield* leading(cluster)
      const refused = yield* carryOut((done) => changes.remove(id, done))
      if (refused === undefined || refused === etcdErrors.memberNotFound) return
      yield* Effect.sleep("200 millis")
    }
  })

test("a group grows from one to five and shrinks to three while its machines die: all writes are kept", (t) => {
  t.timeout(Math.max(120_000, 3_000 * seeds.length))
  let writes = 0
  for (const seed of seeds) {
    const world = new SimWorld(seed)
    const { prng } = world
    const log = seed % 2 === 0 ? { entriesMax: 40, tailEntries: 5 } : {}
    const cluster = new MemberCluster(world, 1, {}, log)
    const acknowledged: Array<string> = []
    let over = false
    const writer = Effect.gen(function* () {
      for (let key = 0; !over; key++) {
        if ((yield* put(cluster, `key${key}`)) === undefined) acknowledged.push(`key${key}`)
        yield* Effect.sleep(prng.next() * 40)
      }
    })
    const nemesis = Effect.gen(function* () {
      while (!over) {
        yield* Effect.sleep(300 + prng.next() * 1_500)
        const { ids } = cluster
        const victim = ids[prng.below(ids.length)] ?? 1
        if (prng.chance(0.6)) cluster.powerOff(victim)
        else cluster.partition([victim])
        yield* Effect.sleep(prng.next() * 800)
        cluster.heal()
        yield* Effect.forEach(cluster.ids, (id) => Effect.timeoutOption(cluster.start(id), "1 second"))
      }
    })
    world.run(
      Effect.gen(function* () {
        yield* cluster.start(1)
        yield* Effect.fork(writer)
        yield* Effect.fork(nemesis)
        for (const name of ["two", "three", "four", "five"]) yield* join(cluster, name)
        const voters = cluster.leader?.membership.voters ?? []
        const [gone, left] = [voters.slice(0, 2), voters.slice(2)]
        t.is(voters.length, 5, `seed ${seed}`)
        for (const id of gone) yield* remove(cluster, id)
        over = true
        cluster.heal()
        yield* Effect.forEach(cluster.ids, (id) => cluster.start(id))
        yield* Effect.sleep("8 seconds")
        const { leader } = cluster
        t.deepEqual(leader?.membership.voters, left, `seed ${seed}`)
        const lost = acknowledged.filter((key) => leader?.machine.mvcc.get(bytes(key)) === undefined)
        t.deepEqual(lost, [], `replay with UC_SEED=${seed} npx ava actors/chainfire/member-changes.test.ts`)
        writes += acknowledged.length
      })
    )
  }
  t.log(`${seeds.length} seeds: ${writes} writes acknowledged`)
  t.true(writes > 20 * seeds.length)
})

test("what would lose the quorum is refused, and what makes no sense as well", (t) => {
  const world = new SimWorld(1)
  const cluster = new MemberCluster(world, 3)
  world.run(
    Effect.gen(function* () {
      yield* Effect.forEach(cluster.ids, (id) => cluster.start(id))
      yield* Effect.sleep("3 seconds")
      const changes = yield* leading(cluster)
      const leader = cluster.leader?.id ?? 0
      const [dead = 0, alive = 0] = cluster.ids.filter((id) => id !== leader)
      cluster.powerOff(dead)
      yield* Effect.sleep("2 seconds")
      t.is(yield* carryOut((done) => changes.remove(alive, done)), etcdErrors.memberNotEnoughStarted)
      t.is(yield* carryOut((done) => changes.remove(99, done)), etcdErrors.memberNotFound)
      t.is(yield* carryOut((done) => changes.promote(alive, done)), etcdErrors.memberNotLearner)
      t.deepEqual(yield* add(changes, "no url"), Either.left(etcdErrors.memberBadUrls))
      t.deepEqual(yield* add(changes, `http://node${alive}:7700`), Either.left(etcdErrors.peerUrlExists))
      t.is(yield* carryOut((done) => changes.remove(dead, done)), undefined, "the dead one may go")
      t.is((yield* leading(cluster)).members.length, 2)
    })
  )
})
