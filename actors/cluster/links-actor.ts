/**
 * The links of a node: dials the nodes that somebody wants to reach, lets others in, keeps one link to
 * each, and carries the datagrams of membership over them.
 *
 *   membership ──► LinkDatagrams ──► (no link yet: wanted) ──► links ──► link book: dial, use, drop
 *                       ▲                                        └─► one child per link
 *                       └────────────────── packets ─────────────────────┘
 *
 * A node that membership has given up loses its link at once, and its watchers learn that it was the
 * node and not only the link.
 */
import { Effect, Exit, Option, Schema, type Scope } from "effect"
import * as Actor from "#actors/kernel/actor.ts"
import type { InitContext } from "#actors/kernel/context.ts"
import type { Datagrams } from "#actors/kernel/ports/datagrams.ts"
import { type Link, Links } from "#actors/kernel/ports/links.ts"
import {
  GetLinks,
  LinkDown,
  type LinkFault,
  LinkFault as LinkFaultSchema,
  type LinkStatus,
  LinkUp,
  Unreachable
} from "#protocols/links.ts"
import { MemberFailed } from "#protocols/membership.ts"
import { HeldLink, NodeLink } from "./link-actor.ts"
import { defaultLinkRules, LinkBook, type LinkBookEvent, type LinkRules } from "./link-book.ts"

type Receive = (fromAddress: string, packet: unknown) => void

/** The `Datagrams` port over node links. A packet for whom there is no link yet is lost, and has it made. */
export class LinkDatagrams implements Datagrams {
  #route: ((address: string, packet: unknown) => void) | undefined
  #receive: Receive | undefined

  readonly send = (toAddress: string, packet: unknown): void => this.#route?.(toAddress, packet)

