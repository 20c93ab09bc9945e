/**
 * `Coordination` on any etcd v3, over gRPC: one of a list of endpoints at a time, the next one when it cannot
 * serve. Chainfire's own port is one.
 *
 * What grpc-js does by itself it is not asked to do: it does not choose among endpoints, and tries nothing
 * again, since only we know what may be done twice.
 */
import {
  type ChannelCredentials,
  Client,
  type ClientDuplexStream,
  credentials,
  Metadata,
  type ServiceError
} from "@grpc/grpc-js"
import { Effect, Layer, Queue, Redacted, type Scope, Stream } from "effect"
import type { Success } from "#actors/kernel/ask.ts"
import { coordinationOf } from "#actors/kernel/coordination/coordination-client.ts"
import { type Began, Rotation } from "#actors/kernel/coordination/keys-transport.ts"
import { type Changes, Coordination, type WatchedKeys } from "#actors/kernel/ports/coordination.ts"
import {
  Compacted,
  type KeysFault,
  type KeysRequest,
  LeaseNotFound,
  StoreUnavailable
} from "#protocols/chainfire-keys.ts"
import { etcdErrors, GrpcCode } from "#protocols/wire/etcd/errors.ts"
import { LeaseLeasesRequest, LeaseRevokeRequest } from "#protocols/wire/etcd/lease.ts"
import { AUTH, KV, LEASE, type Method, WATCH } from "#protocols/wire/etcd/methods.ts"
import {
  compactionRequest,
  deleted,
  deleteRequest,
  found,
  grantRequest,
  keyEventOf,
  keysFault,
  leaseName,
  leaseNumber,
  putRequest,
  rangeRequest,
  timeToLiveRequest,
  txnDone,
  txnRequest,
  watchRequest,
  written
} from "#protocols/wire/etcd/typed-keys.ts"
import type { WatchResponse } from "#protocols/wire/etcd/watch.ts"

export interface EtcdOptions {
  /** `host:port`, in the order in which they are tried. */
  readonly endpoints: ReadonlyArray<string>
  /** Without it: no TLS. */
  readonly tls?: EtcdTls
  readonly user?: { readonly name: string; readonly password: Redacted.Redacted }
  /** Of each request, with all that is tried for it. */
  readonly deadlineMillis?: number
}

/** PEM text. */
export interface EtcdTls {
  /** Who signs the certificates of the servers; without it, whom Node trusts. */
  readonly ca?: string
  readonly certificate?: string
  readonly key?: Redacted.Redacted
}

const defaultDeadlineMillis = 5_000
/** A login costs the server some work. */
const tokenDoubtedMillis = 1_000
/** Responses that wait for the reader; then etcd is held up. */
const bufferedMax = 64

const silent = (millis: number) =>
  new StoreUnavailable({ reason: `no answer within ${Math.round(millis)} ms`, definite: false })

const credentialsOf = (tls: EtcdTls | undefined): ChannelCredentials => {
  if (tls === undefined) return credentials.createInsecure()
  const pem = (text: string | undefined) => (text === undefined ? null : Buffer.from(text))
  const key = tls.key === undefined ? undefined : Redacted.value(tls.key)
  return credentials.createSsl(pem(tls.ca), pem(key), pem(tls.certificate))
}

export const etcdCoordination = (options: EtcdOptions): Layer.Layer<Coordination> =>
  Layer.scoped(Coordination, openEtcd(options))

/** Closed with the scope. */
export const openEtcd = (options: EtcdOptions): Effect.Effect<Coordination, never, Scope.Scope> =>
  Effect.gen(function* () {
    const endpoints = yield* Effect.forEach(options.endpoints, (address) =>
      Effect.acquireRelease(
        Effect.sync(() => new Endpoint(address, options)),
        (endpoint) => Effect.sync(() => endpoint.close())
      )
    )
    const rotation = new Rotation(endpoints)
    const deadlineMillis = options.deadlineMillis ?? defaultDeadlineMillis
    return coordinationOf({
      ask: <Asked extends KeysRequest>(request: Asked) =>
        rotation.ask(request, deadlineMillis, (endpoint, leftMillis) =>
          Effect.timeoutFail(
            // `perform` answers each request with what belongs to it.
            perform(endpoint, request, leftMillis) as Effect.Effect<Success<Asked>, KeysFault>,
            { duration: leftMillis, onTimeout: () => silent(leftMillis) }
          )
        ),
      watch: (keys) =>
        Stream.suspend(() => {
          const endpoint = rotation.current
          return Stream.tapError(endpoint.watch(keys, deadlineMillis), (fault) =>
            Effect.sync(() => {
              if (fault._tag === "StoreUnavailable") rotation.leave(endpoint)
            })
          )
        })
    })
  })

