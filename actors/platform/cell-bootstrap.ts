/**
 * The first module of a cell. It clears the ground, hands the process or thread to comedy's worker, and is then
 * loaded by that worker once more (same instance) as the behaviour of the one actor in the cell.
 *
 * comedy's workers start by requiring babel-polyfill, which in a Node of today breaks what it claims to add:
 * `"abc".at(-1)` becomes "", a Map gets a `toJSON`, and `replace` with a pattern takes eight times as long. So
 * its place in the module cache is taken before comedy comes for it.
 *
 * comedy catches and logs whatever a behaviour throws. Here that would turn a crash into silence, so nothing
 * of the host's runs on comedy's promises but `host` itself, whose failure is the answer to `open`.
 */
import { createRequire, Module } from "node:module"
import { isMainThread, Worker } from "node:worker_threads"
import type { CellBatch, CellHost } from "../kernel/ports/cell.ts"

/** What comedy 2.1.7 passes to `initialize`: the cell's end of the connection. */
interface SelfActor {
  readonly getParent: () => { readonly getId: () => string }
  readonly _send0: (
    message: import("comedy/lib/forked-actor.js").ActorMessage,
    options: { readonly actorId: string }
  ) => PromiseLike<void>
}

interface Order {
  readonly module: string
  readonly argument: unknown
}

export default class CellActor {
  #self: SelfActor | undefined
  #listener: ((batch: CellBatch) => void) | undefined

  initialize(self: SelfActor) {
    this.#self = self
    // comedy answers SIGINT and SIGTERM with exit(0). The first reaches a whole terminal at once, and it is
    // the parent's to act on; the second keeps its ordinary meaning.
    process.removeAllListeners("SIGINT").removeAllListeners("SIGTERM")
    process.on("SIGINT", () => {})
  }

  /** comedy reports a failure that has no message as a success, so the outcome is spelled out here. */
  async open(order: Order): Promise<string> {
    return this.#open(order).then(() => "opened", reasonOf)
  }

  batch({ values }: { readonly values: CellBatch }) {
    queueMicrotask(() => this.#listener?.(values))
  }

  /** comedy calls this for a stop in order, and would let a thread live on. */
  destroy() {
    process.exit()
  }

  async #open({ argument, module }: Order) {
    const loaded: unknown = await import(module)
    if (!exportsHost(loaded)) throw new Error(`${module} exports no function named host`)
    const link = {
      send: (values: CellBatch) => this.#send(values),
      onBatch: (listener: (batch: CellBatch) => void) => {
        this.#listener = listener
      }
    }
    await loaded.host(link, argument)
  }

  /** Past comedy's own `send`, which defers: what a host sends before it exits would not leave. */
  #send(values: CellBatch) {
    const self = this.#self
    if (self === undefined) return
    const message = { type: "actor-message", body: { topic: "batch", message: { values } } } as const
    self._send0(message, { actorId: self.getParent().getId() }).then(undefined, crash)
  }
}

const exportsHost = (loaded: unknown): loaded is { readonly host: CellHost } =>
  typeof loaded === "object" && loaded !== null && "host" in loaded && typeof loaded.host === "function"

const reasonOf = (cause: unknown): string =>
  cause instanceof Error && cause.message !== "" ? cause.message : String(cause)

const crash = (cause: unknown) => {
  queueMicrotask(() => {
    throw cause
  })
}

/** Not `exit`, which runs exit handlers first, any of which may hang. */
const die = () => process.kill(process.pid, "SIGKILL")

const bindToParentProcess = () => {
  process.on("disconnect", die)
  process.on("uncaughtExceptionMonitor", (error) => process.send?.({ error: reasonOf(error) }))
  new Worker(new URL("./cell-orphan-watch.mjs", import.meta.url), { workerData: process.ppid }).unref()
}

const withoutPolyfill = (require: NodeJS.Require) => {
  const path = createRequire(require.resolve("comedy")).resolve("babel-polyfill")
  const nothing = new Module(path)
  nothing.loaded = true
  require.cache[path] = nothing
}

const require = createRequire(import.meta.url)
withoutPolyfill(require)
if (isMainThread) {
  bindToParentProcess()
  require("comedy/lib/forked-actor-worker.js")
} else {
  require("comedy/lib/threaded-actor-worker.js")
}
