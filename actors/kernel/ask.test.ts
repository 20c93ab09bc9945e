import test from "ava"
import { Cause, Deferred, Effect, Exit, Fiber } from "effect"
import { Call, Do, type PuppetContext, puppet, Refused } from "#chaos/sim/puppet.ts"
import { onStage } from "#chaos/sim/stage.ts"
import { ActorCrashed, ActorUnavailable, DeadlineExceeded, UnknownMessage } from "#protocols/delivery.ts"
import * as Actor from "./actor.ts"
import { ask } from "./ask.ts"
import type { ReplyTo } from "./context.ts"
import type { ActorRef } from "./ref.ts"

test("an ask is answered by what its handler replies, at once or by an effect", (t) => {
  const answers = onStage((system) => {
    const one = system.spawn(puppet(), {
      args: { pure: () => 1, effect: () => Effect.as(Effect.sleep("1 second"), 2) }
    })
    return Effect.all([call(one, "pure"), call(one, "effect")])
  })
  t.deepEqual(answers, [1, 2])
})

test("a typed failure is an answer: the actor goes on with the state it had", (t) => {
  const { failures, incarnation } = onStage((system) =>
    Effect.gen(function* () {
      const one = system.spawn(puppet(), {
        args: {
          refuses: () => Actor.refuse(null, new Refused({ why: "closed" })),
          fails: () => Effect.fail(new Refused({ why: "later" })),
          incarnation: (context) => context.incarnation
        }
      })
      const second = yield* Effect.flip(call(one, "fails"))
      const incarnation = yield* call(one, "incarnation")
      const first = yield* Effect.flip(call(one, "refuses"))
      return { failures: [first, second], incarnation }
    })
  )
  t.deepEqual(
    failures.map((failure) => failure instanceof Refused && failure.why),
    ["closed", "later"]
  )
  t.is(incarnation, 1)
})

test("a failure that comes with a defect is a crash", (t) => {
  const failure = onStage((system) => {
    const one = system.spawn(puppet(), {
      args: { fails: () => Effect.fail(new Refused({ why: "x" })).pipe(Effect.ensuring(Effect.die("a bug"))) }
    })
    return Effect.flip(call(one, "fails"))
  })
  t.true(failure instanceof ActorCrashed)
})

test("an answer may come later, and the first one counts", (t) => {
  const answers = onStage((system) =>
    Effect.gen(function* () {
      const tokens: Array<ReplyTo<unknown, Refused>> = []
      const later = (context: PuppetContext, request: Call) => {
        tokens.push(context.replyTo(request))
        return Actor.later(null)
      }
      const acts = {
        later,
        answer: () => {
          for (const [index, token] of tokens.entries()) {
            if (index === 1) token.refuse(new Refused({ why: "second" }))
            token.reply(index)
            token.reply("again")
          }
        }
      }
      const one = system.spawn(puppet(), { args: acts })
      const first = yield* Effect.fork(call(one, "later"))
      yield* Effect.sleep("1 millis")
      const second = yield* Effect.fork(Effect.flip(call(one, "later")))
      yield* Effect.sleep("1 millis")
      one.tell(new Do({ act: "answer" }))
      return [yield* Fiber.join(first), yield* Fiber.join(second)]
    })
  )
  t.is(answers[0], 0)
  t.true(answers[1] instanceof Refused)
})

test("the token that answers later can be taken after the handler has waited for something", (t) => {
  const answer = onStage((system) => {
    const one = system.spawn(puppet(), {
      args: {
        later: (context, request: Call) =>
          Effect.sleep("1 second").pipe(
            Effect.map(() => {
              context.replyTo(request).reply("taken late")
              return "not this"
            })
          )
      }
    })
    return call(one, "later")
  })
  t.is(answer, "taken late")
})

test("a token can only be taken while its very ask is handled", (t) => {
  const failure = onStage((system) => {
    const one = system.spawn(puppet(), {
      args: { wrong: (context) => context.replyTo(new Call({ act: "other" })) }
    })
    return Effect.flip(call(one, "wrong"))
  })
  t.true(failure instanceof ActorCrashed)
  t.true(failure.message.includes("may take the reply token of Call only while it handles that very ask"))
})

