/**
 * The end of one life, step by step. Each step may take time:
 *
 *   the effect of its handler ends      killed: it is interrupted
 *   its children stop                   in reverse order, one by one; killed: all are killed
 *   `onStop` runs                       killed, or never initialised: it does not
 *   its scope closes                    always
 */
import { Cause, type Effect, Exit, FiberId } from "effect"
import type { Instance } from "./instance.ts"
import type { Ended, EndReason } from "./ref.ts"
import { isEffect } from "./run-effect.ts"

export class Ending {
  readonly #instance: Instance
  readonly #duringInit: boolean
  reason: EndReason
  cause: Cause.Cause<unknown>
  killed = false
  /** A child is stopping; its end is what goes on with this one. */
  waitsForChild = false
  /** The children it had then are those that it stops: it gets no more. */
  children: Array<Instance> | undefined
  #stopHookRan = false
  #scopeClosed = false

  constructor(instance: Instance, reason: EndReason, cause: Cause.Cause<unknown>, duringInit: boolean) {
    this.#instance = instance
    this.reason = reason
    this.cause = cause
    this.#duringInit = duringInit
  }

  get ended(): Ended {
    const { incarnation, path } = this.#instance
    return { path, incarnation, reason: this.reason, cause: this.cause, duringInit: this.#duringInit }
  }

  /** Something more went wrong on the way out. */
  add(cause: Cause.Cause<unknown>): void {
    this.cause = Cause.sequential(this.cause, cause)
    if (!this.killed) this.reason = "crashed"
    this.#instance.reportCrash(cause)
  }

  kill(): void {
    this.killed = true
    this.reason = "killed"
  }

  /** Takes as many steps as go without waiting. True when all are done. */
  advance(): boolean {
    if (this.#stopsChildren()) return false
    if (!this.#stopHookRan) {
      this.#stopHookRan = true
      this.#runStopHook()
      if (this.#instance.busy) return false
    }
    if (!this.#scopeClosed) {
      this.#scopeClosed = true
      const closing = this.#instance.closing(this.#exit)
      if (closing !== undefined) this.#run(closing)
    }
    return !this.#instance.busy
  }

  /** What the finalizers of its scope are told. */
  get #exit(): Exit.Exit<void, unknown> {
    if (!Cause.isEmpty(this.cause)) return Exit.failCause(this.cause)
    return this.killed ? Exit.interrupt(FiberId.none) : Exit.void
  }

  /** True while children are still there. */
  #stopsChildren(): boolean {
    if (this.children === undefined) {
      const { children, definition } = this.#instance
      this.children = [...(children?.values() ?? [])]
      const together = this.killed || definition.stopsChildren === "together"
      if (together) for (const child of this.children) this.#stopChild(child)
    }
    for (let last = this.children.at(-1); last !== undefined; last = this.children.at(-1)) {
      if (last.status !== "down" && last.status !== "gone") {
        this.#stopChild(last)
        this.waitsForChild = true
        return true
      }
      this.children.pop()
      this.#instance.forgetChild(last.name)
    }
    return false
  }

  #stopChild(child: Instance): void {
    if (this.killed) child.kill()
    else child.requestStop()
  }

  #runStopHook(): void {
    if (this.killed) return
    try {
      const stopping = this.#instance.stopHook(this.ended)
      if (isEffect(stopping)) this.#run(stopping)
    } catch (defect) {
      this.add(Cause.die(defect))
    }
  }

  #run(effect: Effect.Effect<unknown, unknown, unknown>): void {
    this.#instance.run(effect, (exit) => {
      if (Exit.isFailure(exit) && !(this.killed && Cause.isInterruptedOnly(exit.cause))) this.add(exit.cause)
    })
  }
}
