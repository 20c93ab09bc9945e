import test from "ava"
import { Cause, Effect, Exit, Fiber, Schema } from "effect"
import { onStage } from "#chaos/sim/stage.ts"
import { MailboxFull } from "#protocols/delivery.ts"
import type { MailboxOverflow } from "#protocols/runtime.ts"
import type { Overflow } from "./actor.ts"
import * as Actor from "./actor.ts"
import { ask } from "./ask.ts"
import { notedSpans } from "./fixtures/noted-spans.ts"
import type { ActorRef } from "./ref.ts"
import type { ActorSystem } from "./system.ts"
import { TracedTell } from "./tracing.ts"

// In each case the reader is busy with its first message, so that the next ones wait.

test("backpressure lets an asker wait for room, and drops what is told", (t) => {
  const { answers, dropped } = onStage((system) =>
    Effect.gen(function* () {
      const reader = yield* busyReader(system, "backpressure", 2)
      tell(reader, "a", "b", "lost")
      const asks = yield* forkAsks(reader, "c", "d")
      const answers = yield* Effect.forEach(asks, Fiber.join)
      return { answers, dropped: droppedBy(system) }
    })
  )
  t.deepEqual(answers, ["read c", "read d"])
  t.deepEqual(seen, ["busy", "a", "b", "c", "d"])
  t.is(dropped, 1)
})

test("drop-newest drops the message that found no room", (t) => {
  const { failure, dropped } = onStage((system) =>
    Effect.gen(function* () {
      const reader = yield* busyReader(system, "drop-newest", 2)
      tell(reader, "a", "b", "lost")
      const failure = yield* Effect.flip(ask(reader, new Read({ text: "refused" }), "1 minute"))
      yield* Effect.sleep("1 minute")
      return { failure, dropped: droppedBy(system) }
    })
  )
  t.true(failure instanceof MailboxFull)
  t.deepEqual(seen, ["busy", "a", "b"])
  t.is(dropped, 2)
})

test("drop-oldest makes room by dropping what waits longest", (t) => {
  const { failure, letters } = onStage((system) =>
    Effect.gen(function* () {
      const reader = yield* busyReader(system, "drop-oldest", 2)
      const [oldest] = yield* forkAsks(reader, "oldest")
      tell(reader, "a", "b", "c")
      const failure = yield* Effect.flip(Fiber.join(oldest!))
      yield* Effect.sleep("1 minute")
      return { failure, letters: system.deadLetters.recent().map(({ message }) => message) }
    })
  )
  t.true(failure instanceof MailboxFull)
  t.deepEqual(seen, ["busy", "b", "c"])
  t.deepEqual(letters, ["Read", "Note"], "the dead letters are those that were dropped, not those that came")
})

test("drop-oldest takes the newest even when the oldest is the very same message", (t) => {
  onStage((system) =>
    Effect.gen(function* () {
      const reader = yield* busyReader(system, "drop-oldest", 1)
      const same = new Note({ text: "same" })
      reader.tell(same)
      reader.tell(same)
      yield* Effect.sleep("1 minute")
    })
  )
  t.deepEqual(seen, ["busy", "same"])
})

test("drop-oldest drops what is traced as it drops others, and its span ends", (t) => {
  const { spans, noted } = notedSpans()
  const letters = onStage((system) =>
    Effect.gen(function* () {
      const reader = yield* busyReader(system, "drop-oldest", 2)
      const span = spans.begin("tell Note", "server", undefined)
      if (span === undefined) throw new Error("everything is noted")
      const traced = new TracedTell(new Note({ text: "traced" }), span)
      system.instanceAt(reader.path)?.tellTraced(traced)
      tell(reader, "a", "b")
      yield* Effect.sleep("1 minute")
      return system.deadLetters.recent().map(({ message }) => message)
    })
  )
  t.deepEqual(seen, ["busy", "a", "b"])
  t.deepEqual(letters, ["Note"])
  t.deepEqual(
    noted.map(({ problem }) => problem),
    ["mailbox full"]
  )
})

