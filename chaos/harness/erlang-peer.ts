/**
 * Erlang as a yardstick: runs one Erlang module of ours on the BEAM that is installed, if one is.
 *
 * What this runtime promises was first promised by Erlang/OTP, so the honest question about a figure
 * is "and on BEAM, with the same work on the same machine?". The modules are compiled at every run
 * into a temporary directory, hence there is nothing to build and nothing stale to find.
 *
 * Only benches and tests import this. Nothing that ships needs Erlang.
 */
import { execFile } from "node:child_process"
import { once } from "node:events"
import { accessSync, constants } from "node:fs"
import { mkdtemp, rm, writeFile } from "node:fs/promises"
import { createServer } from "node:net"
import { tmpdir } from "node:os"
import { basename, delimiter, join } from "node:path"
import { fileURLToPath } from "node:url"
import { Data } from "effect"

export class ErlangFailed extends Data.TaggedError("ErlangFailed")<{
  readonly module: string
  readonly step: "compile" | "run" | "read"
  readonly detail: string
}> {
  override get message() {
    return `the Erlang module ${this.module} did not ${this.step}: ${this.detail}`
  }
}

/** Whether `erl` and `erlc` are on the path. */
export const erlangAvailable = (): boolean =>
  ["erl", "erlc"].every((command) =>
    (process.env["PATH"] ?? "").split(delimiter).some((folder) => isExecutable(join(folder, command)))
  )

export interface ErlangRun {
  /** The module's source. Its `main` is called, with the name of the input's file if there is input. */
  readonly source: URL
  readonly input?: string
  readonly flags: ReadonlyArray<string>
  readonly deadlineMillis: number
}

/** What the module printed by the time its `main` halted. Rejects with `ErlangFailed`. */
export const runErlang = async ({ deadlineMillis, flags, input, source }: ErlangRun): Promise<string> => {
  const module = basename(source.pathname, ".erl")
  const folder = await mkdtemp(join(tmpdir(), `${module}-`))
  const execute = executor(module, folder, AbortSignal.timeout(deadlineMillis))
  try {
    await execute("compile", "erlc", ["-o", folder, fileURLToPath(source)])
    const main = ["-run", module, "main"]
    if (input !== undefined) {
      const inputFile = join(folder, "input")
      await writeFile(inputFile, input)
      main.push(inputFile)
    }
    return await execute("run", "erl", ["-noshell", "-noinput", "-boot", "no_dot_erlang", ...flags, ...main])
  } finally {
    await rm(folder, { recursive: true, force: true })
  }
}

/**
 * The same with two nodes that talk to each other: one runs the module's `answer` for as long as the other
 * runs its `main`. They find each other by the ports in their names, since epmd would stay as a daemon.
 */
export const runErlangPair = async ({ deadlineMillis, flags, source }: ErlangRun): Promise<string> => {
  const module = basename(source.pathname, ".erl")
  const folder = await mkdtemp(join(tmpdir(), `${module}-`))
  const over = new AbortController()
  const execute = executor(
    module,
    folder,
    AbortSignal.any([over.signal, AbortSignal.timeout(deadlineMillis)])
  )
  const [answering, asking] = (await Promise.all([freePort(), freePort()])).map(
    (port) => `nodep${port}@127.0.0.1`
  )
  const start = (name: string | undefined, ...args: ReadonlyArray<string>) =>
    execute("run", "erl", [
      ...["-noshell", "-noinput", "-boot", "no_dot_erlang", "-pa", folder],
      ...["-start_epmd", "false", "-epmd_module", module, "-setcookie", "bench", "-name", `${name}`],
      ...["-kernel", "inet_dist_use_interface", "{127,0,0,1}", ...flags, ...args]
    ])
  try {
    await execute("compile", "erlc", ["-o", folder, fileURLToPath(source)])
    const answers = start(answering, "-asking", `${asking}`, "-run", module, "answer")
    const asks = start(asking, "-answering", `${answering}`, "-run", module, "main")
    // Who answers ends right after who asks, or fails; then there is no use in waiting for the other.
    const printed = await Promise.race([asks, answers.then(() => asks)])
    await answers
    return printed
  } finally {
    over.abort()
    await rm(folder, { recursive: true, force: true })
  }
}

const freePort = async (): Promise<number> => {
  const server = createServer().listen(0, "127.0.0.1")
  await once(server, "listening")
  const address = server.address()
  server.close()
  await once(server, "close")
  return typeof address === "object" && address !== null ? address.port : 0
}

export interface ErlangPeerOptions {
  /** One scheduler is what a single JavaScript thread compares with. Left out, BEAM takes every core. */
  readonly schedulers?: 1
  /** The share of the full work to do, such as 0.01 for a quick look. Figures below 0.1 are noisy. */
  readonly scale?: number
}

/**
 * BEAM's figures, by the names under which erlang-peer.erl prints them.
 *
 * Half a million processes are alive at once, which is why the limit on processes is raised.
 */
export const runErlangPeer = async (options: ErlangPeerOptions): Promise<Record<string, number>> => {
  const printed = await runErlang({
    source: new URL("./erlang-peer.erl", import.meta.url),
    flags: [
      ...["+P", "2000000"],
      ...(options.schedulers === undefined ? [] : ["+S", `${options.schedulers}`]),
      ...["-scale", (options.scale ?? 1).toFixed(6)]
    ],
    deadlineMillis: 600_000
  })
  return figuresOf("erlang-peer", printed)
}

/** BEAM's figures of the remoting benchmark, between two nodes. */
export const runErlangRemoting = async (scale: number): Promise<Record<string, number>> =>
  figuresOf(
    "erlang-remoting",
    await runErlangPair({
      source: new URL("./erlang-remoting.erl", import.meta.url),
      flags: ["-scale", scale.toFixed(6)],
      deadlineMillis: 300_000
    })
  )

const figuresOf = (module: string, printed: string): Record<string, number> => {
  const figures = printed
    .trim()
    .split("\n")
    .map((line): [string, number] => {
      const [, name, value] = /^(\w+) ([\d.]+)$/.exec(line) ?? []
      if (name === undefined || value === undefined) {
        throw new ErlangFailed({ module, step: "read", detail: `not a figure: ${line}` })
      }
      return [name, Number(value)]
    })
  return Object.fromEntries(figures)
}

const printedBytesMax = 1 << 30

/**
 * Runs commands inside the folder. What is still running when the deadline fires is killed: `erlc` and
 * `erl` replace themselves by the emulator, so that leaves nothing behind. An emulator that crashes by
 * itself would write a dump, larger than it is useful.
 */
const executor =
  (module: string, folder: string, deadline: AbortSignal) =>
  (step: "compile" | "run", command: string, args: ReadonlyArray<string>): Promise<string> =>
    new Promise((resolve, reject) => {
      const options = {
        cwd: folder,
        // A node that is given a cookie still looks for a file of them in the home directory.
        env: { ...process.env, ERL_CRASH_DUMP_BYTES: "0", HOME: folder },
        signal: deadline,
        killSignal: "SIGKILL",
        maxBuffer: printedBytesMax
      } as const
      execFile(command, args, options, (error, stdout, stderr) => {
        if (error === null) return resolve(stdout)
        const late = deadline.aborted ? "it was killed at the deadline. " : ""
        const detail = `${late}${stderr}${step === "compile" ? stdout : ""}`.trim() || error.message
        reject(new ErlangFailed({ module, step, detail }))
      })
    })

const isExecutable = (file: string): boolean => {
  try {
    accessSync(file, constants.X_OK)
    return true
  } catch {
    return false
  }
}
