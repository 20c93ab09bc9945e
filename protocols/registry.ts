/**
 * The registry: names and groups of actors that the whole cluster knows.
 *
 * Promised: a name is found on every node soon after it was registered, and gone soon after its actor has
 * ended or its node has failed or left. Once nodes see each other all of them believe the same. Of two
 * actors that hold the same name, because neither node knew of the other, the one that registered first
 * keeps it (by wall clock; at the same millisecond the node with the smaller name), and the other learns
 * that it lost it.
 *
 * Not promised: that a name has one holder at every instant. What must have one holder takes a lease.
 */
import { Schema } from "effect"
import type { FaultUnion } from "./fault.ts"
import { event, observe } from "./message.ts"

// Values

const Word = Schema.NonEmptyString.pipe(Schema.maxLength(256))
const Path = Schema.String.pipe(Schema.startsWith("/"), Schema.maxLength(4_096))

export const Kind = Schema.Literal("name", "group")
export type Kind = typeof Kind.Type

/** What one node says about an actor of its own. */
export const Claim = Schema.Struct({
  kind: Kind,
  /** The name or the group. */
  key: Word,
  path: Path,
  /** When it was registered, by the wall clock of its node. */
  sinceMillis: Schema.Number
})
export type Claim = typeof Claim.Type

/** All claims of one process. A later version holds all there is, not what is new. */
export const ClaimTable = Schema.Struct({
  node: Word,
  bootId: Word,
  version: Schema.NonNegativeInt,
  claims: Schema.Array(Claim)
})
export type ClaimTable = typeof ClaimTable.Type

// Faults

export class NameHeld extends Schema.TaggedError<NameHeld>()("NameHeld", {
  name: Schema.String,
  holder: Schema.String
}) {
  readonly definite = true
  override get message() {
    return `the name ${this.name} is held by ${this.holder}; stop that actor first or choose another name`
  }
}

/** A node speaks for its own actors only, and only while they live. */
export class NotRegistrable extends Schema.TaggedError<NotRegistrable>()("NotRegistrable", {
  path: Schema.String,
  node: Schema.String,
  reason: Schema.String
}) {
  readonly definite = true
  override get message() {
    return `${this.path} cannot be registered on ${this.node}: ${this.reason}; register a live actor with the registry of its own node`
  }
}

/** As many claims as a node may make. */
export class RegistryFull extends Schema.TaggedError<RegistryFull>()("RegistryFull", {
  node: Schema.String,
  claimsMax: Schema.Int
}) {
  readonly definite = true
  override get message() {
    return `the registry of ${this.node} is full at ${this.claimsMax} claims; unregister some or raise claimsMax`
  }
}

export const RegistryFault = Schema.Union(NameHeld, NotRegistrable, RegistryFull)
export type RegistryFault = FaultUnion<typeof RegistryFault.Type>

// Requests to the registry of one's own node

/** Claims a name for an actor, until it ends. Claiming what it holds already succeeds. */
export class RegisterName extends Schema.TaggedRequest<RegisterName>()("RegisterName", {
  payload: { name: Word, path: Path },
  success: Schema.Void,
  failure: RegistryFault
}) {}

export class UnregisterName extends Schema.TaggedRequest<UnregisterName>()("UnregisterName", {
  payload: { name: Word, path: Path },
  success: Schema.Void,
  failure: Schema.Never
}) {}

/** Adds an actor to a group, until it ends. */
export class JoinGroup extends Schema.TaggedRequest<JoinGroup>()("JoinGroup", {
  payload: { group: Word, path: Path },
  success: Schema.Void,
  failure: RegistryFault
}) {}

export class QuitGroup extends Schema.TaggedRequest<QuitGroup>()("QuitGroup", {
  payload: { group: Word, path: Path },
  success: Schema.Void,
  failure: Schema.Never
}) {}

export class WhereIs extends Schema.TaggedRequest<WhereIs>()(
  "WhereIs",
  { payload: { name: Word }, success: Schema.NullOr(Schema.String), failure: Schema.Never },
  observe(
    "The path of the actor that holds a name in the cluster, as this node knows; null when nobody does."
  )
) {}

export class GroupMembers extends Schema.TaggedRequest<GroupMembers>()(
  "GroupMembers",
  { payload: { group: Word }, success: Schema.Array(Schema.String), failure: Schema.Never },
  observe("The paths of the actors in a group, as this node knows, in order of their paths.")
) {}

export class GetRegistry extends Schema.TaggedRequest<GetRegistry>()(
  "GetRegistry",
  { payload: {}, success: Schema.Array(ClaimTable), failure: Schema.Never },
  observe("All names and groups, by the node that claims them.")
) {}

// Among registries. Any of these may be lost; the next one of its kind makes up for it.

/** All that the sender claims; `reply` wants the receiver's in return. */
export class RegistryTable extends Schema.TaggedClass<RegistryTable>()("RegistryTable", {
  table: ClaimTable,
  reply: Schema.Boolean
}) {}

/** What has changed since a version of the sender's table. Who has another version asks for all of it. */
export class RegistryDelta extends Schema.TaggedClass<RegistryDelta>()("RegistryDelta", {
  node: Word,
  bootId: Word,
  from: Schema.NonNegativeInt,
  version: Schema.NonNegativeInt,
  added: Schema.Array(Claim),
  removed: Schema.Array(Claim)
}) {}

/** What version the sender is at. Whoever is behind asks for its table. */
export class RegistryVersion extends Schema.TaggedClass<RegistryVersion>()("RegistryVersion", {
  node: Word,
  bootId: Word,
  version: Schema.NonNegativeInt
}) {}

/** The sender is behind. */
export class RegistryWanted extends Schema.TaggedClass<RegistryWanted>()("RegistryWanted", {
  node: Word
}) {}

// Events

const about = { key: Schema.String, path: Schema.String, node: Schema.String, atMillis: Schema.Number }

export class NameRegistered extends Schema.TaggedClass<NameRegistered>()(
  "NameRegistered",
  about,
  event("An actor holds a name from now on, as this node sees it.")
) {}

export class NameFreed extends Schema.TaggedClass<NameFreed>()(
  "NameFreed",
  about,
  event("Nobody holds a name any more, as this node sees it.")
) {}

export class NameLost extends Schema.TaggedClass<NameLost>()(
  "NameLost",
  { ...about, winner: Schema.String },
  event("Two actors held a name. The one on this node registered it later and has lost it.")
) {}

export class GroupJoined extends Schema.TaggedClass<GroupJoined>()(
  "GroupJoined",
  about,
  event("An actor has joined a group, as this node sees it.")
) {}

export class GroupLeft extends Schema.TaggedClass<GroupLeft>()(
  "GroupLeft",
  about,
  event("An actor has left a group, as this node sees it.")
) {}
