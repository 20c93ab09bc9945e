/**
 * The numbers of a node as a whole, as Prometheus reads them: whether it is ready, whom it knows, its actors one by
 * one, and its process under the names that all exporters use. Components add their own behind it.
 *
 * Series are bounded: of a tree with very many actors those nearest to the root are shown, and how many are not.
 */
import type { MemberStatus } from "#protocols/membership.ts"
import type { ActorSnapshot } from "#protocols/runtime.ts"
import {
  exposition,
  type Labels,
  type MetricFamily,
  type MetricSample
} from "#protocols/wire/prometheus-text.ts"
import type { Health, Known } from "./health.ts"

/** Of the operating system and of Node. What is not known is not shown. */
export interface ProcessFigures {
  readonly cpuSeconds: number
  readonly residentBytes: number
  readonly heapBytes: number
  readonly externalBytes: number
  readonly startedSeconds: number
  readonly openFiles: number | undefined
  readonly openFilesMax: number | undefined
  /** Share of the time in which the event loop did something, since the last look. */
  readonly loopUtilization: number
  readonly loopDelaySecondsP99: number
}

/** What tells this node from others. */
export interface BuildLabels extends Labels {
  readonly version: string
  readonly node: string
  readonly cluster: string
  readonly zone: string
}

const actorsMax = 200

export interface NodeFacts {
  readonly known: Known
  readonly health: Health
  readonly process: ProcessFigures
  readonly build: BuildLabels
  /** Scrapes that found the numbers of a component missing, by component. */
  readonly silent: ReadonlyArray<string>
}

export const nodeMetrics = ({ build, health, known, process, silent }: NodeFacts): string => {
  const actors = nearest(known.tree)
  const total = known.tree === undefined ? 0 : count(known.tree)
  return exposition([
    gauge("ultracloud_build_info", "Which node this is; always 1.", [{ labels: build, value: 1 }]),
    gauge("ultracloud_live", "Whether /healthz says so.", [alone(Number(health.live))]),
    gauge("ultracloud_ready", "Whether /readyz says so.", [alone(Number(health.ready))]),
    gauge(
      "ultracloud_component_well",
      "Whether nothing is the matter with a component.",
      health.checks.map(({ component, reasons }) => ({
        labels: { component },
        value: Number(reasons.length === 0)
      }))
    ),
    gauge(
      "ultracloud_component_silent",
      "Components whose numbers are missing here, since they did not answer.",
      silent.map((component) => ({ labels: { component }, value: 1 }))
    ),
    gauge("ultracloud_members", "Nodes of the cluster as membership believes.", membersOf(known)),
    gauge("ultracloud_links", "Links to other nodes.", linksOf(known)),
    ...actorFamilies(actors),
    gauge("ultracloud_actors_unlisted", "Actors of which no numbers are shown one by one.", [
      alone(total - actors.length)
    ]),
    ...processFamilies(process)
  ])
}

type Sample = Omit<MetricSample, "suffix">

const family =
  (type: "counter" | "gauge") =>
  (name: string, help: string, samples: ReadonlyArray<Sample>): MetricFamily => ({
    ...{ name, help, type },
    samples: samples.map((sample) => ({ suffix: "", ...sample }))
  })
const gauge = family("gauge")
const counter = family("counter")

const alone = (value: number): Sample => ({ labels: {}, value })

const statuses: ReadonlyArray<MemberStatus> = ["alive", "suspect", "failed", "left"]

const membersOf = ({ members }: Known): ReadonlyArray<Sample> =>
  "silent" in members
    ? []
    : statuses.map((status) => ({
        labels: { status },
        value: members.filter((member) => member.status === status).length
      }))

const linksOf = ({ links }: Known): ReadonlyArray<Sample> =>
  "silent" in links
    ? []
    : ["linked", "dialing", "waiting"].map((state) => ({
        labels: { state },
        value: links.filter((link) => link.state === state).length
      }))

// Actors

const count = (actor: ActorSnapshot): number => actor.children.reduce((sum, child) => sum + count(child), 1)

/** Level by level, so that components come before what is deep inside one of them. */
const nearest = (tree: ActorSnapshot | undefined): ReadonlyArray<ActorSnapshot> => {
  const found: Array<ActorSnapshot> = tree === undefined ? [] : [tree]
  for (let next = 0; next < found.length && found.length < actorsMax; next++) {
    found.push(...(found[next]?.children ?? []).slice(0, actorsMax - found.length))
  }
  return found
}

const actorFamilies = (actors: ReadonlyArray<ActorSnapshot>): ReadonlyArray<MetricFamily> => {
  const each = (value: (actor: ActorSnapshot) => number): ReadonlyArray<Sample> =>
    actors.map((actor) => ({ labels: { path: actor.path }, value: value(actor) }))
  return [
    gauge(
      "ultracloud_actor_up",
      "Whether an actor runs.",
      each(({ status }) => Number(status === "running"))
    ),
    counter(
      "ultracloud_actor_lives_total",
      "Lives of an actor, the present one included.",
      each(({ incarnation }) => incarnation)
    ),
    gauge(
      "ultracloud_actor_mailbox_messages",
      "Messages that wait for an actor.",
      each(({ mailbox }) => mailbox)
    ),
    counter(
      "ultracloud_actor_messages_handled_total",
      "Messages that an actor has handled.",
      each(({ handled }) => handled)
    ),
    counter(
      "ultracloud_actor_messages_dropped_total",
      "Messages to an actor that were not handled.",
      each(({ dropped }) => dropped)
    ),
    counter(
      "ultracloud_actor_handler_seconds_total",
      "Time in the handlers of an actor, estimated.",
      each(({ handlerMillis }) => handlerMillis / 1_000)
    )
  ]
}

// The process

const processFamilies = (figures: ProcessFigures): ReadonlyArray<MetricFamily> => {
  const perhaps = (value: number | undefined) => (value === undefined ? [] : [alone(value)])
  return [
    counter("process_cpu_seconds_total", "Processor time, user and system.", [alone(figures.cpuSeconds)]),
    gauge("process_resident_memory_bytes", "Memory of the process.", [alone(figures.residentBytes)]),
    gauge("process_start_time_seconds", "When it started, since 1970.", [alone(figures.startedSeconds)]),
    gauge("process_open_fds", "Files and sockets that are open.", perhaps(figures.openFiles)),
    gauge("process_max_fds", "How many may be.", perhaps(figures.openFilesMax)),
    gauge("nodejs_heap_size_used_bytes", "Of the JavaScript heap, in use.", [alone(figures.heapBytes)]),
    gauge("nodejs_external_memory_bytes", "Of buffers outside of it.", [alone(figures.externalBytes)]),
    gauge("nodejs_eventloop_utilization", "Share of the time that the event loop was busy.", [
      alone(figures.loopUtilization)
    ]),
    gauge("nodejs_eventloop_lag_p99_seconds", "By how much timers were late, 99th percentile.", [
      alone(figures.loopDelaySecondsP99)
    ])
  ]
}
