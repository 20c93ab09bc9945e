/**
 * The JSON form of proto3 messages, as grpc-gateway speaks it under `/v3/...` (protobuf.dev, "JSON Mapping").
 *
 * Written are names as in the .proto, 64-bit integers as texts, bytes as base64, enumerations by name, and
 * nothing that has its default, unless it is the chosen one of several. Read are both spellings of names,
 * numbers as numbers or texts, both alphabets of base64, enumerations by name or number; unknown names are
 * passed over, null is the default.
 */
import { Data, Either, Encoding } from "effect"
import { asObject, isDefault, type Message, type NamedField } from "./protobuf-message.ts"

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

/** Throws ProtobufJsonMalformed. */
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
  if (typeof json !== "object" || json === null || Array.isArray(json)) refuse(where, "is no object")
  if (depth > depthMax) refuse(where, `messages nest deeper than ${depthMax}`)
  const given: Readonly<Record<string, unknown>> = { ...asObject(json) }
  const values: Record<string, unknown> = {}
  let chosen: string | undefined
  for (const field of message.fields) {
    const raw = Object.hasOwn(given, field.protoName) ? given[field.protoName] : ownOf(given, field.name)
    if (raw === undefined || raw === null) continue
    if (field.rule === "choice") {
      if (chosen !== undefined) refuse(where, `has ${chosen} and ${field.protoName}, of which there is one`)
      chosen = field.protoName
    }
    const here = `${where}.${field.protoName}`
    if (field.rule === "repeated") {
      if (!Array.isArray(raw)) refuse(here, "is no list")
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
      return typeof json === "string" ? json : refuse(where, "is no text")
    case "bool":
      return typeof json === "boolean" ? json : refuse(where, "is neither true nor false")
    case "uint32":
      return within(integerFromJson(json, where), 0n, 0xffff_ffffn, where)
    case "enum": {
      const named = typeof json === "string" ? field.names.indexOf(json) : -1
      return named >= 0 ? named : within(integerFromJson(json, where), -(2n ** 31n), 2n ** 31n - 1n, where)
    }
    case "safe64":
      return within(integerFromJson(json, where), -safeMax, safeMax, where)
    case "int64":
      return bounded(integerFromJson(json, where), -(2n ** 63n), 2n ** 63n - 1n, where)
    case "uint64":
      return bounded(integerFromJson(json, where), 0n, 2n ** 64n - 1n, where)
    case "message": {
      const of = field.of!()
      return of.make(valuesFromJson(of, json, where, depth + 1))
    }
  }
}

const safeMax = BigInt(Number.MAX_SAFE_INTEGER)

const bytesFromJson = (json: unknown, where: string): Uint8Array => {
  if (typeof json !== "string") return refuse(where, "is no text")
  const standard = json.replaceAll("-", "+").replaceAll("_", "/").replaceAll("=", "")
  const padded = standard + "=".repeat((4 - (standard.length % 4)) % 4)
  return Either.getOrElse(Encoding.decodeBase64(padded), () => refuse(where, "is not base64"))
}

const integerFromJson = (json: unknown, where: string): bigint => {
  if (typeof json === "number" && Number.isInteger(json)) return BigInt(json)
  // Longer ones are out of every range, and long to read.
  if (typeof json === "string" && /^-?\d{1,20}$/.test(json)) return BigInt(json)
  return refuse(where, "is no integer")
}

const bounded = (value: bigint, min: bigint, max: bigint, where: string): bigint =>
  value >= min && value <= max ? value : refuse(where, `${value} is out of range`)

const within = (value: bigint, min: bigint, max: bigint, where: string): number =>
  Number(bounded(value, min, max, where))

const refuse: (field: string, reason: string) => never = (field, reason) => {
  throw new ProtobufJsonMalformed({ field, reason })
}
