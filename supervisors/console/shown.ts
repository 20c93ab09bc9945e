/**
 * Any value as JSON that a person can read, however large, deep, circular or strange it is: the state of an actor,
 * an answer, an event. What does not fit is cut, and says so.
 */
import { Either } from "effect"

export interface ShownLimits {
  readonly valuesMax: number
  readonly depthMax: number
  readonly textMax: number
}

export const stateLimits: ShownLimits = { valuesMax: 2_000, depthMax: 12, textMax: 4_000 }
export const answerLimits: ShownLimits = { valuesMax: 50_000, depthMax: 24, textMax: 64_000 }

export type Json = null | boolean | number | string | ReadonlyArray<Json> | { readonly [field: string]: Json }

export const shown = (value: unknown, limits: ShownLimits): Json => {
  let left = limits.valuesMax
  const within = new Set<object>()

  const show = (of: unknown, depth: number): Json => {
    left--
    switch (typeof of) {
      case "string":
        return cut(of, limits.textMax)
      case "number":
        return Number.isFinite(of) ? of : String(of)
      case "boolean":
        return of
      case "bigint":
        return String(of)
      case "symbol":
        return String(of)
      case "function":
        return `(function ${of.name})`
      case "undefined":
        return null
      case "object":
        return of === null ? null : showObject(of, depth)
    }
  }

  const showObject = (of: object, depth: number): Json => {
    if (of instanceof Uint8Array) return bytes(of, limits.textMax)
    if (ArrayBuffer.isView(of) || of instanceof ArrayBuffer) return `(${of.byteLength} bytes)`
    if (of instanceof Date) return Number.isFinite(of.getTime()) ? of.toISOString() : String(of)
    if (of instanceof RegExp) return String(of)
    if (within.has(of)) return "(itself)"
    if (depth >= limits.depthMax) return "(deeper)"
    within.add(of)
    const json = showParts(of, depth + 1)
    within.delete(of)
    return json
  }

  const showParts = (of: object, depth: number): Json => {
    if (of instanceof Map) return [...of.keys()].every(isKey) ? record(of, depth) : list(of, depth)
    if (of instanceof Set || Array.isArray(of)) return list(of, depth)
    return record(fieldsOf(of), depth)
  }

  const list = (values: Iterable<unknown>, depth: number): ReadonlyArray<Json> => {
    const out: Array<Json> = []
    for (const value of values) {
      if (left <= 0) {
        out.push("(more)")
        break
      }
      out.push(show(value, depth))
    }
    return out
  }

  const record = (entries: Iterable<readonly [unknown, unknown]>, depth: number): Json => {
    const out: Record<string, Json> = Object.create(null)
    for (const [key, value] of entries) {
      if (left <= 0) {
        out["(more)"] = "(cut)"
        break
      }
      out[cut(String(key), 200)] = show(value, depth)
    }
    return out
  }

  return show(value, 0)
}

const isKey = (key: unknown): boolean => typeof key === "string" || typeof key === "number"

/** Own fields; of an error also what it says. A getter that throws is shown as what it threw. */
const fieldsOf = function* (of: object): Generator<readonly [string, unknown]> {
  if (of instanceof Error) {
    yield ["name", of.name]
    yield ["message", of.message]
  }
  for (const key of Object.keys(of)) {
    let value: unknown
    try {
      value = Reflect.get(of, key)
    } catch (cause) {
      value = `(threw ${cause instanceof Error ? cause.message : typeof cause})`
    }
    if (value !== undefined) yield [key, value]
  }
}

const cut = (text: string, max: number): string =>
  text.length <= max ? text : `${text.slice(0, max)}… (${text.length - max} more characters)`

const utf8 = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true })

const bytes = (of: Uint8Array, textMax: number): Json => {
  const part = of.length > textMax ? of.subarray(0, textMax) : of
  const left = of.length - part.length
  const rest = left === 0 ? {} : { $bytesLeftOut: left }
  try {
    const text = utf8.decode(part)
    if (isLegible(text)) return { $text: text, ...rest }
  } catch {
    // No text then: that is what the other form is for.
  }
  return { $base64: Buffer.from(part).toString("base64"), ...rest }
}

/** No control characters but those of plain text. */
const isLegible = (text: string): boolean => {
  for (let index = 0; index < text.length; index++) {
    const code = text.charCodeAt(index)
    if ((code < 32 && code !== 9 && code !== 10 && code !== 13) || code === 127) return false
  }
  return true
}

/** No message is nearly as deep. JSON may be deeper than the stack: a few bytes a level are enough. */
export const unshownDepthMax = 64

/** What came from a page, with bytes where it said so; left: why it cannot be taken. */
export const unshown = (value: unknown): Either.Either<unknown, string> => {
  let isTooDeep = false

  const read = (of: unknown, depth: number): unknown => {
    if (typeof of !== "object" || of === null) return of
    if (depth >= unshownDepthMax) {
      isTooDeep = true
      return null
    }
    if (Array.isArray(of)) return of.map((part) => read(part, depth + 1))
    const fields = Object.entries(of)
    const [only] = fields
    if (only !== undefined && fields.length === 1 && typeof only[1] === "string") {
      if (only[0] === "$text") return new TextEncoder().encode(only[1])
      if (only[0] === "$base64") return Uint8Array.from(Buffer.from(only[1], "base64"))
    }
    return Object.fromEntries(fields.map(([key, field]) => [key, read(field, depth + 1)]))
  }

  const whole = read(value, 0)
  if (!isTooDeep) return Either.right(whole)
  return Either.left(`the request is nested deeper than ${unshownDepthMax} levels: send a flatter one`)
}
