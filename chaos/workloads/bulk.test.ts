/** Large values go over each other where nobody watches, and fill journals, not stores. */
import test from "ava"
import { Effect, Either } from "effect"
import { KV } from "#protocols/wire/etcd/methods.ts"
import { bulk } from "./bulk.ts"
import { callEtcd } from "./etcd-call.ts"
import { played, withMembers } from "./fixtures/members.ts"

const bytes = 50 * 1024
const large = bulk({ bytes, everyMillis: 100 })

test("one key holds the last large value, of the size that was asked for", (t) => {
  const found = withMembers(1, ({ sim, world }) =>
    Effect.gen(function* () {
      let isOver = false
      const running = large.begin({
        world,
        prng: sim.prng.fork(),
        nowMillis: () => sim.nowMillis,
        nodes: world.nodes,
        isOver: () => isOver
      })
      const writing = yield* Effect.fork(running.run)
      yield* Effect.sleep("3 seconds")
      isOver = true
      yield* writing.await
      const all = { key: new Uint8Array(1), rangeEnd: new Uint8Array(1) }
      const answer = yield* callEtcd(world.etcd, world.nodes[0] ?? "", KV.range, all, 5_000)
      return { answer, counts: running.counts() }
    })
  )
  if (Either.isLeft(found.answer)) return t.fail(found.answer.left.message)
  const { kvs } = found.answer.right
  t.deepEqual(
    kvs.map(({ key, value }) => [Buffer.from(key).toString(), value.length]),
    [["~bulk", bytes]]
  )
  t.is(Number(kvs[0]?.version), found.counts.acknowledged)
  t.true(found.counts.acknowledged > 10)
  t.deepEqual([found.counts.failed, found.counts.unknown], [0, 0])
})

test("who asks a member that is alone has no answer, or a refusal, and goes on with others", (t) => {
  const { running } = played(1, [large], ({ cluster }) =>
    Effect.gen(function* () {
      cluster.partition([1])
      yield* Effect.sleep("20 seconds")
    })
  )
  const counts = running[0]?.counts()
  t.true(counts !== undefined && counts.unknown + counts.failed > 0, JSON.stringify(counts))
  t.true(counts !== undefined && counts.acknowledged > 10, JSON.stringify(counts))
})
