/** What the log says of a node that is not ready: why, once for each reason, however long it takes. */
import test from "ava"
import { Deferred, Effect, TestClock, TestContext } from "effect"
import type { Health } from "./health.ts"
import type { Say } from "./node-log.ts"
import { reportReadiness } from "./node-reports.ts"
import type { NodeWatch } from "./node-watch.ts"

const because = (...reasons: ReadonlyArray<string>): Health => ({
  live: true,
  ready: reasons.length === 0,
  checks: [{ component: "chainfire", reasons, isNeeded: true }]
})

interface Story {
  health: Health
  looks: number
  /** Whoever waits until it is ready. */
  told: boolean
  readonly watch: NodeWatch
  readonly said: Array<string>
}

const watched = (body: (story: Story) => Effect.Effect<void>): Promise<void> => {
  const look = Effect.sync(() => {
    story.looks++
    return story.health
  })
  const watch: NodeWatch = {
    phase: "running",
    system: undefined,
    look,
    health: look,
    metrics: Effect.succeed("")
  }
  const story: Story = { health: because("no leader is known"), looks: 0, watch, told: false, said: [] }
  const say: Say = (level, message) => Effect.sync(() => void story.said.push(`${level} ${message}`))
  return Effect.gen(function* () {
    const isReady = yield* Deferred.make<void>()
    yield* Effect.forkScoped(reportReadiness(watch, say, isReady))
    yield* Effect.forkScoped(
      Effect.map(Deferred.await(isReady), () => {
        story.told = true
      })
    )
    yield* body(story)
  }).pipe(Effect.scoped, Effect.provide(TestContext.TestContext), Effect.runPromise)
}

test("a node that waits for others looks less and less often, and says once for each reason what it waits for", (t) =>
  watched((story) =>
    Effect.gen(function* () {
      yield* TestClock.adjust("4 seconds")
      t.deepEqual(story.said, [], "it is a start as any other")
      yield* TestClock.adjust("10 minutes")
      t.deepEqual(story.said, ["warn not ready yet: chainfire: no leader is known"])
      t.true(story.looks < 400, `${story.looks} looks`)
      for (const left of [20_000, 15_000, 11_000]) {
        story.health = because(`${left} entries are not applied yet`)
        yield* TestClock.adjust("10 seconds")
      }
      t.deepEqual(story.said.slice(1), ["warn not ready yet: chainfire: 20000 entries are not applied yet"])
      t.false(story.told, "whoever waits for it waits")
      story.health = because()
      yield* TestClock.adjust("2 seconds")
      t.true(story.told)
      t.regex(story.said[2] ?? "", /^info ready \d+ ms after the process began$/)
    })
  ))

test("a node that is ready soon says so soon, and from then on each change", (t) =>
  watched((story) =>
    Effect.gen(function* () {
      yield* TestClock.adjust("300 millis")
      story.health = because()
      yield* TestClock.adjust("100 millis")
      t.is(story.said.length, 1)
      for (const reasons of [["no leader is known"], ["its disk failed"], []]) {
        story.health = because(...reasons)
        yield* TestClock.adjust("1 minute")
      }
      t.deepEqual(story.said.slice(1), [
        "warn not ready any more: chainfire: no leader is known",
        "warn not ready still: chainfire: its disk failed",
        "info ready again"
      ])
    })
  ))

test("that a node is not ready is no news once it was told to stop", (t) =>
  watched((story) =>
    Effect.gen(function* () {
      story.health = because()
      yield* TestClock.adjust("1 second")
      story.watch.phase = "draining"
      story.health = because("it stops")
      yield* TestClock.adjust("1 minute")
      t.is(story.said.length, 1)
    })
  ))
