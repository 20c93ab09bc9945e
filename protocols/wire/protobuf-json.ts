/**
 * The JSON form of proto3 messages, as grpc-gateway speaks it under `/v3/...` (protobuf.dev, "JSON Mapping").
 *
 * Written are names as in the .proto, 64-bit integers as texts, bytes as base64, enumerations by name, and
 * nothing that has its default, unless it is the chosen one of several. Read are both spellings of names,
 * numbers as numbers or texts, both alphabets of base64, enumerations by name or number; unknown names are
 * passed over, null is the default. What cannot be read is refused in the words of Go's encoding/json, as
 * grpc-gateway does.
 */
import { Data, Either, Encoding } from "effect"
import { JsonMalformed, JsonNumber, wholeJson } from "./json-text.ts"
import { asObject, isDefault, type Kind, type Message, type NamedField } from "./protobuf-message.ts"

export type Json = null | boolean | number | string | ReadonlyArray<Json> | { readonly [name: string]: Json }

export class ProtobufJsonMalformed extends Data.TaggedError("ProtobufJsonMalformed")<{
  readonly field: string
  readonly reason: string
}> {
  override get message() {
    return `${this.field}: ${this.reason}`
  }
}

const depthMax = 64

export const toJson = <T extends object>(
  message: Message<T>,
  value: T
): { readonly [name: string]: Json } => {
  const json: Record<string, Json> = {}
  const values: Readonly<Record<string, unknown>> = { ...asObject(value) }
  for (const field of message.fields) {
    const found = values[field.name]
    if (found === undefined) continue
    if (field.rule === "repeated") {
      if (Array.isArray(found) && found.length > 0) {
        json[field.protoName] = found.map((element) => valueToJson(field, element))
      }
    } else if (field.rule === "choice" || !isDefault(found)) json[field.protoName] = valueToJson(field, found)
  }
  return json
}

/** Throws ProtobufJsonMalformed. Numbers may be JsonNumbers, which lose nothing of 64 bits. */
export const fromJson = <T extends object>(message: Message<T>, json: unknown): T => {
  const values = valuesFromJson(message, json, message.name, 0)
  // Each value was made for its field just now.
  return message.make(values as Partial<T>)
}

const valueToJson = (field: NamedField, value: unknown): Json => {
  if (value instanceof Uint8Array) return Encoding.encodeBase64(value)
  if (typeof value === "bigint") return String(value)
  if (typeof value === "number") {
    if (field.kind === "safe64") return String(value)
    return field.kind === "enum" ? (field.names[value] ?? value) : value
  }
  if (typeof value === "string" || typeof value === "boolean") return value
  return typeof value === "object" && value !== null && field.of !== undefined
    ? toJson(field.of(), value)
    : null
}

const valuesFromJson = (
  message: Message<object>,
  json: unknown,
  where: string,
  depth: number
): Record<string, unknown> => {
  if (json === null) return {}
  if (typeof json !== "object" || Array.isArray(json) || json instanceof JsonNumber) {
    return mismatch(where, json, "map[string]json.RawMessage")
  }
  if (depth > depthMax) refuse(where, `messages nest deeper than ${depthMax}`)
  const given: Readonly<Record<string, unknown>> = { ...asObject(json) }
  const values: Record<string, unknown> = {}
  let chosen: string | undefined
  for (const field of message.fields) {
    const raw = ownOf(given, field.name) ?? ownOf(given, field.protoName)
    if (raw === undefined || raw === null) continue
    if (field.rule === "choice") {
      if (chosen !== undefined) refuse(where, `has ${chosen} and ${field.protoName}, of which there is one`)
      chosen = field.protoName
    }
    const here = `${where}.${field.protoName}`
    if (field.rule === "repeated") {
      if (!Array.isArray(raw)) return mismatch(here, raw, "[]json.RawMessage")
      values[field.name] = raw.map((element: unknown) => valueFromJson(field, element, here, depth))
    } else values[field.name] = valueFromJson(field, raw, here, depth)
  }
  return values
}

const ownOf = (given: Readonly<Record<string, unknown>>, name: string): unknown =>
  Object.hasOwn(given, name) ? given[name] : undefined

