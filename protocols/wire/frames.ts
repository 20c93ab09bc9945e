/**
 * Frames: what the two ends of a link say to each other. Both ends speak all of it; a batch is an array
 * of frames, and what one end sends in one turn leaves as one batch.
 *
 *   tell ask withdraw              messages to an actor of the other end, and second thoughts
 *   reply failed died              how an ask ended there: answer, typed failure or fault, defect
 *   undelivered                    a tell that was refused there, for clients
 *   watch unwatch ended            death notices
 *   subscribe more unsubscribe     events of the other end, as many as were asked for
 *   event missed                   one of them; how many were left out for want of credit
 *   datagram                       unreliable, ahead of everything else
 *   large part                     a frame whose last element follows in pieces
 *   taken                          flow control: how many frames of the other end were dealt with
 *   stop                           stop the tree on your side, in order (cells only)
 *
 * Messages, answers and faults are in the encoded form of their schemas; bytes stay bytes. What is part of a trace that
 * is recorded says so, in W3C's form of `traceparent`: few are, and what is not is no longer for it.
 */
import { isTraceparent } from "./traceparent.ts"

export type Frame =
  | readonly ["tell", path: string, message: unknown]
  | readonly ["tell", path: string, trace: string, message: unknown]
  | readonly ["ask", id: number, path: string, deadlineMillis: number, request: unknown]
  | readonly ["ask", id: number, path: string, deadlineMillis: number, trace: string, request: unknown]
  | readonly ["withdraw", id: number]
  | readonly ["reply", id: number, value: unknown]
  | readonly ["failed", id: number, fault: unknown]
  | readonly ["died", id: number, reason: string]
  | readonly ["undelivered", path: string, fault: unknown]
  | readonly ["watch", id: number, path: string]
  | readonly ["unwatch", id: number]
  | readonly ["ended", id: number, ended: unknown]
  | readonly [
      "subscribe",
      id: number,
      path: string,
      tags: ReadonlyArray<string>,
      credit: number,
      trace?: string
    ]
  | readonly ["more", id: number, credit: number]
  | readonly ["unsubscribe", id: number]
  | readonly ["event", id: number, event: unknown]
  | readonly ["missed", id: number, count: number]
  | readonly ["datagram", packet: unknown]
  | readonly ["large", head: Frame, bytes: number]
  | readonly ["part", bytes: Uint8Array]
  | readonly ["taken", frames: number]
  | readonly ["stop"]

/** Frames that answer an ask or a subscription. */
export type Outcome = Extract<
  Frame,
  readonly ["reply" | "failed" | "died" | "event" | "missed", ...unknown[]]
>

/** The same for a link on which that ask has another number. */
export const renumbered = (outcome: Outcome, id: number): Outcome => {
  switch (outcome[0]) {
    case "reply":
      return ["reply", id, outcome[2]]
    case "failed":
      return ["failed", id, outcome[2]]
    case "died":
      return ["died", id, outcome[2]]
    case "event":
      return ["event", id, outcome[2]]
    case "missed":
      return ["missed", id, outcome[2]]
  }
}

/** Whoever changes what frames mean changes this: ends with different numbers refuse each other. */
export const protocolVersion = 2

/** Frames under way that the other end has not dealt with yet; of bytes at most so many, or one frame. */
export const inFlightFramesMax = 16_384
export const inFlightBytesMax = 2 * 1024 * 1024
/** An end reports what it has dealt with at the latest after this much. */
export const takenFrames = 1_024
export const takenBytes = 256 * 1024
/** Larger messages travel in parts of this many bytes. */
export const partBytes = 64 * 1024
/** What one batch holds at most, give or take a frame. */
export const batchBytes = 256 * 1024

const tagsMax = 100
const pathLengthMax = 4_096
/** A week. */
const deadlineMillisMax = 604_800_000

