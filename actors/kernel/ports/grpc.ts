/**
 * gRPC: a port where clients of the field's own protocols call methods of ours, and plain HTTP requests
 * arrive beside them.
 *
 * Promised: a handler is called with a whole message, or for each whole message of a stream in order. What
 * it replies arrives whole or the call fails at the client. A call ends exactly once: by the handler, or
 * by `onCancel` when the client went away, its deadline passed or the service stopped; after that whatever
 * the handler still says does nothing. Replies of one turn leave in one write for each connection. Bytes
 * handed in stay valid for as long as they are held, and bytes handed out are copied before the call returns.
 *
 * Not promised: that a reply arrives, only that it was sent. Nor that a stream holds more than
 * `sendQueueBytesMax` for a client that reads slowly: who goes on when `send` said false loses the stream.
 * Nor fairness between methods: a handler that computes for long is long on the thread of all.
 *
 * Everything is called back without an Effect or a promise in between; handlers that throw are answered for
 * with an internal error, and reported.
 */
import { Context, type Effect, type Scope } from "effect"
import type { Identity } from "#protocols/links.ts"

/** A code of gRPC with its words; see GrpcCode in protocols/wire/etcd/errors.ts. */
export interface GrpcStatus {
  readonly code: number
  readonly message: string
}

/** Names in lower case and values, in turn. */
export type Metadata = ReadonlyArray<string>

export interface GrpcPeer {
  /** `host:port` of the other end. */
  readonly address: string
  /** As its certificate says. Whoever shows a bad one is not let in at all. */
  readonly identity: Identity | undefined
  /** The common name of that certificate; etcd takes it for the name of the user. */
  readonly commonName: string | undefined
  readonly encrypted: boolean
}

/** An object with methods: they are called on it, `call.reply(...)`, and not taken out of it. */
export interface GrpcCall {
  readonly path: string
  readonly peer: GrpcPeer
  /** Of the request's metadata the first of that name, such as `token`; the name is in lower case. */
  header(name: string): string | undefined
  /** When the client stops waiting, as milliseconds since 1970. */
  readonly deadlineMillis: number | undefined
  /** Whether nobody waits any more. */
  readonly ended: boolean
  /** Set by the handler. Called at most once, and never after the handler ended the call. */
  onCancel: (() => void) | undefined
  /** Ends the call with an error. */
  fail(status: GrpcStatus, trailers?: Metadata): void
}

export interface UnaryCall extends GrpcCall {
  /** Ends the call with this answer. */
  reply(response: Uint8Array, trailers?: Metadata): void
}

export interface StreamCall extends GrpcCall {
  /** Whether there is room for more; if not, `onDrain` says when. */
  send(message: Uint8Array): boolean
  /** Bytes of messages that wait for the client to read. */
  readonly queuedBytes: number
  /** Ends the stream, well, behind what was sent. */
  end(trailers?: Metadata): void
  /** No more messages until `resume`; the client is held up when its window is full. */
  pause(): void
  resume(): void
  onDrain: (() => void) | undefined
}

export type Unary = (request: Uint8Array, call: UnaryCall) => void

export interface StreamListener {
  readonly onMessage: (message: Uint8Array) => void
  /** The client has said all that it will say. The stream goes on until it is ended. */
  readonly onEnd: () => void
}

/** Called once for each stream, before any message of it. */
export type OpenStream = (call: StreamCall) => StreamListener

/** HTTP without gRPC: health, metrics, JSON. Over HTTP/1.1 and HTTP/2 alike. */
export interface PlainRequest {
  readonly method: string
  /** With the query. */
  readonly path: string
  header(name: string): string | undefined
  readonly body: Uint8Array
  readonly peer: GrpcPeer
}

export interface PlainReply {
  /** Everything at once. */
  respond(status: number, headers: Metadata, body: Uint8Array): void
  /** Or a beginning, pieces, and an end. */
  begin(status: number, headers: Metadata): void
  /** Whether there is room for more; if not, `onDrain` says when. */
  send(bytes: Uint8Array): boolean
  end(): void
  onDrain: (() => void) | undefined
  /** The other end went away before the end. */
  onCancel: (() => void) | undefined
}

export type Plain = (request: PlainRequest, reply: PlainReply) => void

export interface GrpcService {
  /** By path, such as `/etcdserverpb.KV/Put`. */
  readonly unary?: Readonly<Record<string, Unary>>
  readonly streams?: Readonly<Record<string, OpenStream>>
  /** Requests that are not gRPC; of services that want them, the one that came last has them. */
  readonly plain?: Plain
}

/** What a listener holds at most; all of it is counted. */
export interface GrpcLimits {
  /** Of one message; etcd's limit for a request and half a MiB for what is around it. */
  readonly messageBytesMax: number
  /** Of a plain request: a message in base64, and what is around it. */
  readonly plainBytesMax: number
  readonly connectionsMax: number
  readonly streamsPerConnectionMax: number
  /** Names, values and 32 bytes for each field of one request. */
  readonly headerBytesMax: number
  /** Messages of a stream that wait for the client to read, until `send` says false. */
  readonly sendQueueBytes: number
  /** And until the stream is ended for it. */
  readonly sendQueueBytesMax: number
  /** Parts of messages that one connection has sent, over all its streams. */
  readonly partialBytesMax: number
  /** What the kernel did not take yet, for one connection; a connection above it is closed. */
  readonly unsentBytesMax: number
  /** For calls to end by themselves when the listener closes. */
  readonly drainMillisMax: number
  /** A connection on which nothing arrived for so long is asked whether it is alive. */
  readonly pingMillis: number
  /** And is closed when it does not answer within this. */
  readonly pingTimeoutMillis: number
  /** For TLS, the preface, and the head of an HTTP/1.1 request. */
  readonly handshakeMillisMax: number
}

export const defaultGrpcLimits: GrpcLimits = {
  messageBytesMax: 2 * 1024 * 1024,
  plainBytesMax: 3 * 1024 * 1024,
  connectionsMax: 10_000,
  streamsPerConnectionMax: 1_000,
  headerBytesMax: 16 * 1024,
  sendQueueBytes: 256 * 1024,
  sendQueueBytesMax: 16 * 1024 * 1024,
  partialBytesMax: 16 * 1024 * 1024,
  unsentBytesMax: 32 * 1024 * 1024,
  drainMillisMax: 5_000,
  pingMillis: 60_000,
  pingTimeoutMillis: 20_000,
  handshakeMillisMax: 10_000
}

export class Grpc extends Context.Tag("kernel/Grpc")<
  Grpc,
  {
    /** `host:port`, with the port that was really taken. */
    readonly address: string
    /**
     * Takes calls for as long as the scope is open. When it closes, calls that it opened fail as unavailable,
     * and clients try again elsewhere. A path that two services want at once is a defect.
     */
    readonly serve: (service: GrpcService) => Effect.Effect<void, never, Scope.Scope>
  }
>() {}
