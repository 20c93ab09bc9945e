import test from "ava"
import { Effect } from "effect"
import { SimWorld } from "#chaos/sim/world.ts"
import {
  CompactKeys,
  DeleteKeys,
  type Found,
  type KeysFault,
  PutKey,
  RangeKeys,
  type TxnDone,
  TxnKeys,
  type Written
} from "#protocols/chainfire-keys.ts"
import type { EtcdError } from "#protocols/wire/etcd/errors.ts"
import { PutResponse } from "#protocols/wire/etcd/kv-fast.ts"
import type { Message } from "#protocols/wire/protobuf-message.ts"
import { carryOut } from "./etcd-calls.ts"
import { MemberCluster } from "./fixtures/member-cluster.ts"
import { type AnswerTo, KeyCalls } from "./key-calls.ts"
import { type ChainfireSettings, settingsOf } from "./settings.ts"
import type { Response } from "./state-machine.ts"

const bytes = (text: string): Uint8Array => new TextEncoder().encode(text)
const text = (data: Uint8Array | undefined): string => new TextDecoder().decode(data)

test("what was written through one member is read through another, with its revision", (t) => {
  const kvs = play(({ at, asked }) =>
    Effect.gen(function* () {
      const one = yield* asked<Written>(at(1), (calls, to) =>
        calls.put(new PutKey({ key: bytes("a"), value: bytes("1") }), to)
      )
      const two = yield* asked<Written>(at(2), (calls, to) =>
        calls.put(new PutKey({ key: bytes("a"), value: bytes("2"), prevKv: true }), to)
      )
      t.is(two.revision, one.revision + 1)
      const found = yield* asked<Found>(at(3), (calls, to) =>
        calls.range(new RangeKeys({ key: bytes("a") }), to)
      )
      t.is(found.revision, two.revision)
      return found.kvs
    })
  )
  t.deepEqual(
    kvs.map(({ modRevision, value, version }) => [text(value), modRevision, version]),
    [["2", 3, 2]]
  )
})

test("a transaction takes the way that its comparisons say, and answers each operation", (t) => {
  const [first, second] = play(({ at, asked, leader }) => {
    const claim = new TxnKeys({
      compare: [{ key: bytes("lock"), target: "version", result: "equal", operand: 0 }],
      onSuccess: [{ op: "put", key: bytes("lock"), value: bytes("mine") }],
      onFailure: [{ op: "read", key: bytes("lock") }]
    })
    const claiming = asked<TxnDone>(at(leader), (calls, to) => calls.txn(claim, to))
    return Effect.all([claiming, claiming])
  })
  t.like(first, { succeeded: true, answers: [{ op: "put" }] })
  t.like(second, { succeeded: false })
  const [read] = second.answers
  t.is(read?.op === "read" ? text(read.kvs[0]?.value) : "", "mine")
})

test("refusals have names: compacted, a revision to come, no such lease; the rest is in etcd's words", (t) => {
  const faults = play(({ at, asked, leader }) =>
    Effect.gen(function* () {
      const put = new PutKey({ key: bytes("a"), value: bytes("1") })
      for (let turn = 0; turn < 4; turn++) yield* asked<Written>(at(1), (calls, to) => calls.put(put, to))
      yield* asked<object>(at(leader), (calls, to) => calls.compact(new CompactKeys({ revision: 4 }), to))
      const refused = [
        asked<Found>(at(1), (calls, to) => calls.range(new RangeKeys({ key: bytes("a"), revision: 2 }), to)),
        asked<Found>(at(1), (calls, to) => calls.range(new RangeKeys({ key: bytes("a"), revision: 99 }), to)),
        asked<Written>(at(2), (calls, to) => calls.put(new PutKey({ ...put, lease: "7" }), to)),
        asked<object>(at(1), (calls, to) => calls.delete(new DeleteKeys({ key: bytes("") }), to))
      ]
      return yield* Effect.forEach(refused, (one) => Effect.flip(one))
    })
  )
  t.deepEqual(
    faults.map(({ _tag, definite }) => `${_tag} ${definite}`),
    ["Compacted true", "FutureRevision true", "LeaseNotFound true", "EtcdRefusal true"]
  )
})

