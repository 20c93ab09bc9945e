import test from "ava"
import { Cause, Context, Effect, Exit } from "effect"
import {
  Call,
  call,
  crash,
  Do,
  endAfter,
  keep,
  type PuppetContext,
  type PuppetMessage,
  played,
  puppet
} from "#chaos/sim/puppet.ts"
import { onStage } from "#chaos/sim/stage.ts"
import { SimWorld } from "#chaos/sim/world.ts"
import { NameTaken } from "#protocols/delivery.ts"
import * as Actor from "./actor.ts"
import type { ActorRef } from "./ref.ts"
import * as System from "./system.ts"

// Children

test("a child has the name it is given, or its declaration's own, numbered when that is taken", (t) => {
  const names = onStage((system) => {
    const one = system.spawn(puppet(), {
      args: {
        spawn: (context) => {
          context.spawn(puppet())
          context.spawn(puppet())
          context.spawn(puppet(), { name: "ada" })
          return context.spawn(puppet()).path
        },
        children: (context) => context.children
      }
    })
    return Effect.all([call(one, "spawn"), call(one, "children")])
  })
  t.deepEqual(names, ["/root/puppet/puppet-2", ["puppet", "puppet-1", "ada", "puppet-2"]])
})

test("a name among siblings is taken until its holder has ended", (t) => {
  const outcomes = onStage((system) =>
    Effect.gen(function* () {
      const outcomes: Array<unknown> = []
      const spawn = () => {
        try {
          outcomes.push(system.spawn(puppet(), { name: "ada" }).path)
        } catch (thrown) {
          outcomes.push(thrown)
        }
      }
      spawn()
      spawn()
      system.kill("/root/ada")
      spawn()
      yield* Effect.sleep("1 millis")
      spawn()
      return outcomes
    })
  )
  t.is(outcomes[0], "/root/ada")
  t.true(outcomes[1] instanceof NameTaken)
  t.is(
    (outcomes[1] as NameTaken).message,
    "the name ada is taken by /root/ada; stop that actor first or choose another name"
  )
  t.true(outcomes[2] instanceof NameTaken)
  t.is(outcomes[3], "/root/ada")
})

test("nothing is spawned under an actor that has ended", (t) => {
  const { actors, thrown } = onStage((system) =>
    Effect.gen(function* () {
      yield* system.stop
      const thrown = yield* Effect.flip(Effect.try(() => system.spawn(puppet())))
      return { thrown, actors: system.actors }
    })
  )
  t.is(
    String(thrown.error),
    "StartFailed: /root/puppet did not start: its parent is gone; mend what its init needs and start it again"
  )
  t.is(actors, 1)
})

test("a hook that spawns while its actor stops does not leave an orphan", (t) => {
  const { actors, ended } = onStage((system) =>
    Effect.gen(function* () {
      const one = system.spawn(puppet(), {
        args: { end: (context) => context.stop(), stop: (context) => void context.spawn(puppet()) }
      })
      const ended = yield* endAfter(one, () => one.tell(new Do({ act: "end" })))
      return { ended, actors: system.actors }
    })
  )
  t.is(ended.reason, "crashed")
  t.is(actors, 1)
})

// Stash, become

test("stashed messages come back in front of the mailbox, oldest first", (t) => {
  const order = onStage((system) =>
    Effect.gen(function* () {
      const order: Array<string> = []
      let open = false
      const gated = (act: string) => (context: PuppetContext, message: PuppetMessage) => {
        if (!open) context.stash()
        else order.push(act)
        return message._tag === "Call" && !open ? Actor.later(null) : act
      }
      const one = system.spawn(puppet(), {
        args: {
          a: gated("a"),
          b: gated("b"),
          c: gated("c"),
          open: (context) => {
            open = true
            context.unstash()
          }
        }
      })
      one.tell(new Do({ act: "a" }))
      const asking = yield* Effect.fork(call(one, "b"))
      yield* Effect.sleep("1 millis")
      one.tell(new Do({ act: "open" }))
      one.tell(new Do({ act: "c" }))
      order.push(`answered ${yield* asking}`)
      yield* Effect.sleep("1 millis")
      return order
    })
  )
  t.deepEqual([...order].sort(), ["a", "answered b", "b", "c"])
  t.true(order.indexOf("a") < order.indexOf("b") && order.indexOf("b") < order.indexOf("c"))
})

test("a message can be stashed after its handler has waited for something", (t) => {
  const handled = onStage((system) =>
    Effect.gen(function* () {
      const handled: Array<string> = []
      let open = false
      const one = system.spawn(puppet(), {
        args: {
          a: (context) =>
            open ? void handled.push("a") : Effect.map(Effect.sleep("1 second"), () => context.stash()),
          open: (context) => {
            open = true
            context.unstash()
          }
        }
      })
      one.tell(new Do({ act: "a" }))
      one.tell(new Do({ act: "open" }))
      yield* Effect.sleep("2 seconds")
      return handled
    })
  )
  t.deepEqual(handled, ["a"])
})

