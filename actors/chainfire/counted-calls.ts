/**
 * Calls, counted on their way through: how many began, how they ended, how many messages and bytes went each
 * way. The names are those of go-grpc-prometheus and of etcd, which dashboards know.
 */
import { type Counter, Counters, type Metrics } from "#actors/kernel/metrics.ts"
import type {
  GrpcCall,
  GrpcPeer,
  GrpcStatus,
  Metadata,
  OpenStream,
  StreamCall,
  Unary,
  UnaryCall
} from "#actors/kernel/ports/grpc.ts"
import { GrpcCode } from "#protocols/wire/etcd/errors.ts"
import { methods } from "#protocols/wire/etcd/methods.ts"
import type { Handlers } from "./inner-call.ts"

const types = { unary: "unary", answers: "server_stream", both: "bidi_stream" } as const

/** As Go's package codes calls them. */
const codeNames = [
  ...["OK", "Canceled", "Unknown", "InvalidArgument", "DeadlineExceeded", "NotFound", "AlreadyExists"],
  ...["PermissionDenied", "ResourceExhausted", "FailedPrecondition", "Aborted", "OutOfRange"],
  ...["Unimplemented", "Internal", "Unavailable", "DataLoss", "Unauthenticated"]
]

class MethodCounts {
  readonly started: Counter
  readonly received: Counter
  readonly sent: Counter
  readonly receivedBytes: Counter
  readonly sentBytes: Counter
  readonly #handled: (code: string) => Counter
  readonly #byCode: Array<Counter | undefined> = []

  constructor(families: Families, labels: ReadonlyArray<string>) {
    this.started = families.started.of(...labels)
    this.received = families.received.of(...labels)
    this.sent = families.sent.of(...labels)
    this.receivedBytes = families.receivedBytes
    this.sentBytes = families.sentBytes
    this.#handled = (code) => families.handled.of(...labels, code)
    // So that there is a rate from the first call on.
    this.#byCode[GrpcCode.ok] = this.#handled("OK")
  }

  began(request: Uint8Array | undefined): void {
    this.started.add()
    if (request !== undefined) this.took(request)
  }

  took(message: Uint8Array): void {
    this.received.add()
    this.receivedBytes.add(message.length)
  }

  said(message: Uint8Array): void {
    this.sent.add()
    this.sentBytes.add(message.length)
  }

  ended(code: number): void {
    const counter = this.#byCode[code] ?? this.#handled(codeNames[code] ?? `Code(${code})`)
    this.#byCode[code] = counter
    counter.add()
  }
}

interface Families {
  readonly started: Counters
  readonly handled: Counters
  readonly received: Counters
  readonly sent: Counters
  readonly receivedBytes: Counter
  readonly sentBytes: Counter
}

/** The same handlers, counted. */
export const counted = (handlers: Handlers, metrics: Metrics): Handlers => {
  const labels = ["grpc_type", "grpc_service", "grpc_method"]
  const families: Families = {
    started: metrics.counters("grpc_server_started_total", "Calls that began.", new Counters(labels)),
    handled: metrics.counters(
      "grpc_server_handled_total",
      "Calls that ended, by how.",
      new Counters([...labels, "grpc_code"])
    ),
    received: metrics.counters(
      "grpc_server_msg_received_total",
      "Messages from clients.",
      new Counters(labels)
    ),
    sent: metrics.counters("grpc_server_msg_sent_total", "Messages to clients.", new Counters(labels)),
    receivedBytes: metrics.counter(
      "etcd_network_client_grpc_received_bytes_total",
      "Bytes of messages from clients."
    ),
    sentBytes: metrics.counter("etcd_network_client_grpc_sent_bytes_total", "Bytes of messages to clients.")
  }
  const countsOf = (path: string) => {
    const [, service = "", method = ""] = path.split("/")
    const streaming = methods.find((known) => known.path === path)?.streaming ?? "unary"
    return new MethodCounts(families, [types[streaming], service, method])
  }
  return {
    unary: mapped(handlers.unary, (path, handle) => countedUnary(handle, countsOf(path))),
    streams: mapped(handlers.streams, (path, open) => countedStream(open, countsOf(path)))
  }
}

const mapped = <Handler>(
  table: Readonly<Record<string, Handler>>,
  change: (path: string, handler: Handler) => Handler
): Readonly<Record<string, Handler>> =>
  Object.fromEntries(Object.entries(table).map(([path, handler]) => [path, change(path, handler)]))

const countedUnary =
  (handle: Unary, counts: MethodCounts): Unary =>
  (request, call) => {
    counts.began(request)
    handle(request, new CountedUnary(call, counts))
  }

const countedStream =
  (open: OpenStream, counts: MethodCounts): OpenStream =>
  (call) => {
    counts.began(undefined)
    const listener = open(new CountedStream(call, counts))
    return {
      onMessage: (message) => {
        counts.took(message)
        listener.onMessage(message)
      },
      onEnd: () => listener.onEnd()
    }
  }

abstract class CountedCall<Call extends GrpcCall> implements GrpcCall {
  protected readonly call: Call
  protected readonly counts: MethodCounts
  #isCounted = false
  #onCancel: (() => void) | undefined = undefined

  constructor(call: Call, counts: MethodCounts) {
    this.call = call
    this.counts = counts
  }

  get path(): string {
    return this.call.path
  }

  get peer(): GrpcPeer {
    return this.call.peer
  }

  get deadlineMillis(): number | undefined {
    return this.call.deadlineMillis
  }

  get ended(): boolean {
    return this.call.ended
  }

  get onCancel(): (() => void) | undefined {
    return this.#onCancel
  }

  /** Who does not want to know of it still ends the call, into the void, and is counted then. */
  set onCancel(callback: (() => void) | undefined) {
    this.#onCancel = callback
    this.call.onCancel = () => {
      this.count(GrpcCode.canceled)
      this.#onCancel?.()
    }
  }

  header(name: string): string | undefined {
    return this.call.header(name)
  }

  fail(status: GrpcStatus, trailers?: Metadata): void {
    this.count(status.code)
    this.call.fail(status, trailers)
  }

  protected count(code: number): void {
    if (this.#isCounted) return
    this.#isCounted = true
    this.counts.ended(this.call.ended ? GrpcCode.canceled : code)
  }
}

class CountedUnary extends CountedCall<UnaryCall> implements UnaryCall {
  reply(response: Uint8Array, trailers?: Metadata): void {
    this.count(GrpcCode.ok)
    this.counts.said(response)
    this.call.reply(response, trailers)
  }
}

class CountedStream extends CountedCall<StreamCall> implements StreamCall {
  constructor(call: StreamCall, counts: MethodCounts) {
    super(call, counts)
    // Streams that a client leaves end in no other way.
    this.onCancel = undefined
  }

  get queuedBytes(): number {
    return this.call.queuedBytes
  }

  get onDrain(): (() => void) | undefined {
    return this.call.onDrain
  }

  set onDrain(callback: (() => void) | undefined) {
    this.call.onDrain = callback
  }

  send(message: Uint8Array): boolean {
    this.counts.said(message)
    return this.call.send(message)
  }

  end(trailers?: Metadata): void {
    this.count(GrpcCode.ok)
    this.call.end(trailers)
  }

  pause(): void {
    this.call.pause()
  }

  resume(): void {
    this.call.resume()
  }
}
