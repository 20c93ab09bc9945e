/**
 * The shell in a terminal: lines with history and completion until `exit` or Ctrl-D. Ctrl-C ends the command that
 * runs, or throws the line away that is being typed. History is kept in the user's state folder, for the user's eyes.
 */
import { appendFileSync, existsSync, mkdirSync, readFileSync } from "node:fs"
import { homedir } from "node:os"
import { dirname, join } from "node:path"
import { createInterface, type Interface } from "node:readline"
import { Effect, Exit, Fiber, Queue, type Scope } from "effect"
import type { Cloud } from "./cloud.ts"
import { type Completion, complete } from "./completion.ts"
import { KnownCluster } from "./known-cluster.ts"
import { runLine, type Voice } from "./run-line.ts"
import { shellCommands } from "./shell-commands.ts"
import { sizeOf } from "./start-screen.ts"

const historyMax = 1_000

/** `$XDG_STATE_HOME/ultracloud/shell-history`; a home that cannot be written costs the history and nothing else. */
const historyPath = (): string =>
  join(process.env["XDG_STATE_HOME"] ?? join(homedir(), ".local", "state"), "ultracloud", "shell-history")

export const runTerminal = (cloud: Cloud): Effect.Effect<void, never, Scope.Scope> =>
  Effect.gen(function* () {
    const known = new KnownCluster(cloud)
    const lines = yield* Queue.unbounded<string | undefined>()
    const terminal = yield* Effect.acquireRelease(
      Effect.sync(() => open(known)),
      (opened) => Effect.sync(() => opened.close())
    )
    let running: Fiber.RuntimeFiber<unknown> | undefined
    terminal.on("line", (line) => void lines.unsafeOffer(line))
    terminal.on("close", () => void lines.unsafeOffer(undefined))
    terminal.on("SIGINT", () => {
      if (running !== undefined) return running.unsafeInterruptAsFork(running.id())
      process.stdout.write("^C\n")
      terminal.write(null, { ctrl: true, name: "u" })
      terminal.prompt()
    })
    const voice = voiceOf(terminal)
    process.stdout.write(
      `attached to ${cloud.client.node}; help lists the commands, Tab completes, Ctrl-D leaves\n`
    )
    // So that the first Tab has an answer already.
    yield* Effect.forkScoped(known.learn(""))
    for (;;) {
      terminal.setPrompt(`${cloud.client.node}> `)
      terminal.prompt()
      const line = (yield* Queue.take(lines))?.trim()
      if (line === undefined || line === "exit" || line === "quit") return
      if (line === "") continue
      remember(line)
      running = yield* Effect.fork(runLine(line, cloud, voice))
      yield* Fiber.await(running)
      running = undefined
    }
  })

const open = (known: KnownCluster): Interface =>
  createInterface({
    input: process.stdin,
    output: process.stdout,
    terminal: true,
    history: [...history()],
    historySize: historyMax,
    removeHistoryDuplicates: true,
    completer: (line: string, done: (problem: Error | null, result: [Array<string>, string]) => void) => {
      Effect.runCallback(known.learn(line), {
        onExit: (exit) => {
          const { candidates, partial } = Exit.isSuccess(exit)
            ? complete(shellCommands, known, line)
            : { candidates: [], partial: "" }
          done(null, [finished({ candidates, partial }), partial])
        }
      })
    }
  })

/** One that is left is done, and the next word may follow; of a path there may be more. */
const finished = ({ candidates }: Completion): Array<string> => {
  const [only, ...others] = candidates
  if (only === undefined || others.length > 0) return [...candidates]
  return [/[/{\s]$/.test(only) ? only : `${only} `]
}

const voiceOf = (terminal: Interface): Voice => {
  let isAsking = false
  // What was answered is no line to come back to.
  terminal.on("history", (lines: Array<string>) => {
    if (isAsking) lines.shift()
  })
  return {
    print: (line) => void process.stdout.write(`${line}\n`),
    complain: (line) => void process.stderr.write(`${line}\n`),
    confirm: (question) =>
      Effect.async((resume) => {
        isAsking = true
        const given = new AbortController()
        terminal.question(question, { signal: given.signal }, (answer) => {
          isAsking = false
          resume(Effect.succeed(/^y(es)?$/i.test(answer.trim())))
        })
        // Or the next line would be its answer.
        return Effect.sync(() => {
          isAsking = false
          given.abort()
        })
      }),
    json: false,
    yes: false,
    get screen() {
      return sizeOf(process.stdout)
    }
  }
}

/** The newest first, as readline wants it. */
const history = (): ReadonlyArray<string> => {
  const path = historyPath()
  if (!existsSync(path)) return []
  try {
    return readFileSync(path, "utf8")
      .split("\n")
      .filter((line) => line !== "")
      .slice(-historyMax)
      .reverse()
  } catch (cause) {
    process.stderr.write(`the history is not read: ${String(cause)}\n`)
    return []
  }
}

let complained = false

const remember = (line: string): void => {
  const path = historyPath()
  try {
    mkdirSync(dirname(path), { recursive: true, mode: 0o700 })
    appendFileSync(path, `${line}\n`, { mode: 0o600 })
  } catch (cause) {
    if (!complained) process.stderr.write(`the history is not kept: ${String(cause)}\n`)
    complained = true
  }
}
