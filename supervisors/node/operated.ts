/**
 * A node as a command line runs it: its log on the output, a deadline for its stop, and what the environment says.
 *
 * Where a person looks on, `show` has the output: a terminal is drawn on, with the log below the drawing, and of the log
 * there are warnings only. Without it there is nothing but the log: JSON, unless the output is a terminal.
 */
import { Effect, type Scope } from "effect"
import type { ActorSystem } from "#actors/kernel/system.ts"
import { type NodeOptions, runNode } from "../node.ts"
import type { Recent } from "../shell/watch-tree.ts"
import type { Addresses } from "../trees/node.ts"
import { readEnvironment } from "./environment.ts"
import { formatVariable, nodeLog, writeLines } from "./log.ts"
import type { LogFormat } from "./log-line.ts"
import { reportEvents } from "./report-events.ts"
import { stopMillisDefault } from "./stop-deadline.ts"
import type { TraceOptions } from "./traces.ts"

const recentMax = 100

export interface OperatedOptions extends Omit<NodeOptions, "traces"> {
  /** Without it it depends on who reads. */
  readonly logFormat?: LogFormat
  /** Without an endpoint, here or in the environment, nothing is traced. */
  readonly traces?: Partial<TraceOptions>
}

/** `recent`: what the log has said, for below a drawing. `ready`: until it is ready. */
export type Show<E, R> = (
  system: ActorSystem<never>,
  addresses: Addresses,
  recent: Recent,
  ready: Effect.Effect<void>
) => Effect.Effect<unknown, E, R>

export const runOperated = <E = never, R = never>(
  { logFormat, traces, ...options }: OperatedOptions,
  show?: Show<E, R>
) =>
  Effect.gen(function* () {
    const environment = yield* readEnvironment(process.env)
    const endpoint = environment.endpoint ?? traces?.endpoint
    const ratio = environment.ratio ?? traces?.ratio
    const logLevel = environment.logLevel ?? options.logLevel ?? (show === undefined ? "info" : "warn")
    const isTerminal = process.stdout.isTTY === true
    const draws = show !== undefined && isTerminal
    const format =
      environment.logFormat ?? logFormat ?? (isTerminal || show !== undefined ? "pretty" : "json")
    process.env[formatVariable] = format
    const recent: Recent = { lines: [] }
    const keep = (line: string) => {
      recent.lines.push(line)
      if (recent.lines.length > recentMax) recent.lines.shift()
    }
    const write = draws ? keep : writeLines(process.stdout, format)
    const log = nodeLog({ node: options.name, format, colour: isTerminal && !draws, write })
    return yield* runNode(
      {
        stopMillis: stopMillisDefault,
        ...options,
        logLevel,
        ...(endpoint !== undefined && {
          traces: { ...traces, endpoint, ...(ratio !== undefined && { ratio }) }
        })
      },
      (system, addresses, ready): Effect.Effect<unknown, E, R | Scope.Scope> =>
        show === undefined ? reportEvents(system) : show(system, addresses, recent, ready)
    ).pipe(Effect.provide(log))
  })
