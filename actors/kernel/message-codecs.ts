/**
 * How messages, answers, faults and death notices look on a link. This is the only place where the
 * runtime encodes or decodes; each class's codec is compiled once.
 */
import { Schema } from "effect"
import { DeliveryFault } from "#protocols/delivery.ts"
import { EndReason } from "#protocols/runtime.ts"
import type { MessageClass } from "./actor.ts"
import type { Tagged } from "./ask.ts"
import { type Codec, compile } from "./codec.ts"

const messageCodecs = new WeakMap<MessageClass, Codec>()

export const messageCodec = (message: MessageClass): Codec => {
  let codec = messageCodecs.get(message)
  if (codec === undefined) {
    codec = compile(message)
    messageCodecs.set(message, codec)
  }
  return codec
}

/** An event is an instance of its class, and needs nobody who knows the class. */
export const encodeEvent = (event: Tagged): unknown => {
  const { constructor } = event
  return isMessageClass(constructor) ? messageCodec(constructor).encode(event) : undefined
}

const isMessageClass = (value: unknown): value is MessageClass =>
  typeof value === "function" && Schema.isSchema(value) && "_tag" in value

interface AnswerCodec {
  readonly success: Codec
  /** The request's own failure, or what the delivery itself can fail with. */
  readonly failure: Codec
}

const answerCodecs = new WeakMap<object, AnswerCodec>()

export const answerCodec = <A, I, E, EI>(
  request: Tagged & Schema.WithResult<A, I, E, EI, never>
): AnswerCodec => {
  const { constructor } = request
  let codec = answerCodecs.get(constructor)
  if (codec === undefined) {
    codec = {
      success: compile(Schema.successSchema(request)),
      failure: compile(Schema.Union(Schema.failureSchema(request), DeliveryFault))
    }
    answerCodecs.set(constructor, codec)
  }
  return codec
}

/** The encoded form of what went wrong before the request was known. */
export const encodeFault: (fault: DeliveryFault) => unknown = Schema.encodeSync(DeliveryFault)

/** The same where only the sender knows what it is. */
export const encodeUnknownFault: (fault: unknown) => unknown = Schema.encodeUnknownSync(DeliveryFault)

/** Asks carry the schemas of their answers; tells do not. */
export const isRequest = (message: Tagged): message is Asked => Schema.symbolWithResult in message

type Asked = Tagged & Schema.WithResult<unknown, unknown, unknown, unknown, never>

export const isTagged = (value: unknown): value is Tagged =>
  typeof value === "object" && value !== null && "_tag" in value && typeof value._tag === "string"

/** The tag of an encoded message, for people. */
export const tagOf = (encoded: unknown): string =>
  isTagged(encoded) ? encoded._tag.slice(0, 100) : "(no tag)"

const EndedSchema = Schema.Struct({
  path: Schema.String,
  incarnation: Schema.Int,
  reason: EndReason,
  cause: Schema.Cause({ error: Schema.Defect, defect: Schema.Defect }),
  duringInit: Schema.Boolean
})

export const encodeEnded: (ended: typeof EndedSchema.Type) => unknown = Schema.encodeSync(EndedSchema)
export const decodeEnded = Schema.decodeUnknownEither(EndedSchema)
