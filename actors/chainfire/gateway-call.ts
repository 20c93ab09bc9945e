/**
 * A plain request as a gRPC call: the JSON in its body is the request, or the requests of a stream, and what the
 * handler answers goes back as JSON. Handlers do not see the difference.
 *
 *   unary    {"header":{...}}                              or   {"error":..,"message":..,"code":..}
 *   stream   {"result":{...}} a line, as long as it lasts  and  {"error":{"grpc_code":..,...}} where it breaks
 *
 * A stream whose client does not read is told that there is no room, as over gRPC. The body is there as a
 * whole before the first request is looked at, so a client asks all that it will ask at once.
 */
import type {
  GrpcCall,
  GrpcPeer,
  GrpcStatus,
  OpenStream,
  PlainReply,
  PlainRequest,
  StreamCall,
  StreamListener,
  Unary,
  UnaryCall
} from "#actors/kernel/ports/grpc.ts"
import { GrpcCode, gatewayError, gatewayStreamError } from "#protocols/wire/etcd/errors.ts"
import type { Method } from "#protocols/wire/etcd/methods.ts"
import { JsonMalformed, JsonReader, jsonText } from "#protocols/wire/json-text.ts"
import { fromJson, ProtobufJsonMalformed, toJson } from "#protocols/wire/protobuf-json.ts"
import type { Message } from "#protocols/wire/protobuf-message.ts"
import { respondJson } from "./http-routes.ts"

type AnyMethod = Method<object, object>

export interface GatewayRequest {
  readonly method: AnyMethod
  readonly request: PlainRequest
  readonly reply: PlainReply
  /** When it has to be over, by the clock of whoever calls `expire`. */
  readonly deadline: number
  /** It is over. */
  readonly over: () => void
}

const utf8 = new TextEncoder()
const grpcHeader = ["grpc-metadata-content-type", "application/grpc"]
const timedOut: GrpcStatus = { code: GrpcCode.deadlineExceeded, message: "context deadline exceeded" }

/** As grpc-gateway hands headers on; etcd takes Authorization for its token. */
const headerOf = (request: PlainRequest, name: string): string | undefined => {
  if (name.startsWith("grpcgateway-")) return request.header(name.slice("grpcgateway-".length))
  const given = request.header(`grpc-metadata-${name}`)
  if (given !== undefined) return given
  return name === "token" || name === "authorization" ? request.header("authorization") : undefined
}

export abstract class GatewayCall implements GrpcCall {
  readonly path: string
  readonly deadlineMillis = undefined
  readonly #asked: GatewayRequest
  ended = false
  onCancel: (() => void) | undefined = undefined

  constructor(asked: GatewayRequest) {
    this.#asked = asked
    this.path = asked.method.path
    asked.reply.onCancel = () => this.#cancel()
  }

  get peer(): GrpcPeer {
    return this.#asked.request.peer
  }

  get response(): Message<object> {
    return this.#asked.method.response
  }

