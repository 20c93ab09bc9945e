/**
 * Frames: what two actor systems say to each other across a process boundary, as JSON values.
 *
 *   tell ask withdraw reply    messages, and the answers to asks
 *   watch unwatch ended        death notices
 *   stop                       stop the tree on your side, in order
 *   taken                      flow control: how many frames of the other side have been dealt with
 *
 * Messages cross in their schema's encoded form; this is the only place where the runtime encodes or
 * decodes. Each class's codec is compiled once.
 */
import { type Either, type ParseResult, Schema } from "effect"
import { DeliveryFault } from "#protocols/delivery.ts"
import { EndReason } from "#protocols/runtime.ts"
import type { MessageClass } from "./actor.ts"
import type { Tagged } from "./ask.ts"

export type Frame =
  | readonly ["tell", path: string, message: unknown]
  | readonly ["ask", id: number, path: string, deadlineMillis: number, request: unknown]
  | readonly ["withdraw", id: number]
  | readonly ["reply", id: number, exit: unknown]
  | readonly ["watch", id: number, path: string]
  | readonly ["unwatch", id: number]
  | readonly ["ended", id: number, ended: unknown]
  | readonly ["stop"]
  | readonly ["taken", count: number]

const id = Schema.NonNegativeInt
const FrameSchema = Schema.Union(
  Schema.Tuple(Schema.Literal("tell"), Schema.String, Schema.Unknown),
  Schema.Tuple(Schema.Literal("ask"), id, Schema.String, Schema.Number, Schema.Unknown),
  Schema.Tuple(Schema.Literal("withdraw"), id),
  Schema.Tuple(Schema.Literal("reply"), id, Schema.Unknown),
  Schema.Tuple(Schema.Literal("watch"), id, Schema.String),
  Schema.Tuple(Schema.Literal("unwatch"), id),
  Schema.Tuple(Schema.Literal("ended"), id, Schema.Unknown),
  Schema.Tuple(Schema.Literal("stop")),
  Schema.Tuple(Schema.Literal("taken"), id)
)

export const isFrame: (value: unknown) => value is Frame = Schema.is(FrameSchema)

const DefectCause = Schema.Cause({ error: Schema.Defect, defect: Schema.Defect })

const EndedSchema = Schema.Struct({
  path: Schema.String,
  incarnation: Schema.Int,
  reason: EndReason,
  cause: DefectCause,
  duringInit: Schema.Boolean
})

export const encodeEnded = Schema.encodeSync(EndedSchema)
export const decodeEnded = Schema.decodeUnknownEither(EndedSchema)

type Codec = {
  readonly encode: (value: unknown) => unknown
  readonly decode: (value: unknown) => Either.Either<unknown, ParseResult.ParseError>
}

const messageCodecs = new WeakMap<MessageClass, Codec>()

export const messageCodec = (message: MessageClass): Codec => {
  let codec = messageCodecs.get(message)
  if (codec === undefined) {
    codec = { encode: Schema.encodeUnknownSync(message), decode: Schema.decodeUnknownEither(message) }
    messageCodecs.set(message, codec)
  }
  return codec
}

const answerCodecs = new WeakMap<object, Codec>()

/** The codec of the outcome of an ask: its success, its failure, or what the delivery itself can fail with. */
export const answerCodec = <A, I, E, EI>(request: Tagged & Schema.WithResult<A, I, E, EI, never>): Codec => {
  const { constructor } = request
  let codec = answerCodecs.get(constructor)
  if (codec === undefined) {
    const exit = Schema.Exit({
      success: Schema.successSchema(request),
      failure: Schema.Union(Schema.failureSchema(request), DeliveryFault),
      defect: Schema.Defect
    })
    codec = { encode: Schema.encodeUnknownSync(exit), decode: Schema.decodeUnknownEither(exit) }
    answerCodecs.set(constructor, codec)
  }
  return codec
}

/** The codec of an answer that never reached its request. */
export const encodeFault = Schema.encodeSync(
  Schema.Exit({ success: Schema.Never, failure: DeliveryFault, defect: Schema.Defect })
)

/** Asks carry the schemas of their answers; tells do not. */
export const isRequest = (message: Tagged): message is Asked => Schema.symbolWithResult in message

type Asked = Tagged & Schema.WithResult<unknown, unknown, unknown, unknown, never>
