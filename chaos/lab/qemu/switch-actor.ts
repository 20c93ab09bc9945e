/**
 * The switch of the lab: a port for each machine as its child, frames between them, weather by message.
 *
 * The rules are in frame-switch.ts. Ports come as machines are plugged in, and stay. One that crashes is started
 * again with its cable; when the switch ends its machines are off the network for good, and have to be started again.
 */
import { Schema } from "effect"
import * as Actor from "#actors/kernel/actor.ts"
import type { InitContext } from "#actors/kernel/context.ts"
import type { ActorRef } from "#actors/kernel/ref.ts"
import { operate } from "#protocols/message.ts"
import { type Delivery, FrameSwitch, fair, type Weather } from "./frame-switch.ts"
import { Cable, Connect, FramesIn, FramesOut, SwitchPort } from "./switch-port-actor.ts"

const Share = Schema.Number.pipe(Schema.between(0, 1))

/** From now on the cable is in that port; what was in it before is pulled out. */
export class Plug extends Schema.TaggedClass<Plug>()("Plug", {
  port: Schema.String,
  cable: Schema.instanceOf(Cable)
}) {}

class Due extends Schema.TaggedClass<Due>()("Due", {}) {}
class Cut extends Schema.TaggedClass<Cut>()("Cut", {
  port: Schema.String,
  cable: Schema.instanceOf(Cable)
}) {}

/** What happens to frames on the way from one port to another, until it is said anew. */
export class SetWeather extends Schema.TaggedRequest<SetWeather>()(
  "SetWeather",
  {
    payload: {
      links: Schema.Array(
        Schema.Struct({
          from: Schema.String,
          to: Schema.String,
          cut: Schema.Boolean,
          loss: Share,
          duplicate: Share,
          reorder: Share,
          delayMillis: Schema.Number.pipe(Schema.nonNegative()),
          jitterMillis: Schema.Number.pipe(Schema.nonNegative()),
          bytesPerSecond: Schema.NonNegativeInt
        })
      )
    },
    success: Schema.Void,
    failure: Schema.Never
  },
  operate("What happens to frames between ports of the lab's switch.")
) {}

type Message = SetWeather | Plug | FramesIn | Due | Cut
type Context = InitContext<Message>

interface Port {
  readonly ref: ActorRef<Connect | FramesOut>
  cable: Cable | null
}

interface State {
  readonly core: FrameSwitch
  readonly ports: Map<string, Port>
}

export const Switch = Actor.make("switch", {
  messages: [Plug, FramesIn, Due, Cut, SetWeather],
  mailbox: { capacity: 20_000, overflow: "drop-newest" },
  init: (_context: Context, { seed }: { readonly seed: number }): State => ({
    core: new FrameSwitch(seed),
    ports: new Map()
  }),
  handlers: {
    Plug: (state, { cable, port: name }, context) => {
      const port = state.ports.get(name) ?? { ref: spawnPort(name, context), cable: null }
      port.cable = cable
      state.ports.set(name, port)
      state.core.unplug(name)
      state.core.plug(name)
      port.ref.tell(new Connect({ cable }))
      cable.onceCut(() => context.self.tell(new Cut({ port: name, cable })))
      return state
    },
    FramesIn: (state, { frames, port }, context) => {
      const nowMillis = context.nowMillis()
      send(
        state,
        frames.flatMap((frame) => state.core.arrive(nowMillis, port, frame))
      )
      return wake(state, context)
    },
    Due: (state, _due, context) => {
      send(state, state.core.due(context.nowMillis()))
      return wake(state, context)
    },
    Cut: (state, { cable, port: name }) => {
      const port = state.ports.get(name)
      if (port?.cable !== cable) return state
      port.cable = null
      port.ref.tell(new Connect({ cable: null }))
      state.core.unplug(name)
      return state
    },
    SetWeather: (state, { links }, context) => {
      for (const { from, to, ...weather } of links) {
        state.core.setWeather(from, to, isFair(weather) ? fair : weather)
      }
      return Actor.reply(wake(state, context), undefined)
    }
  },
  onChild: (state, signal, context) => {
    const port = state.ports.get(signal.name)
    if (signal._tag === "ChildEnded") context.restartChild(signal.name)
    else port?.ref.tell(new Connect({ cable: port.cable }))
    return state
  },
  inspect: ({ core }) => ({ ports: core.ports, counts: core.counts })
})

const spawnPort = (port: string, context: Context): Port["ref"] =>
  context.spawn(SwitchPort, { name: port, args: { port, fabric: context.self }, keep: true })

const isFair = ({ cut, ...shares }: Weather): boolean =>
  !cut && Object.values(shares).every((share) => share === 0)

const wake = (state: State, context: Context): State => {
  const { wakeMillis } = state.core
  if (wakeMillis === Number.POSITIVE_INFINITY) context.cancel("due")
  else context.after(Math.max(0, wakeMillis - context.nowMillis()), new Due(), "due")
  return state
}

/** A port gets what is for it at once, and in order. */
const send = ({ ports }: State, deliveries: ReadonlyArray<Delivery>): void => {
  const byPort = Map.groupBy(deliveries, ({ to }) => to)
  for (const [to, those] of byPort)
    ports.get(to)?.ref.tell(new FramesOut({ frames: those.map(({ frame }) => frame) }, true))
}
