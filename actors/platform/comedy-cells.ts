/**
 * Cells on comedy: one comedy actor per cell, whose behaviour is cell-bootstrap.ts, in a process or a thread.
 *
 * Both modes share comedy's ForkedActor, its protocol and its workers. Only the launching is ours, because
 * comedy's own has no ear for accidents: a fork that the kernel refuses, or an exception in a thread, ends
 * the parent; a child that dies while it starts is waited for forever; a crashed one leaves an interval
 * and an exit handler behind. Here each launch listens before it returns.
 */
import { fork } from "node:child_process"
import { fileURLToPath } from "node:url"
import { Worker } from "node:worker_threads"
import type { MessageBus } from "comedy/lib/forked-actor.js"
import type { Scope } from "effect"
import { Deferred, Effect, Exit, FiberId, Layer, Predicate } from "effect"
import type { CellBatch, CellListener, CellMode, CellProcess, CellSpec } from "../kernel/ports/cell.ts"
import { CellStartFailed, Cells } from "../kernel/ports/cell.ts"

const startMillisMax = 30_000
const stopMillisMax = 1_000
/** For what a dead process has left in its channel. Some other process may hold that open. */
const drainMillisMax = 50
/** comedy's cells end themselves when a ping goes unanswered. A closed channel tells as much, and at once. */
const pingTimeoutMillis = 2 ** 31 - 1

export const comedyCells: Layer.Layer<Cells> = Layer.scoped(
  Cells,
  Effect.acquireRelease(
    Effect.promise(() => openComedy()),
    ({ system }) => Effect.promise(() => system.destroy())
  ).pipe(Effect.map((comedy) => ({ start: (spec, listener) => startCell(comedy, spec, listener) })))
)

const openComedy = async () => {
  const { createSystem } = await import("comedy")
  const { default: ActorStub } = await import("comedy/lib/actor-stub.js")
  const { default: ForkedActor } = await import("comedy/lib/forked-actor.js")
  const system = createSystem({ test: true, config: {}, pingTimeout: pingTimeoutMillis })
  // They call exit(0), before any supervisor could stop its children in order.
  process.removeListener("SIGINT", system.sigintHandler).removeListener("SIGTERM", system.sigtermHandler)
  return { ActorStub, ForkedActor, system }
}

type Comedy = Awaited<ReturnType<typeof openComedy>>

const startCell = (
  comedy: Comedy,
  spec: CellSpec,
  listener: CellListener
): Effect.Effect<CellProcess, CellStartFailed, Scope.Scope> =>
  Effect.gen(function* () {
    const cell = yield* Effect.acquireRelease(launch(comedy, spec, new Life(listener)), stop)
    yield* open(cell, spec).pipe(
      Effect.raceFirst(Effect.flatMap(Deferred.await(cell.life.ended), Effect.fail)),
      Effect.timeoutFail({
        duration: startMillisMax,
        onTimeout: () => `its host was not ready after ${startMillisMax / 1_000} s`
      }),
      Effect.zipLeft(cell.life.run),
      Effect.onExit((exit) => (Exit.isSuccess(exit) ? Effect.void : stop(cell)))
    )
    return {
      pid: cell.shell.pid,
      threadId: cell.shell.threadId,
      send: (values: CellBatch) => send(cell, values),
      kill: cell.shell.kill
    }
  }).pipe(Effect.mapError((reason) => new CellStartFailed({ name: spec.name, reason })))

interface Cell {
  readonly actor: InstanceType<Comedy["ForkedActor"]>
  readonly shell: Shell
  readonly life: Life
}

/** What a cell runs in. */
interface Shell {
  readonly pid: number
  readonly threadId: number
  /** As comedy sees it. It would stop all listening at the exit, when last words may still be on their way. */
  readonly bus: MessageBus
  readonly kill: () => void
}

/** The listener hears of an end once, and only if it could know of the beginning. */
class Life {
  readonly #listener: CellListener
  #phase: "starting" | "running" | "stopping" | "ended" = "starting"
  #trouble: string | undefined
  readonly ended = Deferred.unsafeMake<string>(FiberId.none)

  constructor(listener: CellListener) {
    this.#listener = listener
  }

  get phase() {
    return this.#phase
  }

