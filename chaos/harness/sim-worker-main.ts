/**
 * Plays scenarios in the simulator, on a thread of its own: a simulation gives way to nothing until it has ended, and
 * whoever started it wants to go on drawing, and to hear of Ctrl-C.
 */
import { enableCompileCache } from "node:module"
import { fileURLToPath } from "node:url"
import { parentPort } from "node:worker_threads"
import type { FromWorker, ToWorker } from "./sim-workers.ts"

enableCompileCache(fileURLToPath(new URL("../../node_modules/.cache/ultracloud", import.meta.url)))
const { playSimulated } = await import("./sim-worker-play.ts")

parentPort?.on("message", (order: ToWorker) => {
  const tell = (message: FromWorker): void => parentPort?.postMessage(message)
  tell(playSimulated(order, tell))
})
