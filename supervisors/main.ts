/**
 * The `ultracloud` command.
 *
 *   npm start                                    one node, with a demonstration for its tree
 *   npm start -- up --nodes 3                    three nodes on this machine
 *   npm start -- node --cluster FILE --name N    one node of a cluster that a file describes
 */
import { Command, Options, ValidationError } from "@effect/cli"
import { NodeContext, NodeRuntime } from "@effect/platform-node"
import { Data, Effect, Schema } from "effect"
import { nodeOptions, readSpec } from "./cluster-spec.ts"
import { nodesMax, runLocalNodes } from "./local-nodes.ts"
import { type NodeOptions, runNode } from "./node.ts"
import { watchTree } from "./shell/watch-tree.ts"
import { demonstration } from "./trees/demonstration.ts"

/** It has said why. */
class NodeFailed extends Data.TaggedError("NodeFailed") {}

const running = (options: NodeOptions) =>
  runNode(options, watchTree).pipe(Effect.mapError(() => new NodeFailed()))

const alone = Effect.suspend(() => {
  const name = "node01"
  return running({
    name,
    cluster: "demonstration",
    dataDirectory: `work/${name}`,
    port: 7700,
    seeds: [],
    zone: "zone-a",
    clientPort: 2379,
    work: demonstration(name, "forked")
  })
})

const nodes = Options.integer("nodes").pipe(
  Options.withSchema(Schema.Int.pipe(Schema.between(1, nodesMax))),
  Options.withDescription("how many, each a process of its own; their data is kept in work/"),
  Options.withDefault(1)
)

const up = Command.make("up", { nodes }, ({ nodes }) =>
  nodes === 1
    ? alone
    : runLocalNodes(nodes, `work/${nodes}-nodes`).pipe(
        Effect.tapError(({ message }) => complain(message)),
        Effect.mapError(() => new NodeFailed())
      )
).pipe(Command.withDescription("run a cluster on this machine"))

const cluster = Options.file("cluster", { exists: "yes" }).pipe(
  Options.withDescription("the file that describes the cluster, the same on all nodes")
)
const name = Options.text("name").pipe(Options.withDescription("which of its nodes this one is"))

const node = Command.make("node", { cluster, name }, ({ cluster: path, name }) =>
  Effect.gen(function* () {
    const spec = yield* readSpec(path)
    const options = yield* nodeOptions(spec, name)
    yield* running(options)
  }).pipe(Effect.tapErrorTag("SpecRefused", ({ message }) => complain(message)))
).pipe(Command.withDescription("run one node of a cluster"))

const complain = (message: string) => Effect.sync(() => process.stderr.write(`ultracloud: ${message}\n`))

const usageError = Effect.sync(() => {
  process.exitCode = 2
})

const ultracloud = Command.make("ultracloud", {}, () => alone).pipe(Command.withSubcommands([up, node]))
const run = Command.run(ultracloud, { name: "ultracloud", version: "0.1.0" })

// Whoever read our output is gone (`npm start | head`): stop in order instead of crashing on it.
process.stdout.on("error", () => process.kill(process.pid, "SIGINT"))

NodeRuntime.runMain(
  run(process.argv).pipe(
    Effect.catchIf(ValidationError.isValidationError, () => usageError),
    Effect.provide(NodeContext.layer)
  ),
  { disableErrorReporting: true }
)
