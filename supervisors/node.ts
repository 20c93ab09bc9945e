/**
 * One node: picks the real ports and runs a tree on them until it ends or is told to stop.
 *
 * For now the tree is the demonstration. Ctrl-C interrupts, which stops the tree in reverse order.
 */
import { Cause, Effect } from "effect"
import * as ActorSystem from "#actors/kernel/system.ts"
import { live } from "./live.ts"
import { watchTree } from "./shell/watch-tree.ts"
import { demonstration } from "./trees/demonstration.ts"

export interface NodeOptions {
  readonly name: string
  /** Where the second shop of the demonstration runs. */
  readonly annex: "local" | "threaded" | "forked"
}

/** Runs until interrupted. Fails when the tree gives up, with the reason. */
export const runNode = ({ annex, name }: NodeOptions) =>
  Effect.gen(function* () {
    const system = yield* ActorSystem.make(name, demonstration(name, annex))
    yield* Effect.forkScoped(watchTree(system))
    // Stops here rather than with the scope, so that the watcher still shows it.
    const ended = yield* Effect.onInterrupt(system.ended, () => system.stop)
    if (!Cause.isEmpty(ended.cause)) yield* Effect.failCause(ended.cause)
  }).pipe(Effect.scoped, Effect.provide(live))
