/**
 * The oracle: what OTP's own `supervisor` does in a scenario, to hold ours against.
 *
 * A scenario is a tree and a list of actions on it; a trace says what was seen after the boot and after
 * each action, once the tree had settled. Only what OTP does deterministically is in a trace, so that the
 * same scenario always has the same trace, and any difference to our engine is a difference in behaviour.
 *
 * Where OTP ends siblings at the same time, in no order (the instances of a dynamic supervisor that
 * stops, and the orphans of one that was killed), the trace lists them last started first.
 */

import { Either, ParseResult, Schema } from "effect"
import { ErlangFailed, erlangAvailable, runErlang } from "./erlang-peer.ts"

// Scenarios

export interface OracleChild {
  readonly name: string
  readonly restart: "permanent" | "transient" | "temporary"
  readonly significant?: boolean
  /** Milliseconds. Workers stop at once, so only `"brutal"` makes a difference. */
  readonly shutdown: number | "brutal"
  /** The start attempts of this path, counted from 1 and never reset, that fail with the reason `planned`. */
  readonly initFailures: ReadonlyArray<number>
  /** The start attempts that answer `ignore`. */
  readonly ignoreStarts?: ReadonlyArray<number>
  /** Makes this child a supervisor. */
  readonly supervisor?: OracleSupervisor
}

export interface OracleSupervisor {
  readonly strategy: "one-for-one" | "one-for-all" | "rest-for-one" | "dynamic"
  /** OTP counts in whole seconds, rounded up here: make the window long, or the restarts 0. */
  readonly intensity: { readonly restarts: number; readonly withinMillis: number }
  readonly autoShutdown: "never" | "any-significant" | "all-significant"
  /** A dynamic supervisor has exactly one, the template of its instances. */
  readonly children: ReadonlyArray<OracleChild>
}

/** Names from the root, which is `[]`, down. */
export type OraclePath = ReadonlyArray<string>

export type OracleAction =
  /** Ends a process by itself. A supervisor stops its children first, unless the reason is `kill`. */
  | {
      readonly kind: "exit"
      readonly path: OraclePath
      readonly reason: "normal" | "shutdown" | "crash" | "kill"
    }
  | { readonly kind: "terminate-child" | "restart-child" | "delete-child"; readonly path: OraclePath }
  /**
   * The path is the supervisor's. Of a child for a dynamic one only the name, `initFailures` and
   * `ignoreStarts` count: the template says the rest. A running instance's name is `already_started`.
   */
  | { readonly kind: "start-child"; readonly path: OraclePath; readonly child: OracleChild }

export interface Scenario {
  readonly root: OracleSupervisor
  readonly actions: ReadonlyArray<OracleAction>
}

// Traces

const Path = Schema.Array(Schema.String)

/** The start of a supervisor follows the starts of its children: it has its outcome only then. */
const Started = Schema.Struct({
  event: Schema.Literal("start"),
  path: Path,
  attempt: Schema.Int,
  outcome: Schema.Literal("ok", "failed", "ignored")
})

/** A `stop` was ordered by the parent, or caused by its death; an `exit` came from inside. */
const Ended = Schema.Struct({
  event: Schema.Literal("stop", "exit"),
  path: Path,
  reason: Schema.String
})

const OracleEvent = Schema.Union(Started, Ended)
export type OracleEvent = typeof OracleEvent.Type

/**
 * A child and, if it is a running supervisor, its children: in start order, instances of a dynamic
 * supervisor in the order in which they were added. OTP knows a third state, `restarting`, but a tree
 * in which a child is restarting has not settled.
 */
export interface OracleNode {
  readonly name: string
  readonly state: "running" | "undefined"
  readonly children?: ReadonlyArray<OracleNode>
}

const OracleNode: Schema.Schema<OracleNode> = Schema.Struct({
  name: Schema.String,
  state: Schema.Literal("running", "undefined"),
  children: Schema.optionalWith(Schema.Array(Schema.suspend((): Schema.Schema<OracleNode> => OracleNode)), {
    exact: true
  })
})

