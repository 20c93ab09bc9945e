/**
 * Supervision: how an actor gets children that are restarted for it, without knowing what a supervisor is.
 *
 * `supervisors/engine` implements it. The values here are also how trees are declared: a supervisor is an
 * actor like any other, and its children are a list to be read from top to bottom.
 *
 * Promised: OTP's semantics for start order, restarts, escalation and stop order.
 * Not promised: state across a restart. What must survive goes to storage.
 */
import { Context, type Duration, type Schedule } from "effect"
import type {
  DeleteChild,
  Restart,
  RestartChild,
  StartDynamicChild,
  TerminateChild,
  WhichChildren
} from "#protocols/supervision.ts"
import type { Actor } from "../actor.ts"

/** One child and how it is treated. */
export interface ChildSpec<out Services = never> {
  readonly name: string
  readonly actor: Actor<never, never, Services>
  /** What its `init` gets. */
  readonly args: unknown
  /** `permanent` unless stated. */
  readonly restart: Restart
  /** Its end may end the supervisor; see `autoShutdown`. Permanent children cannot be. */
  readonly significant: boolean
  /** Until it is killed; 5 seconds unless stated, without limit for a supervisor. */
  readonly shutdown: Duration.DurationInput | "kill"
  readonly startDeadline: Duration.DurationInput
  /** Delays between restarts; none unless stated. */
  readonly backoff: Schedule.Schedule<unknown, unknown> | undefined
}

export interface SupervisorSpec<Services> {
  /** Who restarts along with a child: nobody, everybody, or those started after it. */
  readonly strategy: "one-for-one" | "one-for-all" | "rest-for-one"
  /** How many restarts within which period are fine: 1 in 5 seconds unless stated. */
  readonly intensity?: { readonly restarts: number; readonly within: Duration.DurationInput }
  /** Whether the end of significant children ends the supervisor; "never" unless stated. */
  readonly autoShutdown?: "never" | "any-significant" | "all-significant"
  /** In start order. */
  readonly children: ReadonlyArray<ChildSpec<Services>>
}

/** Children that are all alike, started by message. */
export interface DynamicSpec<Args, Services> {
  readonly child: Actor<never, Args, Services>
  readonly restart?: Restart
  readonly shutdown?: Duration.DurationInput | "kill"
  readonly startDeadline?: Duration.DurationInput
  readonly backoff?: Schedule.Schedule<unknown, unknown>
  readonly intensity?: SupervisorSpec<never>["intensity"]
}

/** What every supervisor answers. */
export type SupervisorRequest =
  | TerminateChild
  | RestartChild
  | DeleteChild
  | StartDynamicChild
  | WhichChildren

export interface Supervision {
  readonly supervisor: <S>(name: string, spec: SupervisorSpec<S>) => Actor<SupervisorRequest, void, S>
  readonly dynamic: <A, S>(name: string, spec: DynamicSpec<A, S>) => Actor<SupervisorRequest, void, S>
}

export const Supervision = Context.GenericTag<Supervision>("kernel/Supervision")
