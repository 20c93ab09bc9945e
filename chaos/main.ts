/**
 * Where the chaos command begins. What was compiled once is kept for the next start, which must be said before
 * anything is loaded.
 */
import { enableCompileCache } from "node:module"
import { fileURLToPath } from "node:url"

// Where that cannot be written, everything is compiled anew.
enableCompileCache(fileURLToPath(new URL("../node_modules/.cache/ultracloud", import.meta.url)))
const { runChaos } = await import("./command.ts")
const { lab } = await import("./worlds.ts")
runChaos(lab)
