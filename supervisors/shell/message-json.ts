/**
 * Messages as an operator types and reads them: JSON, where bytes are `{"$text": "abc"}` or `{"$base64": "YWJj"}`.
 * What does not fit the message class is refused with the field that is wrong. Pure.
 */
import { Either, Encoding, ParseResult, Schema } from "effect"
import type { PublicMessage } from "#protocols/catalogue.ts"
import { about } from "#protocols/message.ts"

interface Tagged {
  readonly _tag: string
}

export interface FieldProblem {
  /** Such as `keys.0`; empty where it is about no single field. */
  readonly field: string
  readonly problem: string
}

export const problemText = ({ field, problem }: FieldProblem): string =>
  field === "" ? problem : `field ${field}: ${problem}`

/** An instance of the class, or what is wrong, with its place. */
export const messageFrom = (known: PublicMessage, json: string): Either.Either<Tagged, FieldProblem> =>
  Either.flatMap(parsed(json), (value) => {
    if (typeof value !== "object" || value === null || Array.isArray(value))
      return whole(`the fields of ${known._tag} are a JSON object such as {"name": "value"}`)
    const attached = Object.fromEntries(about(known).attached.map((field) => [field, "the shell"]))
    const given = { ...value, ...attached, _tag: known._tag }
    const decode = Schema.decodeUnknownEither(known, { onExcessProperty: "error" })
    return Either.flatMap(Either.mapLeft(decode(given), problemOf), (message) =>
      isTagged(message) ? Either.right(message) : whole(`${known._tag} is no message`)
    )
  })

const whole = (problem: string): Either.Either<never, FieldProblem> => Either.left({ field: "", problem })

const parsed = (json: string): Either.Either<unknown, FieldProblem> =>
  Either.try({
    try: () => JSON.parse(json, revived),
    catch: (cause) => ({
      field: "",
      problem: `the JSON is not: ${cause instanceof Error ? cause.message : String(cause)}`
    })
  })

const revived = (_key: string, value: unknown): unknown => {
  if (typeof value !== "object" || value === null) return value
  const [entry, ...others] = Object.entries(value)
  if (entry === undefined || others.length > 0) return value
  const [name, inside] = entry
  if (typeof inside !== "string") return value
  if (name === "$text") return new TextEncoder().encode(inside)
  if (name !== "$base64") return value
  return Either.getOrElse(Encoding.decodeBase64(inside), () => value)
}

const problemOf = (error: ParseResult.ParseError): FieldProblem => {
  const [issue] = ParseResult.ArrayFormatter.formatErrorSync(error)
  if (issue === undefined) return { field: "", problem: "it does not fit its schema" }
  return { field: issue.path.map(String).join("."), problem: issue.message.split("\n", 1).join() }
}

const isTagged = (value: unknown): value is Tagged =>
  typeof value === "object" && value !== null && "_tag" in value && typeof value._tag === "string"

/** Any value of a message or an answer; what JSON has no words for is said in others. */
export const jsonText = (value: unknown, indent?: number): string =>
  JSON.stringify(value, shown, indent) ?? "null"

const shown = (_key: string, value: unknown): unknown => {
  if (typeof value === "bigint") return String(value)
  if (!(value instanceof Uint8Array)) return value
  const text = new TextDecoder().decode(value)
  const same = Encoding.encodeBase64(new TextEncoder().encode(text)) === Encoding.encodeBase64(value)
  return same ? { $text: text } : { $base64: Encoding.encodeBase64(value) }
}
