/** Our own links as a contender: two node processes. */
import { fork } from "node:child_process"
import { once } from "node:events"
import { Effect, Schedule } from "effect"
import { ask } from "#actors/kernel/ask.ts"
import { measure, mebibyte } from "./contender.ts"
import { Add, Adder, newKey, node, Store } from "./ours.ts"

const key = newKey()
const answers = fork(new URL("./ours-answers-main.ts", import.meta.url), [key])
const [address] = await once(answers, "message")
const { ports, started } = node("near", key)

const measuring = Effect.gen(function* () {
  const { datagrams, system } = yield* started
  const adder = system.lookup("/far/adder", Adder)
  if (adder === undefined) throw new Error("no ref")
  datagrams.send(String(address), "hello")
  const linked = ask(adder, new Add({ n: 1 }), "1 second")
  yield* Effect.retry(linked, { schedule: Schedule.spaced("10 millis"), times: 500 })
  const bytes = new Uint8Array(mebibyte)
  const loop = (count: number, took: (millis: number) => void) =>
    Effect.gen(function* () {
      for (let n = 0; n < count; n++) {
        const startMillis = performance.now()
        yield* ask(adder, new Add({ n }), "10 seconds")
        took(performance.now() - startMillis)
      }
    })
  yield* Effect.promise(() =>
    measure(
      {
        asks: (count, inFlight, took) =>
          Effect.runPromise(
            Effect.forEach(
              Array.from({ length: inFlight }, (_, index) => Math.floor((count + index) / inFlight)),
              (share) => system.fork(loop(share, took)).await,
              { concurrency: "unbounded", discard: true }
            )
          ),
        transfers: (count) =>
          system
            .fork(Effect.repeatN(ask(adder, new Store({ bytes }), "10 seconds"), count - 1))
            .pipe((fiber) => Effect.runPromise(Effect.asVoid(fiber.await))),
        stop: () => Promise.resolve()
      },
      Number(process.argv[2] ?? 1)
    )
  )
}).pipe(Effect.scoped, Effect.provide(ports))

await Effect.runPromise(measuring)
answers.disconnect()
