/**
 * One process of QEMU, with its channels as inherited pairs of sockets: no path, no port, nothing to race for.
 *
 *   3 console   what the guest prints; kept in part, and in a file
 *   4 QMP       what QEMU is told to do
 *   5 agent     what the guest is told to do, a line each way; see guest/agent
 *   6 network   frames, each behind its length
 *
 * The kernel kills it along with us (`setpriv --pdeathsig`), and the scope kills it when it closes.
 */
import { type ChildProcess, spawn } from "node:child_process"
import { closeSync, openSync, writeSync } from "node:fs"
import { Duplex, Readable } from "node:stream"
import { Deferred, Effect, Exit, FiberId, Schema, type Scope } from "effect"
import { type QmpMessage, qmpCommand, qmpMessage } from "#protocols/wire/qmp.ts"
import type { LabRecord } from "../reaper.ts"
import { Lines } from "./lines.ts"

/** QEMU, or the guest in it, did not do what it was asked. */
export class MachineFailed extends Schema.TaggedError<MachineFailed>()("MachineFailed", {
  machine: Schema.String,
  doing: Schema.String,
  reason: Schema.String
}) {
  override get message() {
    return `the machine ${this.machine} failed to ${this.doing}: ${this.reason}`
  }
}

export interface QemuOptions {
  readonly name: string
  readonly setpriv: string
  readonly qemu: string
  readonly args: ReadonlyArray<string>
  /** Where the console goes, after what is there. */
  readonly consolePath: string | undefined
  /** Knows of it, should we be killed in a way that it survives. */
  readonly record?: LabRecord
  /** What the guest says for us to hear, and a panic of its kernel. */
  readonly onNote?: (line: string) => void
}

/** Lines of the console that say something to us. */
const noted = /^guest: |Kernel panic/

/** What a command in the guest has come to. */
export interface Executed {
  readonly status: number
  readonly output: string
}

const consoleFileBytesMax = 8 << 20
const consoleTailLength = 16_384
const answerMillisMax = 20_000
const waitingMax = 1_000

export const startQemu = (options: QemuOptions): Effect.Effect<Qemu, MachineFailed, Scope.Scope> =>
  Effect.acquireRelease(
    Effect.try({
      try: () => new Qemu(options),
      catch: (cause) =>
        new MachineFailed({
          machine: options.name,
          doing: "start",
          reason: cause instanceof Error ? cause.message : String(cause)
        })
    }),
    (qemu) => qemu.kill
  )

type Waiting<A> = Map<number, (exit: Exit.Exit<A, MachineFailed>) => void>

export class Qemu {
  readonly name: string
  readonly network: Duplex
  /** How it has ended. */
  readonly ended = Deferred.unsafeMake<string>(FiberId.none)
  /** The agent in the guest has said hello. In a copy of a guest it said that to somebody else. */
  readonly agentUp = Deferred.unsafeMake<void>(FiberId.none)
  readonly #greeted = Deferred.unsafeMake<void>(FiberId.none)
  readonly #child: ChildProcess
  readonly #monitor: Duplex
  readonly #agent: Duplex
  readonly #commands: Waiting<unknown> = new Map()
  readonly #executions: Waiting<Executed> = new Map()
  #ids = 0
  #tail = ""
  #consoleFile: number | undefined
  #consoleBytes = 0
  readonly #consoleLines = new Lines()
  readonly #onNote: (line: string) => void