test("how large a request may be, and how long a transaction, is as it was set", (t) => {
  const faults = play(
    ({ at, asked, leader }) =>
      Effect.gen(function* () {
        const long = new PutKey({ key: bytes("a"), value: new Uint8Array(100) })
        const put = { op: "put", key: bytes("a"), value: bytes("1") } as const
        const many = new TxnKeys({
          compare: [],
          onSuccess: [put, { ...put, key: bytes("b") }],
          onFailure: []
        })
        return [
          yield* Effect.flip(asked<Written>(at(leader), (calls, to) => calls.put(long, to))),
          yield* Effect.flip(asked<object>(at(leader), (calls, to) => calls.txn(many, to)))
        ]
      }),
    { requestBytesMax: 100, transactionOpsMax: 1 }
  )
  t.regex(faults[0]?.message ?? "", /request is too large/)
  t.regex(faults[1]?.message ?? "", /too many operations/)
})

test("without a quorum a read has done nothing, and of a write nobody can say", (t) => {
  const [read, write] = play(({ at, asked, cluster, leader }) =>
    Effect.gen(function* () {
      cluster.partition([leader])
      const reading = asked<Found>(at(leader), (calls, to) =>
        calls.range(new RangeKeys({ key: bytes("a") }), to)
      )
      const writing = asked<Written>(at(leader), (calls, to) =>
        calls.put(new PutKey({ key: bytes("a"), value: bytes("1") }), to)
      )
      return yield* Effect.all([Effect.flip(reading), Effect.flip(writing)], { concurrency: 2 })
    })
  )
  t.is(read._tag, "StoreUnavailable")
  t.true(read.definite)
  t.is(write._tag, "StoreUnavailable")
  t.false(write.definite)
})

// Fixtures

interface Stage {
  readonly cluster: MemberCluster
  /** When the play begins. */
  readonly leader: number
  readonly at: (id: number) => KeyCalls
  readonly asked: <A>(
    calls: KeyCalls,
    ask: (calls: KeyCalls, to: AnswerTo<A>) => void
  ) => Effect.Effect<A, KeysFault>
}

const asked: Stage["asked"] = (calls, ask) =>
  Effect.async((resume) =>
    ask(calls, {
      reply: (answer) => resume(Effect.succeed(answer)),
      refuse: (fault) => resume(Effect.fail(fault))
    })
  )

/** Three members in virtual time, of which one leads; puts go from one to the other without a network. */
const play = <A, E>(
  body: (stage: Stage) => Effect.Effect<A, E>,
  settings: Partial<ChainfireSettings> = {}
): A => {
  const world = new SimWorld(1)
  return world.run(
    Effect.gen(function* () {
      const cluster = new MemberCluster(world, 3)
      yield* Effect.forEach(cluster.ids, (id) => cluster.start(id))
      while (cluster.ids.some((id) => cluster.member(id)?.leader === 0)) yield* Effect.sleep(50)
      const memberOf = (id: number) => {
        const member = cluster.member(id)
        if (member === undefined) throw new Error(`there is no member ${id}`)
        return member
      }
      const noLeases = (_lease: bigint, done: (remaining: EtcdError | undefined) => void) => done(undefined)
      const at = (id: number) =>
        new KeyCalls({
          member: memberOf(id),
          forward: (leader, command, done) => carryOut(memberOf(leader), command, encodePut, done),
          remainingMillis: noLeases,
          renew: noLeases,
          random: () => world.prng.next(),
          settings: settingsOf(settings)
        })
      return yield* body({ cluster, leader: cluster.leader?.id ?? 0, at, asked })
    })
  )
}

/** Members forward nothing but puts here. */
const encodePut = (response: Response): Uint8Array => (PutResponse as Message<Response>).encode(response)
