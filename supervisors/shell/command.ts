/**
 * A command of the shell: what it looks like, and what it does. Whatever it says is said twice, as a value for
 * programs and as lines for people; how it is shown is not its business.
 */
import { Cause, Data, type Effect, Option, Predicate, type Stream } from "effect"
import type { Cloud } from "./cloud.ts"
import type { CommandSpec, Given } from "./command-spec.ts"

export interface Shown {
  readonly json: unknown
  readonly lines: ReadonlyArray<string>
}

export interface Stage {
  readonly cloud: Cloud
  /** At once; a command may show many things. */
  readonly show: (shown: Shown) => Effect.Effect<void>
  /** Somebody looks at a screen that can be drawn anew. */
  readonly screen: { readonly columns: number; readonly rows: number } | undefined
  /** Gives the operator a file, whole or not at all; how many bytes it has. */
  readonly save: (file: Saved) => Effect.Effect<number, Refusal>
}

export interface Saved {
  readonly name: string
  /** What has this name already may go. */
  readonly replaces: boolean
  readonly chunks: Stream.Stream<Uint8Array, Refusal>
}

/** A refusal in words; its message says what to do. */
export interface Refusal {
  readonly message: string
}

export interface Command extends CommandSpec {
  readonly run: (given: Given, stage: Stage) => Effect.Effect<unknown, Refusal>
}

/** What the shell itself has to object. */
export class CommandRefused extends Data.TaggedError("CommandRefused")<{
  readonly reason: string
  /** Of the message that was to be sent, where one of them is wrong: `key` or `keys.0`. */
  readonly field?: string
}> {
  override get message() {
    return this.reason
  }
}

/** Orders say why; this is said where the operator says nothing. */
export const reasonOf = (given: Given): string => given.option("reason") ?? "by hand, from a shell"

export const reasonOption = {
  reason: { kind: "text", about: "why, for the audit event and the log" }
} as const

/** A line that says what was done. */
export const said = (json: unknown, ...lines: ReadonlyArray<string>): Shown => ({ json, lines })

export interface Failed {
  readonly tag: string
  readonly message: string
  readonly field?: string
}

/** A fault of ours or of the node has words; what has none is a bug, and shown whole. */
export const failureOf = (cause: Cause.Cause<unknown>): Failed => {
  const failure = Option.getOrUndefined(Cause.failureOption(cause))
  const message =
    Predicate.hasProperty(failure, "message") && Predicate.isString(failure.message)
      ? failure.message
      : Cause.pretty(cause)
  const tag = Predicate.hasProperty(failure, "_tag") ? String(failure._tag) : "Defect"
  const field = failure instanceof CommandRefused ? failure.field : undefined
  return { tag, message, ...(field !== undefined && { field }) }
}
