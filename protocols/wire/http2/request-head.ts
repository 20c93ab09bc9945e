/**
 * The head of a request (RFC 9113, section 8.3): the pseudo-fields, and what gRPC wants to know of the
 * others, found once. Heads are shared between requests that are alike, so nothing of one call is in here.
 */
import { timeoutMillisOf } from "../grpc.ts"

export interface RequestHead {
  readonly method: string
  /** With the query. */
  readonly path: string
  readonly authority: string
  /** Names and values in turn, without pseudo-fields. */
  readonly fields: ReadonlyArray<string>
  readonly grpc: boolean
  /** `grpc-timeout`; undefined without one. */
  readonly timeoutMillis: number | undefined
  /** Of the messages: `identity` is none. */
  readonly encoding: string
  readonly contentLength: number | undefined
}

/** Undefined for what is no request: malformed, as section 8.1.1 calls it. */
export const requestHeadOf = (fields: ReadonlyArray<string>): RequestHead | undefined => {
  let method: string | undefined
  let path: string | undefined
  let scheme: string | undefined
  let authority: string | undefined
  let contentType = ""
  let encoding = "identity"
  let timeoutMillis: number | undefined
  let contentLength: number | undefined
  const rest: Array<string> = []
  for (let index = 0; index < fields.length; index += 2) {
    const name = fields[index]!
    const value = fields[index + 1]!
    if (name.charCodeAt(0) === 0x3a) {
      if (rest.length > 0) return undefined
      if (name === ":method" && method === undefined) method = value
      else if (name === ":path" && path === undefined) path = value
      else if (name === ":scheme" && scheme === undefined) scheme = value
      else if (name === ":authority" && authority === undefined) authority = value
      else return undefined
      continue
    }
    switch (name) {
      case "connection":
      case "proxy-connection":
      case "keep-alive":
      case "transfer-encoding":
      case "upgrade":
        return undefined
      case "te":
        if (value !== "trailers") return undefined
        break
      case "content-type":
        contentType = value
        break
      case "content-length":
        if (!/^\d{1,15}$/.test(value)) return undefined
        contentLength = Number(value)
        break
      case "grpc-encoding":
        encoding = value
        break
      case "grpc-timeout":
        timeoutMillis = timeoutMillisOf(value)
        break
    }
    rest.push(name, value)
  }
  if (method === undefined || path === undefined || scheme === undefined || !path.startsWith("/")) {
    return undefined
  }
  return {
    method,
    path,
    authority: authority ?? "",
    fields: rest,
    grpc: isGrpc(contentType),
    timeoutMillis,
    encoding,
    contentLength
  }
}

const isGrpc = (contentType: string): boolean => /^application\/grpc(?:$|[+;])/.test(contentType)

/** Of the first field of that name. */
export const fieldOf = (fields: ReadonlyArray<string>, name: string): string | undefined => {
  for (let index = 0; index < fields.length; index += 2) if (fields[index] === name) return fields[index + 1]
  return undefined
}
