/**
 * A world: a cluster that somebody can do things to, and clients that see what comes of it. The simulator, real
 * processes and QEMU guests are three of them, and a scenario is played in each without a change.
 *
 * A world keeps time: everything that waits in it waits by Effect's clock, which is the simulator's own there.
 * It is opened in a scope and leaves nothing behind when that closes: no process, port or file.
 */
import { type Effect, type Either, Schema, type Scope } from "effect"
import type { Success } from "#actors/kernel/ask.ts"
import type { GrpcStatus } from "#actors/kernel/ports/grpc.ts"
import type { Finding } from "#chaos/checkers/evidence.ts"
import type { Action, ActionTag } from "#chaos/faults/action.ts"
import type { Employed } from "#chaos/workloads/workload.ts"
import type { Method } from "#protocols/wire/etcd/methods.ts"
import type { WatchCreateRequest, WatchResponse } from "#protocols/wire/etcd/watch.ts"

export const WorldKind = Schema.Literal("sim", "process", "qemu")
export type WorldKind = typeof WorldKind.Type

/** Nodes are named node01, node02, … */
export type NodeName = string
export const nodeName = (number: number): NodeName => `node${String(number).padStart(2, "0")}`

export interface ClusterShape {
  /** With which the cluster begins, all of them members of chainfire. */
  readonly nodes: number
  /** Machines that are there but whose node does not run before `Start`: it joins a group that it was added to. */
  readonly spares: number
  /** The components that one node at a time has; the failover coordinator assigns them. */
  readonly roles: ReadonlyArray<string>
  /** Of a node's zone, in the order of their names, again and again. */
  readonly zones: ReadonlyArray<string>
}

export interface WorldOptions {
  readonly shape: ClusterShape
  readonly seed: number
  /** Where it may put consoles, logs and disks; goes into the report. None is nowhere. */
  readonly folder: string | undefined
  /** What is worth a line while it comes up and goes down. */
  readonly note: (line: string) => void
}

/** Something that this world needs is missing on this machine. */
export class WorldBlocked extends Schema.TaggedError<WorldBlocked>()("WorldBlocked", {
  world: WorldKind,
  missing: Schema.String,
  remedy: Schema.String
}) {
  override get message() {
    return `the world "${this.world}" cannot be opened: ${this.missing}; ${this.remedy}`
  }
}

/** Its own doing, not the cluster's: the run says nothing then. */
export class WorldFailed extends Schema.TaggedError<WorldFailed>()("WorldFailed", {
  world: WorldKind,
  doing: Schema.String,
  reason: Schema.String
}) {
  override get message() {
    return `the world "${this.world}" failed to ${this.doing}: ${this.reason}`
  }
}

/** No answer: nobody there, not in time, or a refusal in the words of whoever refused. */
export class Unanswered extends Schema.TaggedError<Unanswered>()("Unanswered", {
  node: Schema.String,
  reason: Schema.String
}) {}

/** Its clients have ended before they were told to: somebody ended them, or they have crashed. */
export class WorkloadLost extends Schema.TaggedError<WorkloadLost>()("WorkloadLost", {
  workload: Schema.String,
  reason: Schema.String
}) {
  override get message() {
    return `the clients have ended before their time: ${this.workload}: ${this.reason}`
  }
}

export interface WatchOptions {
  readonly node: NodeName
  readonly request: Partial<WatchCreateRequest>
  /** How long the client takes over each response, at most; the member is held up by it. */
  readonly slowMillisMax: number
  readonly onResponse: (response: WatchResponse) => void
  /** There will be no more of it. */
  readonly onEnd: () => void
}

/** Clients of etcd, outside of the cluster: no cut between nodes cuts them off. */
export interface EtcdAccess {
  /** Calls back once, or never. */
  call<Req extends object, Answer extends object>(
    node: NodeName,
    method: Method<Req, Answer>,
    request: Partial<Req>,
    done: (answer: Either.Either<Answer, GrpcStatus>) => void
  ): void
  /** Returns what ends it from the side of the client. */
  watch(options: WatchOptions): () => void
  /**
   * Rings once, so much later by the clients' clock. Returns what takes it back. For patience with calls, of which
   * there are many: a timeout of Effect is two fibers more.
   */
  after(millis: number, ring: () => void): () => void
  /** Whether an error says that certainly nothing has happened. */
  isDefinite(status: GrpcStatus): boolean
}

export interface World {
  readonly kind: WorldKind
  /** Those that began, and spares behind them. */
  readonly nodes: ReadonlyArray<NodeName>
  /** How much longer everything takes than on a machine of one's own; bounds and patience grow with it. */
  readonly slowness: number
  /** For the report: accelerator, kernel, versions. */
  readonly facts: Readonly<Record<string, string>>
  readonly etcd: EtcdAccess
  /** As an operator who is connected to that node, in messages of the actor message API; waits a while. */
  readonly ask: <Asked extends Schema.TaggedRequest.All>(
    node: NodeName,
    path: string,
    request: Asked
  ) => Effect.Effect<Success<Asked>, Unanswered>
  /** Runs a workload, to its end, as an actor that operators see; a world without one just runs it. */
  readonly employ?: (name: string, workload: Employed) => Effect.Effect<void, WorkloadLost>
  readonly strike: (action: Action) => Effect.Effect<void, WorldFailed>
  /** Under which the node on that machine announces itself to others; known before it runs. */
  readonly peerUrl: (node: NodeName) => string
  /** Of the node's process, if the world can tell. */
  readonly residentBytes: (node: NodeName) => Effect.Effect<number | undefined>
  /** What nodes have printed or raised that nobody planned, in lines for people. */
  readonly complaints: () => ReadonlyArray<Complaint>
  /** What it looks into by itself when the run is over, such as disks; it can do nothing else any more after that. */
  readonly afterwards?: Effect.Effect<ReadonlyArray<Finding>>
}

/** A process that ended by itself, a supervisor that gave up, a kernel that panicked. */
export interface Complaint {
  /** By Effect's clock there; in evidence, since the run began. */
  readonly atMillis: number
  readonly node: NodeName
  readonly what: string
}

export interface WorldMaker {
  readonly kind: WorldKind
  /** Why it cannot do this, in a sentence; undefined if it can. */
  readonly cannot: (action: ActionTag) => string | undefined
  /** Returns when all nodes of the shape, spares apart, answer a linearizable read. */
  readonly open: (options: WorldOptions) => Effect.Effect<World, WorldBlocked | WorldFailed, Scope.Scope>
}
