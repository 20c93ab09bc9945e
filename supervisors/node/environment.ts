/**
 * What whoever starts a node may say by the environment of the process, over what its options or its file say; an empty
 * variable is as if it were not there:
 *
 *   ULTRACLOUD_LOG_LEVEL           debug, info, warn or error
 *   ULTRACLOUD_LOG_FORMAT          json or pretty; if nobody says it, pretty on a terminal and JSON otherwise
 *   OTEL_EXPORTER_OTLP_ENDPOINT    where spans go, such as http://127.0.0.1:4318
 *   OTEL_TRACES_SAMPLER_ARG        of the requests that come without a trace, the share that gets one, 0 to 1
 */
import { Effect, Either, Schema } from "effect"
import { LogLevel } from "#protocols/operations.ts"
import type { LogFormat } from "./log-line.ts"
import { isEndpoint } from "./traces.ts"

export class EnvironmentRefused extends Schema.TaggedError<EnvironmentRefused>()("EnvironmentRefused", {
  variable: Schema.String,
  reason: Schema.String
}) {
  override get message() {
    return `the environment variable ${this.variable} ${this.reason}`
  }
}

export interface NodeEnvironment {
  readonly logLevel: LogLevel | undefined
  readonly logFormat: LogFormat | undefined
  readonly endpoint: string | undefined
  readonly ratio: number | undefined
}

type Variables = Readonly<Record<string, string | undefined>>

export const readEnvironment = (variables: Variables): Effect.Effect<NodeEnvironment, EnvironmentRefused> =>
  Effect.all({
    logLevel: oneOf(variables, "ULTRACLOUD_LOG_LEVEL", LogLevel.literals),
    logFormat: oneOf(variables, "ULTRACLOUD_LOG_FORMAT", ["json", "pretty"] as const),
    endpoint: endpointOf(variables, "OTEL_EXPORTER_OTLP_ENDPOINT"),
    ratio: ratioOf(variables, "OTEL_TRACES_SAMPLER_ARG")
  })

const endpointOf = (
  variables: Variables,
  variable: string
): Either.Either<string | undefined, EnvironmentRefused> => {
  const given = variables[variable]
  if (given === undefined || given === "") return Either.right(undefined)
  if (isEndpoint(given)) return Either.right(given)
  const reason = "is no address of a collector: give one such as http://127.0.0.1:4318"
  return Either.left(new EnvironmentRefused({ variable, reason }))
}

const ratioOf = (
  variables: Variables,
  variable: string
): Either.Either<number | undefined, EnvironmentRefused> => {
  const given = variables[variable]
  if (given === undefined || given === "") return Either.right(undefined)
  const ratio = Number(given)
  if (ratio >= 0 && ratio <= 1) return Either.right(ratio)
  const reason = `is ${JSON.stringify(given.slice(0, 100))}: give a number from 0 to 1`
  return Either.left(new EnvironmentRefused({ variable, reason }))
}

const oneOf = <Value extends string>(
  variables: Variables,
  variable: string,
  values: ReadonlyArray<Value>
): Either.Either<Value | undefined, EnvironmentRefused> => {
  const given = variables[variable]
  if (given === undefined || given === "") return Either.right(undefined)
  const found = values.find((value) => value === given)
  if (found !== undefined) return Either.right(found)
  const reason = `is ${JSON.stringify(given.slice(0, 100))}: give ${values.slice(0, -1).join(", ")} or ${values.at(-1)}`
  return Either.left(new EnvironmentRefused({ variable, reason }))
}