const Step = Schema.Struct({
  events: Schema.Array(OracleEvent),
  /**
   * Of a management call: `ok`, `ignored` (started, and the start was ignored), or OTP's error as text,
   * such as `not_found`. `noproc` if whoever was to be called, or to exit, was not running. Else null.
   */
  answer: Schema.NullOr(Schema.String),
  tree: Schema.Array(OracleNode),
  /** Why the root ended, or could not start. Null while it runs. */
  rootEnding: Schema.NullOr(Schema.String)
})
export type Step = typeof Step.Type

/** The boot, then one step for each action. */
const Trace = Schema.Array(Step)
export type Trace = typeof Trace.Type

export const otpAvailable = erlangAvailable

/** Plays all scenarios in one Erlang node, and answers in their order. Rejects with `ErlangFailed`. */
export const runOnOtp = async (scenarios: ReadonlyArray<Scenario>): Promise<ReadonlyArray<Trace>> => {
  const printed = await runErlang({
    source: new URL("./otp-oracle.erl", import.meta.url),
    input: scenarios.map((scenario) => `${scenarioTerm(scenario)}.\n`).join(""),
    flags: [],
    // On a busy machine Erlang alone may take seconds to start.
    deadlineMillis: 60_000 + 100 * scenarios.length
  })
  const traces = printed
    .split("\n")
    .filter((line) => line !== "")
    .map(readTrace)
  if (traces.length !== scenarios.length) {
    throw unreadable(`${traces.length} traces of ${scenarios.length} scenarios`)
  }
  return traces
}

const decodeTrace = Schema.decodeEither(Schema.parseJson(Trace))

const readTrace = (line: string): Trace =>
  Either.getOrThrowWith(decodeTrace(line), (error) =>
    unreadable(ParseResult.TreeFormatter.formatErrorSync(error))
  )

const unreadable = (detail: string) => new ErlangFailed({ module: "otp-oracle", step: "read", detail })

// Scenarios as Erlang terms

const strategies = {
  "one-for-one": "one_for_one",
  "one-for-all": "one_for_all",
  "rest-for-one": "rest_for_one",
  dynamic: "simple_one_for_one"
} as const

const autoShutdowns = {
  never: "never",
  "any-significant": "any_significant",
  "all-significant": "all_significant"
} as const

const kinds = {
  exit: "exit",
  "terminate-child": "terminate_child",
  "restart-child": "restart_child",
  "delete-child": "delete_child",
  "start-child": "start_child"
} as const

const scenarioTerm = ({ actions, root }: Scenario): string =>
  mapTerm({ root: supervisorTerm(root), actions: listTerm(actions.map(actionTerm)) })

const supervisorTerm = ({ autoShutdown, children, intensity, strategy }: OracleSupervisor): string =>
  mapTerm({
    strategy: strategies[strategy],
    intensity: `${intensity.restarts}`,
    period: `${Math.ceil(intensity.withinMillis / 1_000)}`,
    auto_shutdown: autoShutdowns[autoShutdown],
    children: listTerm(children.map(childTerm))
  })

const childTerm = (child: OracleChild): string =>
  mapTerm({
    name: textTerm(child.name),
    restart: child.restart,
    significant: `${child.significant ?? false}`,
    shutdown: child.shutdown === "brutal" ? "brutal_kill" : `${child.shutdown}`,
    failures: listTerm(child.initFailures.map(String)),
    ignores: listTerm((child.ignoreStarts ?? []).map(String)),
    ...(child.supervisor && { supervisor: supervisorTerm(child.supervisor) })
  })

const actionTerm = (action: OracleAction): string =>
  mapTerm({
    kind: kinds[action.kind],
    path: listTerm(action.path.map(textTerm)),
    ...(action.kind === "exit" && { reason: action.reason }),
    ...(action.kind === "start-child" && { child: childTerm(action.child) })
  })

const mapTerm = (fields: Readonly<Record<string, string>>): string =>
  `#{${Object.entries(fields)
    .map(([key, term]) => `${key} => ${term}`)
    .join(", ")}}`

const listTerm = (terms: ReadonlyArray<string>): string => `[${terms.join(", ")}]`

const textTerm = (text: string): string => `<<"${text.replace(/[^ !#-[\]-~]/gu, escaped)}"/utf8>>`

const escaped = (point: string): string => `\\x{${(point.codePointAt(0) ?? 0).toString(16)}}`
