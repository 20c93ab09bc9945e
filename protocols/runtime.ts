/**
 * What a running actor system tells about itself: the events of its life, and its tree as one message.
 *
 * Promised: the events of one actor come in the order they happened. A snapshot is taken in one go: no
 * message is handled between its first and its last line.
 *
 * Not promised: every event. A subscriber that does not keep up loses the newest, dead letters and
 * overflows are sampled, and `handlerMillis` is an estimate from one message in up to 64.
 */
import { Schema } from "effect"
import { ActorId, admin, event, observe } from "./message.ts"

// Values

/** `suspended`: it would run, and its mailbox waits because somebody said so. */
export const ActorStatus = Schema.Literal("starting", "running", "suspended", "stopping", "down", "gone")
export type ActorStatus = typeof ActorStatus.Type

export const EndReason = Schema.Literal(
  "finished",
  "shutdown",
  "crashed",
  "killed",
  "ignored",
  "absent",
  "lost",
  "node-lost"
)

const life = { path: Schema.String, incarnation: Schema.Int, atMillis: Schema.Number }

/** One actor as seen from outside; `children` in start order. */
export interface ActorSnapshot {
  readonly path: string
  readonly name: string
  /** The name of its declaration. */
  readonly kind: string
  /** What its parent says about it, such as `one-for-one` or `permanent`; may be empty. */
  readonly role: string
  readonly status: ActorStatus
  /** Which life: 1 for the first. */
  readonly incarnation: number
  readonly mailbox: number
  readonly handled: number
  readonly dropped: number
  /** Estimated time in handlers of all its lives. */
  readonly handlerMillis: number
  readonly lastCrash: string
  readonly children: ReadonlyArray<ActorSnapshot>
}

export const ActorSnapshot: Schema.Schema<ActorSnapshot> = Schema.Struct({
  path: Schema.String,
  name: Schema.String,
  kind: Schema.String,
  role: Schema.String,
  status: ActorStatus,
  incarnation: Schema.Int,
  mailbox: Schema.Int,
  handled: Schema.Int,
  dropped: Schema.Int,
  handlerMillis: Schema.Number,
  lastCrash: Schema.String,
  children: Schema.Array(Schema.suspend(() => ActorSnapshot))
}).annotations({ identifier: "ActorSnapshot" })

// Faults

export class NoSuchActor extends Schema.TaggedError<NoSuchActor>()(
  "NoSuchActor",
  { path: Schema.String, nearest: Schema.String, children: Schema.Array(Schema.String) },
  { description: "No actor is at that path." }
) {
  readonly definite = true
  override get message() {
    const below = this.children.length === 0 ? "no children" : this.children.slice(0, 10).join(", ")
    return `there is no actor at ${this.path}; ${this.nearest} exists and has ${below}: choose a path from there`
  }
}

/** An actor whose `init` did not end in time. */
export class StartTimedOut extends Schema.TaggedError<StartTimedOut>()("StartTimedOut", {
  path: Schema.String,
  afterMillis: Schema.Number
}) {
  override get message() {
    return `${this.path} did not start within ${this.afterMillis} ms, so it was interrupted; see what its init waits for, or raise its start deadline`
  }
}

/** An actor that could not start: its init failed, crashed or gave up. */
export class StartFailed extends Schema.TaggedError<StartFailed>()("StartFailed", {
  path: Schema.String,
  reason: Schema.String
}) {
  readonly definite = true
  override get message() {
    return `${this.path} did not start: ${this.reason}; mend what its init needs and start it again`
  }
}

/** A stash at its bound: the actor that stashes crashes, since a message would be lost otherwise. */
export class StashFull extends Schema.TaggedError<StashFull>()("StashFull", {
  path: Schema.String,
  request: Schema.String,
  stashMax: Schema.Int
}) {
  override get message() {
    return `${this.path} cannot stash ${this.request}: its stash is full at ${this.stashMax} messages; unstash earlier or raise stashMax`
  }
}

/** The actor this one was linked to ended abnormally, so this one ends too. */
export class LinkedActorEnded extends Schema.TaggedError<LinkedActorEnded>()("LinkedActorEnded", {
  path: Schema.String,
  linked: Schema.String,
  reason: Schema.String
}) {
  override get message() {
    return `${this.path} ended because ${this.linked}, which it is linked to, was ${this.reason}; mend that one first`
  }
}

/** The process in which the actor lives was told, and said nothing. */
export class CrashUnconfirmed extends Schema.TaggedError<CrashUnconfirmed>()(
  "CrashUnconfirmed",
  { path: Schema.String, cell: Schema.String },
  { description: "The cell of that actor did not answer: it may have crashed, or not." }
) {
  readonly definite = false
  override get message() {
    return `${this.cell} did not confirm the crash of ${this.path}: look at its restarts before you order it again`
  }
}

