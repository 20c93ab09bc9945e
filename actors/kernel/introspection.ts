/**
 * Introspection: the tree of a whole system as one message, cells included; and what its actors take.
 *
 * A cell's own snapshot is asked for over its link and put in its place. One that does not answer in
 * time is shown without what is inside it: an operator wants the tree most when something hangs.
 */
import { Effect, Exit, Option } from "effect"
import { address } from "#protocols/address.ts"
import { type CatalogueEntry, GetAccepted, GetCatalogue } from "#protocols/catalogue-requests.ts"
import { about } from "#protocols/message.ts"
import { type ActorSnapshot, GetTree, Inspect, NoSuchActor } from "#protocols/runtime.ts"
import * as Actor from "./actor.ts"
import { Ask } from "./ask.ts"
import type { Peer } from "./peer.ts"
import type { ActorSystem } from "./system.ts"

const patienceMillis = 1_000

export interface IntrospectionArgs {
  /** The messages that clients of this node may send or see: all, or those of one component. */
  readonly catalogueEntries: (component?: string) => ReadonlyArray<CatalogueEntry>
}

/** Tells about the system it runs in. A node puts one into its tree. */
export const Introspection = Actor.make("introspection", {
  messages: [GetTree, Inspect, GetCatalogue, GetAccepted],
  init: (_context, args: IntrospectionArgs) => args,
  handlers: {
    GetTree: (state, { depth, path }, context) =>
      Effect.map(context.wholeTree(path, depth), (tree) => Actor.reply(state, tree)),
    Inspect: (state, { path }, context) => {
      const found = context.inspect(path)
      return found instanceof NoSuchActor ? Actor.refuse(state, found) : Actor.reply(state, found)
    },
    GetCatalogue: (state, { component }) => Actor.reply(state, state.catalogueEntries(component)),
    GetAccepted: (state, { path }, context) => {
      const found = context.inspect(path)
      if (found instanceof NoSuchActor) return Actor.refuse(state, found)
      const messages = [...context.at(address(path)).messages.values()]
      const accepted = messages.filter((message) => about(message).permission !== undefined)
      return Actor.reply(
        state,
        accepted.map(({ _tag }) => _tag)
      )
    }
  }
})

export const wholeTree = (
  system: ActorSystem,
  peers: ReadonlyArray<Peer>,
  path = `/${system.name}`,
  depth = Number.POSITIVE_INFINITY
): Effect.Effect<ActorSnapshot, NoSuchActor> =>
  Effect.gen(function* () {
    const above = system.peerOf(path)
    if (above !== undefined) return yield* remoteTree(above, new GetTree({ path }), depth)
    const local = system.snapshot(path, depth)
    if (local instanceof NoSuchActor) return yield* local
    const below = peers.filter((peer) => peer.path === path || peer.path.startsWith(`${path}/`))
    const inside = yield* Effect.forEach(
      below,
      (peer) => Effect.option(remoteTree(peer, new GetTree({}), depth)),
      { concurrency: "unbounded" }
    )
    return inside.reduce((tree, cell) => (Option.isSome(cell) ? graft(tree, cell.value) : tree), local)
  })

const remoteTree = (peer: Peer, request: GetTree, depth: number) =>
  Effect.async<ActorSnapshot, NoSuchActor>((resume) => {
    const asked = Number.isFinite(depth) ? new GetTree({ ...request, depth }) : request
    const absent = new NoSuchActor({ path: asked.path ?? peer.path, nearest: peer.path, children: [] })
    peer.askSystem(
      new Ask(
        asked,
        peer.path,
        patienceMillis,
        (exit) =>
          resume(Exit.isSuccess(exit) && isSnapshot(exit.value) ? Effect.succeed(exit.value) : absent),
        undefined
      )
    )
  })

const isSnapshot = (value: unknown): value is ActorSnapshot =>
  typeof value === "object" && value !== null && "mailbox" in value && "children" in value

/** The root inside a cell has the path of the actor that stands for it: its children belong there. */
const graft = (tree: ActorSnapshot, inside: ActorSnapshot): ActorSnapshot =>
  tree.path === inside.path
    ? { ...tree, children: inside.children }
    : inside.path.startsWith(`${tree.path}/`)
      ? { ...tree, children: tree.children.map((child) => graft(child, inside)) }
      : tree
