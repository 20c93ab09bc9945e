/** A log does not grow without end, and who was away for longer than it reaches back is given the state. */
import test from "ava"
import { Effect } from "effect"
import { SimWorld } from "#chaos/sim/world.ts"
import { PutRequest } from "#protocols/wire/etcd/kv-fast.ts"
import { encodeCommand } from "./command.ts"
import { MemberCluster } from "./fixtures/member-cluster.ts"
import type { WatchSink } from "./watch-hub.ts"

const bytes = (text: string): Uint8Array => new TextEncoder().encode(text)
const limits = { entriesMax: 100, tailEntries: 20 }

const write = (cluster: MemberCluster, from: number, to: number, valueBytes = 10) =>
  Effect.gen(function* () {
    for (let key = from; key < to; key++) {
      const request = PutRequest.make({
        key: bytes(`key${key}`),
        value: new Uint8Array(valueBytes).fill(key % 256)
      })
      const command = encodeCommand("Put", PutRequest.encode(request))
      yield* Effect.async<void>((resume) => cluster.leader?.propose(command, () => resume(Effect.void)))
    }
  })

test("the log of a member is cut back once its state is on the disk, and a tail stays", (t) => {
  const world = new SimWorld(1)
  const cluster = new MemberCluster(world, 3, {}, limits)
  world.run(
    Effect.gen(function* () {
      yield* Effect.forEach(cluster.ids, (id) => cluster.start(id))
      yield* Effect.sleep("3 seconds")
      yield* write(cluster, 0, 1_000)
      yield* Effect.sleep("3 seconds")
      for (const id of cluster.ids) {
        const member = cluster.member(id)
        const length = (member?.status.commit ?? 0) - (member?.firstIndex ?? 0)
        t.true(length >= limits.tailEntries && length < 2 * limits.entriesMax, `${length} entries`)
        t.is(member?.installs, 0, "nobody was so far behind")
      }
    })
  )
})

test("who was away gets a snapshot in pieces, and watches on it miss nothing and see nothing twice", (t) => {
  const world = new SimWorld(2)
  const cluster = new MemberCluster(world, 3, { chunkBytes: 2_000 }, limits)
  world.run(
    Effect.gen(function* () {
      yield* Effect.forEach(cluster.ids, (id) => cluster.start(id))
      yield* Effect.sleep("3 seconds")
      yield* write(cluster, 0, 50)
      const away = cluster.ids.find((id) => id !== cluster.leader?.id) ?? 1
      const member = cluster.member(away)
      yield* Effect.sleep("1 second")
      const seen: Array<number> = []
      const sink: WatchSink = {
        deliver: (_watch, revision) => seen.push(revision) > 0,
        behind: (watch) => {
          while (member?.hub.resume(watch) === true);
        },
        compacted: () => t.fail("nothing was compacted")
      }
      const range = { key: Uint8Array.of(0), rangeEnd: Uint8Array.of(0) }
      const options = { range, startRevision: 0, prevKv: false, noPut: false, noDelete: false }
      const from = member?.machine.mvcc.revision ?? 0
      member?.hub.add(1, options, sink)
      cluster.partition([away])
      yield* write(cluster, 50, 1_000, 100)
      cluster.heal()
      yield* Effect.sleep("10 seconds")
      t.is(member?.installs, 1)
      yield* write(cluster, 1_000, 1_050)
      yield* Effect.sleep("2 seconds")
      t.deepEqual(
        seen,
        Array.from({ length: 1_000 }, (_, at) => from + 1 + at)
      )
    })
  )
})

test("a member without power in the middle of a snapshot gets the rest when it is back", (t) => {
  for (let seed = 1; seed <= 20; seed++) {
    const world = new SimWorld(seed)
    const cluster = new MemberCluster(world, 3, { chunkBytes: 1_000 }, limits)
    world.run(
      Effect.gen(function* () {
        yield* Effect.forEach(cluster.ids, (id) => cluster.start(id))
        yield* Effect.sleep("3 seconds")
        const away = cluster.ids.find((id) => id !== cluster.leader?.id) ?? 1
        cluster.powerOff(away)
        yield* write(cluster, 0, 600, 200)
        for (let round = 0; round < 4; round++) {
          yield* cluster.start(away)
          yield* Effect.sleep(world.prng.next() * 500)
          cluster.powerOff(away)
        }
        yield* cluster.start(away)
        yield* Effect.sleep("10 seconds")
        const { leader } = cluster
        t.is(cluster.member(away)?.machine.mvcc.revision, leader?.machine.mvcc.revision, `seed ${seed}`)
        t.deepEqual(
          cluster.member(away)?.machine.mvcc.get(bytes("key599")),
          leader?.machine.mvcc.get(bytes("key599"))
        )
      })
    )
  }
})
