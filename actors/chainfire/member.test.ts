/** Three members on disks that lose their power: what was acknowledged is there, and reads are never stale. */
import test from "ava"
import { Effect, Either, Layer } from "effect"
import { defaultConfig } from "#actors/raft/raft-config.ts"
import { Membership } from "#actors/raft/raft-membership.ts"
import { SimDisk } from "#chaos/sim/sim-disk.ts"
import { SimWorld } from "#chaos/sim/world.ts"
import { PutRequest } from "#protocols/wire/etcd/kv-fast.ts"
import { encodeCommand } from "./command.ts"
import { MemberCluster } from "./fixtures/member-cluster.ts"
import { Member } from "./member.ts"
import type { LogLimits } from "./member-snapshots.ts"
import { openState } from "./open-state-actor.ts"
import { StoreTables } from "./store-tables.ts"

const seedOnly = process.env["UC_SEED"]
const count = Number(process.env["UC_SEEDS"] ?? 60)
const seeds =
  seedOnly === undefined ? Array.from({ length: count }, (_, index) => index + 1) : [Number(seedOnly)]

test("through power cuts, kills, partitions and loss no acknowledged write is lost and no read is stale", (t) => {
  t.timeout(Math.max(120_000, 3_000 * seeds.length))
  let writes = 0
  let reads = 0
  let deaths = 0
  let installs = 0
  for (const seed of seeds) {
    // Every second one compacts its log so early that whoever was away needs a snapshot.
    const run = underFire(seed, () => {}, seed % 2 === 0 ? { entriesMax: 40, tailEntries: 5 } : {})
    installs += run.installs
    writes += run.writes
    reads += run.reads
    deaths += run.deaths
    t.deepEqual(run.problems, [], `replay with UC_SEED=${seed} npx ava actors/chainfire/member.test.ts`)
  }
  t.log(
    `${seeds.length} seeds: ${writes} writes acknowledged, ${reads} reads, ${deaths} deaths, ${installs} snapshots`
  )
  t.true(installs > seeds.length / 10 || seedOnly !== undefined)
  t.true(
    writes > 20 * seeds.length &&
      reads > 10 * seeds.length &&
      (deaths > seeds.length || seedOnly !== undefined)
  )
})

test("a disk that acknowledges before it writes is found out", (t) => {
  const found = Array.from({ length: 30 }, (_, index) =>
    underFire(index + 1, (cluster) => {
      for (const id of cluster.ids) cluster.disk(id).lies = true
    })
  ).some(({ problems }) => problems.length > 0)
  t.true(found)
})

test("a command that no quorum hears of is answered in time: it may be carried out still", (t) => {
  const world = new SimWorld(2)
  const cluster = new MemberCluster(world, 3)
  const { outcomes, tookMillis } = world.run(
    Effect.gen(function* () {
      yield* Effect.forEach(cluster.ids, (id) => cluster.start(id))
      yield* Effect.sleep("5 seconds")
      const { leader } = cluster
      if (leader === undefined) throw new Error("nobody leads")
      cluster.partition([leader.id])
      const outcomes: Array<string> = []
      const fromMillis = world.nowMillis
      let tookMillis = 0
      const request = PutRequest.encode(PutRequest.make({ key: bytes("lost") }))
      leader.propose(encodeCommand("Put", request), ({ _tag }) => {
        outcomes.push(_tag)
        tookMillis = world.nowMillis - fromMillis
      })
      yield* Effect.sleep("1 minute")
      return { outcomes, tookMillis }
    })
  )
  t.deepEqual(outcomes, ["TimedOut"])
  t.true(tookMillis < 7_000, `${tookMillis} ms`)
})

