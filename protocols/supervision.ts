/**
 * Supervision: what one can ask any supervisor, and how a supervisor's end reads.
 *
 * Promised: the semantics of OTP's `supervisor` module, answers included: a child that was stopped by
 * request keeps its place (unless it is temporary) and can be started again or deleted; a change to the
 * children never restarts another child.
 *
 * Not promised: that requests are served while a group of children is being restarted; they wait.
 */
import { Schema } from "effect"
import type { FaultUnion } from "./fault.ts"
import { admin, observe, operate } from "./message.ts"

// Values

export const Restart = Schema.Literal("permanent", "transient", "temporary")
export type Restart = typeof Restart.Type

/** `waiting`: between a crash and its restart. `stopped`: it has a place, and does not run. */
export const ChildStatus = Schema.Literal("starting", "running", "stopping", "waiting", "stopped")
export type ChildStatus = typeof ChildStatus.Type

export const ChildInfo = Schema.Struct({
  name: Schema.String,
  path: Schema.String,
  restart: Restart,
  status: ChildStatus,
  /** How often it was started. */
  starts: Schema.Int
})
export type ChildInfo = typeof ChildInfo.Type

/** What became of a child after it had ended by itself. */
export const Decision = Schema.Struct({
  atMillis: Schema.Number,
  /** Why it had ended. */
  reason: Schema.String,
  decided: Schema.String,
  /** Who was stopped and started along with it. */
  along: Schema.Array(Schema.String)
})
export type Decision = typeof Decision.Type

// Faults

const child = { supervisor: Schema.String, name: Schema.String }

export class ChildNotFound extends Schema.TaggedError<ChildNotFound>()(
  "ChildNotFound",
  { ...child, known: Schema.Array(Schema.String) },
  { description: "It has no child of that name." }
) {
  readonly definite = true
  override get message() {
    return `${this.supervisor} has no child ${this.name}; it has ${this.known.slice(0, 10).join(", ") || "none"}`
  }
}

export class ChildRunning extends Schema.TaggedError<ChildRunning>()("ChildRunning", child, {
  description: "The request needs a child that does not run."
}) {
  readonly definite = true
  override get message() {
    return `${this.supervisor} already runs ${this.name}; stop it first with TerminateChild`
  }
}

export class ChildRestarting extends Schema.TaggedError<ChildRestarting>()("ChildRestarting", child, {
  description: "The request needs a child that does not run, and this one is about to be restarted."
}) {
  readonly definite = true
  override get message() {
    return `${this.supervisor} is about to restart ${this.name}; wait for it, or end its restarts with TerminateChild`
  }
}

export class ChildPresent extends Schema.TaggedError<ChildPresent>()("ChildPresent", child, {
  description: "The name has a place already, though nothing runs there."
}) {
  readonly definite = true
  override get message() {
    return `${this.supervisor} has a stopped child ${this.name}; start it with RestartChild or remove it with DeleteChild`
  }
}

export class DynamicChildren extends Schema.TaggedError<DynamicChildren>()("DynamicChildren", child, {
  description: "Dynamic children have no place to come back to."
}) {
  readonly definite = true
  override get message() {
    return `${this.supervisor} has dynamic children, which cannot be restarted or deleted by request; use TerminateChild and StartDynamicChild`
  }
}

export class UnfitChild extends Schema.TaggedError<UnfitChild>()(
  "UnfitChild",
  { ...child, reason: Schema.String, remedy: Schema.String },
  { description: "The declaration of a child does not fit the supervisor that is to take it." }
) {
  readonly definite = true
  override get message() {
    return `${this.supervisor} cannot take ${this.name}: ${this.reason}; ${this.remedy}`
  }
}

export class ChildStartFailed extends Schema.TaggedError<ChildStartFailed>()(
  "ChildStartFailed",
  { ...child, reason: Schema.String },
  { description: "The new life of a child did not get through its init." }
) {
  readonly definite = true
  override get message() {
    return `${this.supervisor} could not start ${this.name}: ${this.reason}; mend what its init needs and try again`
  }
}

/** A supervisor that gives up: its children crash more often than it may restart them. */
export class RestartLimitReached extends Schema.TaggedError<RestartLimitReached>()("RestartLimitReached", {
  supervisor: Schema.String,
  child: Schema.String,
  restarts: Schema.Int,
  withinMillis: Schema.Number,
  reason: Schema.String
}) {
  override get message() {
    return `${this.supervisor} gave up: more than ${this.restarts} restarts within ${this.withinMillis} ms, the last of ${this.child} (${this.reason}); mend that child, then start ${this.supervisor} again or raise its intensity`
  }
}

/** The schedule of a child's backoff has come to its end. */
export class BackoffExhausted extends Schema.TaggedError<BackoffExhausted>()("BackoffExhausted", {
  ...child,
  reason: Schema.String
}) {
  override get message() {
    return `${this.supervisor} gave up: the backoff of ${this.name} allows no further restart (${this.reason}); mend that child or let its schedule recur for longer`
  }
}

/** What a supervisor may answer instead of doing what it was asked. */
export const SupervisionFault = Schema.Union(
  ChildNotFound,
  ChildRunning,
  ChildRestarting,
  ChildPresent,
  DynamicChildren,
  UnfitChild,
  ChildStartFailed
)
export type SupervisionFault = FaultUnion<typeof SupervisionFault.Type>

// Requests

export class TerminateChild extends Schema.TaggedRequest<TerminateChild>()(
  "TerminateChild",
  { payload: { name: Schema.String }, success: Schema.Void, failure: SupervisionFault },
  operate(
    "Stops a child, by its deadline at the latest. It stays down until asked for; a temporary or dynamic one is gone."
  )
) {}

export class RestartChild extends Schema.TaggedRequest<RestartChild>()(
  "RestartChild",
  { payload: { name: Schema.String }, success: Schema.Boolean, failure: SupervisionFault },
  operate("Starts a stopped child. Succeeds with whether it runs now: its init may have chosen not to.")
) {}

export class DeleteChild extends Schema.TaggedRequest<DeleteChild>()(
  "DeleteChild",
  { payload: { name: Schema.String }, success: Schema.Void, failure: SupervisionFault },
  admin("Removes a stopped child for good.")
) {}

export class StartDynamicChild extends Schema.TaggedRequest<StartDynamicChild>()(
  "StartDynamicChild",
  {
    payload: { name: Schema.String, args: Schema.Unknown },
    success: Schema.Boolean,
    failure: SupervisionFault
  },
  admin(
    "Starts one more child of a dynamic supervisor, from its template. Succeeds with whether it runs now."
  )
) {}

export class WhichChildren extends Schema.TaggedRequest<WhichChildren>()(
  "WhichChildren",
  { payload: {}, success: Schema.Array(ChildInfo), failure: Schema.Never },
  observe("The children of a supervisor in start order.")
) {}

export class ExplainChild extends Schema.TaggedRequest<ExplainChild>()(
  "ExplainChild",
  {
    payload: { name: Schema.String },
    success: Schema.Struct({
      child: ChildInfo,
      strategy: Schema.String,
      /** Restarts of any of its children within the period, this moment. */
      restarts: Schema.Int,
      /** One more than these within the period, and it gives up. */
      restartsMax: Schema.Int,
      withinMillis: Schema.Number,
      /** The last one; null where the child has not ended by itself in this life of the supervisor. */
      decision: Schema.NullOr(Decision)
    }),
    failure: ChildNotFound
  },
  observe("What a supervisor decided when a child ended, and how many restarts it has left.")
) {}