const valueFromJson = (field: NamedField, json: unknown, where: string, depth: number): unknown => {
  switch (field.kind) {
    case "bytes":
      return bytesFromJson(json, where)
    case "string":
      return typeof json === "string" ? json : mismatch(where, json, "string")
    case "bool":
      return typeof json === "boolean" ? json : mismatch(where, json, "bool")
    case "enum": {
      const named = typeof json === "string" ? field.names.indexOf(json) : -1
      if (named >= 0) return named
      if (typeof json === "string" && !/^-?\d/.test(json)) {
        return refuse(where, `unknown value ${JSON.stringify(json)} for the enumeration ${where}`)
      }
      return Number(integerFromJson(json, field.kind, where))
    }
    case "uint32":
    case "safe64":
      return Number(integerFromJson(json, field.kind, where))
    case "int64":
    case "uint64":
      return integerFromJson(json, field.kind, where)
    case "message": {
      if (json === null) return refuse(where, "null in a list of messages")
      const of = field.of!()
      return of.make(valuesFromJson(of, json, where, depth + 1))
    }
  }
}

/** By hand: a regular expression looks from each of them to the end. */
const withoutPadding = (base64: string): string => {
  let end = base64.length
  while (base64[end - 1] === "=") end--
  return base64.slice(0, end)
}

const base64Digit = /^[A-Za-z0-9+/]*/

const bytesFromJson = (json: unknown, where: string): Uint8Array => {
  if (Array.isArray(json))
    return Uint8Array.from(json, (byte) => Number(within(byte, 0n, 255n, "uint8", where)))
  if (typeof json !== "string") return mismatch(where, json, "[]uint8")
  const standard = withoutPadding(
    json
      .replaceAll("-", "+")
      .replaceAll("_", "/")
      .replaceAll(/[\r\n]/g, "")
  )
  const padded = standard + "=".repeat((4 - (standard.length % 4)) % 4)
  return Either.getOrElse(Encoding.decodeBase64(padded), () =>
    refuse(where, `illegal base64 data at input byte ${base64Digit.exec(standard)?.[0].length ?? 0}`)
  )
}

type IntegerKind = Extract<Kind, "enum" | "uint32" | "safe64" | "int64" | "uint64">

const safeMax = BigInt(Number.MAX_SAFE_INTEGER)

/** What it is called in Go, and from where to where it goes. */
const integers: Readonly<Record<IntegerKind, readonly [type: string, min: bigint, max: bigint]>> = {
  enum: ["int32", -(2n ** 31n), 2n ** 31n - 1n],
  uint32: ["uint32", 0n, 2n ** 32n - 1n],
  safe64: ["int64", -safeMax, safeMax],
  int64: ["int64", -(2n ** 63n), 2n ** 63n - 1n],
  uint64: ["uint64", 0n, 2n ** 64n - 1n]
}

const integerFromJson = (json: unknown, kind: IntegerKind, where: string): bigint => {
  const [type, min, max] = integers[kind]
  return within(typeof json === "string" ? unquoted(json, where) : json, min, max, type, where)
}

/** A number that comes as a text is read as if it had come without its quotes. */
const unquoted = (text: string, where: string): unknown => {
  try {
    return wholeJson(text) ?? 0
  } catch (problem) {
    if (problem instanceof JsonMalformed) return refuse(where, problem.reason)
    throw problem
  }
}

const within = (json: unknown, min: bigint, max: bigint, type: string, where: string): bigint => {
  if (typeof json !== "number" && !(json instanceof JsonNumber)) return mismatch(where, json, type)
  const text = typeof json === "number" ? String(json) : json.text
  // Longer ones are out of every range, and long to read.
  const value = /^-?\d{1,20}$/.test(text) ? BigInt(text) : undefined
  return value !== undefined && value >= min && value <= max
    ? value
    : refuse(where, `json: cannot unmarshal number ${text.slice(0, 100)} into Go value of type ${type}`)
}

const mismatch = (where: string, json: unknown, type: string): never => {
  const isNumber = typeof json === "number" || json instanceof JsonNumber
  const kind = Array.isArray(json)
    ? "array"
    : isNumber
      ? "number"
      : typeof json === "boolean"
        ? "bool"
        : typeof json
  return refuse(where, `json: cannot unmarshal ${kind} into Go value of type ${type}`)
}

const refuse: (field: string, reason: string) => never = (field, reason) => {
  throw new ProtobufJsonMalformed({ field, reason })
}
