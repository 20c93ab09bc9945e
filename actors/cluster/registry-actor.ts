/**
 * The registry as an actor: names and groups for the whole cluster.
 *
 * On each link that comes up the two registries exchange their tables; from then on changes travel as
 * deltas, and every ten seconds versions, which heals what was lost. A claim ends with its actor, which
 * the registry watches; the claims of a node end when membership gives it up, not when a link is lost.
 *
 * Whoever asks often shares the `RegistryView` of its process and reads it without a message.
 */
import { Schema } from "effect"
import * as Actor from "#actors/kernel/actor.ts"
import type { ActorContext, InitContext } from "#actors/kernel/context.ts"
import { address } from "#protocols/address.ts"
import { LinkDown, LinkUp } from "#protocols/links.ts"
import { MemberFailed, MemberLeft } from "#protocols/membership.ts"
import {
  GetRegistry,
  GroupJoined,
  GroupLeft,
  GroupMembers,
  JoinGroup,
  type Kind,
  NameFreed,
  NameHeld,
  NameLost,
  NameRegistered,
  NotRegistrable,
  QuitGroup,
  RegisterName,
  RegistryDelta,
  RegistryFull,
  RegistryTable,
  RegistryVersion,
  RegistryWanted,
  UnregisterName,
  WhereIs
} from "#protocols/registry.ts"
import { Registry } from "./registry.ts"

export interface RegistryArgs {
  readonly node: string
  readonly bootId: string
  readonly view?: RegistryView
  readonly claimsMax?: number
}

const flushMillis = 20
const versionsMillis = 10_000
const defaultClaimsMax = 100_000

/** What the registry of this process knows, for whoever reads it often. Empty while its actor is down. */
export class RegistryView {
  #registry: Registry | undefined

  /** For its actor, at the start of each life. */
  attach(registry: Registry): void {
    this.#registry = registry
  }

  whereIs(name: string): string | undefined {
    return this.#registry?.whereIs(name)
  }

  /** In order of their paths; the same array until the group changes. */
  members(group: string): ReadonlyArray<string> {
    return this.#registry?.members(group) ?? []
  }
}

/** To itself. */
class Flush extends Schema.TaggedClass<Flush>()("Flush", {}) {}
class Versions extends Schema.TaggedClass<Versions>()("Versions", {}) {}
class Gone extends Schema.TaggedClass<Gone>()("Gone", { path: Schema.String }) {}

const messages = [
  RegisterName,
  UnregisterName,
  JoinGroup,
  QuitGroup,
  WhereIs,
  GroupMembers,
  GetRegistry,
  RegistryTable,
  RegistryDelta,
  RegistryVersion,
  RegistryWanted,
  LinkUp,
  LinkDown,
  MemberFailed,
  MemberLeft,
  Flush,
  Versions,
  Gone
] as const

type Message = Schema.Schema.Type<(typeof messages)[number]>
type Context = InitContext<Message>

interface State {
  readonly registry: Registry
  readonly args: RegistryArgs
  /** Nodes with a link. */
  readonly linked: Set<string>
  /** Actors of this node that are watched because they claim something. */
  readonly watched: Set<string>
  /** Processes that said goodbye: what they still send on their way out counts for nothing. */
  readonly left: Set<string>
  flushing: boolean
}

const leftMax = 10_000

