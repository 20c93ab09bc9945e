/**
 * Where a node's log goes: a line for each thing that is said, as log-line.ts writes it. A reader that does not keep
 * up loses lines, and is told how many; the node does not wait for it, and does not keep them for it.
 */
import { Cause, HashMap, Layer, Logger } from "effect"
import type { LogLevel } from "#protocols/operations.ts"
import { type LogFormat, logLine } from "./log-line.ts"

/** By which the processes of a node's cells, too, learn how to log. */
export const formatVariable = "ULTRACLOUD_LOG_FORMAT"

/** Of what was written and not taken by whoever reads. */
const waitingBytesMax = 1024 * 1024

export interface LogOptions {
  readonly node: string
  readonly format: LogFormat
  readonly colour?: boolean
  readonly write: (line: string) => void
}

/** In place of the logger that Effect comes with. */
export const nodeLog = ({ colour = false, format, node, write }: LogOptions): Layer.Layer<never> =>
  Logger.replace(
    Logger.defaultLogger,
    Logger.make(({ annotations, cause, date, logLevel, message }) => {
      const { actor = "", system: _system, ...fields } = Object.fromEntries(HashMap.toEntries(annotations))
      const said = Array.isArray(message) ? message : [message]
      write(
        logLine(
          {
            time: date.toISOString(),
            level: levels[logLevel._tag] ?? "info",
            node,
            path: String(actor),
            message: said.map((part) => (typeof part === "string" ? part : String(part))).join(" "),
            fields: { ...fields, ...(Cause.isEmpty(cause) ? {} : { cause: Cause.pretty(cause) }) }
          },
          format,
          colour
        )
      )
    })
  )

const levels: Readonly<Partial<Record<string, LogLevel>>> = {
  Fatal: "error",
  Error: "error",
  Warning: "warn",
  Info: "info",
  Debug: "debug",
  Trace: "debug"
}

/** To a stream that may be read slowly, or not at all. */
export const writeLines = (
  stream: Pick<NodeJS.WriteStream, "write" | "writableLength">,
  format: LogFormat
): ((line: string) => void) => {
  let leftOut = 0
  return (line) => {
    if (stream.writableLength > waitingBytesMax) return void leftOut++
    if (leftOut > 0) {
      const notice = `${leftOut} lines were left out: nobody read them in time`
      stream.write(`${format === "json" ? JSON.stringify({ level: "warn", message: notice }) : notice}\n`)
    }
    leftOut = 0
    stream.write(`${line}\n`)
  }
}

/** In a process or thread of a cell: as its node logs, if that is said. */
export const cellLog = (node: string): Layer.Layer<never> => {
  const format = process.env[formatVariable]
  if (format !== "json" && format !== "pretty") return Layer.empty
  return nodeLog({ node, format, write: writeLines(process.stdout, format) })
}
