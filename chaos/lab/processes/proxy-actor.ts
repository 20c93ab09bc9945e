/**
 * The proxy of the lab: takes what the network between nodes is to be like. Restarted it makes all nodes connect
 * again, under the weather that was.
 */
import { Effect, Schema } from "effect"
import * as Actor from "#actors/kernel/actor.ts"
import { WorldClock } from "#actors/kernel/ports/clock.ts"
import { Cut, Mend, Network } from "#chaos/faults/action.ts"
import { observe, operate } from "#protocols/message.ts"
import { type ProxiedNode, StreamProxy } from "./stream-proxy.ts"
import { pairsOf, type StreamWeather } from "./stream-weather.ts"

export class ChangeNetwork extends Schema.TaggedRequest<ChangeNetwork>()(
  "ChangeNetwork",
  { payload: { action: Schema.Union(Cut, Mend, Network) }, success: Schema.Void, failure: Schema.Never },
  operate("Cuts or mends links between nodes of the lab, or changes what they are like.")
) {}

const Pair = Schema.Struct({ from: Schema.String, to: Schema.String })

export class GetNetwork extends Schema.TaggedRequest<GetNetwork>()(
  "GetNetwork",
  {
    payload: {},
    success: Schema.Struct({ cuts: Schema.Array(Pair), connections: Schema.Array(Pair), network: Network }),
    failure: Schema.Never
  },
  observe("What the network between nodes of the lab is like, and who is connected to whom.")
) {}

export interface ProxyArgs {
  readonly nodes: ReadonlyArray<ProxiedNode>
  /** Outlives the actor. */
  readonly weather: StreamWeather
}

export const Proxy = Actor.make("proxy", {
  messages: [ChangeNetwork, GetNetwork],
  services: [WorldClock],
  init: (_context, { nodes, weather }: ProxyArgs) =>
    Effect.gen(function* () {
      const proxy = yield* StreamProxy.open(nodes, weather, yield* WorldClock)
      return { proxy, weather }
    }),
  handlers: {
    ChangeNetwork: (state, { action }) => {
      const { proxy, weather } = state
      if (action._tag === "Cut") weather.cut(pairsOf(action.from, action.to))
      else if (action._tag === "Mend") weather.mend(pairsOf(action.from, action.to))
      else weather.set(action)
      proxy.turn()
      return Actor.reply(state, undefined)
    },
    GetNetwork: (state) => {
      const { proxy, weather } = state
      const { cuts, network } = weather
      return Actor.reply(state, { cuts, network, connections: proxy.connections })
    }
  },
  inspect: ({ proxy, weather: { cuts, network } }) => ({ cuts, network, connections: proxy.connections })
})
