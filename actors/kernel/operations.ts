/**
 * What an operator has done to actors of one system, and asks about them: see protocols/operations.ts. An actor in a
 * cell is in a system of its own, which is asked over its link; those of other nodes are a matter of their nodes.
 */
import { Cause, Effect, Exit } from "effect"
import type { WithResult } from "effect/Schema"
import {
  ActorResumed,
  ActorSuspended,
  CellSilent,
  ExplainCrash,
  GetDeadLetters,
  type LogLevel,
  LogLevelSet,
  NotRunning,
  ResumeActor,
  type SetLogLevel,
  SuspendActor,
  TraceActor
} from "#protocols/operations.ts"
import { NoSuchActor } from "#protocols/runtime.ts"
import { exposition, type MetricFamily } from "#protocols/wire/prometheus-text.ts"
import { ask, type Failure, type Success, type Tagged } from "./ask.ts"
import type { CrashSeen, Instance } from "./instance.ts"
import type { ActorRef } from "./ref.ts"
import type { ActorSystem } from "./system.ts"
import { Tap } from "./tap.ts"
import { Callback } from "./timer-wheel.ts"

export const ownRequests = [SuspendActor, ResumeActor, ExplainCrash, TraceActor, GetDeadLetters] as const
/** About an actor of this node, wherever in it. */
export type OwnRequest = InstanceType<(typeof ownRequests)[number]>

const patienceMillis = 1_000
const suspendMillis = 60_000
/** How long a tap stays after it was asked about last. */
const traceMillis = 5_000
const causeCharactersMax = 4_000

/** Here, or in the cell where it lives. What changed something is published here. */
export const operate = <Asked extends OwnRequest>(
  system: ActorSystem,
  request: Asked,
  behind: (path: string) => ActorRef<OwnRequest> | undefined
): Effect.Effect<Success<Asked>, Failure<Asked>> =>
  Effect.suspend(() => {
    const path = request.path ?? `/${system.name}`
    const cell = system.isOwn(path) ? behind(path) : undefined
    if (cell === undefined) return operateHere(system, request) as Exit.Exit<Success<Asked>, Failure<Asked>>
    return Effect.mapError(
      ask(cell as ActorRef<Asked>, request, patienceMillis),
      (fault) =>
        (fault instanceof NoSuchActor || fault instanceof NotRunning
          ? fault
          : new CellSilent({ path, cell: cell.path, request: request._tag })) as Failure<Asked>
    )
  }).pipe(Effect.tap((answer) => Effect.sync(() => announce(system, request, answer))))

type Answered = Exit.Exit<WithResult.Success<OwnRequest>, WithResult.Failure<OwnRequest>>

/** In this system alone. */
export const operateHere = (system: ActorSystem, request: OwnRequest): Answered => {
  if (request instanceof GetDeadLetters) {
    const { deadLetters } = system
    return Exit.succeed({ total: deadLetters.total, recent: deadLetters.recent() })
  }
  const found = system.find(request.path)
  if (found instanceof NoSuchActor) return Exit.fail(found)
  if (request instanceof SuspendActor) return suspend(found, request.forMillis ?? suspendMillis)
  if (request instanceof ResumeActor) return Exit.succeed(found.resume())
  if (request instanceof TraceActor) return Exit.succeed(traced(found, request.after))
  return Exit.succeed({ actor: found.snapshot(0), crash: reportOf(found.crash) })
}

const suspend = (actor: Instance, forMillis: number): Answered => {
  const { path, status } = actor
  if (status !== "running") return Exit.fail(new NotRunning({ path, status }))
  actor.suspend(forMillis)
  return Exit.succeed({ forMillis })
}