test("a member whose disk does not keep up takes nothing more, and more when it has", (t) => {
  const world = new SimWorld(1)
  const disk = new SimDisk(world)
  let pendingBytes = 0
  const outcomes = world.run(
    Effect.gen(function* () {
      const ports = yield* Layer.build(disk.layer())
      const { environment, journal, shelf, stores } = yield* Effect.provide(openState({}), ports)
      const usage = () => ({ ...environment.usage(), pendingBytes })
      const tables = new StoreTables({ environment: { ...environment, usage }, stores })
      let isAwake = false
      const wake = () => {
        isAwake = true
      }
      const member = new Member(
        { id: 1, membership: new Membership([1]), config: defaultConfig, log: {} },
        {
          ...{ journal, tables, shelf, wake },
          send: () => {},
          failed: ({ message }) => t.fail(message),
          nowMillis: () => world.nowMillis,
          random: () => world.prng.next()
        }
      )
      const outcomes: Array<string> = []
      const request = PutRequest.encode(PutRequest.make({ key: bytes("k") }))
      const put = Effect.gen(function* () {
        member.propose(encodeCommand("Put", request), (proposed) =>
          outcomes.push(proposed._tag === "Refused" ? proposed.refusal._tag : proposed._tag)
        )
        yield* turns
      })
      const turns = Effect.gen(function* () {
        for (let turn = 0; turn < 1_000; turn++) {
          if (isAwake || member.wakeMillis <= world.nowMillis) member.turn()
          yield* Effect.sleep("5 millis")
        }
      })
      yield* turns
      yield* put
      pendingBytes = 64 * 1024 * 1024
      yield* put
      pendingBytes = 0
      yield* put
      return outcomes
    }).pipe(Effect.scoped)
  )
  t.deepEqual(outcomes, ["Applied", "Overloaded", "Applied"])
})

test("a member that hears of its removal answers everybody who waits, and nobody waits after that", (t) => {
  const world = new SimWorld(2)
  const cluster = new MemberCluster(world, 3)
  const heard = world.run(
    Effect.gen(function* () {
      yield* Effect.forEach(cluster.ids, (id) => cluster.start(id))
      yield* Effect.sleep("5 seconds")
      const { leader } = cluster
      if (leader === undefined) throw new Error("nobody leads")
      cluster.partition([leader.id])
      const heard: Array<string> = []
      const ask = () => {
        const request = PutRequest.encode(PutRequest.make({ key: bytes("lost") }))
        leader.propose(encodeCommand("Put", request), ({ _tag }) => void heard.push(_tag))
        leader.read((refused) => void heard.push(refused ?? "read"))
        leader.whenLed((led) => void heard.push(`led: ${led}`), leader.id === 1 ? 2 : 1)
      }
      cluster.inside(leader, ask)
      cluster.inside(leader, () => leader.expel())
      cluster.inside(leader, ask)
      yield* Effect.sleep("1 minute")
      return heard
    })
  )
  t.deepEqual(heard.toSorted(), [
    ...["NoLeader", "NoLeader"],
    ...["TimedOut", "TimedOut"],
    ...["led: false", "led: false"]
  ])
})

test("a member that is further behind than its leader has in memory gets the rest from the journal", (t) => {
  const world = new SimWorld(3)
  const cluster = new MemberCluster(world, 3, { memoryEntriesMax: 8, appendEntriesMax: 4 })
  const dumps = world.run(
    Effect.gen(function* () {
      yield* Effect.forEach(cluster.ids, (id) => cluster.start(id))
      yield* Effect.sleep("5 seconds")
      const away = cluster.ids.find((id) => id !== cluster.leader?.id) ?? 1
      cluster.kill(away)
      for (let count = 0; count < 50; count++) yield* put(cluster, `k${count}`, `${count}`)
      yield* cluster.start(away)
      yield* Effect.sleep("5 seconds")
      return cluster.ids.map((id) => dump(cluster.member(id)))
    })
  )
  t.regex(dumps[0] ?? "", /49/)
  t.is(new Set(dumps).size, 1)
})