test("drop-oldest never drops a timer, which would silence a periodic one forever", (t) => {
  const ticks = onStage((system) =>
    Effect.gen(function* () {
      const reader = yield* busyReader(system, "drop-oldest", 1, "every 10 ms")
      yield* Effect.sleep("20 millis")
      tell(reader, "a", "b", "c")
      yield* Effect.sleep("10 seconds")
      return seen.filter((text) => text === "tick").length
    })
  )
  t.true(ticks > 100, `${ticks} ticks`)
})

test("with fail, the teller of one message too many gets the MailboxFull", (t) => {
  const { told, failure, dropped } = onStage((system) =>
    Effect.gen(function* () {
      const reader = yield* busyReader(system, "fail", 1)
      tell(reader, "a")
      const told = yield* Effect.exit(Effect.sync(() => tell(reader, "too many")))
      const failure = yield* Effect.flip(ask(reader, new Read({ text: "refused" }), "1 minute"))
      yield* Effect.sleep("1 minute")
      return { told, failure, dropped: droppedBy(system) }
    })
  )
  t.true(Exit.isFailure(told) && Cause.squash(told.cause) instanceof MailboxFull)
  t.true(failure instanceof MailboxFull)
  t.deepEqual(seen, ["busy", "a"])
  t.is(dropped, 2)
})

test("as many asks may wait for room as the mailbox holds, and the next is refused", (t) => {
  const outcomes = onStage((system) =>
    Effect.gen(function* () {
      const reader = yield* busyReader(system, "backpressure", 3)
      tell(reader, "a", "b", "c")
      const asks = yield* forkAsks(reader, "d", "e", "f", "g")
      return yield* Effect.forEach(asks, (fiber) => Effect.map(Fiber.await(fiber), Exit.isSuccess))
    })
  )
  t.deepEqual(outcomes, [true, true, true, false])
  t.deepEqual(seen, ["busy", "a", "b", "c", "d", "e", "f"])
})

test("asks that were withdrawn free their room, in the mailbox and among those that wait for it", (t) => {
  onStage((system) =>
    Effect.gen(function* () {
      const reader = yield* busyReader(system, "backpressure", 2)
      const queued = yield* forkAsks(reader, "withdrawn", "b")
      const waiting = yield* forkAsks(reader, "withdrawn", "d")
      yield* Fiber.interrupt(queued[0]!)
      yield* Fiber.interrupt(waiting[0]!)
      const more = yield* forkAsks(reader, "e", "f")
      yield* Effect.forEach([queued[1]!, waiting[1]!, ...more], Fiber.join)
    })
  )
  t.deepEqual(seen, ["busy", "b", "d", "e", "f"])
})

test("those that wait for room are admitted before anyone who comes later", (t) => {
  onStage((system) =>
    Effect.gen(function* () {
      const reader = yield* busyReader(system, "backpressure", 1)
      const [withdrawn] = yield* forkAsks(reader, "withdrawn")
      const [waiting] = yield* forkAsks(reader, "waiting")
      yield* Fiber.interrupt(withdrawn!)
      // The room that the withdrawal freed is that of the waiting ask, sent before this.
      tell(reader, "later")
      yield* Fiber.join(waiting!)
      yield* Effect.sleep("1 minute")
    })
  )
  t.deepEqual(seen, ["busy", "waiting"])
})

test("an ask that waits behind withdrawn ones is still read", (t) => {
  const answer = onStage((system) =>
    Effect.gen(function* () {
      const reader = yield* busyReader(system, "backpressure", 4)
      tell(reader, "a", "b", "c", "d")
      const asks = yield* forkAsks(reader, "withdrawn", "withdrawn", "withdrawn", "last")
      yield* Effect.forEach(asks.slice(0, 3), Fiber.interrupt)
      return yield* Fiber.join(asks[3]!)
    })
  )
  t.is(answer, "read last")
})

