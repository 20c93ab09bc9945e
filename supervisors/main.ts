/**
 * Where the `ultracloud` command begins. What was compiled once is kept for the next start, which must be said
 * before anything is loaded: a node is there in half the time.
 */
import { enableCompileCache } from "node:module"
import { fileURLToPath } from "node:url"

// Where that cannot be written, everything is compiled anew.
enableCompileCache(fileURLToPath(new URL("../node_modules/.cache/ultracloud", import.meta.url)))
await import("./command.ts")
