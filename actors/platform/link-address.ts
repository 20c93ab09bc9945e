/**
 * Where links lead: `host:port`, and whether that is on this machine. What leaves it needs TLS.
 *
 * Only what is on the loopback whatever a name server says counts as such.
 */
import { isIPv4, isIPv6 } from "node:net"

export const defaultPort = 7700

/** With brackets around IPv6. */
export const linkAddress = (host: string, port: number): string =>
  isIPv6(host) ? `[${host}]:${port}` : `${host}:${port}`

export interface Endpoint {
  readonly host: string
  readonly port: number
}

/** Undefined for what is no address: no port, a path, a user, a space. */
export const endpointOf = (address: string): Endpoint | undefined => {
  const [, bracketed, plain, digits] = /^(?:\[([^\]]+)\]|([\w.-]+)):(\d{1,5})$/.exec(address) ?? []
  const host = bracketed ?? plain
  const port = Number(digits)
  if (host === undefined || port > 65_535) return undefined
  return bracketed === undefined || isIPv6(bracketed) ? { host, port } : undefined
}

export const isLoopback = (host: string): boolean =>
  host === "localhost" || host === "::1" || (isIPv4(host) && host.startsWith("127."))

/** Listening there is listening on all interfaces. */
export const isWildcard = (host: string): boolean => host === "0.0.0.0" || host === "::"
