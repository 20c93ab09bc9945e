/**
 * What an operator asks of a node about its actors, and has done to them, besides looking at the tree: why one
 * crashed, what goes through it, whether it may go on. The node's `introspection` takes all of it.
 *
 * Promised: whatever changes something is an event of the node that says who wanted it and why, and is logged. A
 * suspension and a trace end by themselves. Of messages that go through an actor nobody sees more than their
 * shape: numbers, truth values and how long a text is, never the text.
 *
 * Not promised: that a trace holds every message. It keeps so many a second, and says how many there were.
 */
import { Schema } from "effect"
import { ActorId, event, observe, operate, Permission } from "./message.ts"
import { ActorSnapshot, DeadLetter, NoSuchActor } from "./runtime.ts"

// Values

const Path = Schema.String.pipe(Schema.startsWith("/"), Schema.maxLength(4_096))

/** Who, as the gate has authenticated them, and why. */
const order = { path: Path, by: ActorId, reason: Schema.NonEmptyString }

export const suspendMillisMax = 3_600_000

/** How an actor ended last, if that was not planned. */
export const CrashReport = Schema.Struct({
  /** Which life it was. */
  incarnation: Schema.Int,
  atMillis: Schema.Number,
  /** The tag of the message that it was handling; empty during init and stop. */
  handling: Schema.String,
  /** The whole chain of causes, with stacks, cut at a few thousand characters. */
  cause: Schema.String
})
export type CrashReport = typeof CrashReport.Type

export const TracedMessage = Schema.Struct({
  /** Counted since the trace began; a gap is what was not kept. */
  number: Schema.Int,
  atMillis: Schema.Number,
  kind: Schema.Literal("tell", "ask"),
  tag: Schema.String,
  /** Its fields, without what is in texts. */
  shape: Schema.String,
  /** How many waited behind it. */
  mailbox: Schema.Int
})
export type TracedMessage = typeof TracedMessage.Type

/** From what is of least weight to what is of most. */
export const LogLevel = Schema.Literal("debug", "info", "warn", "error")
export type LogLevel = typeof LogLevel.Type

/** Whether it is logged where `threshold` is, and all that is worse. */
export const isLogged = (level: LogLevel, threshold: LogLevel): boolean =>
  LogLevel.literals.indexOf(level) >= LogLevel.literals.indexOf(threshold)

/** What a node was started with. */
export const NodeConfig = Schema.Struct({
  node: Schema.String,
  cluster: Schema.String,
  zone: Schema.String,
  version: Schema.String,
  /** The file that describes the cluster; empty where there is none. */
  file: Schema.String,
  /** SHA-256 of what that file says, however it is written: the same on nodes that were given the same. */
  digest: Schema.String,
  /** `host:port`. */
  links: Schema.String,
  etcd: Schema.String,
  pid: Schema.Int,
  startedAtMillis: Schema.Number
})
export type NodeConfig = typeof NodeConfig.Type

// Faults

/** The process in which the actor lives was told, and said nothing. */
export class CellSilent extends Schema.TaggedError<CellSilent>()(
  "CellSilent",
  { path: Schema.String, cell: Schema.String, request: Schema.String },
  { description: "The cell of that actor did not answer: it may have done it, or not." }
) {
  readonly definite = false
  override get message() {
    return `${this.cell} did not confirm ${this.request} of ${this.path}: look at the actor before you order it again`
  }
}

/** It has ended, or has not begun. */
export class NotRunning extends Schema.TaggedError<NotRunning>()(
  "NotRunning",
  { path: Schema.String, status: Schema.String },
  { description: "Only an actor that runs can be suspended." }
) {
  readonly definite = true
  override get message() {
    return `${this.path} is ${this.status}, so nothing was suspended; wait until it runs`
  }
}

export class NoConfig extends Schema.TaggedError<NoConfig>()(
  "NoConfig",
  { path: Schema.String },
  { description: "Nobody told that system what it was started with." }
) {
  readonly definite = true
  override get message() {
    return `${this.path} does not know what its node was started with; ask the introspection of a whole node`
  }
}

// Requests to the introspection of a node, about its own actors, cells included

const OwnFault = Schema.Union(NoSuchActor, CellSilent)

