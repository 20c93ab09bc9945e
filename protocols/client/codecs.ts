/**
 * How messages, answers, faults and events of a client look on its link. What is sent is looked through
 * once more after it was encoded: a batch with something in it that no link carries would take all others
 * of the batch with it.
 */
import { Either, ParseResult, Schema } from "effect"
import type { AddressedMessage } from "../address.ts"
import { DeliveryFault } from "../delivery.ts"

export interface Tagged {
  readonly _tag: string
}

/** Any request class instance: what can be asked. */
export type Request = Schema.TaggedRequest.All
export type Success<Asked> =
  Asked extends Schema.WithResult<infer A, infer _I, infer _E, infer _EI, infer _R> ? A : never
export type Failure<Asked> =
  Asked extends Schema.WithResult<infer _A, infer _I, infer E, infer _EI, infer _R> ? E : never

/** The class of a message, if it is an instance of one. */
export const classOf = (message: Tagged): AddressedMessage | undefined => {
  const { constructor } = message
  return isMessageClass(constructor) ? constructor : undefined
}

const isMessageClass = (value: unknown): value is AddressedMessage =>
  typeof value === "function" && Schema.isSchema(value) && "_tag" in value && typeof value._tag === "string"

type Encode = (message: unknown) => Either.Either<unknown, ParseResult.ParseError>

const encoders = new WeakMap<AddressedMessage, Encode>()

/** As it goes over the link, or why it does not. */
export const encode = (known: AddressedMessage, message: Tagged): Either.Either<unknown, string> => {
  let encoder = encoders.get(known)
  if (encoder === undefined) {
    encoder = Schema.encodeUnknownEither(known)
    encoders.set(known, encoder)
  }
  return Either.flatMap(Either.mapLeft(encoder(message), problemOf), (encoded) => {
    const objection = objectionTo(encoded, nestingMax)
    return objection === undefined ? Either.right(encoded) : Either.left(objection)
  })
}

/** Somewhat less than what nodes take, since messages travel inside of frames. */
const nestingMax = 180

const objectionTo = (value: unknown, depth: number): string | undefined => {
  switch (typeof value) {
    case "bigint":
    case "function":
    case "symbol":
      return `its encoded form holds a ${typeof value}, which no link carries`
    case "object":
      if (value === null || ArrayBuffer.isView(value) || value instanceof Date) return undefined
      if (depth === 0) return `it is nested deeper than ${nestingMax} levels`
      for (const element of Array.isArray(value) ? value : Object.values(value)) {
        const objection = objectionTo(element, depth - 1)
        if (objection !== undefined) return objection
      }
      return undefined
    default:
      return undefined
  }
}

export const isRequest = (message: Tagged): message is AskedMessage => Schema.symbolWithResult in message

type AskedMessage = Tagged & Schema.WithResult<unknown, unknown, unknown, unknown, never>
type Decode = (encoded: unknown) => Either.Either<unknown, string>

interface AnswerCodec {
  readonly success: Decode
  /** The request's own failure, or what the delivery itself can fail with. */
  readonly failure: Decode
}

const answerCodecs = new WeakMap<object, AnswerCodec>()

export const answerCodec = (request: AskedMessage): AnswerCodec => {
  let codec = answerCodecs.get(request.constructor)
  if (codec === undefined) {
    codec = {
      success: decoder(Schema.successSchema(request)),
      failure: decoder(Schema.Union(Schema.failureSchema(request), DeliveryFault))
    }
    answerCodecs.set(request.constructor, codec)
  }
  return codec
}

const decoder = <A, I>(schema: Schema.Schema<A, I>) => {
  const decode = Schema.decodeUnknownEither(schema)
  return (encoded: unknown): Either.Either<A, string> => Either.mapLeft(decode(encoded), problemOf)
}

/** Of a subscription to events of these classes. The union forgets that none of them needs a context. */
export const eventDecoder = <const Classes extends ReadonlyArray<AddressedMessage>>(classes: Classes) =>
  decoder(Schema.make<Schema.Schema.Type<Classes[number]>, unknown>(Schema.Union(...classes).ast))

const decodeDelivery = Schema.decodeUnknownOption(DeliveryFault)

export const decodeFault = (encoded: unknown): DeliveryFault | undefined => {
  const decoded = decodeDelivery(encoded)
  return decoded._tag === "Some" ? decoded.value : undefined
}

/** One line: where, and what is wrong with it. */
const problemOf = (error: ParseResult.ParseError): string => {
  const [issue] = ParseResult.ArrayFormatter.formatErrorSync(error)
  if (issue === undefined) return "it does not fit its schema"
  const where = issue.path.map(String).join(".")
  const what = issue.message.split("\n", 1).join()
  return where === "" ? what : `${where}: ${what}`
}