  readonly listen = (receive: Receive): Effect.Effect<void, never, Scope.Scope> =>
    Effect.acquireRelease(
      Effect.sync(() => {
        this.#receive = receive
      }),
      () =>
        Effect.sync(() => {
          if (this.#receive === receive) this.#receive = undefined
        })
    )

  /** For the links actor. */
  attach(route: (address: string, packet: unknown) => void): void {
    this.#route = route
  }

  /** For the links actor. */
  arrived(fromAddress: string, packet: unknown): void {
    this.#receive?.(fromAddress, packet)
  }
}

export interface LinksArgs {
  readonly datagrams: LinkDatagrams
  readonly rules?: Partial<LinkRules>
}

/** To itself. */
class Wanted extends Schema.TaggedClass<Wanted>()("Wanted", { address: Schema.String }) {}
class Opened extends Schema.TaggedClass<Opened>()("Opened", {
  held: Schema.instanceOf(HeldLink),
  dialed: Schema.UndefinedOr(Schema.String)
}) {}
class Dialed extends Schema.TaggedClass<Dialed>()("Dialed", {
  address: Schema.String,
  fault: Schema.Option(LinkFaultSchema)
}) {}
class Ended extends Schema.TaggedClass<Ended>()("Ended", {
  held: Schema.instanceOf(HeldLink),
  reason: Schema.String
}) {}
class Tick extends Schema.TaggedClass<Tick>()("Tick", {}) {}

type Message = Wanted | Opened | Dialed | Ended | Tick | GetLinks | MemberFailed
type Context = InitContext<Message, Links>

interface State {
  readonly book: LinkBook
  readonly links: typeof Links.Service
  readonly datagrams: LinkDatagrams
  readonly held: Map<number, HeldLink>
  readonly ids: { last: number }
}

export const NodeLinks = Actor.make("links", {
  messages: [Wanted, Opened, Dialed, Ended, Tick, GetLinks, MemberFailed],
  services: [Links],
  mailbox: { capacity: 100_000 },
  stopsChildren: "together",
  init: (context: Context, { datagrams, rules }: LinksArgs) =>
    Effect.gen(function* () {
      const links = yield* Links
      const book = new LinkBook(links.self, { ...defaultLinkRules, ...rules }, () => context.random())
      const state: State = { book, links, datagrams, held: new Map(), ids: { last: 0 } }
      const renewed = new Map<string, number>()
      datagrams.attach((address, packet) => {
        const link = book.linkTo(address)
        if (link !== undefined) state.held.get(link)?.peer?.datagram(packet)
        // A wish lasts a minute: saying so with each packet would be a message per packet.
        const nowMillis = context.nowMillis()
        if (link !== undefined && nowMillis < (renewed.get(address) ?? 0)) return
        if (renewed.size > 10_000) renewed.clear()
        renewed.set(address, nowMillis + 10_000)
        context.self.tell(new Wanted({ address }))
      })
      context.subscribe([MemberFailed._tag], (event) => (event instanceof MemberFailed ? event : new Tick()))
      yield* links.admit("nodes", {
        refuses: ({ introduction }) => book.refuses(introduction),
        opened: (link) => hold(state, link, undefined, context)
      })
      return state
    }),
  handlers: {
    Wanted: (state, { address }, context) => step(state, { _tag: "Wanted", address }, context),
    Opened: (state, { dialed, held }, context) => {
      if (held.ended !== undefined) {
        if (dialed === undefined) return state
        const fault = new Unreachable({ address: dialed, reason: held.ended })
        return step(state, { _tag: "DialFailed", address: dialed, fault }, context)
      }
      state.held.set(held.id, held)
      const { introduction } = held.link
      return step(state, { _tag: "Opened", link: held.id, introduction, dialed }, context)
    },
    Dialed: (state, { address, fault }, context) =>
      Option.isNone(fault)
        ? state
        : step(state, { _tag: "DialFailed", address, fault: fault.value }, context),
    Ended: (state, { held, reason }, context) => {
      state.held.delete(held.id)
      return step(state, { _tag: "Closed", link: held.id, reason }, context)
    },
    Tick: (state, _tick, context) => step(state, { _tag: "Tick" }, context),
    MemberFailed: (state, { evidence, member: { bootId, name } }, context) => {
      const reason = `membership has given ${name} up (${evidence.what}, says ${evidence.source})`
      return step(state, { _tag: "NodeLost", node: name, bootId, reason }, context)
    },
    GetLinks: (state) => Actor.reply(state, statuses(state))
  },
  inspect: (state) => statuses(state)
})

/** Called when a link opens, outside of any turn: the actor hears of it by message. */
const hold = (state: State, link: Link, dialed: string | undefined, context: Context): HeldLink => {
  const { self } = context
  const held = new HeldLink(++state.ids.last, link, (ended, reason) =>
    self.tell(new Ended({ held: ended, reason }, true))
  )
  self.tell(new Opened({ held, dialed }, true))
  return held
}

const step = (state: State, event: LinkBookEvent, context: Context): State => {
  const { book, held } = state
  for (const effect of book.step(event, context.nowMillis())) {
    switch (effect._tag) {
      case "Dial":
        dial(state, effect.address, context)
        break
      case "Use": {
        const link = held.get(effect.link)
        if (link !== undefined) use(state, link, context)
        break
      }
      case "Drop": {
        const { link, nodeLost, reason, used } = effect
        held.get(link)?.end(reason, nodeLost ? "node-lost" : "lost")
        context.stopChild(childName(link, used?.node ?? ""))
        if (used === undefined) break
        const { address, bootId, node } = used
        context.publish(new LinkDown({ node, address, bootId, reason, atMillis: context.wallMillis() }))
        break
      }
    }
  }
  const { wakeMillis } = book
  if (wakeMillis === Number.POSITIVE_INFINITY) context.cancel("wake")
  else context.after(Math.max(1, wakeMillis - context.nowMillis()), new Tick(), "wake")
  return state
}

const dial = (state: State, address: string, context: Context): void => {
  const dialing = state.links.dial(address, (link) => hold(state, link, address, context))
  context.pipe(dialing, (exit) => new Dialed({ address, fault: faultOf(exit) }))
}

const faultOf = (exit: Exit.Exit<unknown, LinkFault>): Option.Option<LinkFault> =>
  Exit.match(exit, {
    onSuccess: () => Option.none(),
    onFailure: (cause) => {
      if (cause._tag === "Fail") return Option.some(cause.error)
      throw new Error("dialing ended with a defect", { cause })
    }
  })

const childName = (link: number, node: string): string => `${node}.${link}`

const use = ({ book, datagrams, links }: State, held: HeldLink, context: Context): void => {
  const { address, bootId, name: node } = held.link.introduction
  const onDatagram = (packet: unknown) => datagrams.arrived(address, packet)
  context.spawn(NodeLink, {
    name: childName(held.id, node),
    args: { held, packing: links.packing, onDatagram }
  })
  const direction = book.linked.find(({ link }) => link === held.id)?.direction ?? "in"
  context.publish(new LinkUp({ node, address, bootId, direction, atMillis: context.wallMillis() }))
}

const statuses = ({ book, held }: State): ReadonlyArray<LinkStatus> => [
  ...book.linked.map(({ address, direction, link, node }): LinkStatus => {
    const peer = held.get(link)?.peer
    return {
      address,
      node,
      direction,
      state: "linked",
      reason: "",
      attempts: 0,
      queued: peer?.queued ?? 0,
      queuedBytes: peer?.queuedBytes ?? 0,
      malformed: peer?.malformed ?? 0,
      droppedDatagrams: peer?.droppedDatagrams ?? 0
    }
  }),
  ...book.unlinked.map(
    (unlinked): LinkStatus => ({
      ...unlinked,
      node: "",
      direction: "out",
      queued: 0,
      queuedBytes: 0,
      malformed: 0,
      droppedDatagrams: 0
    })
  )
]
