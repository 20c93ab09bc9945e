import { inspect } from "node:util"
import test from "ava"
import { Chunk, Effect, Fiber, Redacted, Schedule, type Scope, Stream } from "effect"
import { Etcd, EtcdClient, etcdInstalled } from "#actors/chainfire/fixtures/etcd.ts"
import { liveCluster } from "#actors/chainfire/fixtures/live-cluster.ts"
import { CoordinationActor, TreeCoordination } from "#actors/cluster/coordination-actor.ts"
import { coordinationContract, RandomOperations } from "#actors/kernel/fixtures/coordination-contract.ts"
import type { Coordination } from "#actors/kernel/ports/coordination.ts"
import { address } from "#protocols/address.ts"
import { KeysChanged } from "#protocols/chainfire-keys.ts"
import { AUTH } from "#protocols/wire/etcd/methods.ts"
import { openEtcd } from "./etcd-coordination.ts"

const operations = 2_000
const seed = Number(process.env["UC_SEED"] ?? 1)

/** Chainfire of one member, by messages in its own tree, and its etcd port. */
const chainfire = Effect.gen(function* () {
  const { members } = yield* liveCluster(1)
  const [member] = members
  if (member === undefined) throw new Error("there is no member")
  const tree = new TreeCoordination({ members: [`/${member.system.name}/chainfire`] })
  member.system.spawn(CoordinationActor, { args: { tree } })
  const ready = tree.coordination.range({ key: Uint8Array.of(0), countOnly: true })
  yield* Effect.retry(ready, { schedule: Schedule.spaced("50 millis"), times: 100 })
  return { coordination: tree.coordination, endpoint: member.endpoint, system: member.system }
})

const byMessages: Effect.Effect<Coordination, unknown, Scope.Scope> = Effect.map(
  chainfire,
  ({ coordination }) => coordination
)

// One that is not there comes first: it is left for the next one.
const byGrpc: Effect.Effect<Coordination, unknown, Scope.Scope> = Effect.flatMap(chainfire, ({ endpoint }) =>
  openEtcd({ endpoints: ["127.0.0.1:1", endpoint] })
)

const realEtcd = Effect.map(
  Effect.acquireRelease(
    Effect.promise(() => Etcd.start()),
    (etcd) => Effect.promise(() => etcd.stop())
  ),
  ({ address }) => address
)

const byEtcd: Effect.Effect<Coordination, unknown, Scope.Scope> = Effect.flatMap(realEtcd, (address) =>
  openEtcd({ endpoints: [address] })
)

coordinationContract(test.serial, "chainfire by messages", byMessages)
coordinationContract(test.serial, "chainfire over gRPC", byGrpc)
if (etcdInstalled()) coordinationContract(test.serial, "etcd", byEtcd)

test.serial(
  "the member that serves a watch stops, and the watch goes on elsewhere, by messages and over gRPC",
  async (t) => {
    t.timeout(90_000)
    await Effect.gen(function* () {
      const { members } = yield* liveCluster(3)
      const [first, ...rest] = members
      const here = rest[0]
      if (first === undefined || here === undefined) throw new Error("there are three members")
      const tree = new TreeCoordination({
        members: members.map(({ system }) => `/${system.name}/chainfire`),
        deadlineMillis: 20_000
      })
      here.system.spawn(CoordinationActor, { args: { tree } })
      const overGrpc = yield* openEtcd({
        endpoints: members.map(({ endpoint }) => endpoint),
        deadlineMillis: 20_000
      })
      const key = new TextEncoder().encode("resumed")
      const put = (value: number) => tree.coordination.put({ key, value: Uint8Array.of(value) })
      const { revision } = yield* put(0)
      const watches = yield* Effect.forEach([tree.coordination, overGrpc], (store) =>
        store.watch({ key, startRevision: revision }).pipe(
          Stream.map(({ events: [event] }) => event?.kv.value[0]),
          Stream.take(40),
          Stream.runCollect,
          Effect.fork
        )
      )
      for (let value = 1; value < 20; value++) yield* put(value)
      yield* first.system.stop
      for (let value = 20; value < 40; value++) {
        // One whose answer was lost with the member is written again: an equal value is one event more.
        const written = Effect.map(tree.coordination.get(key), (kv) =>
          kv._tag === "Some" && kv.value.value[0] === value ? Effect.void : put(value)
        )
        yield* Effect.retry(Effect.flatten(written), { schedule: Schedule.spaced("50 millis"), times: 100 })
      }
      for (const watch of watches)
        t.deepEqual(
          Chunk.toReadonlyArray(yield* Fiber.join(watch)),
          Array.from({ length: 40 }, (_, index) => index)
        )
    }).pipe(Effect.scoped, Effect.runPromise)
  }
)

