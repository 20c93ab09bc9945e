/**
 * Traces as programs tell each other of them: a trace, the span in it that something is part of, and whether it is
 * recorded, in W3C's `traceparent` (version 00): `00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01`.
 */
export interface TraceContext {
  /** 32 hexadecimal digits. */
  readonly traceId: string
  /** 16 hexadecimal digits. */
  readonly spanId: string
}

const form = /^00-([0-9a-f]{32})-([0-9a-f]{16})-([0-9a-f]{2})$/
const zeros = /^0+$/
const length = 55

/** `undefined`: it says nothing that is understood. `null`: its trace is not recorded. */
export const parseTraceparent = (text: string | undefined): TraceContext | null | undefined => {
  const [, traceId, spanId, flags] = form.exec(text ?? "") ?? []
  if (traceId === undefined || spanId === undefined || flags === undefined) return undefined
  if (zeros.test(traceId) || zeros.test(spanId)) return undefined
  return (Number.parseInt(flags, 16) & 1) === 1 ? { traceId, spanId } : null
}

/** Of a trace that is recorded. */
export const traceparentOf = ({ spanId, traceId }: TraceContext): string => `00-${traceId}-${spanId}-01`

/** For what may be anything. */
export const isTraceparent = (value: unknown): value is string =>
  typeof value === "string" && value.length === length && parseTraceparent(value) !== undefined
