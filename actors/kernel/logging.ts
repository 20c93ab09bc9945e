/** What a system, or the node around it, says in its log; which lines are written is decided before. */
import { Effect, LogLevel as EffectLevel, Logger } from "effect"
import type { LogLevel } from "#protocols/operations.ts"

const logAt: Readonly<Record<LogLevel, typeof Effect.logInfo>> = {
  debug: Effect.logDebug,
  info: Effect.logInfo,
  warn: Effect.logWarning,
  error: Effect.logError
}

export const logged = (
  system: string,
  level: LogLevel,
  message: string,
  annotations: Readonly<Record<string, unknown>>
): Effect.Effect<void> =>
  logAt[level](message).pipe(
    Effect.annotateLogs({ system, ...annotations }),
    // What Effect would leave out by itself is none of its business here.
    Logger.withMinimumLogLevel(EffectLevel.All)
  )