  constructor({ args, consolePath, name, onNote = () => {}, qemu, record, setpriv }: QemuOptions) {
    this.name = name
    this.#onNote = onNote
    this.#child = spawn(setpriv, ["--pdeathsig", "KILL", qemu, ...args], {
      stdio: ["ignore", "pipe", "pipe", "pipe", "pipe", "pipe", "pipe"]
    })
    if (this.#child.pid !== undefined) record?.process(this.#child.pid, name)
    if (consolePath !== undefined) this.#consoleFile = openSync(consolePath, "a", 0o600)
    const stdio: ReadonlyArray<unknown> = this.#child.stdio
    const [, output, errors, console, monitor, agent, network] = stdio
    this.#monitor = duplex(monitor)
    this.#agent = duplex(agent)
    this.network = duplex(network)
    for (const stream of [output, errors, console])
      readable(stream).on("data", (bytes: Buffer) => this.#print(bytes))
    const qmpLines = new Lines()
    this.#monitor.on("data", (bytes: Buffer) => {
      for (const line of qmpLines.push(bytes.toString())) this.#hear(qmpMessage(line))
    })
    const agentLines = new Lines()
    this.#agent.on("data", (bytes: Buffer) => {
      for (const line of agentLines.push(bytes.toString("latin1"))) this.#answered(line)
    })
    for (const stream of this.#child.stdio) {
      // Whoever writes to a process that is gone learns it from its end.
      stream?.on("error", () => {})
    }
    this.#child.on("error", ({ message }) => this.#end(message))
    this.#child.once("exit", (code, signal) => this.#end(signal ?? `code ${code}`))
  }

  get pid(): number | undefined {
    return this.#child.pid
  }

  get isRunning(): boolean {
    return this.#child.exitCode === null && this.#child.signalCode === null && this.pid !== undefined
  }

  /** The end of what it has printed. */
  get consoleTail(): string {
    return this.#tail
  }

  /** At once, without a word to the guest. */
  readonly kill: Effect.Effect<void> = Effect.suspend(() => {
    if (!this.isRunning) return Effect.void
    this.#child.kill("SIGKILL")
    return Effect.asVoid(Deferred.await(this.ended))
  })

  /** Tells QEMU something, in words of QMP. */
  qmp(execute: string, args: object = {}): Effect.Effect<unknown, MachineFailed> {
    const asked = this.#ask(this.#commands, execute, (id) => {
      this.#monitor.write(qmpCommand(id, execute, args))
    })
    return Effect.zipRight(Deferred.await(this.#greeted), asked).pipe(this.#inTime(execute, answerMillisMax))
  }

  /** Runs a command of the shell in the guest. */
  exec(command: string, millisMax = answerMillisMax): Effect.Effect<Executed, MachineFailed> {
    const doing = `run "${command.slice(0, 60)}" in the guest`
    return this.#ask(this.#executions, doing, (id) => {
      this.#agent.write(`${id} ${Buffer.from(command).toString("base64")}\n`)
    }).pipe(this.#inTime(doing, millisMax))
  }

  #ask<A>(waiting: Waiting<A>, doing: string, send: (id: number) => void): Effect.Effect<A, MachineFailed> {
    return Effect.async((resume) => {
      if (!this.isRunning) return resume(Effect.fail(this.#failed(doing, "it does not run")))
      if (waiting.size >= waitingMax) return resume(Effect.fail(this.#failed(doing, "too many wait already")))
      const id = ++this.#ids
      waiting.set(id, resume)
      send(id)
      return Effect.sync(() => waiting.delete(id))
    })
  }

  #inTime(doing: string, millis: number) {
    return <A>(effect: Effect.Effect<A, MachineFailed>): Effect.Effect<A, MachineFailed> =>
      Effect.raceFirst(
        effect,
        Effect.flatMap(Deferred.await(this.ended), (how) =>
          Effect.fail(this.#failed(doing, `QEMU has ended (${how}): ${this.#tail.slice(-500)}`))
        )
      ).pipe(
        Effect.timeoutFail({
          duration: millis,
          onTimeout: () => this.#failed(doing, `no answer within ${millis} ms: ${this.#tail.slice(-500)}`)
        })
      )
  }

  #failed(doing: string, reason: string): MachineFailed {
    return new MachineFailed({ machine: this.name, doing, reason })
  }

  #hear(message: QmpMessage): void {
    switch (message._tag) {
      case "Greeting":
        this.#monitor.write(qmpCommand(0, "qmp_capabilities"))
        Deferred.unsafeDone(this.#greeted, Effect.void)
        return
      case "Answer":
        return settle(this.#commands, message.id, Exit.succeed(message.value))
      case "Refusal":
        return settle(this.#commands, message.id, Exit.fail(this.#failed("obey QMP", message.reason)))
    }
  }

  #answered(line: string): void {
    const [id = "", status = "", output = ""] = line.split(" ")
    if (id === "hello") Deferred.unsafeDone(this.agentUp, Effect.void)
    else
      settle(
        this.#executions,
        Number(id),
        Exit.succeed({ status: Number(status), output: Buffer.from(output, "base64").toString() })
      )
  }

  #print(bytes: Buffer): void {
    this.#tail = `${this.#tail}${bytes.toString()}`.slice(-consoleTailLength)
    for (const line of this.#consoleLines.push(bytes.toString())) if (noted.test(line)) this.#onNote(line)
    if (this.#consoleFile === undefined || this.#consoleBytes > consoleFileBytesMax) return
    this.#consoleBytes += bytes.length
    writeSync(this.#consoleFile, bytes)
  }

  #end(how: string): void {
    if (this.#consoleFile !== undefined) closeSync(this.#consoleFile)
    this.#consoleFile = undefined
    Deferred.unsafeDone(this.ended, Effect.succeed(how))
  }
}

const settle = <A>(waiting: Waiting<A>, id: number | undefined, exit: Exit.Exit<A, MachineFailed>): void => {
  if (id === undefined) return
  const resume = waiting.get(id)
  waiting.delete(id)
  resume?.(exit)
}

const duplex = (stream: unknown): Duplex => {
  if (stream instanceof Duplex) return stream
  throw new Error("a pipe to a child is a socket both ways")
}

const readable = (stream: unknown): Readable => {
  if (stream instanceof Readable) return stream
  throw new Error("a pipe to a child can be read")
}
