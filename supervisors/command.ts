/**
 * The `ultracloud` command.
 *
 *   npm start                                    one node, with a demonstration for its tree
 *   npm start -- up --nodes 3                    three nodes on this machine
 *   npm start -- node --cluster FILE --name N    one node of a cluster that a file describes
 *   npm start -- cluster validate|render|schema  files that describe clusters
 *   npm start -- backup --out FILE               what chainfire of a running node has
 *   npm start -- restore --snapshot FILE --data-directory DIR
 *   npm start -- shell                           attached to a running node
 *   npm start -- console                         where the web console of a running node is
 *   npm start -- chaos run SCENARIO              the chaos suite, as npm run chaos
 *   npm start -- bench NAME                      benchmarks, as npm run bench
 *
 * Installed as a package all of them are `ultracloud …`.
 */
import { join } from "node:path"
// One by one: as a whole these packages load an HTTP client and parsers that no node needs.
import * as Command from "@effect/cli/Command"
import * as Options from "@effect/cli/Options"
import * as ValidationError from "@effect/cli/ValidationError"
import { defaultTeardown } from "@effect/platform/Runtime"
import * as NodeContext from "@effect/platform-node/NodeContext"
import * as NodeRuntime from "@effect/platform-node/NodeRuntime"
import { Data, Effect, Layer, Schema } from "effect"
import { fileJournals } from "#actors/platform/file-journal.ts"
import { lmdbStores } from "#actors/platform/lmdb-stores.ts"
import { tokenFileName } from "#actors/platform/tokens.ts"
import { backup } from "./backup-command.ts"
import { bench } from "./bench-command.ts"
import { restoreChainfire } from "./chainfire-restore.ts"
import { runChaosSuite } from "./chaos-suite.ts"
import { clusterCommand } from "./cluster-file/cluster-command.ts"
import { readClusterFile } from "./cluster-file/cluster-file.ts"
import { defaultPorts } from "./cluster-file/node-schema.ts"
import { nodeOptions } from "./cluster-spec.ts"
import { consoleCommand } from "./console/console-command.ts"
import { live } from "./live.ts"
import { nodesMax, runLocalNodes } from "./local-nodes.ts"
import { EnvironmentRefused } from "./node/environment.ts"
import { type OperatedOptions, runOperated, type Show } from "./node/operated.ts"
import { shell } from "./shell/shell-command.ts"
import { commandOf } from "./shell/start-screen.ts"
import { watchTree } from "./shell/watch-tree.ts"
import { demonstration } from "./trees/demonstration.ts"
import { version } from "./trees/node.ts"

/** It has said why. */
class NodeFailed extends Data.TaggedError("NodeFailed") {}

const command = commandOf(process.argv, process.env["npm_lifecycle_event"], process.cwd())

const running = <E = never, R = never>(options: OperatedOptions, show?: Show<E, R>) =>
  runOperated(options, show).pipe(
    Effect.tapError((fault) => (fault instanceof EnvironmentRefused ? complain(fault.message) : Effect.void)),
    Effect.mapError(() => new NodeFailed())
  )

const alone = Effect.suspend(() => {
  const name = "node01"
  const dataDirectory = `work/${name}`
  return running(
    {
      name,
      cluster: "demonstration",
      dataDirectory,
      port: 7700,
      seeds: [],
      zone: "zone-a",
      clientPort: 2379,
      consolePort: defaultPorts.console,
      work: demonstration(name, "forked")
    },
    (system, { etcd }, recent, ready) => {
      const known = { etcd: [etcd], tokenFile: join(dataDirectory, tokenFileName), command }
      return watchTree(system, { known, recent, ready })
    }
  )
})

const nodes = Options.integer("nodes").pipe(
  Options.withSchema(Schema.Int.pipe(Schema.between(1, nodesMax))),
  Options.withDescription("how many, each a process of its own; their data is kept in work/"),
  Options.withDefault(1)
)

