/** `ultracloud cluster`: what may be said behind it about files that describe clusters. */
import * as Args from "@effect/cli/Args"
import * as Command from "@effect/cli/Command"
import * as Options from "@effect/cli/Options"
import { Effect, Option } from "effect"
import { clusterDigest } from "../cluster-spec.ts"
import { type ClusterFileRefused, readClusterFile } from "./cluster-file.ts"
import { schemaText } from "./generated.ts"
import { profileNames } from "./profiles.ts"
import { type Format, type NoSuchNode, nodeText, profileText, wholeText } from "./rendered.ts"

const print = (text: string) => Effect.sync(() => void process.stdout.write(text))

const complain = (text: string, code = 1) =>
  Effect.sync(() => {
    process.stderr.write(`${text}\n`)
    process.exitCode = code
  })

/** What was typed makes no sense, whatever is in files. */
const usageExit = 2

/** Lines with places go out as they are, for editors. */
const told = <R>(work: Effect.Effect<void, ClusterFileRefused | NoSuchNode, R>) =>
  Effect.catchAll(work, ({ message }) => complain(message))

const files = Args.text({ name: "file" }).pipe(
  Args.withDescription("a file that describes a cluster, JSON or YAML"),
  Args.atLeast(1)
)

const validate = Command.make("validate", { files }, ({ files }) =>
  Effect.forEach(
    files,
    (file) =>
      told(
        Effect.flatMap(readClusterFile(file), (cluster) =>
          print(
            `${file}: the cluster ${cluster.cluster} of ${cluster.nodes.length} node${cluster.nodes.length === 1 ? "" : "s"}, digest ${clusterDigest(cluster)}\n`
          )
        )
      ),
    { discard: true }
  )
).pipe(Command.withDescription("say what is wrong with files, each problem in a line with its place"))

const file = Args.text({ name: "file" }).pipe(
  Args.withDescription("a file that describes a cluster, JSON or YAML"),
  Args.optional
)
const node = Options.text("node").pipe(
  Options.withDescription("what this node of it will do, instead of the whole"),
  Options.optional
)
const format = Options.choice("format", ["yaml", "json"]).pipe(
  Options.withDescription("how it is written"),
  Options.withDefault<Format>("yaml")
)
const profile = Options.choice("profile", profileNames).pipe(
  Options.withDescription("a file to begin with, for a cluster of that kind"),
  Options.optional
)

const render = Command.make("render", { file, node, format, profile }, ({ file, format, node, profile }) => {
  if (Option.isSome(file) === Option.isSome(profile))
    return complain(
      "ultracloud: say either which file is to be rendered, or --profile for one to begin with",
      usageExit
    )
  if (Option.isSome(profile) && Option.isSome(node))
    return complain(
      "ultracloud: a profile has no nodes yet; write the file first, then render it with --node",
      usageExit
    )
  if (Option.isSome(profile)) return print(profileText(profile.value, format))
  return told(
    Effect.gen(function* () {
      const cluster = yield* readClusterFile(Option.getOrElse(file, () => ""))
      if (Option.isNone(node)) return yield* print(wholeText(cluster, format))
      yield* print(yield* nodeText(cluster, node.value, format))
    })
  )
}).pipe(Command.withDescription("write a cluster with all its defaults, or what one node of it does"))

const schema = Command.make("schema", {}, () => print(schemaText())).pipe(
  Command.withDescription("the JSON Schema of these files, for editors")
)

export const clusterCommand = Command.make("cluster").pipe(
  Command.withSubcommands([validate, render, schema]),
  Command.withDescription("look into files that describe clusters")
)
