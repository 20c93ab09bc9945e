/** A shell that is attached to a node: runs lines from the command line, from a pipe, or from a terminal. */
import { createInterface } from "node:readline"
import { Effect, Option, Stream } from "effect"
import { type AttachOptions, attach } from "./attach.ts"
import { Cloud } from "./cloud.ts"
import { type ExitCode, runLine, type Voice } from "./run-line.ts"
import { runTerminal } from "./terminal.ts"

export interface ShellOptions extends AttachOptions {
  /** To be run instead of asking for some. */
  readonly lines: ReadonlyArray<string>
  readonly json: boolean
  readonly yes: boolean
}

export const runShell = (options: ShellOptions): Effect.Effect<ExitCode> =>
  Effect.gen(function* () {
    const { json, lines, yes } = options
    const cloud = new Cloud(yield* attach(options))
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
    )
  )

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