const perform = (
  endpoint: Endpoint,
  request: KeysRequest,
  leftMillis: number
): Effect.Effect<unknown, KeysFault> => {
  const call = <Request extends object, Response extends object>(
    method: Method<Request, Response>,
    message: Request
  ) => endpoint.call(method, message, leftMillis)
  switch (request._tag) {
    case "RangeKeys":
      return Effect.map(call(KV.range, rangeRequest(request)), (response) =>
        found(response, response.header?.revision ?? 0)
      )
    case "PutKey":
      return Effect.map(call(KV.put, putRequest(request)), written)
    case "DeleteKeys":
      return Effect.map(call(KV.deleteRange, deleteRequest(request)), deleted)
    case "TxnKeys":
      return Effect.map(call(KV.txn, txnRequest(request)), txnDone)
    case "CompactKeys":
      return Effect.map(call(KV.compact, compactionRequest(request)), revisionOf)
    case "GrantLease":
      return Effect.map(call(LEASE.grant, grantRequest(request)), (granted) => ({
        ...revisionOf(granted),
        lease: leaseName(granted.ID),
        ttlSeconds: granted.TTL
      }))
    case "RevokeLease":
      return Effect.map(
        call(LEASE.revoke, LeaseRevokeRequest.make({ ID: leaseNumber(request.lease) })),
        revisionOf
      )
    case "KeepLease":
      return Effect.filterOrFail(
        Effect.map(endpoint.keep(leaseNumber(request.lease), leftMillis), (ttlSeconds) => ({ ttlSeconds })),
        ({ ttlSeconds }) => ttlSeconds > 0,
        () => new LeaseNotFound()
      )
    case "GetLease":
      return Effect.flatMap(call(LEASE.timeToLive, timeToLiveRequest(request)), (left) =>
        left.TTL < 0
          ? Effect.fail(new LeaseNotFound())
          : Effect.succeed({ ttlSeconds: left.TTL, grantedTtlSeconds: left.grantedTTL, keys: left.keys })
      )
    case "ListLeases":
      return Effect.map(call(LEASE.leases, LeaseLeasesRequest.make({})), ({ leases }) =>
        leases.map(({ ID }) => leaseName(ID))
      )
  }
}

const revisionOf = ({ header }: { readonly header: { readonly revision: number } | undefined }) => ({
  revision: header?.revision ?? 0
})

/** One server of etcd, and the token that it knows us by. */
class Endpoint {
  readonly #client: Client
  readonly #options: EtcdOptions
  #token: string | undefined
  #tokenSinceMillis = 0

