/**
 * What a node says in its log on its own account: how it boots, whether it is ready, how it stops. What its actors say
 * goes by way of their system. Both follow the level that an operator may change while it runs.
 */
import { Effect, LogLevel as EffectLevel, Logger } from "effect"
import type { LogLevel } from "#protocols/operations.ts"

const levels: ReadonlyArray<LogLevel> = ["debug", "info", "warn", "error"]

/** For a log line. */
export type Fields = Readonly<Record<string, string | number | boolean>>

export type Say = (level: LogLevel, message: string, fields?: Fields) => Effect.Effect<void>

const logging = {
  debug: Effect.logDebug,
  info: Effect.logInfo,
  warn: Effect.logWarning,
  error: Effect.logError
}

/** `threshold`: what is logged now, and all that is worse. */
export const sayAs =
  (node: string, threshold: () => LogLevel): Say =>
  (level, message, fields = {}) =>
    Effect.suspend(() =>
      levels.indexOf(level) < levels.indexOf(threshold())
        ? Effect.void
        : logging[level](message).pipe(
            Effect.annotateLogs({ system: node, ...fields }),
            Logger.withMinimumLogLevel(EffectLevel.All)
          )
    )
