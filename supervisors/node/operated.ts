/**
 * A node as a command line runs it: its log on the output, a deadline for its stop, and what the environment says.
 *
 * With `Tree` a person looks on: the tree is drawn on a terminal, with the log's warnings below it, and elsewhere the
 * log comes as lines for people. With `Log` there is nothing but the log: JSON, unless it is a terminal.
 */
import { Effect } from "effect"
import type { ActorSystem } from "#actors/kernel/system.ts"
import { type NodeOptions, runNode } from "../node.ts"
import { type Known, type Recent, watchTree } from "../shell/watch-tree.ts"
import type { Addresses } from "../trees/node.ts"
import { readEnvironment } from "./environment.ts"
import { nodeLog, writeLines } from "./log.ts"
import { reportEvents } from "./report-events.ts"

/** Less than what systemd and the like wait until they kill. */
const stopMillisDefault = 15_000

export type Shows = { readonly _tag: "Log" } | ({ readonly _tag: "Tree" } & Omit<Known, "etcd">)

export const runOperated = (options: NodeOptions, shows: Shows) =>
  Effect.gen(function* () {
    const { logFormat, logLevel } = yield* readEnvironment(process.env)
    const isTerminal = process.stdout.isTTY === true
    const draws = shows._tag === "Tree" && isTerminal
    const format = logFormat ?? (isTerminal || shows._tag === "Tree" ? "pretty" : "json")
    const recent: Recent = { lines: [] }
    const write = draws ? (line: string) => void recent.lines.push(line) : writeLines(process.stdout, format)
    const log = nodeLog({ node: options.name, format, colour: isTerminal && !draws, write })
    const use = (system: ActorSystem<never>, { etcd }: Addresses) =>
      shows._tag === "Tree" ? watchTree(system, { ...shows, etcd: [etcd] }, recent) : reportEvents(system)
    return yield* runNode(
      {
        stopMillis: stopMillisDefault,
        ...options,
        // Below a drawing there is little room.
        ...(draws && { logLevel: "warn" }),
        ...(logLevel !== undefined && { logLevel })
      },
      use
    ).pipe(Effect.provide(log))
  })