test("a stash over its bound is a crash, and what was stashed is refused", (t) => {
  const { answers, ended, letters } = onStage((system) =>
    Effect.gen(function* () {
      const stash = (context: PuppetContext) => {
        context.stash()
        return Actor.later(null)
      }
      const one = system.spawn(puppet({ stashMax: 2 }), { args: { stash } })
      const asking = yield* Effect.fork(Effect.flip(call(one, "stash")))
      yield* Effect.sleep("1 millis")
      const ended = yield* endAfter(one, () => {
        one.tell(new Do({ act: "stash" }))
        one.tell(new Do({ act: "stash" }))
      })
      return { answers: (yield* asking)._tag, ended, letters: system.deadLetters.total }
    })
  )
  t.is(answers, "ActorUnavailable")
  t.is(
    Cause.pretty(ended.cause).split("\n")[0],
    "StashFull: /root/puppet cannot stash Do: its stash is full at 2 messages; unstash earlier or raise stashMax"
  )
  t.is(letters, 2)
})

test("an actor that becomes another handles the next message with other handlers, until its next life", (t) => {
  const heard = onStage((system) =>
    Effect.gen(function* () {
      const heard: Array<string> = []
      const chameleon = Actor.make("chameleon", {
        messages: [Do],
        init: () => null,
        handlers: {
          Do: (state, { act }, context) => {
            heard.push(`first: ${act}`)
            context.become({
              Do: (_, { act }) => {
                heard.push(`second: ${act}`)
                if (act === "crash") throw new Error("out of luck")
                return null
              }
            })
            return state
          }
        }
      })
      const parent = system.spawn(puppet(), {
        args: {
          spawn: (context) => context.spawn(chameleon, { keep: true }),
          restart: (context) => context.restartChild("chameleon")
        }
      })
      const one = (yield* call(parent, "spawn")) as ActorRef<Do>
      for (const act of ["a", "b", "crash"]) one.tell(new Do({ act }))
      yield* Effect.sleep("1 millis")
      yield* call(parent, "restart")
      one.tell(new Do({ act: "c" }))
      yield* Effect.sleep("1 millis")
      return heard
    })
  )
  t.deepEqual(heard, ["first: a", "second: b", "second: crash", "first: c"])
})

// Pipes

test("the outcome of a piped effect comes as a message, success or failure, while the actor goes on", (t) => {
  const { times, exits } = played((context, note, exits) => {
    const piped = (exit: Exit.Exit<unknown, unknown>) => {
      exits.push(Exit.isSuccess(exit) ? exit.value : Cause.squash(exit.cause))
      return new Do({ act: "piped" })
    }
    return {
      begin: () => {
        context().pipe(Effect.as(Effect.sleep("1 second"), "slow"), piped)
        context().pipe(Effect.fail("failure"), piped)
        context().pipe(Effect.die("defect"), piped)
        context().after("10 millis", new Do({ act: "meanwhile" }))
      },
      piped: note,
      meanwhile: note
    }
  })
  t.deepEqual(times, ["piped 0", "piped 0", "meanwhile 10", "piped 1000"])
  t.deepEqual([...exits].sort(), ["defect", "failure", "slow"])
})

test("a piped effect that takes longer than it may is interrupted, and fails as whoever piped it says", (t) => {
  const { exits, times } = played((context, note, exits) => {
    const piped = (exit: Exit.Exit<string, string>) => {
      exits.push(Exit.isSuccess(exit) ? exit.value : Cause.squash(exit.cause))
      return new Do({ act: "piped" })
    }
    const within = { millis: 500, fault: () => "too late" }
    return {
      begin: () => {
        context().pipe(Effect.as(Effect.sleep("100 millis"), "in time"), piped, within)
        context().pipe(Effect.as(Effect.sleep("1 second"), "slow"), piped, within)
        context().pipe(Effect.interrupt, piped, within)
      },
      piped: note
    }
  })
  t.deepEqual(times, ["piped 0", "piped 100", "piped 500"])
  t.like(exits, { 1: "in time", 2: "too late" })
  t.regex(String(exits[0]), /interrupted/i)
})

test("piped effects are interrupted when their life ends, and tell the next one nothing", (t) => {
  const log = onStage((system) =>
    Effect.gen(function* () {
      const log: Array<string> = []
      const { ref, restart } = keep(system, {
        init: (context) => {
          if (context.incarnation > 1) return
          const work = Effect.onInterrupt(Effect.sleep("5 minutes"), () =>
            Effect.zipRight(
              Effect.sleep("1 second"),
              Effect.sync(() => void log.push("interrupted"))
            )
          )
          context.pipe(work, () => new Do({ act: "piped" }))
          context.pipe(work, () => new Do({ act: "piped" }))
        },
        piped: () => log.push("piped"),
        crash
      })
      yield* Effect.sleep("1 millis")
      ref.tell(new Do({ act: "crash" }))
      yield* Effect.sleep("900 millis")
      log.push("still closing")
      yield* Effect.sleep("200 millis")
      restart()
      log.push("restarted")
      yield* Effect.sleep("10 minutes")
      return log
    })
  )
  t.deepEqual(log, ["still closing", "interrupted", "interrupted", "restarted"])
})