test("a member that stops in order and starts again has everything, without the others", (t) => {
  const world = new SimWorld(1)
  const cluster = new MemberCluster(world, 1)
  const { after, before } = world.run(
    Effect.gen(function* () {
      yield* cluster.start(1)
      yield* Effect.sleep("1 second")
      for (let count = 0; count < 500; count++) yield* put(cluster, `k${count % 10}`, `${count}`)
      const before = dump(cluster.member(1))
      yield* cluster.stop(1)
      yield* cluster.start(1)
      yield* Effect.sleep("1 second")
      return { before, after: dump(cluster.member(1)) }
    })
  )
  // A new leader begins with an entry of its own.
  t.deepEqual(after.split("\n").slice(1), before.split("\n").slice(1))
})

test("a heartbeat that wants no answer is enough to be missed by, in time, when nothing follows it", (t) => {
  const world = new SimWorld(4)
  const cluster = new MemberCluster(world, 3, { quiesceMillis: 1_000 })
  const roles = world.run(
    Effect.gen(function* () {
      yield* Effect.forEach(cluster.ids, (id) => cluster.start(id))
      // All are asleep, and no timer of before rings any more.
      yield* Effect.sleep("5 seconds")
      const leader = cluster.leader
      const id = cluster.ids.find((other) => other !== leader?.id) ?? 1
      const member = cluster.member(id)
      if (leader === undefined || member === undefined) throw new Error("all are up")
      t.true(member.status.isQuiesced)
      cluster.partition([id])
      const { commit, term } = leader.status
      const heartbeat = {
        _tag: "Heartbeat",
        from: leader.id,
        to: id,
        term,
        commit,
        round: 0,
        quiesce: false
      } as const
      member.receive([heartbeat])
      yield* Effect.sleep(10)
      const firstMillis = member.wakeMillis
      t.true(Number.isFinite(firstMillis), "its clock runs again")
      for (let drawn = 0; member.wakeMillis > firstMillis - 20 && drawn < 100; drawn++)
        member.receive([heartbeat])
      t.true(member.wakeMillis <= firstMillis - 20, "the time was drawn anew, and is earlier")
      const roles: Array<string> = [member.status.role]
      yield* Effect.sleep(Math.ceil(member.wakeMillis - world.nowMillis) + 10)
      roles.push(member.status.role)
      return roles
    })
  )
  t.deepEqual(roles, ["follower", "pre-candidate"])
})

interface Run {
  readonly problems: ReadonlyArray<string>
  readonly writes: number
  readonly reads: number
  readonly deaths: number
  readonly installs: number
}

