/**
 * How a key of the cluster file is declared. Each says in its annotations what people read about it:
 *
 *   title        what is expected there, as in "expected a port, 0 to 65535"
 *   description  what it is for
 *   default      what it is where the file does not say
 *
 * What editors, NixOS and the page of the docs are told is made of the same annotations; see documented-keys.ts.
 */
import { Schema } from "effect"

export const needed = <A, I>(schema: Schema.Schema<A, I>, description: string): Schema.Schema<A, I> =>
  schema.annotations({ description })

/** Without it there is no such thing, and the description says what that means. */
export const optional = <A, I>(schema: Schema.Schema<A, I>, description: string) =>
  Schema.optionalWith(schema.annotations({ description }), { exact: true })

export const withDefault = <A, I>(schema: Schema.Schema<A, I>, value: NoInfer<A>, description: string) =>
  Schema.optionalWith(schema.annotations({ description, default: value }), {
    exact: true,
    default: () => value
  })

/** Keys that belong together, each with a default of its own. */
export const section = <A, I>(schema: Schema.Schema<A, I>, description: string) => {
  const decode = Schema.decodeUnknownSync(schema)
  return Schema.optionalWith(schema.annotations({ description }), { exact: true, default: () => decode({}) })
}

// What values are like

export const Name = Schema.String.pipe(Schema.pattern(/^[a-z0-9][a-z0-9-]{0,62}$/)).annotations({
  title: "a name of small letters, digits and dashes, up to 63 of them"
})

export const Text = Schema.NonEmptyString.pipe(Schema.maxLength(4_096)).annotations({
  title: "a text that is not empty"
})

export const Port = Schema.Int.pipe(Schema.between(0, 65_535)).annotations({ title: "a port, 0 to 65535" })

export const Flag = Schema.Boolean.annotations({ title: "true or false" })

export const whole = (min: number, max: number, of: string) =>
  Schema.Int.pipe(Schema.between(min, max)).annotations({ title: `${of}, ${min} to ${max}` })

export const Millis = whole(1, 600_000, "milliseconds")

export const bytes = (min: number, max: number) => whole(min, max, "bytes")

/** One of a few words. */
export const word = <const Words extends readonly [string, ...ReadonlyArray<string>]>(...words: Words) =>
  Schema.Literal(...words).annotations({
    title: words.map((one) => `"${one}"`).join(words.length > 2 ? ", " : " or ")
  })
