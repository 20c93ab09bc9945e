/** `ultracloud shell`: attaches to a node, and runs lines from the command line, from a pipe, or from a terminal. */
import { createInterface } from "node:readline"
import { Command, Options } from "@effect/cli"
import { Effect, Option, Stream } from "effect"
import { attach } from "./attach.ts"
import { Cloud } from "./cloud.ts"
import { type ExitCode, runLine, type Voice } from "./run-line.ts"
import { runTerminal } from "./terminal.ts"

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
const lines = Options.text("execute").pipe(
  Options.withAlias("e"),
  Options.withDescription(
    "a line to run instead of asking for some; may be said again, and the first that fails ends it"
  ),
  Options.repeated
)
const json = Options.boolean("json").pipe(
  Options.withDescription("JSON instead of text: a value a line for each that a command shows")
)
const yes = Options.boolean("yes").pipe(Options.withDescription("does what is dangerous without asking"))

export const shell = Command.make(
  "shell",
  { node, tokenFile, dataDirectory, authority, lines, json, yes },
  ({ authority, dataDirectory, json, lines, node, tokenFile, yes }) =>
    Effect.gen(function* () {
      const client = yield* attach({
        url: Option.getOrUndefined(node),
        tokenFile: Option.getOrUndefined(tokenFile),
        dataDirectory: Option.getOrUndefined(dataDirectory),
        authority: Option.getOrUndefined(authority)
      })
      const cloud = new Cloud(client)
      const voice = scripted(json, yes)
      if (lines.length > 0) return yield* runAll(Stream.fromIterable(lines), cloud, voice)
      if (process.stdin.isTTY !== true) return yield* runAll(piped, cloud, voice)
      yield* runTerminal(cloud)
      return 0 as const
    }).pipe(
      Effect.scoped,
      Effect.catchTag("NotAttached", ({ message }) =>
        Effect.sync((): ExitCode => {
          process.stderr.write(`ultracloud: ${message}\n`)
          return 1
        })
      ),
      Effect.flatMap((code) =>
        Effect.sync(() => {
          process.exitCode = code
        })
      )
    )
).pipe(Command.withDescription("look into a running cluster, and act on it"))

/** Until one of them fails. */
const runAll = (given: Stream.Stream<string>, cloud: Cloud, voice: Voice): Effect.Effect<ExitCode> =>
  given.pipe(
    Stream.map((line) => line.trim()),
    Stream.filter((line) => line !== "" && !line.startsWith("#")),
    Stream.mapEffect((line) => runLine(line, cloud, voice)),
    Stream.takeUntil((code) => code !== 0),
    Stream.runLast,
    Effect.map(Option.getOrElse((): ExitCode => 0))
  )

const piped: Stream.Stream<string> = Stream.suspend(() =>
  Stream.orDie(
    Stream.fromAsyncIterable(createInterface({ input: process.stdin }), (cause) => new Error(String(cause)))
  )
)

const scripted = (json: boolean, yes: boolean): Voice => ({
  print: (line) => void process.stdout.write(`${line}\n`),
  complain: (line) => void process.stderr.write(`${line}\n`),
  confirm: undefined,
  json,
  yes,
  screen: undefined
})