export const ClusterRegistry = Actor.make("registry", {
  messages,
  init: (context: Context, args: RegistryArgs): State => {
    // Larger than those of its lives before in the same process, of which others have tables still.
    const version = Math.floor(1_000 * context.nowMillis())
    const registry = new Registry(args.node, args.bootId, args.claimsMax ?? defaultClaimsMax, version)
    args.view?.attach(registry)
    context.subscribe(
      [LinkUp, LinkDown, MemberFailed, MemberLeft].map(({ _tag }) => _tag),
      (event) => (isHeard(event) ? event : new Versions())
    )
    context.every(versionsMillis, new Versions(), "versions")
    return { registry, args, linked: new Set(), watched: new Set(), left: new Set(), flushing: false }
  },
  handlers: {
    RegisterName: (state, { name, path }, context) => claim(state, "name", name, path, context),
    JoinGroup: (state, { group, path }, context) => claim(state, "group", group, path, context),
    UnregisterName: (state, { name, path }, context) => {
      state.registry.release("name", name, path)
      return Actor.reply(changed(state, context), undefined)
    },
    QuitGroup: (state, { group, path }, context) => {
      state.registry.release("group", group, path)
      return Actor.reply(changed(state, context), undefined)
    },
    WhereIs: (state, { name }) => Actor.reply(state, state.registry.whereIs(name) ?? null),
    GroupMembers: (state, { group }) => Actor.reply(state, state.registry.members(group)),
    GetRegistry: (state) => Actor.reply(state, state.registry.tables),
    Gone: (state, { path }, context) => {
      state.watched.delete(path)
      state.registry.releaseAll(path)
      return changed(state, context)
    },
    LinkUp: (state, { node }, context) => {
      state.linked.add(node)
      tell(node, new RegistryTable({ table: state.registry.ownTable, reply: true }), context)
      return state
    },
    LinkDown: (state, { node }) => {
      state.linked.delete(node)
      return state
    },
    RegistryTable: (state, { reply, table }, context) => {
      if (reply)
        tell(table.node, new RegistryTable({ table: state.registry.ownTable, reply: false }), context)
      if (!state.left.has(table.bootId)) state.registry.merge(table)
      return changed(state, context)
    },
    RegistryDelta: (state, delta, context) => {
      const { bootId, node } = delta
      if (!state.registry.mergeDelta(node, bootId, delta)) want(state, node, context)
      return changed(state, context)
    },
    RegistryVersion: (state, { bootId, node, version }, context) => {
      // Whoever tells us has a link, of which a new life of ours has not heard, and a table of the one before.
      if (!state.linked.has(node)) {
        state.linked.add(node)
        tell(node, new RegistryTable({ table: state.registry.ownTable, reply: false }), context)
      }
      const known = state.registry.versionOf(node, bootId) ?? -1
      if (known < version && !state.left.has(bootId)) want(state, node, context)
      return state
    },
    RegistryWanted: (state, { node }, context) => {
      tell(node, new RegistryTable({ table: state.registry.ownTable, reply: false }), context)
      return state
    },
    MemberFailed: (state, { member }, context) => forget(state, member, context),
    MemberLeft: (state, { member }, context) => {
      if (state.left.size >= leftMax) state.left.clear()
      state.left.add(member.bootId)
      return forget(state, member, context)
    },
    Versions: (state, _versions, context) => {
      const { bootId, node } = state.args
      const version = new RegistryVersion({ node, bootId, version: state.registry.version })
      for (const other of state.linked) tell(other, version, context)
      return state
    },
    Flush: (state, _flush, context) => {
      const { bootId, node } = state.args
      state.flushing = false
      const delta = state.registry.takeDelta()
      if (delta === undefined) return state
      const message = new RegistryDelta({ node, bootId, ...delta })
      for (const other of state.linked) tell(other, message, context)
      return state
    }
  },
  inspect: ({ linked, registry }) => ({
    linked: [...linked],
    tables: registry.tables.map(({ claims, node, version }) => ({ node, version, claims: claims.length }))
  })
})

type Heard = LinkUp | LinkDown | MemberFailed | MemberLeft

const isHeard = (event: { readonly _tag: string }): event is Heard =>
  event instanceof LinkUp ||
  event instanceof LinkDown ||
  event instanceof MemberFailed ||
  event instanceof MemberLeft

/** The registry of another node stands where ours does in our tree. */
const tell = (
  node: string,
  message: RegistryTable | RegistryDelta | RegistryVersion | RegistryWanted,
  context: Context
): void => {
  const below = context.path.slice(context.path.indexOf("/", 1))
  const registry = address(`/${node}${below}`, RegistryTable, RegistryDelta, RegistryVersion, RegistryWanted)
  context.at(registry).tell(message)
}

const want = ({ args }: State, node: string, context: Context): void =>
  tell(node, new RegistryWanted({ node: args.node }), context)

const forget = (
  state: State,
  { bootId, name }: { readonly name: string; readonly bootId: string },
  context: Context
): State => {
  state.registry.forget(name, bootId)
  return changed(state, context)
}

const claim = (
  state: State,
  kind: Kind,
  key: string,
  path: string,
  context: ActorContext<Message, State>
) => {
  const { args, registry, watched } = state
  const { node } = args
  if (!path.startsWith(`/${node}/`)) {
    return Actor.refuse(state, new NotRegistrable({ path, node, reason: "it lives on another node" }))
  }
  if (registry.full) {
    return Actor.refuse(state, new RegistryFull({ node, claimsMax: args.claimsMax ?? defaultClaimsMax }))
  }
  const holder = registry.claim(kind, key, path, context.wallMillis())
  if (holder !== undefined) return Actor.refuse(state, new NameHeld({ name: key, holder }))
  if (!watched.has(path)) {
    watched.add(path)
    // One that is gone already is noticed by its absence.
    context.watch(context.at(address(path)), () => new Gone({ path }))
  }
  return Actor.reply(changed(state, context), undefined)
}

const changed = (state: State, context: Context): State => {
  const atMillis = context.wallMillis()
  for (const { _tag, ...change } of state.registry.takeChanges()) {
    const about = { ...change, atMillis }
    switch (_tag) {
      case "Registered":
        context.publish(new NameRegistered(about))
        break
      case "Freed":
        context.publish(new NameFreed(about))
        break
      case "Joined":
        context.publish(new GroupJoined(about))
        break
      case "Left":
        context.publish(new GroupLeft(about))
        break
      case "Lost":
        if ("winner" in about) context.publish(new NameLost(about))
        break
    }
  }
  if (!state.flushing) context.after(flushMillis, new Flush())
  state.flushing = true
  return state
}
