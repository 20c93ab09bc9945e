/**
 * gRPC over HTTP/2 (grpc/doc/PROTOCOL-HTTP2.md): what its fields look like.
 *
 *   request     HEADERS, then messages: a byte that says whether it is compressed, four of length, the message
 *   response    HEADERS (200), messages, HEADERS with grpc-status and grpc-message; or those alone
 */

export const messagePrefixBytes = 5

/** Units of `grpc-timeout`, in milliseconds. */
const unitMillis: Readonly<Record<string, number>> = {
  H: 3_600_000,
  M: 60_000,
  S: 1_000,
  m: 1,
  u: 0.001,
  n: 0.000_001
}

/** At most eight digits and a unit; undefined for anything else, which is no deadline. */
export const timeoutMillisOf = (value: string): number | undefined => {
  const [, digits, unit = ""] = /^(\d{1,8})([HMSmun])$/.exec(value) ?? []
  const millis = unitMillis[unit]
  return digits === undefined || millis === undefined ? undefined : Math.ceil(Number(digits) * millis)
}

const plain = /^[\x20-\x24\x26-\x7e]*$/
const utf8 = new TextEncoder()

/** `grpc-message` is printable ASCII, with percent signs before everything else. */
export const percentEncoded = (message: string): string => {
  if (plain.test(message)) return message
  let encoded = ""
  for (const byte of utf8.encode(message)) {
    encoded +=
      byte >= 0x20 && byte <= 0x7e && byte !== 0x25
        ? String.fromCharCode(byte)
        : `%${byte.toString(16).toUpperCase().padStart(2, "0")}`
  }
  return encoded
}
