/**
 * Calls that we make to ourselves on behalf of a caller: through the handlers that clients call, with that
 * caller's token and certificate, and so refused for the same reasons.
 *
 * etcd's Lock and Election services work like this, too: each is a client of the server that it is in. A call
 * inside outlives the one that it serves, since what was begun may have to be taken back.
 */
import { Either } from "effect"
import type {
  GrpcCall,
  GrpcPeer,
  GrpcStatus,
  OpenStream,
  StreamCall,
  StreamListener,
  Unary,
  UnaryCall
} from "#actors/kernel/ports/grpc.ts"
import { GrpcCode } from "#protocols/wire/etcd/errors.ts"
import type { Method } from "#protocols/wire/etcd/methods.ts"
import type { Message } from "#protocols/wire/protobuf-message.ts"

/** What is served, by path. */
export interface Handlers {
  readonly unary: Readonly<Record<string, Unary>>
  readonly streams: Readonly<Record<string, OpenStream>>
}

/** Whose rights count. */
export interface Caller {
  readonly peer: GrpcPeer
  header(name: string): string | undefined
}

export type Ask = <Request extends object, Answer extends object>(
  method: Method<Request, Answer>,
  request: Partial<Request>,
  done: (answer: Either.Either<Answer, GrpcStatus>) => void
) => void

export const askAs =
  (handlers: Handlers, caller: Caller): Ask =>
  (method, request, done) => {
    const handle = handlers.unary[method.path]
    if (handle === undefined) return done(Either.left(notServed(method.path)))
    const { request: requests, response } = method
    handle(requests.encode(requests.make(request)), new InnerUnary(method.path, caller, response, done))
  }

const notServed = (path: string): GrpcStatus => ({
  code: GrpcCode.unimplemented,
  message: `${path} is not served here`
})

abstract class InnerCall implements GrpcCall {
  readonly path: string
  readonly #caller: Caller
  readonly deadlineMillis = undefined
  ended = false
  onCancel: (() => void) | undefined = undefined

  constructor(path: string, caller: Caller) {
    this.path = path
    this.#caller = caller
  }

  get peer(): GrpcPeer {
    return this.#caller.peer
  }

  header(name: string): string | undefined {
    return this.#caller.header(name)
  }

  abstract fail(status: GrpcStatus): void
}

class InnerUnary<Answer extends object> extends InnerCall implements UnaryCall {
  readonly #response: Message<Answer>
  readonly #done: (answer: Either.Either<Answer, GrpcStatus>) => void

  constructor(
    path: string,
    caller: Caller,
    response: Message<Answer>,
    done: (answer: Either.Either<Answer, GrpcStatus>) => void
  ) {
    super(path, caller)
    this.#response = response
    this.#done = done
  }

  reply(response: Uint8Array): void {
    this.#end(() => Either.right(this.#response.decode(response)))
  }

  override fail(status: GrpcStatus): void {
    this.#end(() => Either.left(status))
  }

  #end(answer: () => Either.Either<Answer, GrpcStatus>): void {
    if (this.ended) return
    this.ended = true
    this.#done(answer())
  }
}

/** What comes of a stream inside. */
export interface InnerListener<Answer> {
  /** False: no more for now, `drained` says when. */
  readonly answered: (answer: Answer) => boolean
  /** It ended by itself: well, or for a reason. */
  readonly ended: (status: GrpcStatus | undefined) => void
}

export class InnerStream<Request extends object, Answer extends object>
  extends InnerCall
  implements StreamCall
{
  readonly #method: Method<Request, Answer>
  readonly #listener: InnerListener<Answer>
  readonly #handler: StreamListener | undefined
  onDrain: (() => void) | undefined = undefined
  readonly queuedBytes = 0

  constructor(
    handlers: Handlers,
    caller: Caller,
    method: Method<Request, Answer>,
    listener: InnerListener<Answer>
  ) {
    super(method.path, caller)
    this.#method = method
    this.#listener = listener
    this.#handler = handlers.streams[method.path]?.(this)
    if (this.#handler === undefined) this.fail(notServed(method.path))
  }

  // Ours

  ask(request: Partial<Request>): void {
    const { request: requests } = this.#method
    if (!this.ended) this.#handler?.onMessage(requests.encode(requests.make(request)))
  }

  /** There is room again. */
  drained(): void {
    if (!this.ended) this.onDrain?.()
  }

  /** Nobody wants to know any more. */
  close(): void {
    if (this.ended) return
    this.ended = true
    this.onCancel?.()
  }

  // The handler's

  send(message: Uint8Array): boolean {
    return this.ended || this.#listener.answered(this.#method.response.decode(message))
  }

  end(): void {
    this.#end(undefined)
  }

  override fail(status: GrpcStatus): void {
    this.#end(status)
  }

  #end(status: GrpcStatus | undefined): void {
    if (this.ended) return
    this.ended = true
    this.#listener.ended(status)
  }

  /** What we ask waits for nobody. */
  pause(): void {}
  resume(): void {}
}
