/** `ultracloud shell`: what may be said behind it. What it does is loaded when somebody wants it: nodes do not. */
import * as Command from "@effect/cli/Command"
import * as Options from "@effect/cli/Options"
import { Effect, Option } from "effect"
import type { AttachOptions } from "./attach.ts"

const node = Options.text("node").pipe(
  Options.withDescription("the URL of a node, such as http://127.0.0.1:7700"),
  Options.optional
)
const tokenFile = Options.file("token-file", { exists: "yes" }).pipe(
  Options.withDescription("who we are; the file token in a node's data directory is the operator"),
  Options.optional
)
const dataDirectory = Options.directory("data-directory", { exists: "yes" }).pipe(
  Options.withDescription(
    "of a node on this machine, which says where it listens; those in work/ unless said"
  ),
  Options.optional
)
const authority = Options.file("authority", { exists: "yes" }).pipe(
  Options.withDescription("who signs the certificates of the cluster, as PEM"),
  Options.optional
)

/** Which node, and with which right. */
export const attachOptions = { node, tokenFile, dataDirectory, authority }

type Attached = { readonly [K in keyof typeof attachOptions]: Option.Option<string> }

export const attachedTo = ({ authority, dataDirectory, node, tokenFile }: Attached): AttachOptions => ({
  url: Option.getOrUndefined(node),
  tokenFile: Option.getOrUndefined(tokenFile),
  dataDirectory: Option.getOrUndefined(dataDirectory),
  authority: Option.getOrUndefined(authority)
})

const lines = Options.text("execute").pipe(
  Options.withAlias("e"),
  Options.withDescription(
    "a line to run instead of asking for some; may be said again, and the first that fails ends it"
  ),
  Options.repeated
)
export const json = Options.boolean("json").pipe(
  Options.withDescription("JSON instead of text: a value a line for each that a command shows")
)
const yes = Options.boolean("yes").pipe(Options.withDescription("does what is dangerous without asking"))

export const shell = Command.make(
  "shell",
  { ...attachOptions, lines, json, yes },
  ({ json, lines, yes, ...where }) =>
    Effect.promise(() => import("./attached-shell.ts")).pipe(
      Effect.flatMap(({ runShell }) => runShell({ ...attachedTo(where), lines, json, yes })),
      Effect.flatMap((code) =>
        Effect.sync(() => {
          process.exitCode = code
        })
      )
    )
).pipe(Command.withDescription("look into a running cluster, and act on it"))
