/**
 * The web console of a node as an actor: opens its port, and serves pages for as long as it lives.
 *
 * It dies alone. A port that is taken is tried again, less and less often, while the node does its work; a crash cuts
 * pages off, which come back by themselves and stay logged in.
 */
import { Effect, Exit, FiberSet, Option, Schema } from "effect"
import * as Actor from "#actors/kernel/actor.ts"
import type { ActorContext, InitContext } from "#actors/kernel/context.ts"
import { describeCause } from "#actors/kernel/ref.ts"
import type { Tokens } from "#actors/platform/tokens.ts"
import { ClusterWatch } from "./cluster-watch.ts"
import { ConsoleDesk } from "./console-desk.ts"
import { openDoor } from "./http-door.ts"
import { NodeTalk } from "./node-talk.ts"
import type { Sessions } from "./sessions.ts"

export interface ConsoleArgs {
  readonly node: string
  readonly cluster: string
  /** 0 is any that is free. */
  readonly port: number
  readonly tokens: Tokens
  readonly sessions: Sessions
}

/** There is no way for others to ask without TLS but a tunnel to this. */
const host = "127.0.0.1"
const tickMillis = 1_000
const openAgainMillisMin = 1_000
const openAgainMillisMax = 60_000

class Open extends Schema.TaggedClass<Open>()("Open", {}) {}
class Opened extends Schema.TaggedClass<Opened>()("Opened", { port: Schema.Int }) {}
class NotOpened extends Schema.TaggedClass<NotOpened>()("NotOpened", { reason: Schema.String }) {}
class Tick extends Schema.TaggedClass<Tick>()("Tick", {}) {}

type Message = Open | Opened | NotOpened | Tick

interface State {
  readonly args: ConsoleArgs
  readonly watch: ClusterWatch
  readonly desk: ConsoleDesk
  /** Empty while the port is not open. */
  readonly address: string
  /** Why it is not; empty while it is. */
  readonly closed: string
  readonly waitMillis: number
}

export const Console = Actor.make("console", {
  messages: [Open, Opened, NotOpened, Tick],
  init: (context: InitContext<Message>, args: ConsoleArgs) =>
    Effect.gen(function* () {
      const talk = new NodeTalk((options) => context.peer(options), undefined)
      const watch = new ClusterWatch(args.node, talk, () => context.nowMillis())
      yield* Effect.addFinalizer(() =>
        Effect.sync(() => {
          watch.close()
          talk.close("the console was stopped")
        })
      )
      const perform = yield* FiberSet.makeRuntimePromise()
      const desk = new ConsoleDesk({
        node: args.node,
        path: context.path,
        cluster: args.cluster,
        sessions: args.sessions,
        verify: (token) => Effect.runPromise(Effect.either(args.tokens.verify(token))),
        openPeer: (options) => context.peer(options),
        watch,
        nowMillis: () => context.nowMillis(),
        wallMillis: () => context.wallMillis(),
        audit: (line) => context.log("info", line),
        perform
      })
      context.self.tell(new Open())
      context.every(tickMillis, new Tick())
      const state: State = {
        args,
        watch,
        desk,
        address: "",
        closed: "it is being opened",
        waitMillis: openAgainMillisMin
      }
      return state
    }),
  handlers: {
    Open: (state, _open, context) => open(state, context),
    Opened: (state, { port }, context) => {
      state.desk.port = port
      const address = `http://${host}:${port}`
      context.log("info", `the console is at ${address}; log in with the token in the node's data directory`)
      return { ...state, address, closed: "", waitMillis: openAgainMillisMin }
    },
    NotOpened: (state, { reason }, context) => {
      context.log("warn", `there is no console yet: ${reason}; it is tried again in ${state.waitMillis} ms`)
      context.after(state.waitMillis, new Open())
      return { ...state, closed: reason, waitMillis: Math.min(state.waitMillis * 2, openAgainMillisMax) }
    },
    Tick: (state) => {
      state.watch.tick()
      return state
    }
  },
  inspect: ({ address, args, closed, watch }) => ({
    address,
    closed,
    viewers: watch.viewers,
    sessions: args.sessions.size,
    actorsWatched: watch.actors
  })
})

const open = (state: State, context: ActorContext<Message, State>): State => {
  const { args, desk } = state
  const door = openDoor({
    host,
    port: args.port,
    serve: desk.serve,
    broke: (cause) => context.log("error", `a request of the console broke: ${String(cause)}`)
  })
  context.pipe(door, (exit) =>
    Exit.isSuccess(exit)
      ? new Opened({ port: exit.value })
      : new NotOpened({ reason: Option.getOrElse(reasonOf(exit), () => describeCause(exit.cause)) })
  )
  return state
}

const reasonOf = (exit: Exit.Exit<number, { readonly message: string }>): Option.Option<string> =>
  Exit.isFailure(exit) && exit.cause._tag === "Fail" ? Option.some(exit.cause.error.message) : Option.none()