test("an ask that waits for room still ends by its deadline", (t) => {
  const failure = onStage((system) =>
    Effect.gen(function* () {
      const reader = yield* busyReader(system, "backpressure", 1)
      tell(reader, "a")
      return yield* Effect.flip(ask(reader, new Read({ text: "late" }), "500 millis"))
    })
  )
  t.is(failure._tag, "DeadlineExceeded")
})

test("asks that wait for room are refused when the actor ends", (t) => {
  const failure = onStage((system) =>
    Effect.gen(function* () {
      const reader = yield* busyReader(system, "backpressure", 1)
      tell(reader, "a")
      const [waiting] = yield* forkAsks(reader, "waiting")
      system.kill(reader.path)
      return yield* Effect.flip(Fiber.join(waiting!))
    })
  )
  t.is(failure._tag, "ActorUnavailable")
})

test("the first, second, fourth and eighth loss are published", (t) => {
  const losses = onStage((system) =>
    Effect.gen(function* () {
      const losses: Array<number> = []
      system.events.subscribe((event) => losses.push((event as MailboxOverflow).dropped), ["MailboxOverflow"])
      const reader = yield* busyReader(system, "drop-newest", 1)
      for (let count = 0; count < 12; count++) tell(reader, "flood")
      return losses
    })
  )
  t.deepEqual(losses, [1, 2, 4, 8])
})

test("a subscriber to overflows whose own mailbox overflows does not recurse without end", (t) => {
  const dropped = onStage((system) =>
    Effect.gen(function* () {
      const reader = yield* busyReader(system, "drop-newest", 1)
      system.events.subscribe(() => tell(reader, "heard"), ["MailboxOverflow", "DeadLetter"])
      for (let count = 0; count < 10; count++) tell(reader, "flood")
      return droppedBy(system)
    })
  )
  t.true(dropped < 100, `${dropped} dropped`)
})

class Note extends Schema.TaggedClass<Note>()("Note", { text: Schema.String }) {}

class Read extends Schema.TaggedRequest<Read>()("Read", {
  payload: { text: Schema.String },
  success: Schema.String,
  failure: Schema.Never
}) {}

/** What the reader of the running test has read. */
const seen: Array<string> = []

const reader = (overflow: Overflow, capacity: number, ticks: boolean) =>
  Actor.make("reader", {
    messages: [Note, Read],
    mailbox: { overflow, capacity },
    init: (context) => {
      if (ticks) context.every("10 millis", new Note({ text: "tick" }))
      return null
    },
    handlers: {
      Note: (state, { text }) => {
        seen.push(text)
        return text === "busy" ? Effect.as(Effect.sleep("1 second"), state) : state
      },
      Read: (state, { text }) => {
        seen.push(text)
        return Actor.reply(state, `read ${text}`)
      }
    }
  })

const busyReader = (system: ActorSystem, overflow: Overflow, capacity: number, ticks?: "every 10 ms") =>
  Effect.gen(function* () {
    seen.length = 0
    const ref = system.spawn(reader(overflow, capacity, ticks !== undefined))
    tell(ref, "busy")
    yield* Effect.sleep("1 millis")
    return ref
  })

const tell = (ref: ActorRef<Note>, ...texts: ReadonlyArray<string>) => {
  for (const text of texts) ref.tell(new Note({ text }))
}

/** One after the other, so that they arrive in this order. */
const forkAsks = (ref: ActorRef<Read>, ...texts: ReadonlyArray<string>) =>
  Effect.forEach(texts, (text) =>
    Effect.fork(ask(ref, new Read({ text }), "1 minute")).pipe(Effect.zipLeft(Effect.sleep("1 millis")))
  )

const droppedBy = (system: ActorSystem): number => {
  const found = system.snapshot("/root/reader")
  return "dropped" in found ? found.dropped : Number.NaN
}