// Requests

export class GetTree extends Schema.TaggedRequest<GetTree>()(
  "GetTree",
  {
    payload: { path: Schema.optional(Schema.String), depth: Schema.optional(Schema.Int) },
    success: ActorSnapshot,
    failure: NoSuchActor
  },
  observe(
    "The tree of actors at and below path, down to depth levels. From the root and in full unless stated."
  )
) {}

export class Inspect extends Schema.TaggedRequest<Inspect>()(
  "Inspect",
  {
    payload: { path: Schema.String },
    success: Schema.Struct({ actor: ActorSnapshot, state: Schema.Unknown }),
    failure: NoSuchActor
  },
  observe("An actor and what it shows of its state, which is what its declaration chose to show.")
) {}

export class InjectCrash extends Schema.TaggedRequest<InjectCrash>()(
  "InjectCrash",
  {
    payload: { path: Schema.String, by: ActorId, reason: Schema.NonEmptyString },
    success: Schema.Boolean,
    failure: Schema.Union(NoSuchActor, CrashUnconfirmed)
  },
  admin(
    "Crashes an actor of this node as a defect in its handler would, for drills. Succeeds with whether it ran: between two lives it is left alone."
  )
) {}

// Events

export class CrashInjected extends Schema.TaggedClass<CrashInjected>()(
  "CrashInjected",
  { path: Schema.String, by: ActorId, reason: Schema.NonEmptyString, atMillis: Schema.Number },
  event("Somebody had an actor crash. Comes before the ActorFailed of that crash.")
) {}

export class ActorStarted extends Schema.TaggedClass<ActorStarted>()(
  "ActorStarted",
  life,
  event("A life of an actor has begun: it takes messages from now on.")
) {}

export class ActorEnded extends Schema.TaggedClass<ActorEnded>()(
  "ActorEnded",
  { ...life, reason: EndReason, cause: Schema.String },
  event("A life of an actor is over. The reason says how, the cause says why where it was not planned.")
) {}

export class ActorFailed extends Schema.TaggedClass<ActorFailed>()(
  "ActorFailed",
  {
    ...life,
    /** What it was handling; empty during init and stop. */
    handling: Schema.String,
    cause: Schema.String
  },
  event("An actor has crashed. Comes before the ActorEnded of the same life, at the moment of the crash.")
) {}

export class ActorRestarted extends Schema.TaggedClass<ActorRestarted>()(
  "ActorRestarted",
  { ...life, supervisor: Schema.String },
  event("A supervisor has started an actor again after its life had ended.")
) {}

export class SupervisorEscalated extends Schema.TaggedClass<SupervisorEscalated>()(
  "SupervisorEscalated",
  { ...life, reason: Schema.String },
  event("A supervisor gave up and passed the problem to the supervisor above.")
) {}

export class MailboxOverflow extends Schema.TaggedClass<MailboxOverflow>()(
  "MailboxOverflow",
  { ...life, dropped: Schema.Int, capacity: Schema.Int },
  event("A mailbox was at its capacity, so messages were dropped. Sampled: dropped counts all of them.")
) {}

export class SlowHandler extends Schema.TaggedClass<SlowHandler>()(
  "SlowHandler",
  { ...life, handling: Schema.String, tookMillis: Schema.Number },
  event(
    "A handler took longer than the dispatcher allows, and all other actors of its process waited for it."
  )
) {}

export class DeadLetter extends Schema.TaggedClass<DeadLetter>()(
  "DeadLetter",
  {
    path: Schema.String,
    atMillis: Schema.Number,
    message: Schema.String,
    why: Schema.String,
    /** All dead letters of this system so far, this one included. */
    total: Schema.Int
  },
  event("A message reached nobody who would handle it. Sampled: total counts all of them.")
) {}

export class ActorAbandoned extends Schema.TaggedClass<ActorAbandoned>()(
  "ActorAbandoned",
  life,
  event(
    "An actor was killed and still holds on to something: a fiber or finalizer that cannot be interrupted."
  )
) {}

export const RuntimeEvent = Schema.Union(
  ActorStarted,
  ActorEnded,
  ActorFailed,
  ActorRestarted,
  SupervisorEscalated,
  MailboxOverflow,
  SlowHandler,
  DeadLetter,
  ActorAbandoned,
  CrashInjected
)
export type RuntimeEvent = typeof RuntimeEvent.Type