/** Writers that count up in keys of their own, readers of those keys, and a nemesis; then peace. */
const underFire = (
  seed: number,
  plant: (cluster: MemberCluster) => void = () => {},
  log: Partial<LogLimits> = {}
): Run => {
  const world = new SimWorld(seed)
  const cluster = new MemberCluster(world, 3, {}, log)
  const { prng } = world
  const problems: Array<string> = []
  const acknowledged = new Map<string, number>()
  let [writes, reads, deaths, installs] = [0, 0, 0, 0]
  let over = false

  const writer = (key: string) =>
    Effect.gen(function* () {
      for (let value = 1; !over; value++) {
        const outcome = yield* put(cluster, key, `${value}`)
        if (outcome === "acknowledged") {
          acknowledged.set(key, value)
          writes++
        }
        yield* Effect.sleep(prng.next() * 40)
      }
    })
  const reader = (key: string) =>
    Effect.gen(function* () {
      while (!over) {
        const atLeast = acknowledged.get(key) ?? 0
        const member = cluster.member(1 + prng.below(3))
        const found = member === undefined ? undefined : yield* get(member, key)
        if (found !== undefined) {
          reads++
          if (found < atLeast) problems.push(`${key} read ${found} after ${atLeast} was acknowledged`)
        }
        yield* Effect.sleep(prng.next() * 60)
      }
    })
  const nemesis = Effect.gen(function* () {
    for (let round = 0; round < 12; round++) {
      yield* Effect.sleep(100 + prng.next() * 900)
      const victim = prng.chance(0.5) ? (cluster.leader?.id ?? 1) : 1 + prng.below(3)
      const dice = prng.next()
      if (dice < 0.35) cluster.powerOff(victim)
      else if (dice < 0.45) cluster.kill(victim)
      else if (dice < 0.5) for (const id of cluster.ids) cluster.powerOff(id)
      else if (dice < 0.7) cluster.partition([victim])
      else if (dice < 0.8) cluster.cut(victim, 1 + (victim % 3))
      else cluster.weather = { loss: prng.next() * 0.2, latencyMillisMax: 1 + prng.next() * 60 }
      if (dice < 0.5) deaths++
      yield* Effect.sleep(prng.next() * 1_500)
      if (prng.chance(0.7)) cluster.heal()
      yield* Effect.forEach(cluster.ids, (id) => cluster.start(id))
    }
  })
  const peace = Effect.gen(function* () {
    cluster.heal()
    cluster.weather = { loss: 0, latencyMillisMax: 5 }
    yield* Effect.forEach(cluster.ids, (id) => cluster.start(id))
    yield* Effect.sleep("5 seconds")
    over = true
    yield* Effect.sleep("5 seconds")
    for (const [key, value] of acknowledged) {
      const found = yield* get(cluster.leader, key)
      if (found === undefined || found < value) problems.push(`${key} is ${found}, ${value} was acknowledged`)
    }
    installs = cluster.ids.reduce((sum, id) => sum + (cluster.member(id)?.installs ?? 0), 0)
    const [first, ...others] = cluster.ids.map((id) => dump(cluster.member(id)))
    if (others.some((other) => other !== first)) problems.push("the members are in different states")
  })
  try {
    world.run(
      Effect.gen(function* () {
        plant(cluster)
        yield* Effect.forEach(cluster.ids, (id) => cluster.start(id))
        for (const key of ["a", "b", "c"]) {
          yield* Effect.fork(writer(key))
          yield* Effect.fork(reader(key))
        }
        yield* nemesis
        yield* peace
      })
    )
  } catch (cause) {
    problems.push(cause instanceof Error ? cause.message : String(cause))
  }
  return { problems, writes, reads, deaths, installs }
}

const bytes = (text: string): Uint8Array => new TextEncoder().encode(text)

const put = (cluster: MemberCluster, key: string, value: string): Effect.Effect<"acknowledged" | "unknown"> =>
  Effect.async<"acknowledged" | "unknown">((resume) => {
    const { leader } = cluster
    if (leader === undefined) return resume(Effect.succeed("unknown"))
    const command = encodeCommand(
      "Put",
      PutRequest.encode(PutRequest.make({ key: bytes(key), value: bytes(value) }))
    )
    leader.propose(command, (proposed) =>
      resume(
        Effect.succeed(
          proposed._tag === "Applied" && Either.isRight(proposed.outcome) ? "acknowledged" : "unknown"
        )
      )
    )
  }).pipe(
    Effect.timeoutTo({
      duration: "2 seconds",
      onSuccess: (done) => done,
      onTimeout: () => "unknown" as const
    })
  )

/** Undefined: nobody answered. */
const get = (member: Member | undefined, key: string): Effect.Effect<number | undefined> =>
  Effect.async<number | undefined>((resume) => {
    if (member === undefined) return resume(Effect.succeed(undefined))
    member.read((refused) => {
      const kv = refused === undefined ? member.machine.mvcc.get(bytes(key)) : undefined
      const value = kv === undefined ? 0 : Number(new TextDecoder().decode(kv.value))
      resume(Effect.succeed(refused === undefined ? value : undefined))
    })
  }).pipe(
    Effect.timeoutTo({ duration: "2 seconds", onSuccess: (found) => found, onTimeout: () => undefined })
  )

const dump = (member: Member | undefined): string => {
  if (member === undefined) return "nobody"
  const { appliedIndex, mvcc } = member.machine
  const kvs = [...mvcc.range({ key: new Uint8Array(1), rangeEnd: new Uint8Array(1) })]
  const lines = kvs.map(
    ({ createRevision, key, modRevision, value, version }) =>
      `${key} ${value} ${createRevision} ${modRevision} ${version}`
  )
  return [appliedIndex, mvcc.revision, ...lines].join("\n")
}
