import test from "ava"
import { Effect, Schedule } from "effect"
import * as Actor from "#actors/kernel/actor.ts"
import { ask } from "#actors/kernel/ask.ts"
import { comesAbout } from "#actors/kernel/fixtures/eventually.ts"
import type { ActorRef } from "#actors/kernel/ref.ts"
import { address } from "#protocols/address.ts"
import {
  CancelWatch,
  CompactKeys,
  DeleteKeys,
  GetLease,
  GrantCredit,
  GrantLease,
  KeepLease,
  KeysChanged,
  type KeysRequest,
  keysRequests,
  ListLeases,
  PutKey,
  RangeKeys,
  RevokeLease,
  WatchEnded,
  WatchKeys
} from "#protocols/chainfire-keys.ts"
import { type LiveMember, liveCluster } from "./fixtures/live-cluster.ts"

const bytes = (text: string): Uint8Array => new TextEncoder().encode(text)
const text = (data: Uint8Array | undefined): string => new TextDecoder().decode(data)
const everything = Uint8Array.of(0)

test("actors of other nodes read, write and hold leases through any member", async (t) => {
  t.timeout(60_000)
  await inCluster((members) =>
    Effect.gen(function* () {
      const [near, , far] = members
      const keys = keysOf(near!, "node02")
      const granted = yield* ask(keys, new GrantLease({ ttlSeconds: 60 }), "10 seconds")
      const { lease } = granted
      const put = new PutKey({ key: bytes("a"), value: bytes("1"), lease })
      const { revision } = yield* ask(keys, put, "10 seconds")
      const other = keysOf(far!, "node01")
      const found = yield* ask(other, new RangeKeys({ key: bytes("a") }), "10 seconds")
      t.is(found.revision, revision)
      t.like(found.kvs[0], { lease, modRevision: revision, version: 1 })
      t.is(text(found.kvs[0]?.value), "1")
      const kept = yield* ask(other, new KeepLease({ lease }), "10 seconds")
      t.is(kept.ttlSeconds, 60)
      const left = yield* ask(other, new GetLease({ lease, keys: true }), "10 seconds")
      t.deepEqual([left.grantedTtlSeconds, left.keys.map(text)], [60, ["a"]])
      t.deepEqual(yield* ask(keys, new ListLeases(), "10 seconds"), [lease])
      yield* ask(keys, new RevokeLease({ lease }), "10 seconds")
      const gone = yield* ask(other, new RangeKeys({ key: bytes("a"), countOnly: true }), "10 seconds")
      t.is(gone.count, 0)
      const late = yield* Effect.flip(ask(keys, new KeepLease({ lease }), "10 seconds"))
      t.is(late._tag, "LeaseNotFound")
    })
  )
})

test("a watch goes to an actor of another node within its credit, shows where it is, and ends with it", async (t) => {
  t.timeout(60_000)
  await inCluster((members) =>
    Effect.gen(function* () {
      const [near, second] = members
      const heard: Array<string> = []
      const receiver = near!.system.spawn(receiverOf(heard))
      const watches = near!.system.at(address("/node02/chainfire/watches", WatchKeys))
      const keys = keysOf(near!, "node03")
      const first = yield* ask(keys, new PutKey({ key: bytes("w1"), value: bytes("1") }), "10 seconds")
      const begin = new WatchKeys({
        key: bytes("w"),
        end: bytes("x"),
        startRevision: first.revision,
        to: receiver,
        credit: 2
      })
      const watch = yield* ask(watches, begin, "10 seconds")
      for (const value of ["2", "3", "4"])
        yield* ask(keys, new PutKey({ key: bytes("w1"), value: bytes(value) }), "10 seconds")
      yield* ask(keys, new DeleteKeys({ key: bytes("v"), end: everything }), "10 seconds")
      yield* comesAbout("2 are heard", () => heard.length === 2)
      yield* comesAbout(
        "three wait",
        () => Reflect.get(Object(stateOf(second!, watch.path)), "queueDepth") === 3
      )
      t.deepEqual(stateOf(second!, watch.path), {
        receiver: receiver.path,
        credit: 0,
        parked: true,
        queueDepth: 3,
        oldestUndelivered: first.revision + 2
      })
      const control = near!.system.at(address(watch.path, GrantCredit, CancelWatch))
      control.tell(new GrantCredit({ messages: 10 }))
      yield* comesAbout("5 are heard", () => heard.length === 5)
      t.deepEqual(heard, ["put w1=1", "put w1=2", "put w1=3", "put w1=4", "delete w1="])

      near!.system.kill(receiver.path)
      yield* comesAbout("the watch is gone", () => stateOf(second!, watch.path) === undefined)
    })
  )
})

test("a watch says when it is cancelled, and when what it has still to see is compacted", async (t) => {
  t.timeout(60_000)
  await inCluster((members) =>
    Effect.gen(function* () {
      const [near] = members
      const heard: Array<string> = []
      const receiver = near!.system.spawn(receiverOf(heard))
      const watches = near!.system.at(address("/node02/chainfire/watches", WatchKeys))
      const begin = (startRevision: number) =>
        ask(watches, new WatchKeys({ key: bytes("w"), startRevision, to: receiver, credit: 1 }), "10 seconds")
      const { path } = yield* begin(1_000)
      near!.system.at(address(path, CancelWatch)).tell(new CancelWatch())
      yield* comesAbout("1 are heard", () => heard.length === 1)
      const keys = keysOf(near!, "node02")
      for (const value of ["1", "2", "3"])
        yield* ask(keys, new PutKey({ key: bytes("w"), value: bytes(value) }), "10 seconds")
      yield* ask(keys, new CompactKeys({ revision: 4 }), "10 seconds")
      // Once this member has it, too.
      yield* ask(keys, new RangeKeys({ key: bytes("w") }), "10 seconds")
      yield* begin(2)
      yield* comesAbout("2 are heard", () => heard.length === 2)
      t.deepEqual(heard, ["cancelled 0", "compacted 4"])
    })
  )
})

// Fixtures

const keysOf = ({ system }: LiveMember, node: string): ActorRef<KeysRequest> =>
  system.at(address(`/${node}/chainfire/keys`, ...keysRequests))

const stateOf = ({ system }: LiveMember, path: string): unknown => {
  const found = system.inspect(path)
  return "state" in found ? found.state : undefined
}

const receiverOf = (heard: Array<string>) =>
  Actor.make("receiver", {
    messages: [KeysChanged, WatchEnded],
    init: () => ({}),
    handlers: {
      KeysChanged: (state, { events }) => {
        heard.push(...events.map(({ kv, type }) => `${type} ${text(kv.key)}=${text(kv.value)}`))
        return state
      },
      WatchEnded: (state, { compactRevision, reason }) => {
        heard.push(`${reason} ${compactRevision}`)
        return state
      }
    }
  })

const inCluster = (body: (members: ReadonlyArray<LiveMember>) => Effect.Effect<void, unknown>) =>
  Effect.gen(function* () {
    const { members } = yield* liveCluster(3)
    // Until all have links to all, and a leader.
    const pairs = members.flatMap((one) => members.map(({ system: { name } }) => [one, name] as const))
    yield* Effect.forEach(pairs, ([one, name]) =>
      Effect.suspend(() =>
        ask(keysOf(one, name), new RangeKeys({ key: everything, countOnly: true }), "10 seconds")
      ).pipe(Effect.retry({ times: 200, schedule: Schedule.spaced("50 millis") }))
    )
    yield* body(members)
  }).pipe(Effect.scoped, Effect.runPromise)
