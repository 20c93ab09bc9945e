/**
 * A process that this one has started and answers for: what it prints goes into a file, the kernel kills it along
 * with us where it can (`setpriv --pdeathsig`), and the record of the lab knows it where not.
 */
import { type ChildProcess, spawn } from "node:child_process"
import { closeSync, existsSync, openSync, readFileSync } from "node:fs"
import { delimiter, join } from "node:path"
import { Deferred, Effect, FiberId } from "effect"
import type { LabRecord } from "./reaper.ts"

export interface OwnedProcessOptions {
  readonly name: string
  readonly program: string
  readonly args: ReadonlyArray<string>
  /** What is there already stays. */
  readonly logPath: string
  readonly record?: LabRecord | undefined
}

const tailLength = 2_000

export class OwnedProcess {
  readonly name: string
  readonly logPath: string
  /** How it has ended: a signal, a code, or why it never began. */
  readonly ended = Deferred.unsafeMake<string>(FiberId.none)
  readonly #child: ChildProcess

  constructor({ args, logPath, name, program, record }: OwnedProcessOptions) {
    this.name = name
    this.logPath = logPath
    const log = openSync(logPath, "a", 0o600)
    try {
      const [first, ...others] = [...diesWithUs(), program, ...args]
      this.#child = spawn(first ?? program, others, { stdio: ["ignore", log, log] })
    } finally {
      closeSync(log)
    }
    const { pid } = this.#child
    if (pid !== undefined) record?.process(pid, name)
    this.#child.once("error", ({ message }) => this.#end(message))
    this.#child.once("exit", (code, signal) => this.#end(signal ?? `code ${code}`))
  }

  #end(how: string): void {
    Deferred.unsafeDone(this.ended, Effect.succeed(how))
  }

  get isRunning(): boolean {
    return this.#child.pid !== undefined && this.#child.exitCode === null && this.#child.signalCode === null
  }

  get pid(): number {
    const { pid } = this.#child
    if (pid === undefined || !this.isRunning) throw new Error(`${this.name} does not run`)
    return pid
  }

  /** Does nothing to one that has ended. */
  signal(signal: NodeJS.Signals): void {
    if (this.isRunning) this.#child.kill(signal)
  }

  /** Waits for its end. */
  get kill(): Effect.Effect<void> {
    return Effect.suspend(() => {
      this.signal("SIGKILL")
      return Effect.asVoid(Deferred.await(this.ended))
    })
  }

  /** In order, as an operator ends it; one that does not is killed after a while. */
  stop(millisMax: number): Effect.Effect<void> {
    return Effect.suspend(() => {
      this.signal("SIGINT")
      return Deferred.await(this.ended).pipe(Effect.timeoutOption(millisMax), Effect.zipRight(this.kill))
    })
  }

  /** The end of what it and its former lives have printed. */
  get logTail(): string {
    return readFileSync(this.logPath, "utf8").slice(-tailLength)
  }
}

const diesWithUs = (): ReadonlyArray<string> => {
  const setpriv = (process.env["PATH"] ?? "")
    .split(delimiter)
    .map((folder) => join(folder, "setpriv"))
    .find((path) => existsSync(path))
  return setpriv === undefined ? [] : [setpriv, "--pdeathsig", "KILL"]
}
