/**
 * `result.json`: what a run came to, in the schema that all proof lanes share. `skipped` and `blocked` are states of
 * their own with a reason, and never a success.
 *
 * Beside what all lanes have there is `plan`: what has to be told to the runner to play the same run again.
 */
import { DateTime, Schema } from "effect"
import type { Finding } from "#chaos/checkers/evidence.ts"
import { WorldKind } from "#chaos/lab/world.ts"
import { Outcome, type Run } from "../run.ts"
import { type Measures, measure } from "./measures.ts"

export const Plan = Schema.Struct({
  scenario: Schema.String,
  world: WorldKind,
  /** Null: as the scenario has it. */
  nodes: Schema.NullOr(Schema.Int),
  for_ms: Schema.NullOr(Schema.Number),
  /** Its actions came from another run's timeline, and not from the schedule of the scenario. */
  played_back: Schema.Boolean,
  /** The report whose run this one repeats, or whose schedule it shortens. */
  from: Schema.NullOr(Schema.String)
})
export type Plan = typeof Plan.Type

const Environment = Schema.Struct({
  cpu: Schema.String,
  /** Whether the machine has it; whether it was used says `accel`. */
  kvm: Schema.Boolean,
  accel: Schema.String,
  node: Schema.String
})

export const Result = Schema.Struct({
  lane: Schema.String,
  success: Schema.Boolean,
  state: Outcome,
  reason: Schema.optionalWith(Schema.String, { exact: true }),
  started_at: Schema.String,
  finished_at: Schema.String,
  git: Schema.String,
  seed: Schema.Int,
  environment: Environment,
  steps: Schema.Array(
    Schema.Struct({
      name: Schema.String,
      ok: Schema.Boolean,
      /** Files of the report, with the place in them. */
      evidence: Schema.Array(Schema.String)
    })
  ),
  metrics: Schema.Record({ key: Schema.String, value: Schema.Number }),
  /** What was looked at, in sentences; whatever is not here was not. */
  scope: Schema.Array(Schema.String),
  plan: Schema.NullOr(Plan)
})
export type Result = typeof Result.Type

export const ResultJson = Schema.parseJson(Result, { space: 2 })

/** What the machine says of itself. */
export interface Machine {
  readonly cpu: string
  readonly kvm: boolean
  readonly node: string
  readonly git: string
}

export const fileNames = {
  result: "result.json",
  page: "report.html",
  history: "history.jsonl",
  /** The rest of the evidence, for checks that are made later. */
  evidence: "evidence.jsonl",
  timeline: "timeline.jsonl",
  findings: "findings.jsonl",
  nodes: "nodes"
} as const

export const resultOf = (run: Run, machine: Machine, from: string | undefined): Result => {
  const { evidence, findings, options, outcome, reason, scenario, world } = run
  return {
    lane: `chaos/${scenario.name}`,
    success: outcome === "passed",
    state: outcome,
    ...(reason !== undefined && { reason }),
    started_at: isoTime(run.startedMillis),
    finished_at: isoTime(run.finishedMillis),
    git: machine.git,
    seed: options.seed,
    environment: {
      cpu: machine.cpu,
      kvm: machine.kvm,
      accel: run.facts["accelerator"] ?? "none",
      node: machine.node
    },
    // What was not looked into is no step, and said in the scope.
    steps: findings.flatMap((finding, index) =>
      finding.verdict === "skipped"
        ? []
        : [{ name: finding.check, ok: finding.verdict === "passed", evidence: evidenceOf(finding, index) }]
    ),
    metrics: metricsOf(run),
    scope: [
      `the world is "${world}"`,
      scenario.says,
      ...scenario.checks
        .filter(({ name }) => findings.some(({ check }) => check === name))
        .map(({ holds, name }) => `${name}: ${holds}`),
      ...findings.flatMap(({ check, lines, verdict }) =>
        verdict === "skipped" ? lines.map((line) => `${check}: ${line}`) : []
      ),
      ...(evidence === undefined ? [] : [`times of the schedule and of bounds times ${evidence.slowness}`])
    ],
    plan: {
      scenario: scenario.name,
      world,
      nodes: options.nodes ?? null,
      for_ms: options.forMillis ?? null,
      played_back: options.playBack !== undefined,
      from: from ?? null
    }
  }
}

export const isoTime = (millis: number): string => DateTime.formatIso(DateTime.unsafeMake(millis))

const linesMax = 100

const evidenceOf = ({ operations }: Finding, index: number): ReadonlyArray<string> => [
  `${fileNames.findings}:${index + 1}`,
  // The first line of a history is its heading.
  ...operations.slice(0, linesMax).map((id) => `${fileNames.history}:${id + 2}`)
]

const metricsOf = ({ actions, evidence, finishedMillis, startedMillis }: Run): Result["metrics"] => {
  const realMillis = finishedMillis - startedMillis
  const own = { real_ms: realMillis, actions: actions.length }
  if (evidence === undefined) return own
  return {
    ...own,
    ran_ms: evidence.endedMillis,
    times_real_time: realMillis > 0 ? rounded(evidence.endedMillis / realMillis) : 0,
    complaints: evidence.complaints.length,
    ...metricsOfMeasures(measure(evidence))
  }
}

const metricsOfMeasures = ({ latency, ...measures }: Measures): Result["metrics"] => ({
  operations_answered: measures.answered,
  operations_failed: measures.failed,
  operations_unknown: measures.unknown,
  answered_per_second: rounded(measures.answeredPerSecond),
  ...(latency !== undefined && {
    latency_p50_ms: rounded(latency.p50Millis),
    latency_p95_ms: rounded(latency.p95Millis),
    latency_p99_ms: rounded(latency.p99Millis),
    latency_max_ms: rounded(latency.maxMillis)
  }),
  silence_max_ms: rounded(measures.silenceMillisMax),
  leader_changes: measures.leaderChanges
})

const rounded = (number: number): number => Math.round(number * 1000) / 1000