test.serial(
  "a watch of which a change was lost on its way begins anew behind the last that came",
  async (t) => {
    await Effect.gen(function* () {
      const { coordination, system } = yield* chainfire
      const key = new TextEncoder().encode("watched")
      const put = (value: number) => coordination.put({ key, value: Uint8Array.of(value) })
      const { revision } = yield* put(1)
      const seen: Array<number | undefined> = []
      yield* Effect.forkScoped(
        coordination
          .watch({ key, startRevision: revision })
          .pipe(
            Stream.runForEach(({ events }) =>
              Effect.sync(() => void seen.push(...events.map(({ kv }) => kv.value[0])))
            )
          )
      )
      const comes = (what: string, isThere: () => boolean) =>
        Effect.retry(
          Effect.suspend(() => (isThere() ? Effect.void : Effect.fail(what))),
          { schedule: Schedule.spaced("20 millis"), times: 500 }
        )
      yield* comes("the first", () => seen.length === 1)
      const receiver = `/${system.name}/coordination/watch-1`
      t.true("actor" in system.inspect(receiver))
      const after = new KeysChanged({ watch: 1, number: 3, revision: revision + 5, events: [] })
      system.at(address(receiver, KeysChanged)).tell(after)
      for (const value of [2, 3]) yield* put(value)
      yield* comes("the others", () => seen.length === 3)
      t.deepEqual(seen, [1, 2, 3])
      yield* comes("its end", () => !("actor" in system.inspect(receiver)))
    }).pipe(Effect.scoped, Effect.runPromise)
  }
)

test.serial(
  "a client that only watches shows another token when its own is not known any more",
  async (t) => {
    t.timeout(60_000)
    await Effect.gen(function* () {
      const { endpoint } = yield* chainfire
      const admin = new EtcdClient(endpoint)
      yield* Effect.addFinalizer(() => Effect.sync(() => admin.close()))
      const done = (called: Promise<object>) =>
        Effect.map(
          Effect.promise(() => called),
          (answer) => t.true("response" in answer, inspect(answer))
        )
      const [name, password] = ["root", "secret"]
      yield* done(admin.call(AUTH.userAdd, { name, password }))
      yield* done(admin.call(AUTH.roleAdd, { name }))
      yield* done(admin.call(AUTH.userGrantRole, { user: name, role: name }))
      yield* done(admin.call(AUTH.enable, {}))
      const store = yield* openEtcd({
        endpoints: [endpoint],
        user: { name, password: Redacted.make(password) }
      })
      const key = new TextEncoder().encode("watched")
      const revision = yield* Effect.map(store.put({ key, value: Uint8Array.of(1) }), (put) => put.revision)
      const first = yield* store.watch({ key, startRevision: revision }).pipe(Stream.runHead)
      t.is(first._tag, "Some")

      // Which all tokens go with.
      const given = yield* Effect.promise(() => admin.call(AUTH.authenticate, { name, password }))
      if (!("response" in given)) throw new Error("root logs in")
      yield* done(admin.call(AUTH.disable, {}, given.response.token))
      yield* done(admin.call(AUTH.enable, {}))
      const again = store.watch({ key, startRevision: revision }).pipe(Stream.runHead)
      t.is((yield* Effect.timeout(again, "20 seconds"))._tag, "Some")
    }).pipe(Effect.scoped, Effect.runPromise)
  }
)

const oracle = etcdInstalled() ? test.serial : test.serial.skip

oracle(`${operations} random operations have the same answers on all three`, async (t) => {
  t.timeout(120_000)
  await Effect.gen(function* () {
    const ours = yield* chainfire
    const stores = [yield* openEtcd({ endpoints: [yield* realEtcd] }), ours.coordination, yield* byGrpc]
    const random = new RandomOperations(seed)
    const seen = new Set<string>()
    for (let done = 0; done < operations; done++) {
      const { run, what } = random.next()
      const [etcd, ...others] = yield* Effect.forEach(stores, run, { concurrency: 3 })
      seen.add(`${what.split(" ")[0]} ${etcd?._tag === "Left" ? etcd.left : "ok"}`)
      for (const other of others) t.deepEqual(other, etcd, `UC_SEED=${seed}, operation ${done}: ${what}`)
    }
    t.log([...seen].toSorted().join("\n"))
    t.true(seen.size >= 12, "all sorts of answers were compared")
  }).pipe(Effect.scoped, Effect.runPromise)
})
