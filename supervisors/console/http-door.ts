/**
 * The port of the console: plain HTTP on the loopback, with bounds on connections, headers, bodies and time, and with
 * the headers that keep a page to itself.
 *
 * A browser that runs somebody else's page can reach this port too. So what is asked must be asked by that name of
 * this machine which no name server can give to others, and what does something must come from our own page.
 */
import type { IncomingMessage, ServerResponse } from "node:http"
import type { Effect, Scope } from "effect"
import type { ListenFailed } from "#protocols/links.ts"
import { openHttpPort } from "../http-port.ts"

export const connectionsMax = 256
export const bodyBytesMax = 64 * 1024

export type Serve = (request: IncomingMessage, response: ServerResponse) => Promise<void>

export interface DoorOptions {
  readonly host: string
  /** 0 is any that is free. */
  readonly port: number
  readonly serve: Serve
  /** What `serve` threw; the request is answered with 500. */
  readonly broke: (cause: unknown) => void
}

/** Serves for as long as the scope is open, and gives the port. */
export const openDoor = ({
  broke,
  host,
  port,
  serve
}: DoorOptions): Effect.Effect<number, ListenFailed, Scope.Scope> =>
  openHttpPort({
    host,
    port,
    connectionsMax,
    headerBytesMax: 16 * 1024,
    headersMillisMax: 10_000,
    requestMillisMax: 15_000,
    idleMillisMax: 5_000,
    serve: (request, response) => {
      harden(response)
      serve(request, response).catch((cause: unknown) => {
        broke(cause)
        if (response.headersSent) response.destroy()
        else refuse(response, 500, "the console could not answer; see the log of the node")
      })
    }
  })

/** Nothing but our own files, no frames around us, nothing told to others. */
const policy = [
  "default-src 'none'",
  "script-src 'self'",
  "style-src 'self'",
  "img-src 'self'",
  "connect-src 'self'",
  "base-uri 'none'",
  "form-action 'self'",
  "frame-ancestors 'none'",
  "require-trusted-types-for 'script'",
  "trusted-types 'none'"
].join("; ")

const harden = (response: ServerResponse): void => {
  response.setHeader("content-security-policy", policy)
  response.setHeader("x-content-type-options", "nosniff")
  response.setHeader("x-frame-options", "DENY")
  response.setHeader("referrer-policy", "no-referrer")
  response.setHeader("cross-origin-opener-policy", "same-origin")
  response.setHeader("cross-origin-embedder-policy", "require-corp")
  response.setHeader("cross-origin-resource-policy", "same-origin")
  response.setHeader("permissions-policy", "camera=(), geolocation=(), microphone=(), payment=(), usb=()")
  response.setHeader("cache-control", "no-store")
}

/** From our own page, or from no page at all. Other ports of this machine are the same site, but not the same origin. */
export const isFromOurPage = ({ headers }: IncomingMessage): boolean => {
  const site = headers["sec-fetch-site"]
  if (site !== undefined && site !== "same-origin") return false
  return headers.origin === undefined || headers.origin === `http://${headers.host}`
}

/** A browser says at least one of these with all that a page may have had it send. */
export const isSentByPage = ({ headers }: IncomingMessage): boolean =>
  headers["sec-fetch-site"] !== undefined || headers.origin !== undefined

export const respond = (response: ServerResponse, status: number, value: unknown): void => {
  response.statusCode = status
  response.setHeader("content-type", "application/json; charset=utf-8")
  response.end(JSON.stringify(value))
}

export const refuse = (response: ServerResponse, status: number, message: string): void =>
  respond(response, status, { message })

/** The JSON value of a request, or why there is none. */
export const readJson = async (
  request: IncomingMessage
): Promise<{ readonly value: unknown } | { readonly problem: string }> => {
  if (!/^application\/json(?:;|$)/.test(request.headers["content-type"] ?? "")) {
    return { problem: "the body has to be application/json" }
  }
  const chunks: Array<Buffer> = []
  let bytes = 0
  for await (const chunk of request) {
    bytes += chunk.length
    if (bytes > bodyBytesMax) return { problem: `the body is larger than ${bodyBytesMax} bytes` }
    chunks.push(chunk)
  }
  try {
    return { value: JSON.parse(Buffer.concat(chunks).toString("utf8")) }
  } catch {
    return { problem: "the body is no JSON" }
  }
}

export const cookieOf = ({ headers }: IncomingMessage, name: string): string | undefined =>
  (headers.cookie ?? "")
    .split(";")
    .map((part) => part.trim())
    .find((part) => part.startsWith(`${name}=`))
    ?.slice(name.length + 1)
