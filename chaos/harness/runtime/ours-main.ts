/** The runtime of this project as a contender: supervised, counted, bounded, as it runs in production. */
import { Effect, Exit, Schema, Scope } from "effect"
import * as Actor from "#actors/kernel/actor.ts"
import { ask } from "#actors/kernel/ask.ts"
import type { ActorRef } from "#actors/kernel/ref.ts"
import * as ActorSystem from "#actors/kernel/system.ts"
import { LiveWorld } from "#actors/platform/live-world.ts"
import * as Supervisor from "#supervisors/engine/supervisor.ts"
import { child } from "#supervisors/engine/tree.ts"
import { measure } from "./contender.ts"

class Add extends Schema.TaggedClass<Add>()("Add", { by: Schema.Int }) {}
class Go extends Schema.TaggedClass<Go>()("Go", {}) {}
class Ball extends Schema.TaggedClass<Ball>()("Ball", {}) {}
class Crash extends Schema.TaggedClass<Crash>()("Crash", {}) {}
class Total extends Schema.TaggedRequest<Total>()("Total", {
  payload: {},
  success: Schema.Int,
  failure: Schema.Never
}) {}

type Done = { done: () => void }

const Counter = Actor.make("counter", {
  messages: [Add, Total],
  init: (_context, { limit, done }: Done & { readonly limit: number }) => ({ count: 0, limit, done }),
  handlers: {
    Add: (state, { by }) => {
      state.count += by
      if (state.count === state.limit) state.done()
      return state
    },
    Total: (state) => Actor.reply(state, state.count)
  }
})

/** As many as the receiver handles in one turn, so that its mailbox stays as short as it would be in service. */
const burst = 300

interface Flooding {
  readonly target: ActorRef<Add>
  relay: ActorRef<Go> | undefined
  left: number
}

/** As in the Erlang peer, each message is made anew. After a burst the relay passes the turn on. */
const Flooder = Actor.make("flooder", {
  messages: [Go],
  init: (_context, flooding: Flooding) => flooding,
  handlers: {
    Go: (flooding, go) => {
      const { left, relay, target } = flooding
      const sending = Math.min(left, burst)
      for (let sent = 0; sent < sending; sent++) target.tell({ _tag: "Add", by: 1 })
      flooding.left -= sending
      if (flooding.left > 0) relay?.tell(go)
      return flooding
    }
  }
})

const Relay = Actor.make("relay", {
  messages: [Go],
  init: (_context, flooder: ActorRef<Go>) => ({ flooder }),
  handlers: {
    Go: (state, go) => {
      state.flooder.tell(go)
      return state
    }
  }
})

interface Player extends Done {
  opponent: ActorRef<Ball> | undefined
  left: number
}

const PingPong = Actor.make("ping-pong", {
  messages: [Ball],
  init: (_context, player: Player) => player,
  handlers: {
    Ball: (player, ball) => {
      if (player.left-- > 0) player.opponent?.tell(ball)
      else player.done()
      return player
    }
  }
})

const Callback = Schema.declare((value): value is () => void => typeof value === "function")

class Spawn extends Schema.TaggedClass<Spawn>()("Spawn", { count: Schema.Int, done: Callback }) {}
class Clear extends Schema.TaggedClass<Clear>()("Clear", { done: Callback }) {}

/** An actor whose children are the ones that are counted and weighed. */
const Nursery = Actor.make("nursery", {
  messages: [Spawn, Clear],
  stopsChildren: "together",
  init: () => ({ done: () => {} }),
  handlers: {
    Spawn: (state, { count, done }, context) => {
      for (let index = 0; index < count; index++) context.spawn(Idle, { name: `${index}` })
      done()
      return state
    },
    Clear: (_state, { done }, context) => {
      context.stop()
      return { done }
    }
  },
  onStop: ({ done }) => done()
})

const Idle = Actor.make("idle", {
  messages: [Add],
  init: () => 0,
  handlers: { Add: (sum, { by }) => sum + by }
})

/** Set by the driver of the restarts; each new life reports to it. */
const restarting: Done & { left: number; target: ActorRef<Crash> | undefined } = {
  left: 0,
  target: undefined,
  done: () => {}
}

class Up extends Schema.TaggedClass<Up>()("Up", {}) {}
const crash = new Crash()
const up = new Up()

const Driver = Actor.make("driver", {
  messages: [Up],
  init: (context) => context.register("driver"),
  handlers: {
    Up: (state) => {
      if (restarting.left-- > 0) restarting.target?.tell(crash)
      else restarting.done()
      return state
    }
  }
})

const Fragile = Actor.make("fragile", {
  messages: [Crash],
  init: (context) => {
    context.named("driver", Driver)?.tell(up)
    return 0
  },
  handlers: {
    Crash: () => {
      throw new Error("crash")
    }
  }
})

const tree = Supervisor.make("bench", {
  strategy: "one-for-one",
  intensity: { restarts: 1_000_000_000, within: "5 seconds" },
  children: [child(Driver), child(Fragile)]
})

const promised = <A>(start: (done: () => void) => A): Promise<void> =>
  new Promise((resolve) => start(resolve))

const scope = Effect.runSync(Scope.make())
const system = await Effect.runPromise(
  ActorSystem.make("bench", tree).pipe(Effect.provide(LiveWorld), Effect.provideService(Scope.Scope, scope))
)

let actors = 0
const named = (name: string) => ({ name: `${name}-${actors++}` })

await measure(
  {
    tells: (count) =>
      promised((done) => {
        const target = system.spawn(Counter, { ...named("counter"), args: { limit: count, done } })
        const flooding: Flooding = { target, relay: undefined, left: count }
        const flooder = system.spawn(Flooder, { ...named("flooder"), args: flooding })
        flooding.relay = system.spawn(Relay, { ...named("relay"), args: flooder })
        flooder.tell(new Go())
      }),
    roundTrips: (count) =>
      promised((done) => {
        const left: Player = { opponent: undefined, left: count, done }
        const right: Player = { opponent: undefined, left: count, done }
        const ping = system.spawn(PingPong, { ...named("ping"), args: left })
        right.opponent = ping
        left.opponent = system.spawn(PingPong, { ...named("pong"), args: right })
        ping.tell(new Ball())
      }),
    asks: (count) =>
      promised((done) => {
        const target = system.spawn(Counter, { ...named("counter"), args: { limit: 0, done: () => {} } })
        const request = new Total({})
        const asking = Effect.gen(function* () {
          for (let asked = 0; asked < count; asked++) yield* ask(target, request, 5_000)
        })
        system.fork(asking).addObserver(done)
      }),
    restarts: (count) =>
      promised((done) => {
        restarting.left = count
        restarting.done = done
        restarting.target = system.lookup("/bench/fragile", Fragile)
        restarting.target?.tell(crash)
      }),
    spawns: async (count) => {
      const nursery = system.spawn(Nursery, named("nursery"))
      await promised((done) => nursery.tell(new Spawn({ count, done })))
      return () => promised((done) => nursery.tell(new Clear({ done })))
    }
  },
  Number(process.argv[2] ?? 1)
)
await Effect.runPromise(Scope.close(scope, Exit.void))
