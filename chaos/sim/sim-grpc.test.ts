/** The gRPC port in the simulator: what a handler is told and what a client sees, whatever happens between them. */
import test from "ava"
import { Context, Effect, Either, Exit, Layer, Scope } from "effect"
import { Grpc, type GrpcService, type GrpcStatus, type StreamCall } from "#actors/kernel/ports/grpc.ts"
import { Compartment } from "./compartment.ts"
import { type CallOptions, SimGrpc } from "./sim-grpc.ts"
import { SimWorld } from "./world.ts"

const bytes = (text: string) => new TextEncoder().encode(text)
const textOf = (encoded: Uint8Array) => new TextDecoder().decode(encoded)

interface Stage {
  readonly grpc: SimGrpc
  readonly compartment: Compartment
  readonly cancelled: Array<string>
  /** How much the handler of Flood has sent so far. */
  readonly sent: () => number
  readonly stop: Effect.Effect<void>
}

const port = "node:1"

/** A node that serves some methods, and a client of it. */
const served = <A>(play: (stage: Stage) => Effect.Effect<A>, seed = 1): A => {
  const world = new SimWorld(seed)
  const grpc = new SimGrpc(world)
  const compartment = new Compartment(world)
  const cancelled: Array<string> = []
  let sent = 0
  const note = (call: StreamCall) => {
    call.onCancel = () => cancelled.push(call.path)
  }
  const service: GrpcService = {
    unary: {
      "/t/Echo": (request, call) => call.reply(bytes(`${textOf(request)} ${call.header("token") ?? ""}`)),
      "/t/Refuse": (_, call) => call.fail({ code: 9, message: "no" }),
      "/t/Throw": () => {
        throw new Error("a bug")
      },
      "/t/Never": (_, call) => {
        call.onCancel = () => cancelled.push(call.path)
      }
    },
    streams: {
      "/t/Chat": (call) => {
        note(call)
        return {
          onMessage: (message) => {
            call.send(message)
          },
          onEnd: () => call.end()
        }
      },
      "/t/Flood": (call) => {
        note(call)
        const flood = () => {
          while (sent < 100 && call.send(new Uint8Array(100).fill(sent++))) {}
        }
        call.onDrain = flood
        return { onMessage: flood, onEnd: () => {} }
      },
      "/t/Held": (call) => {
        call.pause()
        world.clock.alarm(1_000, () => call.resume())
        return {
          onMessage: (message) => {
            call.send(bytes(`${textOf(message)} at ${world.nowMillis}`))
          },
          onEnd: () => {}
        }
      }
    }
  }
  return world.run(
    Effect.gen(function* () {
      const scope = yield* Scope.make()
      const layer = grpc.layer(port, (task) => compartment.run(task))
      const context = yield* Layer.buildWithScope(layer, scope)
      yield* Context.get(context, Grpc).serve(service).pipe(Effect.provideService(Scope.Scope, scope))
      const stop = Scope.close(scope, Exit.void)
      return yield* play({ grpc, compartment, cancelled, sent: () => sent, stop })
    })
  )
}

const asked = (grpc: SimGrpc, path: string, text = "", options: CallOptions = {}) =>
  Effect.async<string>((resume) => {
    grpc.unary(
      port,
      path,
      bytes(text),
      (answer) =>
        resume(
          Effect.succeed(
            Either.match(answer, {
              onLeft: ({ code, message }) => `${code}: ${message}`,
              onRight: textOf
            })
          )
        ),
      options
    )
  })

/** A stream whose client writes down what it hears. */
const listening = (grpc: SimGrpc, path: string, options: CallOptions = {}) => {
  const heard: Array<string> = []
  const onEnd = (status: GrpcStatus | undefined) => void heard.push(`end ${status?.message ?? "well"}`)
  const onMessage = (message: Uint8Array) => void heard.push(textOf(message))
  return { heard, stream: grpc.stream(port, path, { onMessage, onEnd }, options) }
}

test("a call is answered once, with what the handler says, or with why it was not handled", (t) => {
  const answers = served(({ grpc }) =>
    Effect.all([
      asked(grpc, "/t/Echo", "hello", { headers: { token: "secret" } }),
      asked(grpc, "/t/Refuse"),
      asked(grpc, "/t/Throw"),
      asked(grpc, "/t/Nothing")
    ])
  )
  t.deepEqual(answers, [
    "hello secret",
    "9: no",
    "13: the handler of /t/Throw broke: a bug",
    "12: unknown method Nothing for service t"
  ])
})