const up = Command.make("up", { nodes }, ({ nodes }) =>
  nodes === 1
    ? alone
    : runLocalNodes(nodes, `work/${nodes}-nodes`, command).pipe(
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
    const spec = yield* readClusterFile(path)
    const options = yield* nodeOptions(spec, name, path)
    yield* running(options)
  }).pipe(
    // To start it again does not help, so that is told from a node that failed: see docs/operations.md, exit codes.
    Effect.tapErrorTag("SpecRefused", ({ message }) => Effect.zipRight(complain(message), usageError)),
    // Each of its lines begins with its place, for editors.
    Effect.tapErrorTag("ClusterFileRefused", ({ message }) => Effect.zipRight(say(message), usageError))
  )
).pipe(Command.withDescription("run one node of a cluster"))

const snapshot = Options.file("snapshot", { exists: "yes" }).pipe(
  Options.withDescription("as `etcdctl snapshot save` writes it, of etcd or of chainfire")
)
const dataDirectory = Options.text("data-directory").pipe(
  Options.withDescription("of a node that has never started; do the same for every member of the group")
)

const restore = Command.make("restore", { snapshot, dataDirectory }, ({ dataDirectory, snapshot }) =>
  restoreChainfire(snapshot).pipe(
    Effect.tap(({ leases, revision, versions }) =>
      Effect.sync(() =>
        process.stdout.write(
          `${dataDirectory} has revision ${revision}, ${versions} versions of keys and ${leases} leases\n`
        )
      )
    ),
    Effect.scoped,
    Effect.provide(Layer.mergeAll(fileJournals(dataDirectory), lmdbStores(dataDirectory))),
    Effect.provide(live),
    Effect.tapError(({ message }) => complain(message)),
    Effect.mapError(() => new NodeFailed())
  )
).pipe(Command.withDescription("fill the data directory of a member from a snapshot, before it starts"))

const chaosSuite = (args: ReadonlyArray<string>) =>
  runChaosSuite(args, (line) => process.stderr.write(`ultracloud: ${line}\n`)).pipe(
    Effect.andThen((code) =>
      Effect.sync(() => {
        process.exitCode = code
      })
    ),
    Effect.uninterruptible
  )

/** For the help; the arguments of the suite are its own, so they are passed on before they are looked at. */
const chaos = Command.make("chaos", {}, () => chaosSuite([])).pipe(
  Command.withDescription("play scenarios against a cluster; all that follows goes to the chaos suite")
)

const say = (lines: string) => Effect.sync(() => process.stderr.write(`${lines}\n`))
const complain = (message: string) => say(`ultracloud: ${message}`)

const usageError = Effect.sync(() => {
  process.exitCode = 2
})

const commands = Command.make("ultracloud", {}, () => alone).pipe(
  Command.withSubcommands([up, node, clusterCommand, backup, restore, chaos, bench, shell, consoleCommand])
)
const run = Command.run(commands, { name: "ultracloud", version })

/** What this command line asks for; `args` as `process.argv`. What it cannot do it says, and fails. */
export const ultracloud = (args: ReadonlyArray<string>) => {
  const [, , first, ...rest] = args
  return (first === "chaos" ? chaosSuite(rest) : run(args)).pipe(
    Effect.catchIf(ValidationError.isValidationError, () => usageError),
    Effect.provide(NodeContext.layer)
  )
}

/** The same as what a process does: it ends in order at a signal, and with its status. */
export const main = (args: ReadonlyArray<string>): void => {
  // Whoever read our output is gone (`npm start | head`): stop in order instead of crashing on it. A second signal
  // would end it at once.
  let isUnread = false
  process.stdout.on("error", () => {
    if (!isUnread) process.kill(process.pid, "SIGINT")
    isUnread = true
  })
  NodeRuntime.runMain(ultracloud(args), {
    disableErrorReporting: true,
    // A node has a log of its own, and this one would come between its lines.
    disablePrettyLogger: true,
    // What the suite ended with stays, also after Ctrl-C.
    teardown: (exit, onExit) => defaultTeardown(exit, (code) => onExit(Number(process.exitCode ?? code)))
  })
}
