/** The `ultracloud` command. For now it runs the demonstration node: `npm start`. */
import { NodeRuntime } from "@effect/platform-node"
import { runNode } from "./node.ts"
import { watchTree } from "./shell/watch-tree.ts"
import { demonstration } from "./trees/demonstration.ts"

const name = "node01"

const node = runNode(
  {
    name,
    cluster: "demonstration",
    dataDirectory: `work/${name}`,
    port: 7700,
    seeds: [],
    zone: "zone-a",
    clientPort: 2379,
    work: demonstration(name, "forked")
  },
  watchTree
)

// Whoever read our output is gone (`npm start | head`): stop in order instead of crashing on it.
process.stdout.on("error", () => process.kill(process.pid, "SIGINT"))

NodeRuntime.runMain(node, { disableErrorReporting: true })
