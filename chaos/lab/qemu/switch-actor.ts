/**
 * The switch of the lab: a port for each machine, frames between them, weather by message.
 *
 * The rules are in frame-switch.ts. A port is a stream that QEMU has inherited the other end of, so when this actor
 * ends the machines are off the network for good, and have to be started again.
 */
import { Duplex } from "node:stream"
import { Schema } from "effect"
import * as Actor from "#actors/kernel/actor.ts"
import type { InitContext } from "#actors/kernel/context.ts"
import { observe, operate } from "#protocols/message.ts"
import { FrameReader, FrameSwitch, fair, framed, type Weather } from "./frame-switch.ts"

const Stream = Schema.declare((value: unknown): value is Duplex => value instanceof Duplex)
const Frames = Schema.Array(Schema.Uint8ArrayFromSelf)
const Share = Schema.Number.pipe(Schema.between(0, 1))

/** From now on the stream is the port's; what was there before is gone. */
export class Plug extends Schema.TaggedClass<Plug>()("Plug", { port: Schema.String, stream: Stream }) {}

class Arrived extends Schema.TaggedClass<Arrived>()("Arrived", { port: Schema.String, frames: Frames }) {}
class Due extends Schema.TaggedClass<Due>()("Due", {}) {}
class Unplugged extends Schema.TaggedClass<Unplugged>()("Unplugged", {
  port: Schema.String,
  stream: Stream
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

export class GetSwitch extends Schema.TaggedRequest<GetSwitch>()(
  "GetSwitch",
  {
    payload: {},
    success: Schema.Struct({
      ports: Schema.Array(Schema.String),
      counts: Schema.Record({ key: Schema.String, value: Schema.Int })
    }),
    failure: Schema.Never
  },
  observe("Who is plugged into the lab's switch, and what it has done.")
) {}

/** In the socket to a machine that does not read: beyond it frames are dropped. */
const outboxBytesMax = 1 << 20

export type SwitchRequest = SetWeather | GetSwitch
type Message = SwitchRequest | Plug | Arrived | Due | Unplugged
type Context = InitContext<Message>

interface State {
  readonly core: FrameSwitch
  readonly streams: Map<string, Duplex>
  readonly counts: { outboxFull: number }
}

export const Switch = Actor.make("switch", {
  messages: [Plug, Arrived, Due, Unplugged, SetWeather, GetSwitch],
  mailbox: { capacity: 20_000, overflow: "drop-newest" },
  init: (_context: Context, { seed }: { readonly seed: number }): State => ({
    core: new FrameSwitch(seed),
    streams: new Map(),
    counts: { outboxFull: 0 }
  }),
  handlers: {
    Plug: (state, { port, stream }, context) => {
      const reader = new FrameReader()
      stream.on("data", (bytes: Uint8Array) => {
        const frames = reader.push(bytes)
        if (frames.length > 0) context.self.tell(new Arrived({ port, frames }, true))
      })
      stream.once("close", () => context.self.tell(new Unplugged({ port, stream }, true)))
      state.core.unplug(port)
      state.core.plug(port)
      state.streams.set(port, stream)
      return state
    },
    Arrived: (state, { frames, port }, context) => {
      const nowMillis = context.nowMillis()
      for (const frame of frames)
        for (const delivery of state.core.arrive(nowMillis, port, frame)) send(state, delivery)
      return wake(state, context)
    },
    Due: (state, _due, context) => {
      for (const delivery of state.core.due(context.nowMillis())) send(state, delivery)
      return wake(state, context)
    },
    Unplugged: (state, { port, stream }) => {
      if (state.streams.get(port) !== stream) return state
      state.streams.delete(port)
      state.core.unplug(port)
      return state
    },
    SetWeather: (state, { links }, context) => {
      for (const { from, to, ...weather } of links) {
        state.core.setWeather(from, to, isFair(weather) ? fair : weather)
      }
      return Actor.reply(wake(state, context), undefined)
    },
    GetSwitch: (state) => Actor.reply(state, about(state))
  },
  inspect: (state) => about(state)
})

const about = ({ core, counts }: State) => ({ ports: core.ports, counts: { ...core.counts, ...counts } })

const isFair = ({ cut, ...shares }: Weather): boolean =>
  !cut && Object.values(shares).every((share) => share === 0)

const wake = (state: State, context: Context): State => {
  const { wakeMillis } = state.core
  if (wakeMillis === Number.POSITIVE_INFINITY) context.cancel("due")
  else context.after(Math.max(0, wakeMillis - context.nowMillis()), new Due(), "due")
  return state
}

const send = (
  { counts, streams }: State,
  { frame, to }: { readonly frame: Uint8Array; readonly to: string }
): void => {
  const stream = streams.get(to)
  if (stream === undefined || stream.destroyed) return
  if (stream.writableLength > outboxBytesMax) counts.outboxFull++
  else stream.write(framed(frame))
}
