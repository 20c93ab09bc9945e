/**
 * The clients of a node: lets in whoever has proven who they are, one child per client, each behind a gate
 * that knows what that one may send to whom. Ops shells come through the same gate by another door.
 */
import { Effect, Schema } from "effect"
import * as Actor from "#actors/kernel/actor.ts"
import type { InitContext } from "#actors/kernel/context.ts"
import { type Catalogue, Gate } from "#actors/kernel/gate.ts"
import { type Entrance, type Link, Links } from "#actors/kernel/ports/links.ts"
import { type ClientStatus, GetClients, TooManyClients } from "#protocols/links.ts"
import { ClientLink, HeldLink } from "./link-actor.ts"

export interface ClientsArgs {
  readonly catalogue: Catalogue
  readonly entrance?: Entrance
  readonly clientsMax?: number
  readonly messageBytesMax?: number
  /** Events wait so long for others to leave with: people who look on need them no sooner. */
  readonly eventPauseMillis?: number
}

export const defaultClientsMax = 1_000
export const defaultMessageBytesMax = 16 * 1024 * 1024

class Opened extends Schema.TaggedClass<Opened>()("Opened", { held: Schema.instanceOf(HeldLink) }) {}
class Ended extends Schema.TaggedClass<Ended>()("Ended", { held: Schema.instanceOf(HeldLink) }) {}

interface Client {
  readonly held: HeldLink
  readonly gate: Gate
  readonly sinceMillis: number
}

type Message = Opened | Ended | GetClients

interface State {
  readonly links: typeof Links.Service
  readonly args: ClientsArgs
  readonly clients: Map<number, Client>
  readonly ids: { last: number }
}

export const Clients = Actor.make("clients", {
  messages: [Opened, Ended, GetClients],
  services: [Links],
  mailbox: { capacity: 100_000 },
  stopsChildren: "together",
  init: (context: InitContext<Message, Links>, args: ClientsArgs) =>
    Effect.gen(function* () {
      const links = yield* Links
      const state: State = { links, args, clients: new Map(), ids: { last: 0 } }
      const clientsMax = args.clientsMax ?? defaultClientsMax
      yield* links.admit(args.entrance ?? "actors", {
        refuses: () =>
          state.clients.size < clientsMax
            ? undefined
            : new TooManyClients({ node: links.self.name, clientsMax }),
        opened: (link) => hold(state, link, context)
      })
      return state
    }),
  handlers: {
    Opened: (state, { held }, context) => {
      if (held.ended !== undefined) return state
      const { args, clients, links } = state
      const gate = new Gate(held.link.identity, args.catalogue)
      clients.set(held.id, { held, gate, sinceMillis: context.nowMillis() })
      context.spawn(ClientLink, {
        name: childName(held),
        args: {
          held,
          gate,
          packing: links.packing,
          messageBytesMax: args.messageBytesMax ?? defaultMessageBytesMax,
          ...(args.eventPauseMillis !== undefined && { eventPauseMillis: args.eventPauseMillis })
        }
      })
      return state
    },
    Ended: (state, { held }, context) => {
      state.clients.delete(held.id)
      context.stopChild(childName(held))
      return state
    },
    GetClients: (state, _get, context) => Actor.reply(state, statuses(state, context.nowMillis()))
  },
  inspect: ({ clients }) => ({ clients: clients.size })
})

const hold = (state: State, link: Link, { self }: InitContext<Message, Links>): HeldLink => {
  const held = new HeldLink(++state.ids.last, link, (ended) => self.tell(new Ended({ held: ended }, true)))
  self.tell(new Opened({ held }, true))
  return held
}

/** Clients choose their names, which may not be one step of a path. */
const childName = ({ id, link }: HeldLink): string =>
  `${link.introduction.name.replaceAll(/[^\w.-]/g, "_").slice(0, 40)}.${id}`

const statuses = ({ clients }: State, nowMillis: number): ReadonlyArray<ClientStatus> =>
  [...clients.values()].map(({ gate, held: { link, peer }, sinceMillis }) => ({
    name: link.introduction.name,
    actorId: link.identity.actorId,
    connectedMillis: nowMillis - sinceMillis,
    queued: peer?.queued ?? 0,
    queuedBytes: peer?.queuedBytes ?? 0,
    malformed: peer?.malformed ?? 0,
    refused: gate.refused
  }))
