/**
 * What a run has left behind for those who judge it, and what they say. All of it is data: a checker asks nobody.
 */
import { Schema } from "effect"
import type { Action } from "#chaos/faults/action.ts"
import type { Complaint, NodeName, WorldKind } from "#chaos/lab/world.ts"
import type { EtcdInput, EtcdOutput } from "#chaos/models/etcd-model.ts"
import type { MemberStatus } from "#protocols/membership.ts"
import type { History } from "./history.ts"
import type { ChangeSeen, WatchSeen } from "./watch-completeness.ts"

/** Times are milliseconds since the run began, by the clock of the world. */
export interface Evidence {
  /** How much longer everything takes in this world; bounds in checks are multiplied with it. */
  readonly slowness: number
  /** When the schedule had ended, everything was healed, and whoever had been down answered again. */
  readonly peaceMillis: number
  readonly endedMillis: number
  readonly timeline: ReadonlyArray<Struck>
  readonly history: History<EtcdInput, EtcdOutput>
  readonly watches: ReadonlyArray<WatchSeen>
  /** What watches and clients complained of, such as a cancelled watch. */
  readonly problems: ReadonlyArray<string>
  /** All changes of the store by its own account at the end; undefined: nobody could tell. */
  readonly changes: ReadonlyArray<ChangeSeen> | undefined
  readonly holdings: ReadonlyArray<Holding>
  readonly sights: ReadonlyArray<Sight>
  /** The state of each node that was up when peace was over. */
  readonly final: ReadonlyArray<FinalState>
  readonly complaints: ReadonlyArray<Complaint>
}

/** An action that was carried out, or the end of one. */
export interface Struck {
  readonly atMillis: number
  /** Undefined: nothing was done, it is but a mark. */
  readonly action: Action | undefined
  /** `describeAction`, or what else is worth a mark. */
  readonly what: string
  /** Of the fault in the schedule that it belongs to, and whether it is its end. */
  readonly fault: string
  readonly ends: boolean
  readonly nodes: ReadonlyArray<NodeName>
}

/** Somebody believed to hold something exclusive: a lock of clients, or a role of nodes. */
export interface Holding {
  readonly what: string
  readonly holder: string
  /** Each new holder has a larger one: a creation revision, or an epoch. */
  readonly fence: number
  /** Then it certainly did not believe so yet. */
  readonly notBeforeMillis: number
  /** From then on it certainly did: it was told, or said so itself. */
  readonly fromMillis: number
  /** When it gave it back, or stopped believing, at the earliest; undefined: it held it to the end. */
  readonly untilMillis: number | undefined
  /** When it was told that it has it no longer, without having given it back. */
  readonly lostMillis: number | undefined
  /** The lease behind it by the holder's own clock: it was to stop believing then. Undefined: there is none. */
  readonly leaseMillis: number | undefined
  /** Whether what it guards refuses whoever comes with a smaller fence. */
  readonly fenced: boolean
}

/** What was seen of one node at a time while the run went on. */
export interface Sight {
  readonly atMillis: number
  readonly node: NodeName
  /** Undefined: it did not answer. */
  readonly status: NodeStatus | undefined
}

export interface NodeStatus {
  readonly leader: NodeName | undefined
  readonly term: number
  readonly appliedIndex: number
  readonly residentBytes: number | undefined
  /** How often each actor of its tree was started again since the node began; those that never were are not in it. */
  readonly restartsByPath: Readonly<Record<string, number>>
  /** As its membership has it, by name; empty while it was not asked yet. */
  readonly members: Readonly<Record<NodeName, MemberStatus>>
  /** Open: it has stopped automation in some zone, or everywhere. */
  readonly fleetBreaker: "open" | "closed" | undefined
}

export interface FinalState {
  readonly node: NodeName
  readonly revision: number
  /** Of all keys and versions up to that revision. */
  readonly hash: number
  readonly voter: boolean
}

/**
 * `unknown`: it could not be decided within the bounds; that is no success.
 * `skipped`: it was not looked into, for a reason that is no fault of the run; that is neither success nor failure.
 */
export const Verdict = Schema.Literal("passed", "failed", "unknown", "skipped")
export type Verdict = typeof Verdict.Type

export class Finding extends Schema.Class<Finding>("Finding")({
  check: Schema.String,
  verdict: Verdict,
  /** What was looked at and what is wrong, a line each; for a success one line with numbers. */
  lines: Schema.Array(Schema.String),
  /** Ids of operations of the history that show it. */
  operations: Schema.Array(Schema.Int)
}) {}

export interface Check {
  readonly name: string
  /** In a sentence, for operators. */
  readonly holds: string
  /** Only there it can be told; everywhere where nothing is said. */
  readonly worlds?: ReadonlyArray<WorldKind>
  readonly judge: (evidence: Evidence, bounds: JudgeBounds) => Finding
}

export interface JudgeBounds {
  readonly nowMillis: () => number
  readonly millisMax: number
}

export const passed = (check: string, line: string): Finding =>
  new Finding({ check, verdict: "passed", lines: [line], operations: [] })

/** Of looks into nodes. Whoever was looked into knows at least itself as a member. */
export const treesOf = (sights: ReadonlyArray<Sight>): ReadonlyArray<NodeStatus> =>
  sights.flatMap(({ status }) =>
    status === undefined || Object.keys(status.members).length === 0 ? [] : [status]
  )

/** There was nothing to look at, or not enough time. */
export const unknown = (check: string, ...lines: ReadonlyArray<string>): Finding =>
  new Finding({ check, verdict: "unknown", lines, operations: [] })

/** For what comes in addition to the checks of a scenario, where this machine or this run does not allow it. */
export const skipped = (check: string, why: string): Finding =>
  new Finding({ check, verdict: "skipped", lines: [`not looked into: ${why}`], operations: [] })

/** Passes when there is nothing to complain of. */
export const finding = (
  check: string,
  problems: ReadonlyArray<string>,
  line: string,
  operations: ReadonlyArray<number> = []
): Finding =>
  problems.length === 0
    ? passed(check, line)
    : new Finding({ check, verdict: "failed", lines: problems, operations })