test("an ask that is not answered ends at its deadline, to the millisecond", (t) => {
  const { failure, millis } = onStage((system, world) =>
    Effect.gen(function* () {
      const one = system.spawn(puppet(), { args: { slow: () => Effect.sleep("1 hour") } })
      const fromMillis = world.nowMillis
      const failure = yield* Effect.flip(call(one, "slow", "1500 millis"))
      return { failure, millis: world.nowMillis - fromMillis }
    })
  )
  t.true(failure instanceof DeadlineExceeded)
  t.is(millis, 1_500)
})

test("an answer to an ask whose deadline has passed is nobody's", (t) => {
  const outcome = onStage((system) =>
    Effect.gen(function* () {
      const one = system.spawn(puppet(), { args: { slow: () => Effect.sleep("1 second") } })
      const outcome = yield* Effect.exit(call(one, "slow", "500 millis"))
      yield* Effect.sleep("10 seconds")
      return { outcome, alive: yield* call(one, "anything") }
    })
  )
  t.true(Exit.isFailure(outcome.outcome))
  t.is(outcome.alive, undefined)
})

test("interrupting the asking fiber withdraws an ask that waits", (t) => {
  const handled = onStage((system) =>
    Effect.gen(function* () {
      const handled: Array<string> = []
      const one = system.spawn(puppet(), {
        args: { slow: () => Effect.sleep("1 second"), note: () => handled.push("noted") }
      })
      one.tell(new Do({ act: "slow" }))
      const asking = yield* Effect.fork(call(one, "note"))
      yield* Effect.sleep("100 millis")
      yield* Fiber.interrupt(asking)
      yield* Effect.sleep("10 seconds")
      return handled
    })
  )
  t.deepEqual(handled, [])
})

test("a finalizer of an interrupted fiber can ask", (t) => {
  const answer = onStage((system) =>
    Effect.gen(function* () {
      const one = system.spawn(puppet(), { args: { release: () => "released" } })
      const answer = yield* Deferred.make<unknown>()
      const holder = yield* Effect.fork(
        Effect.async<never>(() => {}).pipe(
          Effect.onInterrupt(() =>
            Effect.exit(call(one, "release")).pipe(Effect.flatMap((exit) => Deferred.succeed(answer, exit)))
          )
        )
      )
      yield* Effect.sleep("1 second")
      yield* Fiber.interrupt(holder)
      return yield* Deferred.await(answer)
    })
  )
  t.deepEqual(answer, Exit.succeed("released"))
})

test("a target that is dead or between two lives answers at once with a definite fault", (t) => {
  const { millis, whys } = onStage((system, world) =>
    Effect.gen(function* () {
      const parent = system.spawn(puppet(), {
        args: {
          spawn: (context) => context.spawn(puppet(), { name: "kept", keep: true }),
          stop: (context) => context.stopChild("kept")
        }
      })
      const kept = (yield* call(parent, "spawn")) as ActorRef<Call>
      parent.tell(new Do({ act: "stop" }))
      const dead = system.spawn(puppet(), { name: "dead" })
      system.kill("/root/dead")
      yield* Effect.sleep("100 millis")
      const fromMillis = world.nowMillis
      const whys: Array<unknown> = []
      for (const ref of [dead, kept]) {
        const failure = yield* Effect.flip(call(ref, "anything"))
        whys.push(failure instanceof ActorUnavailable && failure.definite && failure.why)
      }
      return { whys, millis: world.nowMillis - fromMillis }
    })
  )
  t.deepEqual(whys, ["stopped", "restarting"])
  t.is(millis, 0)
})

test("a stopping actor answers that it is", (t) => {
  const failure = onStage((system) =>
    Effect.gen(function* () {
      const one = system.spawn(puppet(), {
        args: { end: (context) => context.stop(), stop: () => Effect.sleep("1 second") }
      })
      one.tell(new Do({ act: "end" }))
      yield* Effect.sleep("10 millis")
      return yield* Effect.flip(call(one, "anything"))
    })
  )
  t.true(failure instanceof ActorUnavailable && failure.why === "stopping")
})

