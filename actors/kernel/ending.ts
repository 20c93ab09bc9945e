/**
 * The end of one life, step by step. Each step may take time:
 *
 *   the effect of its handler ends      killed: it is interrupted
 *   its children stop                   in reverse order, one by one; killed: all are killed
 *   `onStop` runs                       killed, or never initialised: it does not
 *   its scope closes                    always
 */
import { Cause, type Effect, Exit } from "effect"
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
  #children: Array<Instance> | undefined
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
      const closing = this.#instance.closing(
        Cause.isEmpty(this.cause) ? Exit.void : Exit.failCause(this.cause)
      )
      if (closing !== undefined) this.#run(closing)
    }
    return !this.#instance.busy
  }

  /** True while children are still there. */
  #stopsChildren(): boolean {
    const { children, definition } = this.#instance
    if (children === undefined) return false
    this.#children ??= [...children.values()]
    if (this.killed) for (const child of this.#children) child.kill()
    else if (definition.stopsChildren === "together") {
      for (const child of this.#children) child.requestStop("shutdown")
    }
    for (let last = this.#children.at(-1); last !== undefined; last = this.#children.at(-1)) {
      if (last.status !== "down" && last.status !== "gone") {
        last.requestStop("shutdown")
        this.waitsForChild = true
        return true
      }
      this.#children.pop()
      this.#instance.forgetChild(last.name)
    }
    return false
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
