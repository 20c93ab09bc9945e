/** The two nodes of our own in the remoting benchmark, and what one asks of the other. */
import { randomBytes } from "node:crypto"
import { Effect, Layer, Logger, Redacted, Schema } from "effect"
import { LinkDatagrams, NodeLinks } from "#actors/cluster/links-actor.ts"
import * as Actor from "#actors/kernel/actor.ts"
import type { InitContext } from "#actors/kernel/context.ts"
import { Links } from "#actors/kernel/ports/links.ts"
import * as ActorSystem from "#actors/kernel/system.ts"
import { LiveWorld } from "#actors/platform/live-world.ts"
import { socketioLinks } from "#actors/platform/socketio-links.ts"
import { tokensOf } from "#actors/platform/tokens.ts"
import { protocolVersion } from "#protocols/wire/frames.ts"

export class Add extends Schema.TaggedRequest<Add>()("Add", {
  payload: { n: Schema.Int },
  success: Schema.Int,
  failure: Schema.Never
}) {}

export class Store extends Schema.TaggedRequest<Store>()("Store", {
  payload: { bytes: Schema.Uint8ArrayFromSelf },
  success: Schema.Int,
  failure: Schema.Never
}) {}

export const Adder = Actor.make("adder", {
  messages: [Add, Store],
  init: () => ({}),
  handlers: {
    Add: (state, { n }) => Actor.reply(state, n + 1),
    Store: (state, { bytes }) => Actor.reply(state, bytes.length)
  }
})

const Root = Actor.make("root", {
  messages: [],
  services: [Links],
  init: (context: InitContext<never, Links>, datagrams: LinkDatagrams) => {
    context.spawn(NodeLinks, { args: { datagrams } })
    return {}
  },
  handlers: {}
})

export const newKey = (): string => randomBytes(32).toString("hex")

/** A node with links and nothing else. `key`: 32 bytes in hexadecimal, the same for both. */
export const node = (name: string, key: string) => {
  const tokens = tokensOf(Redacted.make(Buffer.from(key, "hex")), "bench")
  const self = { protocol: protocolVersion, cluster: "bench", name, bootId: newKey() }
  const ports: Layer.Layer<ActorSystem.World | Links, Error> = Layer.mergeAll(
    LiveWorld,
    socketioLinks({ self, tokens, port: 0 }),
    Logger.remove(Logger.defaultLogger)
  )
  const datagrams = new LinkDatagrams()
  const started = Effect.gen(function* () {
    const system = yield* ActorSystem.make(name, Root, { args: datagrams })
    return { system, datagrams }
  })
  return { ports, started }
}
