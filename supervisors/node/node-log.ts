/**
 * What a node says in its log on its own account: how it boots, whether it is ready, how it stops. What its actors say
 * goes by way of their system. Both follow the level that an operator may change while it runs.
 */
import { Effect } from "effect"
import { logged } from "#actors/kernel/logging.ts"
import { isLogged, type LogLevel } from "#protocols/operations.ts"

/** For a log line. */
export type Fields = Readonly<Record<string, string | number | boolean>>

export type Say = (level: LogLevel, message: string, fields?: Fields) => Effect.Effect<void>

/** `threshold`: what is logged now, and all that is worse. */
export const sayAs =
  (node: string, threshold: () => LogLevel): Say =>
  (level, message, fields = {}) =>
    Effect.suspend(() => (isLogged(level, threshold()) ? logged(node, level, message, fields) : Effect.void))
