/**
 * Links: how nodes and clients introduce themselves to each other, who is let in, and what there is to be
 * seen of it.
 *
 * Promised: who is at the other end has been authenticated before any frame is looked at, and both ends
 * speak the same protocol for the same cluster. While a link lives, messages between two actors arrive in
 * order and at most once. When it is lost, pending asks fail and watches fire at once. Between two nodes
 * there is at most one link at a time.
 *
 * Not promised: that a lost link means a dead node; see membership. Nor that what was under way when a
 * link was lost did not arrive.
 */
import { Schema } from "effect"
import type { FaultUnion } from "./fault.ts"
import { event, observe, Permission } from "./message.ts"

// Values

const Word = Schema.NonEmptyString.pipe(Schema.maxLength(256))

/** May send messages up to this permission to actors at and below the prefix; `/` is everything. */
export const Grant = Schema.Struct({ permission: Permission, prefix: Word })
export type Grant = typeof Grant.Type

/** Who is at the other end, as its certificate or token says. */
export const Identity = Schema.Struct({
  /** `SYSTEM::<node or service>` or `HUMAN::<id>`. */
  actorId: Word,
  grants: Schema.Array(Grant).pipe(Schema.maxItems(100))
})
export type Identity = typeof Identity.Type

/** What either end says first. */
export const Introduction = Schema.Struct({
  protocol: Schema.Int,
  cluster: Word,
  /** The node's name; of a client what it likes to be called in lists. */
  name: Word,
  /** New at each start of the process. */
  bootId: Word,
  /** Where a node is dialed; empty for a client. */
  address: Schema.String.pipe(Schema.maxLength(256))
})
export type Introduction = typeof Introduction.Type

// Faults: why there is no link

/** The ends speak different versions. */
export class ProtocolMismatch extends Schema.TaggedError<ProtocolMismatch>()("ProtocolMismatch", {
  node: Schema.String,
  speaks: Schema.Int,
  offered: Schema.Int
}) {
  readonly definite = true
  override get message() {
    return `${this.node} speaks link protocol ${this.speaks} and was offered ${this.offered}; run the same release of ultracloud on both ends`
  }
}

/** The ends belong to different clusters. */
export class ClusterMismatch extends Schema.TaggedError<ClusterMismatch>()("ClusterMismatch", {
  node: Schema.String,
  belongsTo: Schema.String,
  offered: Schema.String
}) {
  readonly definite = true
  override get message() {
    return `${this.node} belongs to cluster ${this.belongsTo}, not to ${this.offered}; correct the address or the cluster id`
  }
}

/** Another process has that name and is alive. */
export class NodeNameTaken extends Schema.TaggedError<NodeNameTaken>()("NodeNameTaken", {
  name: Schema.String,
  address: Schema.String,
  bootId: Schema.String
}) {
  readonly definite = true
  override get message() {
    return `a node named ${this.name} is linked already, from ${this.address} (boot ${this.bootId}); stop it first or choose another name`
  }
}

/** There is a link between these two nodes already, or about to be, and that one stays. */
export class AlreadyLinked extends Schema.TaggedError<AlreadyLinked>()("AlreadyLinked", {
  name: Schema.String
}) {
  readonly definite = true
  override get message() {
    return `${this.name} has a link with this node already, and keeps it; nothing to do`
  }
}

/** No valid certificate or token. */
export class Unauthenticated extends Schema.TaggedError<Unauthenticated>()("Unauthenticated", {
  node: Schema.String,
  reason: Schema.String
}) {
  readonly definite = true
  override get message() {
    return `${this.node} lets nobody in without a valid certificate or token: ${this.reason}; use the token file in the node's data directory, or have one issued`
  }
}

/** Authenticated, but not for this: a client among nodes, or a node under another's name. */
export class NotANode extends Schema.TaggedError<NotANode>()("NotANode", {
  actorId: Schema.String,
  name: Schema.String
}) {
  readonly definite = true
  override get message() {
    return `${this.actorId} may not link as node ${this.name}; use the certificate of SYSTEM::${this.name}, or its token with admin on /`
  }
}