test("messages of a stream arrive in order, both ways, and it ends behind them", (t) => {
  for (let seed = 1; seed <= 20; seed++) {
    const heard = served(({ grpc }) => {
      const { heard: said, stream } = listening(grpc, "/t/Chat", { slowMillisMax: 5 })
      for (const word of ["a", "b", "c", "d"]) stream.send(bytes(word))
      stream.end()
      return Effect.as(Effect.sleep("1 second"), said)
    }, seed)
    t.deepEqual(heard, ["a", "b", "c", "d", "end well"])
  }
})

test("a handler that pauses its stream gets what was sent meanwhile when it goes on", (t) => {
  const heard = served(({ grpc }) => {
    const { heard: said, stream } = listening(grpc, "/t/Held")
    stream.send(bytes("a"))
    stream.send(bytes("b"))
    return Effect.as(Effect.sleep("2 seconds"), said)
  })
  t.is(heard.length, 2)
  for (const said of heard) t.regex(said, /^[ab] at 10\d\d$/)
})

test("a client that reads slowly holds its handler up, and gets everything", (t) => {
  served(({ grpc, sent }) =>
    Effect.gen(function* () {
      const { heard, stream } = listening(grpc, "/t/Flood", { slowMillisMax: 100 })
      stream.send(bytes("go"))
      yield* Effect.sleep(20)
      t.true(sent() > 5 && sent() < 30, `${sent()}`)
      yield* Effect.sleep("20 seconds")
      t.is(sent(), 100)
      t.is(heard.length, 100)
    })
  )
})

test("a client that takes its call back hears no more, and the handler is told once", (t) => {
  served(({ cancelled, grpc }) =>
    Effect.gen(function* () {
      const cancel = grpc.unary(port, "/t/Never", bytes(""), () => t.fail())
      const { heard, stream } = listening(grpc, "/t/Chat")
      stream.send(bytes("a"))
      yield* Effect.sleep(100)
      for (const doing of [cancel, cancel, stream.cancel, stream.cancel]) doing()
      yield* Effect.sleep(100)
      t.deepEqual(cancelled.toSorted(), ["/t/Chat", "/t/Never"])
      t.deepEqual(heard, ["a"])
    })
  )
})

test("who is killed is missed at once, a machine without power by its silence, a service that stops says so", (t) => {
  const ends = {
    kill: ["connection reset", 0],
    powerOff: ["keepalive ping failed", 9_900],
    stop: ["the service stopped", 0]
  } as const
  for (const how of ["kill", "powerOff", "stop"] as const) {
    const [message, silentMillis] = ends[how]
    served(({ cancelled, compartment, grpc, stop }) =>
      Effect.gen(function* () {
        const { heard } = listening(grpc, "/t/Chat")
        let answer = ""
        grpc.unary(port, "/t/Never", bytes(""), (answered) => {
          if (Either.isLeft(answered)) answer = answered.left.message
        })
        yield* Effect.sleep(100)
        if (how === "stop") yield* stop
        else {
          compartment.powerOff()
          grpc[how](port)
        }
        yield* Effect.sleep(silentMillis)
        if (how === "powerOff") t.deepEqual([heard, answer], [[], ""])
        yield* Effect.sleep(200)
        t.deepEqual([heard, answer], [[`end ${message}`], message])
        t.is(cancelled.length, how === "stop" ? 2 : 0)
        t.is(yield* asked(grpc, "/t/Echo"), "14: connection refused")
      })
    )
  }
})

test("a process that stands still answers when it goes on", (t) => {
  served(({ compartment, grpc }) =>
    Effect.gen(function* () {
      compartment.pause()
      let answer = ""
      grpc.unary(port, "/t/Echo", bytes("a"), (answered) => {
        answer = Either.match(answered, { onLeft: ({ message }) => message, onRight: textOf })
      })
      yield* Effect.sleep("1 minute")
      t.is(answer, "")
      compartment.resume()
      yield* Effect.sleep(100)
      t.is(answer, "a ")
    })
  )
})
