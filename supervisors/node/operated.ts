/**
 * A node as a command line runs it: its log on the output, a deadline for its stop, and what the environment says.
 *
 * With `tree` a person looks on: the tree is drawn on a terminal, with the log's warnings below it, and elsewhere the
 * log comes as lines for people. With `log` there is nothing but the log: JSON, unless it is a terminal.
 */
import { Effect } from "effect"
import type { ActorSystem } from "#actors/kernel/system.ts"
import { type NodeOptions, runNode } from "../node.ts"
import { type Recent, watchTree } from "../shell/watch-tree.ts"
import { readEnvironment } from "./environment.ts"
import { formatVariable, nodeLog, writeLines } from "./log.ts"
import { reportEvents } from "./report-events.ts"

/** Less than what systemd and the like wait until they kill. */
const stopMillisDefault = 15_000

export const runOperated = (options: NodeOptions, shows: "tree" | "log") =>
  Effect.gen(function* () {
    const { endpoint, logFormat, logLevel, ratio } = yield* readEnvironment(process.env)
    const isTerminal = process.stdout.isTTY === true
    const draws = shows === "tree" && isTerminal
    const format = logFormat ?? (isTerminal || shows === "tree" ? "pretty" : "json")
    process.env[formatVariable] = format
    const recent: Recent = { lines: [] }
    const write = draws ? (line: string) => void recent.lines.push(line) : writeLines(process.stdout, format)
    const log = nodeLog({ node: options.name, format, colour: isTerminal && !draws, write })
    const use = (system: ActorSystem<never>) =>
      shows === "tree" ? watchTree(system, recent) : reportEvents(system)
    return yield* runNode(
      {
        stopMillis: stopMillisDefault,
        ...options,
        // Below a drawing there is little room.
        ...(draws && { logLevel: "warn" }),
        ...(logLevel !== undefined && { logLevel }),
        ...(endpoint !== undefined && { traces: { endpoint, ...(ratio !== undefined && { ratio }) } })
      },
      use
    ).pipe(Effect.provide(log))
  })