  header(name: string): string | undefined {
    return headerOf(this.#asked.request, name)
  }

  /** Tells the client and the handler that it is over, for a reason of neither. */
  abandon(status: GrpcStatus): void {
    if (this.ended) return
    const cancelled = this.onCancel
    this.fail(status)
    cancelled?.()
  }

  expire(now: number): void {
    if (this.#asked.deadline <= now) this.abandon(timedOut)
  }

  fail(status: GrpcStatus): void {
    this.finish((reply) => this.refuse(reply, status))
  }

  /** The request itself is none. */
  refuseRequest(status: GrpcStatus): void {
    this.finish((reply) => respondError(reply, status))
  }

  protected refuse(reply: PlainReply, status: GrpcStatus): void {
    respondError(reply, status)
  }

  protected finish(last: (reply: PlainReply) => void): void {
    if (this.ended) return
    this.ended = true
    last(this.#asked.reply)
    this.#asked.over()
  }

  #cancel(): void {
    if (this.ended) return
    this.ended = true
    this.#asked.over()
    this.onCancel?.()
  }
}

export const respondError = (reply: PlainReply, status: GrpcStatus): void => {
  const error = gatewayError(status)
  respondJson(reply, error.status, error.body)
}

class GatewayUnary extends GatewayCall implements UnaryCall {
  reply(response: Uint8Array): void {
    const json = toJson(this.response, this.response.decode(response))
    this.finish((reply) => respondJson(reply, 200, json, grpcHeader))
  }
}

class GatewayStream extends GatewayCall implements StreamCall {
  readonly #reply: PlainReply
  readonly #breaksAsAnswer: boolean
  #hasBegun = false
  #requests: Array<Uint8Array> = []
  #listener: StreamListener | undefined
  #isPaused = false
  queuedBytes = 0
  onDrain: (() => void) | undefined = undefined

  constructor(asked: GatewayRequest) {
    super(asked)
    this.#reply = asked.reply
    // Where the client streams, too, grpc-gateway answers as a stream from the beginning.
    this.#breaksAsAnswer = asked.method.streaming === "answers"
    asked.reply.onDrain = () => {
      this.queuedBytes = 0
      if (!this.ended) this.onDrain?.()
    }
  }

  /** Hands over all that the client asks, and that it asks no more. */
  listen(listener: StreamListener, requests: ReadonlyArray<Uint8Array>): void {
    this.#listener = listener
    this.#requests = [...requests]
    this.resume()
  }

  send(message: Uint8Array): boolean {
    if (this.ended) return false
    this.#begin(grpcHeader)
    const bytes = utf8.encode(
      `{"result":${jsonText(toJson(this.response, this.response.decode(message)))}}\n`
    )
    const hasRoom = this.#reply.send(bytes)
    this.queuedBytes = hasRoom ? 0 : this.queuedBytes + bytes.length
    return hasRoom
  }

  end(): void {
    this.finish((reply) => {
      this.#begin([])
      reply.end()
    })
  }

  pause(): void {
    this.#isPaused = true
  }

  resume(): void {
    this.#isPaused = false
    while (!this.#isPaused && !this.ended && this.#listener !== undefined) {
      const request = this.#requests.shift()
      if (request !== undefined) {
        this.#listener.onMessage(request)
        continue
      }
      const listener = this.#listener
      this.#listener = undefined
      listener.onEnd()
    }
  }

  protected override refuse(reply: PlainReply, status: GrpcStatus): void {
    if (!this.#hasBegun && this.#breaksAsAnswer) return super.refuse(reply, status)
    const problem = gatewayStreamError(status)
    if (!this.#hasBegun) return respondJson(reply, problem.error.http_code, problem)
    reply.send(utf8.encode(jsonText(problem)))
    reply.end()
  }

  #begin(headers: ReadonlyArray<string>): void {
    if (this.#hasBegun) return
    this.#hasBegun = true
    this.#reply.begin(200, ["content-type", "application/json", ...headers])
  }
}

/** The requests of a body up to the first that is none, and why it is none. */
interface Body {
  readonly requests: ReadonlyArray<Uint8Array>
  readonly problem: string | undefined
}

export const bodyOf = ({ request: requests, streaming }: AnyMethod, body: Uint8Array): Body => {
  const reader = new JsonReader(new TextDecoder("utf-8", { ignoreBOM: true }).decode(body))
  const read: Array<Uint8Array> = []
  try {
    for (let json = reader.next(); json !== undefined; json = reader.next()) {
      read.push(requests.encode(fromJson(requests, json)))
      // What follows the one request is looked at by nobody.
      if (streaming !== "both") return { requests: read, problem: undefined }
    }
  } catch (problem) {
    if (problem instanceof JsonMalformed || problem instanceof ProtobufJsonMalformed) {
      return { requests: read, problem: problem.reason }
    }
    throw problem
  }
  // A body may be empty where there is one request: it has all its defaults.
  const none = read.length === 0 && streaming !== "both"
  return { requests: none ? [requests.encode(requests.make({}))] : read, problem: undefined }
}

export const openUnary = (asked: GatewayRequest, handle: Unary): GatewayCall => {
  const call = new GatewayUnary(asked)
  const { problem, requests } = bodyOf(asked.method, asked.request.body)
  const [first] = requests
  if (problem !== undefined) call.refuseRequest({ code: GrpcCode.invalidArgument, message: problem })
  else if (first !== undefined) handle(first, call)
  return call
}

export const openStream = (asked: GatewayRequest, open: OpenStream): GatewayCall => {
  const call = new GatewayStream(asked)
  const { problem, requests } = bodyOf(asked.method, asked.request.body)
  // What a client asked before it said something else stands.
  if (problem === undefined || requests.length > 0) call.listen(open(call), requests)
  else {
    const code = asked.method.streaming === "both" ? GrpcCode.unknown : GrpcCode.invalidArgument
    call.refuseRequest({ code, message: problem })
  }
  return call
}
