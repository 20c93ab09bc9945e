/** The plain alternative: an actor as a fiber that takes from a bounded Effect `Queue`. */
import { Deferred, Effect, Fiber, Queue } from "effect"
import { measure } from "./contender.ts"

interface Asked {
  readonly reply: Deferred.Deferred<number>
}

const actor = <Message>(capacity: number, handle: (message: Message) => Effect.Effect<void>) =>
  Effect.gen(function* () {
    const queue = yield* Queue.bounded<Message>(capacity)
    const fiber = yield* Effect.forkDaemon(Effect.forever(Effect.flatMap(Queue.take(queue), handle)))
    return { queue, fiber }
  })

await measure(
  {
    tells: (count) =>
      Effect.runPromise(
        Effect.gen(function* () {
          const done = yield* Deferred.make<void>()
          let sum = 0
          const { queue, fiber } = yield* actor<number>(10_000, (by) => {
            sum += by
            return sum === count ? Deferred.succeed(done, undefined) : Effect.void
          })
          for (let sent = 0; sent < count; sent++) yield* Queue.offer(queue, 1)
          yield* Deferred.await(done)
          yield* Fiber.interrupt(fiber)
        })
      ),
    roundTrips: (count) =>
      Effect.runPromise(
        Effect.gen(function* () {
          const done = yield* Deferred.make<void>()
          const ping = yield* Queue.bounded<number>(16)
          const pong = yield* actor<number>(16, (left) => Queue.offer(ping, left))
          const fiber = yield* Effect.forkDaemon(
            Effect.forever(
              Effect.flatMap(Queue.take(ping), (left) =>
                left === 0 ? Deferred.succeed(done, undefined) : Queue.offer(pong.queue, left - 1)
              )
            )
          )
          yield* Queue.offer(pong.queue, count)
          yield* Deferred.await(done)
          yield* Fiber.interruptAll([fiber, pong.fiber])
        })
      ),
    asks: (count) =>
      Effect.runPromise(
        Effect.gen(function* () {
          const { queue, fiber } = yield* actor<Asked>(16, ({ reply }) => Deferred.succeed(reply, 1))
          for (let asked = 0; asked < count; asked++) {
            const reply = yield* Deferred.make<number>()
            yield* Queue.offer(queue, { reply })
            yield* Effect.timeout(Deferred.await(reply), "5 seconds")
          }
          yield* Fiber.interrupt(fiber)
        })
      ),
    spawns: (count) =>
      Effect.runPromise(
        Effect.gen(function* () {
          const fibers: Array<Fiber.RuntimeFiber<unknown>> = []
          for (let spawned = 0; spawned < count; spawned++) {
            const { fiber } = yield* actor<number>(16, () => Effect.void)
            fibers.push(fiber)
          }
          return () => Effect.runPromise(Effect.asVoid(Fiber.interruptAll(fibers)))
        })
      )
  },
  Number(process.argv[2] ?? 1)
)