/** Nobody answered there, or what answered was no node. */
export class Unreachable extends Schema.TaggedError<Unreachable>()("Unreachable", {
  address: Schema.String,
  reason: Schema.String
}) {
  readonly definite = true
  override get message() {
    return `no link to ${this.address}: ${this.reason}; see whether a node runs there and the network lets through`
  }
}

/** Outside of this machine, links are encrypted. */
export class NeedsTls extends Schema.TaggedError<NeedsTls>()("NeedsTls", { address: Schema.String }) {
  readonly definite = true
  override get message() {
    return `${this.address} is not on the loopback, and links leave this machine only under TLS; configure certificates, or use 127.0.0.1`
  }
}

/** As many clients as this node takes. */
export class TooManyClients extends Schema.TaggedError<TooManyClients>()("TooManyClients", {
  node: Schema.String,
  clientsMax: Schema.Int
}) {
  readonly definite = true
  override get message() {
    return `${this.node} has ${this.clientsMax} clients and takes no more; connect to another node or close some`
  }
}

/** The port could not be opened. */
export class ListenFailed extends Schema.TaggedError<ListenFailed>()("ListenFailed", {
  address: Schema.String,
  reason: Schema.String
}) {
  readonly definite = true
  override get message() {
    return `cannot listen on ${this.address}: ${this.reason}; free the port or choose another`
  }
}

export const LinkFault = Schema.Union(
  ProtocolMismatch,
  ClusterMismatch,
  NodeNameTaken,
  AlreadyLinked,
  Unauthenticated,
  NotANode,
  Unreachable,
  NeedsTls,
  TooManyClients
)
export type LinkFault = FaultUnion<typeof LinkFault.Type>

/** Why two ends that introduced themselves like this do not belong together. */
export const mismatch = (
  self: Introduction,
  other: Introduction
): ProtocolMismatch | ClusterMismatch | undefined => {
  const node = self.name
  if (self.protocol !== other.protocol)
    return new ProtocolMismatch({ node, speaks: self.protocol, offered: other.protocol })
  if (self.cluster !== other.cluster)
    return new ClusterMismatch({ node, belongsTo: self.cluster, offered: other.cluster })
  return undefined
}

// Requests

export const LinkStatus = Schema.Struct({
  address: Schema.String,
  /** Empty until known. */
  node: Schema.String,
  state: Schema.Literal("linked", "dialing", "waiting"),
  direction: Schema.Literal("in", "out"),
  /** Why it is not linked; empty when it is. */
  reason: Schema.String,
  attempts: Schema.Int,
  queued: Schema.Int,
  queuedBytes: Schema.Int,
  malformed: Schema.Int,
  droppedDatagrams: Schema.Int
})
export type LinkStatus = typeof LinkStatus.Type

export class GetLinks extends Schema.TaggedRequest<GetLinks>()(
  "GetLinks",
  { payload: {}, success: Schema.Array(LinkStatus), failure: Schema.Never },
  observe("The links of this node to others, and those it tries to make.")
) {}

export const ClientStatus = Schema.Struct({
  name: Schema.String,
  actorId: Schema.String,
  connectedMillis: Schema.Number,
  queued: Schema.Int,
  queuedBytes: Schema.Int,
  malformed: Schema.Int,
  refused: Schema.Int
})
export type ClientStatus = typeof ClientStatus.Type

export class GetClients extends Schema.TaggedRequest<GetClients>()(
  "GetClients",
  { payload: {}, success: Schema.Array(ClientStatus), failure: Schema.Never },
  observe("The clients that are connected to this node.")
) {}

// Events

const link = { node: Schema.String, address: Schema.String, bootId: Schema.String, atMillis: Schema.Number }

export class LinkUp extends Schema.TaggedClass<LinkUp>()(
  "LinkUp",
  { ...link, direction: Schema.Literal("in", "out") },
  event("A link to another node is up.")
) {}

export class LinkDown extends Schema.TaggedClass<LinkDown>()(
  "LinkDown",
  { ...link, reason: Schema.String },
  event("A link to another node is lost: asks that were under way have failed and watches have fired.")
) {}

export class LinkRefused extends Schema.TaggedClass<LinkRefused>()(
  "LinkRefused",
  { name: Schema.String, reason: Schema.String, atMillis: Schema.Number },
  event("Somebody was not let in: wrong protocol, wrong cluster, or no proof of who they are.")
) {}
