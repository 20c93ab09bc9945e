/**
 * Delivery: what can come back instead of an answer when one actor asks another.
 *
 * Promised: every ask ends by its deadline, with the answer, the request's own failure, or one of these
 * faults. Two messages from one actor to another are handled in the order sent, each at most once.
 *
 * Not promised: that a tell is handled. A tell to a dead, restarting or full actor is a dead letter:
 * counted, sampled, published as an event, and silent to its sender.
 */
import { Schema } from "effect"
import type { FaultUnion } from "./fault.ts"

const target = { path: Schema.String, request: Schema.String }

/** The deadline passed first. The request may be handled still, or may have been. */
export class DeadlineExceeded extends Schema.TaggedError<DeadlineExceeded>()("DeadlineExceeded", {
  ...target,
  deadlineMillis: Schema.Number
}) {
  readonly definite = false
  override get message() {
    return `${this.path} did not answer ${this.request} within ${this.deadlineMillis} ms; it may still act on it: read its state before asking again`
  }
}

/** The mailbox was at its bound. The request was not taken. */
export class MailboxFull extends Schema.TaggedError<MailboxFull>()("MailboxFull", {
  ...target,
  capacity: Schema.Int
}) {
  readonly definite = true
  override get message() {
    return `${this.path} did not take ${this.request}: its mailbox is full at ${this.capacity} messages; nothing happened, ask again after a pause`
  }
}

/** Nobody is there: stopped for good, or between a crash and its restart. The request was not handled. */
export class ActorUnavailable extends Schema.TaggedError<ActorUnavailable>()("ActorUnavailable", {
  ...target,
  why: Schema.Literal("stopped", "stopping", "restarting", "not found", "link lost")
}) {
  readonly definite = true
  override get message() {
    const passing = this.why === "restarting" || this.why === "stopping" || this.why === "link lost"
    const next = passing ? "ask again after a pause" : "look it up again"
    return `${this.path} did not take ${this.request}: ${this.why}; nothing happened, ${next}`
  }
}

/** The actor crashed while it handled this request, so the request may be half done. */
export class ActorCrashed extends Schema.TaggedError<ActorCrashed>()("ActorCrashed", {
  ...target,
  reason: Schema.String
}) {
  readonly definite = false
  override get message() {
    return `${this.path} crashed while handling ${this.request}: ${this.reason}; it may be half done: read its state once it is back`
  }
}

/** The actor has no handler for such a message. */
export class UnknownMessage extends Schema.TaggedError<UnknownMessage>()("UnknownMessage", {
  ...target,
  accepts: Schema.Array(Schema.String)
}) {
  readonly definite = true
  override get message() {
    return `${this.path} does not know ${this.request}; it accepts ${this.accepts.join(", ") || "no messages"}`
  }
}

/** The link broke after the request had left, so nobody knows how far it got. */
export class LinkLost extends Schema.TaggedError<LinkLost>()("LinkLost", {
  ...target,
  reason: Schema.String
}) {
  readonly definite = false
  override get message() {
    return `the link to ${this.path} was lost while ${this.request} was under way (${this.reason}); it may have been acted on: read the state once it is back`
  }
}

/** What arrived is not what the schema of the message says. */
export class MalformedMessage extends Schema.TaggedError<MalformedMessage>()("MalformedMessage", {
  ...target,
  problem: Schema.String
}) {
  readonly definite = true
  override get message() {
    return `${this.path} did not take ${this.request}: ${this.problem}; both sides must run the same version of its schema`
  }
}

/** The sender is known, and may not do that there. */
export class NotPermitted extends Schema.TaggedError<NotPermitted>()("NotPermitted", {
  ...target,
  actorId: Schema.String,
  /** What it takes; empty for what no client may send. */
  needs: Schema.String
}) {
  readonly definite = true
  override get message() {
    const next =
      this.needs === ""
        ? "no client may send it"
        : `it takes ${this.needs} there: use a token that grants it, or ask who may issue one`
    return `${this.actorId} may not send ${this.request} to ${this.path}: ${next}`
  }
}

/** The message was not carried: one of the ends takes none of that size. */
export class MessageTooLarge extends Schema.TaggedError<MessageTooLarge>()("MessageTooLarge", {
  ...target,
  bytes: Schema.Int,
  bytesMax: Schema.Int
}) {
  readonly definite = true
  override get message() {
    return `${this.request} for ${this.path} has ${this.bytes} bytes and the link takes ${this.bytesMax}; nothing happened, send it in smaller pieces`
  }
}

/** It was handled, and its answer has a size that the link does not carry. */
export class AnswerTooLarge extends Schema.TaggedError<AnswerTooLarge>()("AnswerTooLarge", {
  ...target,
  bytes: Schema.Int,
  bytesMax: Schema.Int
}) {
  readonly definite = false
  override get message() {
    return `the answer of ${this.path} to ${this.request} has ${this.bytes} bytes and the link takes ${this.bytesMax}; it was handled: ask for less at a time`
  }
}

/** All that can come back from any ask, besides its own answer and failure. */
export const DeliveryFault = Schema.Union(
  DeadlineExceeded,
  MailboxFull,
  ActorUnavailable,
  ActorCrashed,
  UnknownMessage,
  LinkLost,
  MalformedMessage,
  NotPermitted,
  MessageTooLarge,
  AnswerTooLarge
)
export type DeliveryFault = FaultUnion<typeof DeliveryFault.Type>

/** A name in the local registry, or among the children of one actor, has one holder at a time. */
export class NameTaken extends Schema.TaggedError<NameTaken>()("NameTaken", {
  name: Schema.String,
  holder: Schema.String
}) {
  readonly definite = true
  override get message() {
    return `the name ${this.name} is taken by ${this.holder}; stop that actor first or choose another name`
  }
}
