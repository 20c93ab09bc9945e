/**
 * Reads data directories that power cuts have left, one after the other, for a process that must not die of
 * one. It gets paths by message, answers each with what the member remembers or why it does not open, and ends
 * when nobody listens any more.
 */
import { enableCompileCache } from "node:module"
import { fileURLToPath } from "node:url"

enableCompileCache(fileURLToPath(new URL("../../../node_modules/.cache/ultracloud", import.meta.url)))
const { Cause, Effect, Exit } = await import("effect")
const { rememberedIn } = await import("./member-reader.ts")

const problemOf = (problem: unknown): string => (problem instanceof Error ? problem.message : String(problem))

process.on("message", (path) => {
  if (typeof path !== "string") throw new TypeError("a message is the path of a data directory")
  Effect.runCallback(rememberedIn(path), {
    onExit: (exit) =>
      process.send?.(
        Exit.match(exit, {
          onSuccess: (remembered) => ({ remembered }),
          onFailure: (cause) => ({ problem: problemOf(Cause.squash(cause)) })
        })
      )
  })
})
process.once("disconnect", () => process.kill(process.pid, "SIGKILL"))