// Names, events, world

test("a registered name has one holder, and is free when its holder's life ends", (t) => {
  const outcomes = onStage((system) =>
    Effect.gen(function* () {
      const outcomes: Array<unknown> = []
      const claim = (context: PuppetContext) => context.register("leader")
      const first = puppet()
      const one = system.spawn(first, { name: "one", args: { claim } })
      const two = system.spawn(puppet(), { name: "two", args: { claim } })
      yield* call(one, "claim")
      outcomes.push(system.named("leader", first)?.path)
      outcomes.push((yield* Effect.flip(call(two, "claim"))).message)
      system.kill("/root/one")
      yield* Effect.sleep("1 millis")
      outcomes.push(system.named("leader", first)?.path, system.names.names())
      return outcomes
    })
  )
  t.deepEqual(outcomes, [
    "/root/one",
    "/root/two crashed while handling Call: NameTaken: the name leader is taken by /root/one; stop that actor first or choose another name; it may be half done: read its state once it is back",
    undefined,
    []
  ])
})

test("an actor hears the events it subscribed to for as long as it lives", (t) => {
  const heard = onStage((system) =>
    Effect.gen(function* () {
      const heard: Array<string> = []
      const one = system.spawn(puppet(), {
        args: {
          init: (context) => context.subscribe(["Good"], (event) => new Do({ act: event._tag })),
          Good: () => heard.push("good"),
          Bad: () => heard.push("bad"),
          tell: (context) => {
            context.publish({ _tag: "Good" })
            context.publish({ _tag: "Bad" })
          }
        }
      })
      yield* call(one, "tell")
      yield* Effect.sleep("1 millis")
      system.kill(one.path)
      yield* Effect.sleep("1 millis")
      const heardBy = system.events.heard("Good")
      return [...heard, heardBy]
    })
  )
  t.deepEqual(heard, ["good", false])
})

test("a subscriber that cannot make a message of an event crashes, and the publisher does not", (t) => {
  const { ended, published } = onStage((system) =>
    Effect.gen(function* () {
      const subscriber = system.spawn(puppet(), {
        args: {
          init: (context) =>
            context.subscribe(["Good"], () => {
              throw new Error("out of luck")
            })
        }
      })
      const publisher = system.spawn(puppet(), {
        name: "publisher",
        args: {
          publish: (context) => {
            context.publish({ _tag: "Good" })
            return "published"
          }
        }
      })
      const watching = yield* Effect.fork(endAfter(subscriber, () => {}))
      yield* Effect.sleep("1 millis")
      const published = yield* call(publisher, "publish")
      const ended = yield* watching
      return { ended, published }
    })
  )
  t.is(ended.reason, "crashed")
  t.is(published, "published")
})

test("a listener that throws is no matter of the actor whose event it hears, nor of other listeners", (t) => {
  const { heard, status } = onStage((system) =>
    Effect.gen(function* () {
      const heard: Array<string> = []
      system.events.subscribe(() => {
        throw new Error("out of luck")
      }, ["ActorEnded"])
      system.events.subscribe((event) => heard.push(event._tag), ["ActorEnded"])
      const one = system.spawn(puppet())
      system.kill(one.path)
      yield* Effect.sleep("1 millis")
      return { heard: [...heard], status: system.snapshot(one.path) }
    })
  )
  t.deepEqual(heard, ["ActorEnded"])
  t.true("nearest" in status)
})

test("time and chance are those of the world", (t) => {
  const sample = (seed: number) =>
    onStage((system) => {
      const one = system.spawn(puppet(), {
        args: { sample: (context) => [context.random(), context.nowMillis(), context.wallMillis()] }
      })
      return Effect.zipRight(Effect.sleep("1 hour"), call(one, "sample"))
    }, seed) as ReadonlyArray<number>
  t.deepEqual(sample(1), sample(1))
  t.notDeepEqual(sample(1)[0], sample(2)[0])
  t.is(sample(1)[1], 3_600_000)
  t.is(sample(1)[2], 1_767_225_600_000 + 3_600_000)
})

test("services of the surrounding effect are those of the actors", (t) => {
  class Greeting extends Context.Tag("test/Greeting")<Greeting, { readonly text: string }>() {}
  const greeter = Actor.make("greeter", {
    messages: [Call],
    services: [Greeting],
    init: (context) => context.service(Greeting).text,
    handlers: { Call: (text) => Effect.map(Greeting, (greeting) => Actor.reply(text, [text, greeting.text])) }
  })
  const program = System.make("root", greeter).pipe(
    Effect.flatMap((system) => call(system.root, "greet")),
    Effect.scoped,
    Effect.provideService(Greeting, { text: "hello" })
  )
  t.deepEqual(new SimWorld(1).run(program), ["hello", "hello"])
})
