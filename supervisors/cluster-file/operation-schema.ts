/**
 * What a node tells those who look after it, and how long it may take to stop. The same on all nodes; on one of them its
 * environment says otherwise, see node/environment.ts.
 */
import { Schema } from "effect"
import { LogLevel } from "#protocols/operations.ts"
import { intervalMillisDefault, isEndpoint, ratioDefault } from "../node/traces.ts"
import { Millis, optional, Text, whole, withDefault, word } from "./key.ts"

export const Log = Schema.Struct({
  level: withDefault(
    word(...LogLevel.literals),
    "info",
    "What is logged at first, and all that is worse; in the shell it is changed until the next start."
  ),
  format: optional(
    word("json", "pretty"),
    "One object of JSON a line, or lines for people; without it JSON, unless the output is a terminal."
  )
}).annotations({ title: "a section of level and format" })

const Endpoint = Text.pipe(Schema.filter(isEndpoint)).annotations({
  title: "an address of a collector such as http://127.0.0.1:4318"
})

const Share = Schema.Number.pipe(Schema.between(0, 1)).annotations({ title: "a share, 0 to 1" })

export const Telemetry = Schema.Struct({
  otlp: optional(
    Endpoint,
    "The collector that spans go to, by OTLP over HTTP, at `/v1/traces` below it; without it nothing is traced."
  ),
  ratio: withDefault(
    Share,
    ratioDefault,
    "Of the requests that come without a trace, the share that gets one."
  ),
  intervalMillis: withDefault(Millis, intervalMillisDefault, "How long spans are gathered, at most.")
}).annotations({ title: "a section of otlp, ratio and intervalMillis" })

/** Units of systemd wait 30 s; a node that is killed there has not said who did not stop. */
export const stopMillisMax = 25_000
export const StopMillis = whole(1_000, stopMillisMax, "milliseconds")