test("a crash answers the ask being handled that it may be half done, and those behind it that nothing happened", (t) => {
  for (const crash of [
    () => {
      throw new Error("out of luck")
    },
    () => Effect.die(new Error("out of luck")),
    () => Effect.flatMap(Effect.sleep("10 millis"), () => Effect.die(new Error("out of luck")))
  ]) {
    const failures = onStage((system) =>
      Effect.gen(function* () {
        const one = system.spawn(puppet(), { args: { crash } })
        const asks = yield* Effect.forEach(["crash", "behind"], (act) =>
          Effect.zipRight(Effect.yieldNow(), Effect.fork(Effect.flip(call(one, act))))
        )
        return yield* Effect.forEach(asks, Fiber.join)
      })
    )
    t.true(failures[0] instanceof ActorCrashed && failures[0].reason === "Error: out of luck")
    t.true(failures[1] instanceof ActorUnavailable)
  }
})

test("an ask whose handler is killed half-way may be half done", (t) => {
  for (const slow of [Effect.sleep("1 hour"), Effect.uninterruptible(Effect.sleep("1 hour"))]) {
    const failure = onStage((system) =>
      Effect.gen(function* () {
        const one = system.spawn(puppet(), { args: { slow: () => slow } })
        const asking = yield* Effect.fork(Effect.flip(call(one, "slow")))
        yield* Effect.sleep("10 millis")
        system.kill(one.path)
        return yield* Fiber.join(asking)
      })
    )
    t.true(failure instanceof ActorCrashed && failure.reason === "it was killed")
  }
})

test("an ask to be answered later is answered when the actor ends before", (t) => {
  const failure = onStage((system) =>
    Effect.gen(function* () {
      const one = system.spawn(puppet(), {
        args: {
          later: (context, request: Call) => {
            context.replyTo(request)
            return Actor.later(null)
          }
        }
      })
      const asking = yield* Effect.fork(Effect.flip(call(one, "later")))
      yield* Effect.sleep("10 millis")
      system.kill(one.path)
      return yield* Fiber.join(asking)
    })
  )
  t.true(failure instanceof ActorCrashed && failure.reason === "it ended before it answered")
})

test("an ask that nobody handles names what the actor accepts", (t) => {
  const failure = onStage((system) => {
    const mute: ActorRef<never> = system.spawn(
      Actor.make("mute", { messages: [Do], init: () => 0, handlers: { Do: (state) => state } })
    )
    return Effect.flip(ask(mute as ActorRef<Call>, new Call({ act: "x" }), "1 second"))
  })
  t.true(failure instanceof UnknownMessage)
  t.is(failure.message, "/root/mute does not know Call; it accepts Do")
})

test("an actor asks without a fiber, and the outcome comes as a message", (t) => {
  const outcomes = onStage((system) =>
    Effect.gen(function* () {
      const outcomes: Array<unknown> = []
      const other = system.spawn(puppet(), { name: "other", args: { answer: () => 42 } })
      const one = system.spawn(puppet(), {
        args: {
          asks: (context) => {
            const heard = (exit: Exit.Exit<unknown, unknown>) => {
              outcomes.push(Exit.isSuccess(exit) ? exit.value : Cause.squash(exit.cause))
              return new Do({ act: "heard" })
            }
            context.ask(other, new Call({ act: "answer" }), "1 second", heard)
          },
          kills: () => void system.kill("/root/other"),
          heard: () => outcomes.push("heard")
        }
      })
      one.tell(new Do({ act: "asks" }))
      yield* Effect.sleep("1 second")
      one.tell(new Do({ act: "kills" }))
      one.tell(new Do({ act: "asks" }))
      yield* Effect.sleep("1 second")
      return outcomes
    })
  )
  t.is(outcomes[0], 42)
  t.is(outcomes[1], "heard")
  t.true(outcomes[2] instanceof ActorUnavailable)
  t.is(outcomes[3], "heard")
})

const call = (
  ref: ActorRef<Call>,
  act: string,
  deadline: "1 minute" | "1500 millis" | "500 millis" = "1 minute"
) => ask(ref, new Call({ act }), deadline)
