import test from "ava"
import { Chunk, Effect, Stream, TestClock, TestContext } from "effect"
import fc from "fast-check"
import type { Changes } from "#actors/kernel/ports/coordination.ts"
import { Compacted, StoreUnavailable } from "#protocols/chainfire-keys.ts"
import type { Began, KeysTransport } from "./keys-transport.ts"
import { watching } from "./watching.ts"

const lost = new StoreUnavailable({ reason: "the connection was lost", definite: true })
const key = Uint8Array.of(97)

/** A store at a revision, whose connections break after so many changes each; the last one holds. */
const breaking = (revision: number, breaks: ReadonlyArray<number>, asked: Array<number | undefined>) => {
  const left = [...breaks]
  const transport: KeysTransport = {
    ask: () => Effect.die("nothing is asked here"),
    watch: ({ startRevision }) =>
      Stream.suspend(() => {
        asked.push(startRevision)
        const from = startRevision ?? revision + 1
        const all = Array.from(
          { length: 20 },
          (_, index): Changes => ({ revision: from + index, events: [] })
        )
        const began: Began = { began: revision }
        const holds = left.shift()
        const told = Stream.make(began, ...all.slice(0, holds ?? all.length))
        return holds === undefined ? told : Stream.concat(told, Stream.fail(lost))
      })
  }
  return transport
}

const run = <A, E>(effect: Effect.Effect<A, E>): Promise<A> =>
  Effect.gen(function* () {
    const fiber = yield* Effect.fork(effect)
    yield* TestClock.adjust("1 hour")
    return yield* fiber.await
  }).pipe(Effect.flatten, Effect.provide(TestContext.TestContext), Effect.runPromise)

test("wherever its connections break, a watch tells each revision once, in order, and none is missing", async (t) => {
  await fc.assert(
    fc.asyncProperty(
      fc.array(fc.nat({ max: 5 }), { maxLength: 8 }),
      fc.boolean(),
      async (breaks, started) => {
        const asked: Array<number | undefined> = []
        const keys = started ? { key, startRevision: 8 } : { key }
        const seen = watching(breaking(7, breaks, asked), keys).pipe(Stream.take(20), Stream.runCollect)
        const revisions = Chunk.toReadonlyArray(await run(seen)).map(({ revision }) => revision)
        t.deepEqual(
          revisions,
          Array.from({ length: 20 }, (_, index) => 8 + index)
        )
      }
    ),
    { numRuns: 50 }
  )
})

test("a watch without a start that has seen nothing goes on from where it began, not from where it is", async (t) => {
  const asked: Array<number | undefined> = []
  await run(watching(breaking(7, [0, 0], asked), { key }).pipe(Stream.take(1), Stream.runCollect))
  t.deepEqual(asked, [undefined, 8, 8])
})

test("compaction is the one end that a reader hears of", async (t) => {
  let times = 0
  const transport: KeysTransport = {
    ask: () => Effect.die("nothing is asked here"),
    watch: () => Stream.suspend(() => Stream.fail(++times < 3 ? lost : new Compacted({ compactRevision: 9 })))
  }
  const fault = await run(Effect.flip(Stream.runDrain(watching(transport, { key, startRevision: 2 }))))
  t.deepEqual([fault._tag, fault.compactRevision, times], ["Compacted", 9, 3])
})
