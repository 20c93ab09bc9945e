/**
 * The membership actor: one mailbox in front of one SWIM core.
 *
 * There is nothing to decide here. Packets are decoded at this boundary, since they come from other
 * processes; what does not decode is counted and dropped. Restarted by its supervisor it starts with an
 * empty view and a fresh incarnation, and the others tell it who they are.
 */
import { Effect, Either, Schema } from "effect"
import * as Actor from "#actors/kernel/actor.ts"
import { compileTyped } from "#actors/kernel/codec.ts"
import type { InitContext, ReplyTo } from "#actors/kernel/context.ts"
import { Datagrams } from "#actors/kernel/ports/datagrams.ts"
import { Describe, Leave, Members, type Metadata, Packet } from "#protocols/membership.ts"
import { Swim, type SwimEvent } from "./swim.ts"
import { defaultConfig, type SwimConfig } from "./swim-config.ts"

export interface Identity {
  readonly name: string
  /** Where others reach this node. */
  readonly address: string
  /** New at each start of the process. */
  readonly bootId: string
  readonly metadata: Metadata
  /** Addresses of nodes that may be there already. Its own among them does no harm. */
  readonly seeds: ReadonlyArray<string>
  readonly config?: Partial<SwimConfig>
}

class Tick extends Schema.TaggedClass<Tick>()("Tick", {}) {}
const nextTick = new Tick()

/** A packet as it came, not yet decoded. */
class Arrived extends Schema.TaggedClass<Arrived>()("Arrived", {
  from: Schema.String,
  packet: Schema.Unknown
}) {}

type Message = Tick | Arrived | Members | Describe | Leave
type Context = InitContext<Message, Datagrams>

interface Membership {
  readonly swim: Swim
  readonly nowMillis: () => number
  readonly datagrams: Datagrams
  /** Counters, of this life of the actor. */
  readonly packets: { sent: number; received: number; malformed: number }
  hasLeft: boolean
  leavers: Array<ReplyTo<void, never>>
}

export const Membership = Actor.make("membership", {
  messages: [Tick, Arrived, Members, Describe, Leave],
  services: [Datagrams],
  // Old packets are worth less than new ones.
  mailbox: { capacity: 5_000, overflow: "drop-oldest" },
  init: (context: Context, { config, seeds, ...identity }: Identity) =>
    Effect.gen(function* () {
      const datagrams = yield* Datagrams
      const self = { ...identity, incarnation: Math.max(0, Math.floor(context.wallMillis())) }
      const swim = new Swim(self, { ...defaultConfig, ...config }, context.nowMillis(), () =>
        context.random()
      )
      yield* datagrams.listen((from, packet) => context.self.tell(new Arrived({ from, packet }, true)))
      const packets = { sent: 0, received: 0, malformed: 0 }
      const nowMillis = () => context.nowMillis()
      const membership: Membership = { swim, nowMillis, datagrams, packets, hasLeft: false, leavers: [] }
      return step(membership, { _tag: "Join", addresses: seeds }, context)
    }),
  handlers: {
    Tick: (membership, _tick, context) => step(membership, { _tag: "Tick" }, context),
    Arrived: (membership, { from, packet }, context) => {
      const decoded = decodePacket(packet)
      membership.packets.received++
      if (Either.isLeft(decoded)) {
        membership.packets.malformed++
        return membership
      }
      return step(membership, { _tag: "Received", from, packet: decoded.right }, context)
    },
    Members: (membership) => Actor.reply(membership, membership.swim.members),
    Describe: (membership, { metadata }, context) =>
      Actor.reply(step(membership, { _tag: "Describe", metadata }, context), undefined),
    Leave: (membership, leave, context) => {
      if (membership.hasLeft) return Actor.reply(membership, undefined)
      membership.leavers.push(context.replyTo(leave))
      return Actor.later(step(membership, { _tag: "Leave" }, context))
    }
  },
  // Whoever hears it need not wait until we are missed. Nobody waits for answers here: that is what `Leave` is for.
  onStop: ({ datagrams, hasLeft, nowMillis, swim }, { reason }) => {
    if (hasLeft || reason !== "shutdown") return
    const atMillis = nowMillis()
    swim.step({ _tag: "Leave" }, atMillis)
    for (const effect of swim.step({ _tag: "Tick" }, atMillis)) {
      if (effect._tag === "Send") datagrams.send(effect.to, encodePacket(effect.packet))
    }
  },
  inspect: ({ hasLeft, packets, swim }) => ({
    self: swim.self,
    members: swim.members.map(({ address, incarnation, name, status }) => ({
      name,
      address,
      status,
      incarnation
    })),
    awareness: swim.awareness,
    hasLeft,
    packets: { ...packets }
  })
})

/** The core changes in place: a hundred members are not worth copying at each packet. */
const step = (membership: Membership, event: SwimEvent, context: Context): Membership => {
  const { datagrams, packets, swim } = membership
  for (const effect of swim.step(event, context.nowMillis())) {
    switch (effect._tag) {
      case "Send":
        packets.sent++
        datagrams.send(effect.to, encodePacket(effect.packet))
        break
      case "Publish":
        context.publish(effect.event)
        break
      case "Left":
        membership.hasLeft = true
        for (const leaver of membership.leavers) leaver.reply()
        membership.leavers = []
        break
    }
  }
  context.after(Math.max(1, Math.ceil(swim.wakeMillis - context.nowMillis())), nextTick, "tick")
  return membership
}

const { decode: decodePacket, encode: encodePacket } = compileTyped(Packet)
