/**
 * The trace that a command belongs to, before the command, for those few that are traced:
 *
 *   126   trace id, 16 bytes   span id, 8 bytes   command
 *
 * It is in the log with its command, so that every member that carries it out can say so in the same trace. Releases
 * before this one do not read it: nodes are told where spans go when all of them run this one.
 */
import { Encoding } from "effect"
import type { Span, Spans } from "#actors/kernel/tracing.ts"
import type { TraceContext } from "#protocols/wire/traceparent.ts"

const traced = 126
const traceBytes = 16
const headBytes = 1 + traceBytes + 8

export const withTrace = (command: Uint8Array, trace: TraceContext | undefined): Uint8Array => {
  if (trace === undefined) return command
  const bytes = new Uint8Array(headBytes + command.length)
  bytes[0] = traced
  bytes.set(fromHex(trace.traceId, traceBytes), 1)
  bytes.set(fromHex(trace.spanId, headBytes - 1 - traceBytes), 1 + traceBytes)
  bytes.set(command, headBytes)
  return bytes
}

/** Whether it is looked at any closer. */
const isTraced = (bytes: Uint8Array): boolean => bytes[0] === traced && bytes.length >= headBytes

export const traceOf = (bytes: Uint8Array): TraceContext | undefined =>
  isTraced(bytes)
    ? {
        traceId: Encoding.encodeHex(bytes.subarray(1, 1 + traceBytes)),
        spanId: Encoding.encodeHex(bytes.subarray(1 + traceBytes, headBytes))
      }
    : undefined

export const withoutTrace = (bytes: Uint8Array): Uint8Array =>
  isTraced(bytes) ? bytes.subarray(headBytes) : bytes

const fromHex = (text: string, length: number): Uint8Array => {
  const bytes = new Uint8Array(length)
  for (let index = 0; index < length; index++)
    bytes[index] = Number.parseInt(text.slice(2 * index, 2 * index + 2), 16)
  return bytes
}

/** From the wish of the one that leads until it has carried the command out, a round trip to the others included. */
export const spanOfProposal = (spans: Spans | undefined, command: Uint8Array): Span | undefined =>
  spanOf(spans, "chainfire propose", command)

/** On each member by itself: the command is agreed on, and changes what it has. */
export const noteApplied = (spans: Spans | undefined, command: Uint8Array, index: number): void => {
  const span = spanOf(spans, "chainfire apply", command)
  span?.attribute("chainfire.index", index)
  span?.end()
}

const spanOf = (spans: Spans | undefined, name: string, command: Uint8Array): Span | undefined => {
  const trace = spans === undefined ? undefined : traceOf(command)
  return trace && spans?.begin(name, "internal", trace)
}