export const isFrame = (value: unknown): value is Frame => {
  if (!Array.isArray(value)) return false
  const [kind, first, second, third] = value
  switch (kind) {
    case "tell":
      return isPath(first) && (value.length === 3 || (value.length === 4 && isTraceparent(second)))
    case "ask":
      return (
        isCount(first) &&
        isPath(second) &&
        isDeadline(third) &&
        (value.length === 5 || (value.length === 6 && isTraceparent(value[4])))
      )
    case "reply":
    case "failed":
    case "ended":
    case "event":
      return value.length === 3 && isCount(first)
    case "died":
      return value.length === 3 && isCount(first) && typeof second === "string"
    case "withdraw":
    case "unwatch":
    case "unsubscribe":
    case "taken":
      return value.length === 2 && isCount(first)
    case "undelivered":
      return value.length === 3 && isPath(first)
    case "watch":
      return value.length === 3 && isCount(first) && isPath(second)
    case "subscribe":
      return (
        isCount(first) &&
        isPath(second) &&
        isTags(third) &&
        isCount(value[4]) &&
        (value.length === 5 || (value.length === 6 && isTraceparent(value[5])))
      )
    case "more":
    case "missed":
      return value.length === 3 && isCount(first) && isCount(second)
    case "datagram":
      return value.length === 2
    case "large":
      return value.length === 3 && isHead(first) && isCount(second)
    case "part":
      return value.length === 2 && first instanceof Uint8Array
    case "stop":
      return value.length === 1
    default:
      return false
  }
}

const isCount = (value: unknown): value is number => Number.isSafeInteger(value) && Number(value) >= 0
const isPath = (value: unknown): value is string => typeof value === "string" && value.length <= pathLengthMax
const isDeadline = (value: unknown): boolean =>
  typeof value === "number" && value >= 0 && value <= deadlineMillisMax
const isTags = (value: unknown): boolean =>
  Array.isArray(value) && value.length <= tagsMax && value.every((tag) => typeof tag === "string")

/** Frames that end with a message, an answer or a fault: those may grow large. */
const isHead = (value: unknown): boolean => Array.isArray(value) && heads.has(value[0]) && isFrame(value)
const heads: ReadonlySet<unknown> = new Set(["tell", "ask", "reply", "failed", "event"])

/** A frame that may travel in parts, without the element that does. */
export const headOf = (frame: Frame): Frame | undefined => {
  switch (frame[0]) {
    case "tell":
      return frame.length === 4 ? ["tell", frame[1], frame[2], null] : ["tell", frame[1], null]
    case "ask":
      return frame.length === 6
        ? ["ask", frame[1], frame[2], frame[3], frame[4], null]
        : ["ask", frame[1], frame[2], frame[3], null]
    case "reply":
      return ["reply", frame[1], null]
    case "failed":
      return ["failed", frame[1], null]
    case "event":
      return ["event", frame[1], null]
    default:
      return undefined
  }
}

/** The same with that element in its place. */
export const completed = (head: Frame, last: unknown): unknown => [...head.slice(0, -1), last]

const textBytes = 3
const smallBytes = 9

/**
 * About how many bytes a value takes on the wire; never much less than it does. Stops counting at
 * `enough`, so that the size of something huge is not itself a long job.
 */
export const approximateBytes = (value: unknown, enough = Number.POSITIVE_INFINITY): number => {
  if (typeof value === "string") return value.length < 64 ? value.length + 5 : value.length * textBytes + 5
  if (typeof value !== "object" || value === null) return smallBytes
  if (ArrayBuffer.isView(value)) return value.byteLength + 5
  let bytes = 5
  if (Array.isArray(value)) {
    for (const element of value) {
      bytes += approximateBytes(element, enough - bytes)
      if (bytes >= enough) break
    }
    return bytes
  }
  for (const key in value) {
    bytes += key.length + 5 + approximateBytes(Reflect.get(value, key), enough - bytes)
    if (bytes >= enough) break
  }
  return bytes
}