const announce = (system: ActorSystem, request: OwnRequest, answer: unknown): void => {
  const atMillis = system.clock.wallMillis()
  if (request instanceof SuspendActor) {
    const { by, forMillis = suspendMillis, path, reason } = request
    system.events.publish(new ActorSuspended({ path, by, reason, forMillis, atMillis }))
    system.log("warn", `${by} has ${path} wait for ${forMillis} ms: ${reason}`)
  } else if (request instanceof ResumeActor && answer === true) {
    const { by, path, reason } = request
    system.events.publish(new ActorResumed({ path, by, reason, atMillis }))
    system.log("warn", `${by} has ${path} go on: ${reason}`)
  }
}

const reportOf = (crash: CrashSeen | undefined) => {
  if (crash === undefined) return null
  const { cause, ...rest } = crash
  return { ...rest, cause: Cause.pretty(cause, { renderErrorCause: true }).slice(0, causeCharactersMax) }
}

const traced = (actor: Instance, after: number) => {
  const { system } = actor
  actor.tap ??= { tap: new Tap(system.clock), ends: new Callback(() => (actor.tap = undefined)) }
  const { ends, tap } = actor.tap
  system.timers.start(ends, traceMillis)
  return { seen: tap.seen, messages: tap.after(after) }
}

export const setLogLevel = (system: ActorSystem, { by, level, reason }: SetLogLevel): LogLevel => {
  const before = system.logLevel
  system.logLevel = level
  const atMillis = system.clock.wallMillis()
  system.events.publish(new LogLevelSet({ before, level, by, reason, atMillis }))
  // Of this very change everybody shall read, whatever is logged from now on.
  system.log("error", `${by} has this node log from ${level} on, before from ${before}: ${reason}`)
  return before
}

/** Counters start anew with the process, and when an actor is forgotten its part is gone. */
export const runtimeMetrics = (system: ActorSystem): string => {
  const sums = { handled: 0, dropped: 0, mailbox: 0, handlerMillis: 0, restarts: 0, suspended: 0 }
  const add = (actor: Instance): void => {
    sums.handled += actor.handled
    sums.dropped += actor.dropped
    sums.mailbox += actor.queued
    sums.handlerMillis += actor.handlerMillis
    sums.restarts += actor.incarnation - 1
    if (actor.isSuspended) sums.suspended++
    for (const child of actor.children?.values() ?? []) add(child)
  }
  const root = system.find(`/${system.name}`)
  if (!(root instanceof NoSuchActor)) add(root)
  const family = (type: "counter" | "gauge", name: string, help: string, value: number): MetricFamily => ({
    name: `ultracloud_${name}`,
    help,
    type,
    samples: [{ suffix: "", labels: {}, value }]
  })
  return exposition([
    family("gauge", "actors", "Actors of this process.", system.actors),
    family("gauge", "actors_suspended", "Actors whose mailbox waits by order.", sums.suspended),
    family("counter", "actor_restarts_total", "Lives of actors after their first.", sums.restarts),
    family("counter", "dead_letters_total", "Messages that reached nobody.", system.deadLetters.total),
    family("counter", "handler_seconds_total", "Time in handlers, estimated.", sums.handlerMillis / 1_000),
    family("gauge", "mailbox_messages", "Messages that wait in mailboxes.", sums.mailbox),
    family("counter", "messages_dropped_total", "Messages that were not handled.", sums.dropped),
    family("counter", "messages_handled_total", "Messages that were handled.", sums.handled)
  ])
}

/** What tells something apart in a message: enough to know what was done to whom, and no secret. */
const naming = [
  "name",
  "path",
  "role",
  "node",
  "zone",
  "level",
  "member",
  "old",
  "peerUrl",
  "target",
  "reason"
]
const namedCharactersMax = 200

export const aboutOf = (encoded: unknown): string =>
  typeof encoded !== "object" || encoded === null
    ? ""
    : Object.entries(encoded)
        .filter(([field, value]) => naming.includes(field) && isPlain(value))
        .map(([field, value]) => `${field} ${String(value).slice(0, namedCharactersMax)}`)
        .join(", ")

const isPlain = (value: unknown): boolean => typeof value === "string" || typeof value === "number"

export const isOwnRequest = (value: Tagged): value is OwnRequest =>
  ownRequests.some((message) => value instanceof message)
