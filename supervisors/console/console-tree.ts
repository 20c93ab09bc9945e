/**
 * The console in the tree of its node: a supervisor of its own, which starts it again more and more slowly and never
 * gives up, so that nothing of it reaches the rest of the node.
 */
import { Schedule } from "effect"
import * as Supervisor from "../engine/supervisor.ts"
import { child } from "../engine/tree.ts"
import { Console, type ConsoleArgs } from "./console-actor.ts"

/** Where the console of a node of that name lives. */
export const consolePath = (node: string): string => `/${node}/console/http`

export const consoleTree = (args: ConsoleArgs) =>
  child(
    Supervisor.make("console", {
      strategy: "one-for-one",
      intensity: { restarts: 1_000, within: "1 minute" },
      children: [
        child(Console, {
          name: "http",
          args,
          backoff: Schedule.exponential("100 millis").pipe(Schedule.union(Schedule.spaced("10 seconds")))
        })
      ]
    })
  )
