/**
 * QMP, the QEMU Machine Protocol: how a running QEMU is told what to do, one JSON object a line. Only the client's
 * half, and pure: bytes come in, messages go out.
 *
 * QEMU greets first and takes only `qmp_capabilities` before anything else. Each command here carries an id, which
 * comes back with its answer, so that events may come in between.
 */
import { Either, Schema } from "effect"

const Greeting = Schema.Struct({
  QMP: Schema.Struct({
    version: Schema.Struct({
      qemu: Schema.Struct({ major: Schema.Int, minor: Schema.Int, micro: Schema.Int }),
      package: Schema.String
    })
  })
})
/** Spelled out, since a field of unknown type may be missing. */
const Value = Schema.Union(Schema.Object, Schema.String, Schema.Number, Schema.Boolean)
const Answer = Schema.Struct({ return: Value, id: Schema.optional(Schema.Int) })
const Refusal = Schema.Struct({
  error: Schema.Struct({ class: Schema.String, desc: Schema.String }),
  id: Schema.optional(Schema.Int)
})
const Event = Schema.Struct({
  event: Schema.String,
  data: Schema.optional(Schema.Unknown),
  timestamp: Schema.Struct({ seconds: Schema.Number, microseconds: Schema.Number })
})

export type QmpMessage =
  | { readonly _tag: "Greeting"; readonly version: string }
  | { readonly _tag: "Answer"; readonly id: number | undefined; readonly value: unknown }
  | { readonly _tag: "Refusal"; readonly id: number | undefined; readonly reason: string }
  | { readonly _tag: "Event"; readonly name: string; readonly data: unknown; readonly atMillis: number }
  /** Nothing of the above; QEMU does not send such. */
  | { readonly _tag: "Unknown"; readonly line: string }

const decode = Schema.decodeUnknownEither(Schema.parseJson(Schema.Union(Greeting, Answer, Refusal, Event)))

/** A line of QMP. */
export const qmpMessage = (line: string): QmpMessage => {
  const decoded = decode(line)
  if (Either.isLeft(decoded)) return { _tag: "Unknown", line: line.slice(0, 200) }
  const message = decoded.right
  if ("QMP" in message) {
    const { major, micro, minor } = message.QMP.version.qemu
    return { _tag: "Greeting", version: `${major}.${minor}.${micro}` }
  }
  if ("return" in message) return { _tag: "Answer", id: message.id, value: message.return }
  if ("error" in message)
    return { _tag: "Refusal", id: message.id, reason: `${message.error.class}: ${message.error.desc}` }
  const { microseconds, seconds } = message.timestamp
  const atMillis = seconds * 1_000 + microseconds / 1_000
  return { _tag: "Event", name: message.event, data: message.data, atMillis }
}

/** The line that gives a command. */
export const qmpCommand = (id: number, execute: string, args: object = {}): string =>
  `${JSON.stringify({ execute, arguments: args, id })}\n`
