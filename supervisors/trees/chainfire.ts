/**
 * The coordination store on one node:
 *
 *   member   opens its journal and its store, takes part in the group, and serves clients. Restarted, it reads
 *            back what it had; of clients' streams watches begin again where they were, calls are tried again
 *
 * A disk that fails ends the member, and opening it may fail again at once. So it is started again more and more
 * slowly, without an end: the rest of the node goes on, and other members serve.
 */
import { Schedule } from "effect"
import { Chainfire, type MemberArgs } from "#actors/chainfire/member-actor.ts"
import * as Supervisor from "../engine/supervisor.ts"
import { child } from "../engine/tree.ts"

/** Where a member lives on a node of that name. */
export const memberPath = (node: string): string => `/${node}/chainfire/member`

/** Who joins a group waits to be let in. */
const startDeadline = "1 minute"

export const chainfire = (args: Omit<MemberArgs, "pathOf">) =>
  Supervisor.make("chainfire", {
    strategy: "one-for-one",
    intensity: { restarts: 1_000, within: "1 minute" },
    children: [
      child(Chainfire, {
        name: "member",
        args: { ...args, pathOf: memberPath },
        startDeadline,
        backoff: Schedule.exponential("100 millis").pipe(Schedule.union(Schedule.spaced("10 seconds")))
      })
    ]
  })