export class SuspendActor extends Schema.TaggedRequest<SuspendActor>()(
  "SuspendActor",
  {
    payload: {
      ...order,
      forMillis: Schema.optional(Schema.Number.pipe(Schema.between(1, suspendMillisMax)))
    },
    success: Schema.Struct({ forMillis: Schema.Number }),
    failure: Schema.Union(NoSuchActor, CellSilent, NotRunning)
  },
  operate(
    "Has the mailbox of an actor wait until ResumeActor, at most for `forMillis` (1 min unless stated). It can be stopped and may crash meanwhile; its next life is not suspended.",
    { repeatable: true }
  )
) {}

export class ResumeActor extends Schema.TaggedRequest<ResumeActor>()(
  "ResumeActor",
  { payload: order, success: Schema.Boolean, failure: OwnFault },
  operate("Has a suspended actor go on. Succeeds with whether it was suspended.", { repeatable: true })
) {}

export class ExplainCrash extends Schema.TaggedRequest<ExplainCrash>()(
  "ExplainCrash",
  {
    payload: { path: Path },
    success: Schema.Struct({ actor: ActorSnapshot, crash: Schema.NullOr(CrashReport) }),
    failure: OwnFault
  },
  observe("An actor without what is below it, and how it ended last where that was not planned.")
) {}

export class TraceActor extends Schema.TaggedRequest<TraceActor>()(
  "TraceActor",
  {
    payload: { path: Path, after: Schema.Int },
    success: Schema.Struct({ seen: Schema.Int, messages: Schema.Array(TracedMessage) }),
    failure: OwnFault
  },
  observe(
    "The messages that an actor handled, sampled, those with numbers above `after`. The first such request begins the trace; it ends 5 s after the last one."
  )
) {}

export class GetDeadLetters extends Schema.TaggedRequest<GetDeadLetters>()(
  "GetDeadLetters",
  {
    payload: { path: Schema.optional(Path) },
    success: Schema.Struct({ total: Schema.Int, recent: Schema.Array(DeadLetter) }),
    failure: OwnFault
  },
  observe(
    "How many messages reached nobody on this node, and the last of them, oldest first; with the path of a cell, there."
  )
) {}

export class SetLogLevel extends Schema.TaggedRequest<SetLogLevel>()(
  "SetLogLevel",
  {
    payload: { level: LogLevel, by: ActorId, reason: Schema.NonEmptyString },
    success: Schema.Struct({ before: LogLevel }),
    failure: Schema.Never
  },
  operate("What this node's actors log from now on, until it starts anew; its cells stay as they are.", {
    repeatable: true
  })
) {}

export class GetConfig extends Schema.TaggedRequest<GetConfig>()(
  "GetConfig",
  { payload: {}, success: NodeConfig, failure: NoConfig },
  observe("What this node was started with, and the digest of the file that says so.")
) {}

export class GetRuntimeMetrics extends Schema.TaggedRequest<GetRuntimeMetrics>()(
  "GetRuntimeMetrics",
  { payload: {}, success: Schema.String, failure: Schema.Never },
  observe("The numbers of this node's actors, as Prometheus reads them.")
) {}

// Events

export class ActorSuspended extends Schema.TaggedClass<ActorSuspended>()(
  "ActorSuspended",
  { ...order, by: Schema.String, forMillis: Schema.Number, atMillis: Schema.Number },
  event("Somebody had the mailbox of an actor wait.")
) {}

export class ActorResumed extends Schema.TaggedClass<ActorResumed>()(
  "ActorResumed",
  { ...order, by: Schema.String, atMillis: Schema.Number },
  event("Somebody had a suspended actor go on. One whose time was over goes on without an event.")
) {}

export class LogLevelSet extends Schema.TaggedClass<LogLevelSet>()(
  "LogLevelSet",
  {
    before: LogLevel,
    level: LogLevel,
    by: Schema.String,
    reason: Schema.String,
    atMillis: Schema.Number
  },
  event("Somebody changed what a node logs.")
) {}

export class ClientActed extends Schema.TaggedClass<ClientActed>()(
  "ClientActed",
  {
    by: Schema.String,
    path: Schema.String,
    request: Schema.String,
    needs: Permission,
    /** Of its fields those that name something: whom or what it is about, and why. */
    about: Schema.String,
    atMillis: Schema.Number
  },
  event(
    "A client of this node sent a message that takes more than observe, and may. Not of those that programs send all the time, such as writes of keys."
  )
) {}
