import test from "ava"
import { Cause, Effect, Exit, Fiber, Schema } from "effect"
import fc from "fast-check"
import { type PuppetContext, puppet } from "#chaos/sim/puppet.ts"
import { onStage } from "#chaos/sim/stage.ts"
import * as Delivery from "#protocols/delivery.ts"
import * as Runtime from "#protocols/runtime.ts"
import * as Actor from "./actor.ts"
import { ask } from "./ask.ts"
import type { ActorRef } from "./ref.ts"
import type { ActorSystem } from "./system.ts"

test("messages between a pair are handled in the order sent and at most once, and each is handled or a dead letter", (t) => {
  let crashes = 0
  fc.assert(
    fc.property(fc.integer(), disturbances, (seed, disturbances) => {
      const { handled, letters, pairs, posthumous, sent } = onStage(
        (system) => chat(system, disturbances),
        seed
      )
      for (const [pair, numbers] of pairs)
        t.true(
          numbers.every((number, index) => index === 0 || number > numbers[index - 1]!),
          `${pair}: ${numbers}`
        )
      t.is(handled + letters, sent)
      t.deepEqual(posthumous, [], "handled after the end of that life")
      if (letters > 0) crashes++
    }),
    { numRuns: 400 }
  )
  t.true(crashes > 50, "the disturbances do disturb")
})

test("every ask is answered once, handled at most once, and never when a definite fault says that nothing happened", (t) => {
  const outcomes = new Map<string, number>()
  fc.assert(
    fc.property(fc.integer(), disturbances, (seed, disturbances) => {
      const asked = onStage((system) => askAround(system, disturbances), seed)
      for (const { exit, handled } of asked) {
        t.true(handled <= 1)
        const failure = Exit.isFailure(exit) ? Cause.squash(exit.cause) : undefined
        const definite = failure instanceof Object && "definite" in failure && failure.definite
        if (Exit.isSuccess(exit)) t.is(handled, 1)
        else if (definite) t.is(handled, 0, String(failure))
        const outcome = failure === undefined ? "answered" : String(failure).split(":")[0]!
        outcomes.set(outcome, (outcomes.get(outcome) ?? 0) + 1)
      }
    }),
    { numRuns: 300 }
  )
  for (const outcome of ["answered", "ActorUnavailable", "ActorCrashed", "DeadlineExceeded", "MailboxFull"])
    t.true((outcomes.get(outcome) ?? 0) > 5, `${outcome} came up: ${JSON.stringify([...outcomes])}`)
})

test("every fault reads as one line that says what, where, and what to do", (t) => {
  const path = "/node01/chainfire"
  const request = "Put"
  const faults = [
    new Delivery.DeadlineExceeded({ path, request, deadlineMillis: 1_000 }),
    new Delivery.MailboxFull({ path, request, capacity: 10 }),
    new Delivery.ActorUnavailable({ path, request, why: "restarting" }),
    new Delivery.ActorUnavailable({ path, request, why: "not found" }),
    new Delivery.ActorCrashed({ path, request, reason: "Error: no" }),
    new Delivery.UnknownMessage({ path, request, accepts: ["Get"] }),
    new Delivery.NameTaken({ name: "leader", holder: path }),
    new Runtime.NoSuchActor({ path: `${path}/x`, nearest: path, children: ["raft"] }),
    new Runtime.StartTimedOut({ path, afterMillis: 30_000 }),
    new Runtime.StartFailed({ path, reason: "Error: no" }),
    new Runtime.StashFull({ path, request, stashMax: 10 }),
    new Runtime.LinkedActorEnded({ path, linked: "/node01/disk", reason: "crashed" })
  ]
  t.deepEqual(
    faults.map(({ message }) => message),
    [
      "/node01/chainfire did not answer Put within 1000 ms; it may still act on it: read its state before asking again",
      "/node01/chainfire did not take Put: its mailbox is full at 10 messages; nothing happened, ask again after a pause",
      "/node01/chainfire did not take Put: restarting; nothing happened, ask again after a pause",
      "/node01/chainfire did not take Put: not found; nothing happened, look it up again",
      "/node01/chainfire crashed while handling Put: Error: no; it may be half done: read its state once it is back",
      "/node01/chainfire does not know Put; it accepts Get",
      "the name leader is taken by /node01/chainfire; stop that actor first or choose another name",
      "there is no actor at /node01/chainfire/x; /node01/chainfire exists and has raft: choose a path from there",
      "/node01/chainfire did not start within 30000 ms, so it was interrupted; see what its init waits for, or raise its start deadline",
      "/node01/chainfire did not start: Error: no; mend what its init needs and start it again",
      "/node01/chainfire cannot stash Put: its stash is full at 10 messages; unstash earlier or raise stashMax",
      "/node01/chainfire ended because /node01/disk, which it is linked to, was crashed; mend that one first"
    ]
  )
})

test("what a crash says of its reason is one line, however long the error is", (t) => {
  const failure = onStage((system) => {
    const one = system.spawn(newChatterer(newRun(system)), { args: "c0" })
    return Effect.flip(ask(one, new Question({ number: -1, kind: "multiline" }), "1 second"))
  })
  t.is(
    failure.message,
    "/root/chatterer crashed while handling Question: Error: first line; it may be half done: read its state once it is back"
  )
})

const actorsMax = 4
const sentMax = 200

