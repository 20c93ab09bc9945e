/**
 * Cells: the only way to run a subtree outside of this thread, in a process or a thread of its own.
 *
 * Promised: batches arrive in order, at most once each and without a gap, for as long as the cell lives.
 * `onExit` is called exactly once, within 100 ms of the death of the process or thread (later only if our
 * own event loop is busy for longer), whatever killed it, and no `onBatch` follows. It is not called if
 * `start` failed. Closing the scope has the cell run its exit handlers, kills it if that takes longer than a
 * second, and returns once it is gone. A cell does not outlive the process that started it: not after a
 * kill -9 of that process, and not while it is caught in a loop.
 *
 * Not promised: batches sent shortly before the exit. Nor backpressure: a batch that the other side
 * has not read yet waits in the sender's memory, so whoever sends bounds what is under way. Nor that a
 * thread contains a native crash: it takes the whole process along, and only a process is safe from it.
 */

import type { Effect, Scope } from "effect"
import { Context, Schema } from "effect"

export type CellMode = "forked" | "threaded"

export interface CellSpec {
  readonly name: string
  readonly mode: CellMode
  /** The file URL of a module that exports a `CellHost` named `host`. */
  readonly module: string
  /** A JSON value, handed to the host as it is. */
  readonly argument: unknown
}

/** JSON values. What another value becomes is not promised; one that cannot be sent at all ends the cell. */
export type CellBatch = ReadonlyArray<unknown>

export interface CellProcess {
  /** A threaded cell has our own. */
  readonly pid: number
  /** 0 in a forked cell, whose host runs in the main thread. */
  readonly threadId: number
  /** A batch for a cell that has ended is dropped. */
  readonly send: (batch: CellBatch) => void
  /** At once, without a word to the cell. */
  readonly kill: () => void
}

export interface CellListener {
  /** Called as soon as the host sends, which may be while `start` is still under way. */
  readonly onBatch: (batch: CellBatch) => void
  readonly onExit: (reason: string) => void
}

export class CellStartFailed extends Schema.TaggedError<CellStartFailed>()("CellStartFailed", {
  name: Schema.String,
  reason: Schema.String
}) {
  override get message() {
    return `cell ${this.name} did not start: ${this.reason}; correct its module or its mode, then start it again`
  }
}

/** The cell's end of the link. */
export interface CellLink {
  readonly send: (batch: CellBatch) => void
  /** There is one listener, and a batch that finds none is lost: set it before the host's promise settles. */
  readonly onBatch: (listener: (batch: CellBatch) => void) => void
}

/**
 * Called once, in the cell. `start` succeeds when the host's promise does, and fails with its reason. What
 * the host throws later, in a listener for instance, ends the cell.
 */
export type CellHost = (link: CellLink, argument: unknown) => Promise<void> | void

export class Cells extends Context.Tag("kernel/Cells")<
  Cells,
  {
    readonly start: (
      spec: CellSpec,
      listener: CellListener
    ) => Effect.Effect<CellProcess, CellStartFailed, Scope.Scope>
  }
>() {}
