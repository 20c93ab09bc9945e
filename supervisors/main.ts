/**
 * Where the `ultracloud` command begins. An older Node would stumble over the first thing that it does not know, so
 * which one it is comes before all else. What was compiled once is kept for the next start, which must be said
 * before anything is loaded: a node is there in half the time.
 */
import module from "node:module"
import { fileURLToPath } from "node:url"

// The same as `engines` in package.json.
const oldest = 24

if (Number.parseInt(process.versions.node, 10) < oldest) {
  process.stderr.write(
    `ultracloud: this is Node ${process.versions.node}, and ultracloud needs ${oldest} or later: install that, or put it first in PATH\n`
  )
  process.exit(1)
}

// Where that cannot be written, everything is compiled anew.
module.enableCompileCache(fileURLToPath(new URL("../node_modules/.cache/ultracloud", import.meta.url)))
const { main } = await import("./command.ts")
main(process.argv)