class Say extends Schema.TaggedClass<Say>()("Say", { from: Schema.String, number: Schema.Number }) {}
class End extends Schema.TaggedClass<End>()("End", {}) {}
class Question extends Schema.TaggedRequest<Question>()("Question", {
  payload: { number: Schema.Number, kind: Schema.String },
  success: Schema.Number,
  failure: Schema.Never
}) {}

interface Run {
  readonly system: ActorSystem
  readonly refs: Array<ActorRef<Say | Question | End>>
  readonly pairs: Map<string, Array<number>>
  readonly questions: Map<number, number>
  readonly posthumous: Array<string>
  readonly ended: Set<string>
  sent: number
  handled: number
}

const newRun = (system: ActorSystem): Run => ({
  system,
  refs: [],
  pairs: new Map(),
  questions: new Map(),
  posthumous: [],
  ended: new Set(),
  sent: 0,
  handled: 0
})

/** Answers each message with up to two others, sometimes slowly, sometimes by a crash. */
const newChatterer = (run: Run) =>
  Actor.make("chatterer", {
    messages: [Say, Question, End],
    mailbox: { capacity: 5, overflow: run.system.randomness.next() < 0.5 ? "backpressure" : "drop-oldest" },
    init: (context, name: string) => {
      const life = `${name}, life ${context.incarnation}`
      context.self.addWatcher({ notice: () => void run.ended.add(life) })
      return { name, life }
    },
    handlers: {
      Say: (state, { from, number }, context) => {
        run.handled++
        if (run.ended.has(state.life)) run.posthumous.push(state.life)
        const pair = `${from} to ${state.name}`
        run.pairs.set(pair, [...(run.pairs.get(pair) ?? []), number])
        const mood = context.random()
        if (mood < 0.02) throw new Error("out of luck")
        const say = () => {
          for (let count = context.random() * 3; count > 1; count--) {
            if (run.sent < sentMax) pick(run)?.tell(new Say({ from: state.name, number: run.sent++ }))
          }
          return state
        }
        return mood < 0.2 ? Effect.map(Effect.sleep(mood * 20), say) : say()
      },
      Question: (state, { kind, number }) => {
        run.questions.set(number, (run.questions.get(number) ?? 0) + 1)
        if (run.ended.has(state.life)) run.posthumous.push(state.life)
        if (kind === "crash") throw new Error("out of luck")
        if (kind === "multiline") throw new Error("first line\nsecond line")
        const answer = Actor.reply(state, number)
        return kind === "slow" ? Effect.as(Effect.sleep("20 millis"), answer) : answer
      },
      End: (state, _, context) => {
        run.handled++
        context.stop()
        return state
      }
    }
  })

const pick = ({ refs, system }: Run) => refs[Math.floor(system.randomness.next() * refs.length)]

const disturbances = fc.array(
  fc.tuple(
    fc.nat(actorsMax - 1),
    fc.constantFrom("kill", "crash", "end", "stop", "nothing"),
    fc.constantFrom(0, 1, 5, 30)
  ),
  { maxLength: 20 }
)
type Disturbances = ReadonlyArray<readonly [index: number, what: string, pauseMillis: number]>

const populate = (system: ActorSystem) => {
  const run = newRun(system)
  const contexts: Array<PuppetContext> = []
  system.spawn(puppet(), {
    name: "all",
    args: {
      init: (context) => {
        contexts.push(context)
        for (let index = 0; index < actorsMax; index++) {
          const name = `c${index}`
          run.refs.push(context.spawn(newChatterer(run), { name, keep: true, args: name }))
        }
      }
    }
  })
  const disturb = (disturbances: Disturbances) =>
    Effect.forEach(disturbances, ([index, what, pauseMillis]) => {
      const name = `c${index}`
      if (what === "kill") system.kill(`/root/all/${name}`)
      if (what === "crash") system.inject(`/root/all/${name}`, Cause.die("out of luck"))
      if (what === "stop") contexts[0]!.stopChild(name)
      if (what === "end") {
        run.sent++
        run.refs[index]!.tell(new End())
      }
      if (what === "nothing") for (const { path } of run.refs) contexts[0]!.restartChild(path.slice(-2))
      return Effect.sleep(pauseMillis)
    })
  return { run, disturb }
}

const chat = (system: ActorSystem, disturbances: Disturbances) =>
  Effect.gen(function* () {
    const { disturb, run } = populate(system)
    for (let round = 0; round < 5; round++)
      for (const ref of run.refs) ref.tell(new Say({ from: "stage", number: run.sent++ }))
    yield* disturb(disturbances)
    yield* Effect.sleep("1 minute")
    return { ...run, letters: system.deadLetters.total }
  })

const askAround = (system: ActorSystem, disturbances: Disturbances) =>
  Effect.gen(function* () {
    const { disturb, run } = populate(system)
    const asking = yield* Effect.forEach(
      Array.from({ length: 60 }, (_, number) => number),
      (number) => {
        const kind = ["quick", "quick", "slow", "slow", "slow", "crash"][
          Math.floor(system.randomness.next() * 6)
        ]!
        const delayed = Effect.sleep(system.randomness.next() * 60)
        const asking = ask(pick(run)!, new Question({ number, kind }), "45 millis")
        return Effect.map(Effect.fork(Effect.zipRight(delayed, asking)), (fiber) => ({ number, fiber }))
      }
    )
    yield* disturb(disturbances)
    for (const { fiber } of asking.slice(0, 10)) yield* Fiber.interrupt(fiber)
    return yield* Effect.forEach(asking, ({ fiber, number }) =>
      Effect.map(Fiber.await(fiber), (exit) => ({ exit, handled: run.questions.get(number) ?? 0 }))
    )
  })