  constructor(address: string, options: EtcdOptions) {
    this.#options = options
    this.#client = new Client(address, credentialsOf(options.tls), {
      "grpc.max_receive_message_length": -1,
      "grpc.initial_reconnect_backoff_ms": 100,
      "grpc.max_reconnect_backoff_ms": 1_000
    })
  }

  close(): void {
    this.#client.close()
  }

  /** With one more login when the token has run out. */
  call<Request extends object, Response extends object>(
    method: Method<Request, Response>,
    request: Request,
    leftMillis: number
  ): Effect.Effect<Response, KeysFault> {
    const once = Effect.flatMap(this.#metadata(leftMillis), (metadata) =>
      this.#unary(method, request, metadata, leftMillis)
    )
    return this.#withFreshToken(once)
  }

  #withFreshToken<A>(once: Effect.Effect<A, ServiceError>): Effect.Effect<A, KeysFault> {
    return Effect.catchIf(once, isTokenGone, () => {
      this.#token = undefined
      return once
    }).pipe(Effect.mapError(faultOf))
  }

  #metadata(leftMillis: number): Effect.Effect<Metadata, ServiceError> {
    const { user } = this.#options
    if (user === undefined) return Effect.sync(() => new Metadata())
    return Effect.suspend(() => {
      if (this.#token !== undefined) return Effect.succeed(withToken(this.#token))
      const login = AUTH.authenticate.request.make({
        name: user.name,
        password: Redacted.value(user.password)
      })
      return Effect.map(this.#unary(AUTH.authenticate, login, new Metadata(), leftMillis), ({ token }) => {
        this.#token = token
        this.#tokenSinceMillis = performance.now()
        return withToken(token)
      })
    })
  }

  /** Watches that are refused do not say whether it is for their token, so one of some age is not shown again. */
  #doubtToken(): void {
    if (performance.now() - this.#tokenSinceMillis > tokenDoubtedMillis) this.#token = undefined
  }

  #unary<Request extends object, Response extends object>(
    { path, request: requests, response: responses }: Method<Request, Response>,
    request: Request,
    metadata: Metadata,
    leftMillis: number
  ): Effect.Effect<Response, ServiceError> {
    return Effect.async((resume) => {
      const call = this.#client.makeUnaryRequest(
        path,
        (value: Request) => Buffer.from(requests.encode(value)),
        (bytes: Buffer) => responses.decode(bytes),
        request,
        metadata,
        { deadline: Date.now() + leftMillis },
        (error: ServiceError | null, response?: Response) => {
          if (response !== undefined) resume(Effect.succeed(response))
          else if (error !== null) resume(Effect.fail(error))
        }
      )
      return Effect.sync(() => call.cancel())
    })
  }

  #stream<Request extends object, Response extends object>(
    { path, request: requests, response: responses }: Method<Request, Response>,
    metadata: Metadata,
    deadline?: number
  ): ClientDuplexStream<Request, Response> {
    return this.#client.makeBidiStreamRequest(
      path,
      (value: Request) => Buffer.from(requests.encode(value)),
      (bytes: Buffer) => responses.decode(bytes),
      metadata,
      deadline === undefined ? {} : { deadline }
    )
  }

  /** The seconds that the lease has again; 0 when there is none. */
  keep(ID: bigint, leftMillis: number): Effect.Effect<number, KeysFault> {
    const once = Effect.flatMap(this.#metadata(leftMillis), (metadata) =>
      Effect.async<number, ServiceError>((resume) => {
        const stream = this.#stream(LEASE.keepAlive, metadata, Date.now() + leftMillis)
        stream.on("data", ({ TTL }: { readonly TTL: number }) => {
          resume(Effect.succeed(TTL))
          stream.end()
        })
        // The end of the call after the answer is of no interest.
        stream.on("error", (error: ServiceError) => resume(Effect.fail(error)))
        stream.write({ ID })
        return Effect.sync(() => stream.cancel())
      })
    )
    return this.#withFreshToken(once)
  }

  watch(keys: WatchedKeys, openMillis: number): Stream.Stream<Began | Changes, Compacted | StoreUnavailable> {
    return Stream.unwrapScoped(
      Effect.gen(this, function* () {
        const queue = yield* Queue.unbounded<WatchResponse | ServiceError>()
        const metadata = yield* Effect.mapError(this.#metadata(openMillis), unavailable)
        const stream = yield* Effect.acquireRelease(
          Effect.sync(() => this.#stream(WATCH.watch, metadata)),
          (open) => Effect.sync(() => open.cancel())
        )
        stream.on("data", (response: WatchResponse) => {
          queue.unsafeOffer(response)
          if (queue.unsafeSize()._tag === "Some" && queued(queue) >= bufferedMax) stream.pause()
        })
        stream.on("error", (error: ServiceError) => void queue.unsafeOffer(error))
        stream.on("end", () => void queue.unsafeOffer(ended))
        stream.write({
          createRequest: { ...watchRequest(keys), watchId: 0 },
          cancelRequest: undefined,
          progressRequest: undefined
        })
        const next = Effect.map(Queue.take(queue), (told) => {
          if (stream.isPaused() && queued(queue) < bufferedMax / 2) stream.resume()
          return told
        })
        const first = Effect.timeoutFail(next, {
          duration: openMillis,
          onTimeout: () => new StoreUnavailable({ reason: "it does not begin to watch", definite: true })
        })
        return Stream.concat(Stream.fromEffect(first), Stream.repeatEffect(next)).pipe(
          Stream.mapEffect(toldOf),
          Stream.tapError(({ _tag }) =>
            Effect.sync(() => {
              if (_tag === "StoreUnavailable") this.#doubtToken()
            })
          ),
          Stream.flattenIterables
        )
      })
    )
  }
}

const queued = <A>(queue: Queue.Queue<A>): number => {
  const size = queue.unsafeSize()
  return size._tag === "Some" ? size.value : 0
}

/** One response may hold several revisions, each of them whole. */
const toldOf = (
  told: WatchResponse | ServiceError
): Effect.Effect<ReadonlyArray<Began | Changes>, Compacted | StoreUnavailable> => {
  if (!("events" in told)) return Effect.fail(unavailable(told))
  const { cancelReason, canceled, compactRevision, created, events, header } = told
  if (compactRevision > 0) return Effect.fail(new Compacted({ compactRevision }))
  if (canceled)
    return Effect.fail(
      new StoreUnavailable({ reason: cancelReason || "the watch was cancelled", definite: true })
    )
  const changes = Map.groupBy(events.map(keyEventOf), ({ kv }) => kv.modRevision)
  return Effect.succeed([
    ...(created ? [{ began: header?.revision ?? 0 }] : []),
    ...[...changes].map(([revision, ofRevision]) => ({ revision, events: ofRevision }))
  ])
}

const withToken = (token: string): Metadata => {
  const metadata = new Metadata()
  metadata.set("token", token)
  return metadata
}

const isTokenGone = ({ code, details }: ServiceError): boolean =>
  code === GrpcCode.unauthenticated && details === etcdErrors.invalidAuthToken.message

const ended = Object.assign(new Error("the server ended the stream"), {
  code: GrpcCode.unavailable,
  details: "the server ended the stream",
  metadata: new Metadata()
})

/** grpc-js has not sent what it says it had no connection for. */
const unsent = /^(No connection established|Name resolution failed)/

const faultOf = ({ code, details }: ServiceError): KeysFault =>
  keysFault({ code, message: details }, unsent.test(details))

const unavailable = (error: ServiceError): StoreUnavailable => {
  const fault = faultOf(error)
  return fault instanceof StoreUnavailable
    ? fault
    : new StoreUnavailable({ reason: fault.message, definite: true })
}
