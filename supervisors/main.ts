/** The `ultracloud` command. For now it runs the demonstration node: `npm start`. */
import { NodeRuntime } from "@effect/platform-node"
import { Cause, Effect } from "effect"
import { describeCause } from "#actors/kernel/ref.ts"
import { runNode } from "./node.ts"

const demonstration = runNode({ name: "node01", annex: "forked" }).pipe(
  Effect.tapErrorCause((cause) =>
    Effect.sync(() => {
      if (Cause.isInterruptedOnly(cause)) return
      process.stderr.write(`ultracloud: ${describeCause(cause)}\n`)
    })
  )
)

// Whoever read our output is gone (`npm start | head`): stop in order instead of crashing on it.
process.stdout.on("error", () => process.kill(process.pid, "SIGINT"))

NodeRuntime.runMain(demonstration, { disableErrorReporting: true })
