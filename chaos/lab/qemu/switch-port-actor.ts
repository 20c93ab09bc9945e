/**
 * A port of the lab's switch, and the cable in it. What the port does with frames is to pass them on and to count
 * them; what becomes of them between two ports the switch decides.
 *
 *   machine ══ cable ══ port ──FramesIn──► switch
 *                       port ◄─FramesOut── switch
 *
 * A port that ends lets go of its cable, and the machine is off the network until the switch has started the port
 * again and given it the cable back.
 */
import type { Duplex } from "node:stream"
import { Effect, Schema } from "effect"
import * as Actor from "#actors/kernel/actor.ts"
import type { InitContext } from "#actors/kernel/context.ts"
import type { ActorRef } from "#actors/kernel/ref.ts"
import { FrameReader, framed } from "./frame-switch.ts"

/** In the socket to a machine that does not read: beyond it frames are dropped. */
const outboxBytesMax = 1 << 20

/**
 * Frames on a stream that QEMU has inherited the other end of. It outlives whoever is at this end of it, so that
 * nobody begins to read in the middle of a frame. What comes while nobody is there is dropped.
 */
export class Cable {
  readonly #stream: Duplex
  #arrived: ((frames: ReadonlyArray<Uint8Array>) => void) | undefined

  constructor(stream: Duplex) {
    this.#stream = stream
    const reader = new FrameReader()
    stream.on("data", (bytes: Uint8Array) => {
      const frames = reader.push(bytes)
      if (frames.length > 0) this.#arrived?.(frames)
    })
  }

  get isCut(): boolean {
    return this.#stream.destroyed
  }

  onceCut(then: () => void): void {
    if (this.isCut) then()
    else this.#stream.once("close", then)
  }

  /** In place of whoever listened before. */
  listen(arrived: ((frames: ReadonlyArray<Uint8Array>) => void) | undefined): void {
    this.#arrived = arrived
  }

  /** False for a frame that found no room. */
  send(frame: Uint8Array): boolean {
    if (this.isCut || this.#stream.writableLength > outboxBytesMax) return false
    this.#stream.write(framed(frame))
    return true
  }
}

const Frames = Schema.Array(Schema.Uint8ArrayFromSelf)

/** What a machine has sent. */
export class FramesIn extends Schema.TaggedClass<FramesIn>()("FramesIn", {
  port: Schema.String,
  frames: Frames
}) {}

/** What a machine is to get. */
export class FramesOut extends Schema.TaggedClass<FramesOut>()("FramesOut", { frames: Frames }) {}

/** From now on this is the port's cable; null pulls it out. */
export class Connect extends Schema.TaggedClass<Connect>()("Connect", {
  cable: Schema.NullOr(Schema.instanceOf(Cable))
}) {}

class Arrived extends Schema.TaggedClass<Arrived>()("Arrived", { frames: Frames }) {}

type Message = Connect | FramesOut | Arrived

interface PortArgs {
  readonly port: string
  readonly fabric: ActorRef<FramesIn>
}

interface State extends PortArgs {
  cable: Cable | null
  readonly counts: { in: number; out: number; dropped: number }
}

export const SwitchPort = Actor.make("switch-port", {
  messages: [Connect, FramesOut, Arrived],
  mailbox: { capacity: 20_000, overflow: "drop-newest" },
  init: (_context: InitContext<Message>, args: PortArgs) =>
    Effect.gen(function* () {
      const state: State = { ...args, cable: null, counts: { in: 0, out: 0, dropped: 0 } }
      yield* Effect.addFinalizer(() => Effect.sync(() => state.cable?.listen(undefined)))
      return state
    }),
  handlers: {
    Connect: (state, { cable }, context) => {
      state.cable?.listen(undefined)
      state.cable = cable
      cable?.listen((frames) => context.self.tell(new Arrived({ frames }, true)))
      return state
    },
    Arrived: (state, { frames }) => {
      state.counts.in += frames.length
      state.fabric.tell(new FramesIn({ port: state.port, frames }, true))
      return state
    },
    FramesOut: (state, { frames }) => {
      for (const frame of frames)
        if (state.cable?.send(frame) === true) state.counts.out++
        else state.counts.dropped++
      return state
    }
  },
  inspect: ({ cable, counts }) => ({ connected: cable !== null && !cable.isCut, frames: { ...counts } })
})
