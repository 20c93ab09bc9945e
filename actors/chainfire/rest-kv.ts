/**
 * Keys over REST, for scripts that have curl and nothing else: a thin front of the KV service.
 *
 *   PUT    /api/v1/kv/<key>     the body is the value     200 {"key","revision"}
 *   GET    /api/v1/kv/<key>                               200 {"key","value","revision",...}, or 404
 *   DELETE /api/v1/kv/<key>                               200 {"key","deleted","revision"}, or 404
 *
 * A key is what is behind the prefix, without its percent signs, slashes included. A value that is no text comes
 * as `value_base64` in place of `value`. Reads are linearizable unless `?serializable=true`.
 */
import { Either, Encoding } from "effect"
import type { GrpcStatus, PlainReply } from "#actors/kernel/ports/grpc.ts"
import { httpStatusOf } from "#protocols/wire/etcd/errors.ts"
import type { KeyValue } from "#protocols/wire/etcd/kv-fast.ts"
import { KV } from "#protocols/wire/etcd/methods.ts"
import { type Route, type RoutedRequest, respondJson } from "./http-routes.ts"
import { type Ask, askAs, type Handlers } from "./inner-call.ts"

/** Requests that wait for their answer. */
const openMax = 10_000

export class RestKv {
  readonly #handlers: Handlers
  readonly #openMax: number
  readonly #open = new Set<PlainReply>()

  constructor(handlers: Handlers, max = openMax) {
    this.#handlers = handlers
    this.#openMax = max
  }

  get routes(): ReadonlyArray<Route> {
    return [
      {
        path: "/api/v1/kv/",
        methods: ["GET", "PUT", "DELETE"],
        handle: (request, reply) => this.#handle(request, reply)
      }
    ]
  }

  /** Nobody serves any more. */
  close(): void {
    for (const reply of this.#open) this.#respond(reply, 503, { error: "the service stopped" })
  }

  #handle(request: RoutedRequest, reply: PlainReply): void {
    if (this.#open.size >= this.#openMax) return respondJson(reply, 429, { error: "too many requests" })
    this.#open.add(reply)
    reply.onCancel = () => void this.#open.delete(reply)
    const key = keyOf(request.rest)
    if (key === undefined) {
      return this.#respond(reply, 400, { error: `${request.rest} is no percent-encoded text` })
    }
    const { header, peer } = request
    // As at the gateway, the header Authorization has the token.
    const caller = { peer, header: (name: string) => header(name === "token" ? "authorization" : name) }
    const ask = askAs(this.#handlers, caller)
    if (request.method === "PUT") this.#put(ask, key, request.body, reply)
    else if (request.method === "DELETE") this.#delete(ask, key, reply)
    else this.#get(ask, key, request.query.get("serializable") === "true", reply)
  }

  #put(ask: Ask, key: string, value: Uint8Array, reply: PlainReply): void {
    ask(KV.put, { key: utf8.encode(key), value }, (answer) => {
      if (Either.isLeft(answer)) return this.#refuse(reply, answer.left)
      this.#respond(reply, 200, { key, revision: answer.right.header?.revision ?? 0 })
    })
  }

  #get(ask: Ask, key: string, serializable: boolean, reply: PlainReply): void {
    ask(KV.range, { key: utf8.encode(key), serializable }, (answer) => {
      if (Either.isLeft(answer)) return this.#refuse(reply, answer.left)
      const { header, kvs } = answer.right
      const [found] = kvs
      if (found === undefined) return this.#respond(reply, 404, missing(key))
      const revision = header?.revision ?? 0
      this.#respond(reply, 200, { key, ...valueOf(found), revision, ...revisionsOf(found) })
    })
  }

  #delete(ask: Ask, key: string, reply: PlainReply): void {
    ask(KV.deleteRange, { key: utf8.encode(key) }, (answer) => {
      if (Either.isLeft(answer)) return this.#refuse(reply, answer.left)
      const { deleted, header } = answer.right
      if (deleted === 0) return this.#respond(reply, 404, missing(key))
      this.#respond(reply, 200, { key, deleted, revision: header?.revision ?? 0 })
    })
  }

  #refuse(reply: PlainReply, { code, message }: GrpcStatus): void {
    this.#respond(reply, httpStatusOf(code), { error: message })
  }

  #respond(reply: PlainReply, status: number, json: object): void {
    if (this.#open.delete(reply)) respondJson(reply, status, json)
  }
}

const missing = (key: string) => ({ error: `there is no key ${key}` })

const revisionsOf = ({ createRevision, lease, modRevision, version }: KeyValue) => ({
  create_revision: createRevision,
  mod_revision: modRevision,
  version,
  ...(lease !== 0n && { lease: String(lease) })
})

const valueOf = ({ value }: KeyValue) => {
  try {
    return { value: new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(value) }
  } catch (problem) {
    // That is how it says that these bytes are no text.
    if (problem instanceof TypeError) return { value_base64: Encoding.encodeBase64(value) }
    throw problem
  }
}

const keyOf = (encoded: string): string | undefined => {
  try {
    return decodeURIComponent(encoded)
  } catch (problem) {
    if (problem instanceof URIError) return undefined
    throw problem
  }
}

const utf8 = new TextEncoder()
