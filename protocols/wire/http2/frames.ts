/**
 * HTTP/2's vocabulary (RFC 9113): frame types, flags, settings and error codes, and how frames begin.
 */

/** Section 3.4: what a client says first. */
export const preface = "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
export const prefaceBytes: Uint8Array = new TextEncoder().encode(preface)

/** Section 4.1: three bytes of length, type, flags, four bytes of stream. */
export const frameHeadBytes = 9

export const FrameType = {
  data: 0,
  headers: 1,
  priority: 2,
  rstStream: 3,
  settings: 4,
  pushPromise: 5,
  ping: 6,
  goaway: 7,
  windowUpdate: 8,
  continuation: 9
} as const

export const Flag = { endStream: 1, ack: 1, endHeaders: 4, padded: 8, priority: 32 } as const

/** Section 6.5.2. */
export const Setting = {
  headerTableSize: 1,
  enablePush: 2,
  maxConcurrentStreams: 3,
  initialWindowSize: 4,
  maxFrameSize: 5,
  maxHeaderListSize: 6
} as const

/** Section 7. */
export const Http2Code = {
  noError: 0,
  protocolError: 1,
  internalError: 2,
  flowControlError: 3,
  settingsTimeout: 4,
  streamClosed: 5,
  frameSizeError: 6,
  refusedStream: 7,
  cancel: 8,
  compressionError: 9,
  enhanceYourCalm: 11
} as const

export const defaultWindowBytes = 65_535
export const defaultFrameBytesMax = 16_384
export const largestFrameBytes = 16_777_215
export const largestWindowBytes = 2_147_483_647

/** Ends the connection (section 5.4.1). */
export class Http2ConnectionError extends Error {
  readonly code: number

  constructor(code: number, reason: string) {
    super(reason)
    this.code = code
  }
}

export const writeFrameHead = (
  bytes: Uint8Array,
  at: number,
  length: number,
  type: number,
  flags: number,
  stream: number
): number => {
  bytes[at] = length >>> 16
  bytes[at + 1] = length >>> 8
  bytes[at + 2] = length
  bytes[at + 3] = type
  bytes[at + 4] = flags
  return writeUint32(bytes, at + 5, stream)
}

export const writeUint32 = (bytes: Uint8Array, at: number, value: number): number => {
  bytes[at] = value >>> 24
  bytes[at + 1] = value >>> 16
  bytes[at + 2] = value >>> 8
  bytes[at + 3] = value
  return at + 4
}

export const readUint32 = (bytes: Uint8Array, at: number): number =>
  ((bytes[at]! << 24) | (bytes[at + 1]! << 16) | (bytes[at + 2]! << 8) | bytes[at + 3]!) >>> 0