  readonly run: Effect.Effect<void, string> = Effect.suspend(() => {
    if (this.#phase === "ended") return Effect.flatMap(Deferred.await(this.ended), Effect.fail)
    this.#phase = "running"
    return Effect.void
  })

  /** Answers whether there is a host to tell. */
  stop(): boolean {
    if (this.#phase !== "running") return false
    this.#phase = "stopping"
    return true
  }

  receive(values: CellBatch): void {
    if (this.#phase !== "ended") this.#listener.onBatch(values)
  }

  /** What went wrong, in case this turns out to be the end. The first trouble is the cause of the others. */
  trouble(what: string): void {
    this.#trouble ??= what
  }

  end(how: string): void {
    const { phase } = this
    if (phase === "ended") return
    this.#phase = "ended"
    const reason = this.#trouble === undefined ? how : `${how} after: ${this.#trouble}`
    Deferred.unsafeDone(this.ended, Exit.succeed(reason))
    if (phase === "running") this.#listener.onExit(reason)
    if (phase === "stopping") this.#listener.onExit("stopped")
  }
}

const launch = (comedy: Comedy, { mode, name }: CellSpec, life: Life): Effect.Effect<Cell, string> =>
  Effect.gen(function* () {
    const { ActorStub, ForkedActor, system } = comedy
    const parent = {
      getId: () => parentId,
      // comedy swallows what a receiver throws, hence the microtask.
      send: (_topic: string, { values }: { readonly values: CellBatch }) =>
        queueMicrotask(() => life.receive(values))
    }
    const parentId = system.generateActorId()
    const stub = new ActorStub({ system, id: system.generateActorId(), name, config: {} })
    const actor = new ForkedActor({ system, parent, definition: behaviourPath, actor: stub, config: {} })
    // It would time replies out, and keep us alive for ever.
    clearInterval(actor.timeoutWorkerInterval)
    const creation = yield* Effect.promise(() =>
      system.generateActorCreationMessage(behaviourPath, actor, { mode, name })
    )
    const shell = yield* Effect.try({
      try: () => shells[mode](name, creation, life),
      catch: firstLine
    })
    return { actor, shell, life }
  })

const bootstrapPath = fileURLToPath(new URL("./cell-bootstrap.ts", import.meta.url))
/** comedy reads one slash as "from the folder of package.json" and two as "from the root". */
const behaviourPath = `/${bootstrapPath}`

type ShellOf = (name: string, creation: object, life: Life) => Shell

const forkedShell: ShellOf = (name, creation, life) => {
  const child = fork(bootstrapPath, [name])
  child.on("error", ({ message }) => {
    life.trouble(message)
    if (child.pid === undefined) life.end("not forked")
  })
  child.once("exit", (code, signal) => {
    const end = () => life.end(signal === null ? `exited with code ${code}` : `killed by ${signal}`)
    child.once("close", end)
    // A timer that is late fires before the channel is read, an immediate after.
    setTimeout(() => setImmediate(end), drainMillisMax).unref()
  })
  child.on("message", (message) => hearTrouble(message, life))
  if (child.pid !== undefined) child.send(creation)
  const bus: MessageBus = {
    send: (message, sent) => child.send(message, sent),
    on: (_event, listener) => child.on("message", listener),
    once: () => {}
  }
  return { pid: child.pid ?? 0, threadId: 0, bus, kill: () => child.kill("SIGKILL") }
}

const threadedShell: ShellOf = (name, creation, life) => {
  let killed = false
  const kill = () => {
    killed = true
    void worker.terminate()
  }
  const worker = new Worker(bootstrapPath, { name, workerData: creation })
  worker.on("error", (error) => life.trouble(firstLine(error)))
  worker.once("exit", (code) => life.end(killed ? "killed" : `exited with code ${code}`))
  worker.on("message", (message) => hearTrouble(message, life))
  const bus: MessageBus = {
    send: (message, sent) => {
      worker.postMessage(message)
      sent(null)
    },
    on: (_event, listener) => worker.on("message", listener),
    once: () => {}
  }
  return { pid: process.pid, threadId: worker.threadId, bus, kill }
}

const shells: Readonly<Record<CellMode, ShellOf>> = { forked: forkedShell, threaded: threadedShell }

/** comedy says so if it cannot create its actor, and a crashing process as its last words. Both exit next. */
const hearTrouble = (message: unknown, life: Life) => {
  if (Predicate.hasProperty(message, "error")) life.trouble(firstLine(message.error))
}

const open = ({ actor, shell }: Cell, { argument, module }: CellSpec): Effect.Effect<void, string> =>
  Effect.gen(function* () {
    yield* created(shell.bus)
    actor.bus = shell.bus
    yield* Effect.promise(() => actor.initialize())
    const answer = yield* Effect.tryPromise({
      try: () => actor.sendAndReceive("open", { module, argument }),
      catch: firstLine
    })
    if (answer !== "opened") yield* Effect.fail(firstLine(answer))
  })

const created = (bus: MessageBus) =>
  Effect.async<void>((resume) => {
    bus.on("message", (message) => {
      if (Predicate.hasProperty(message, "type") && message.type === "actor-created") resume(Effect.void)
    })
  })

/**
 * comedy's `send` does this two turns of the event loop later, so that a destroy overtakes it. A batch that
 * does not leave must not be missing among the others: the cell ends with it.
 */
const send = ({ actor, life, shell }: Cell, values: CellBatch) => {
  if (life.phase === "ended") return
  const message = { type: "actor-message", body: { topic: "batch", message: { values } } } as const
  actor._send0(message).then(undefined, (cause) => {
    life.trouble(`a batch could not be sent: ${firstLine(cause)}`)
    shell.kill()
  })
}

const stop = ({ actor, life, shell }: Cell): Effect.Effect<void> =>
  Effect.suspend(() => {
    const overdue = setTimeout(shell.kill, stopMillisMax)
    if (life.stop()) actor._send0({ type: "destroy-actor" }).then(undefined, shell.kill)
    else shell.kill()
    return Effect.ensuring(
      Deferred.await(life.ended),
      Effect.sync(() => clearTimeout(overdue))
    )
  })

const firstLine = (cause: unknown): string =>
  (cause instanceof Error ? cause.message : String(cause)).split("\n", 1).join()
