/**
 * The calls of etcd v3 that go on: watches, and leases that are kept alive.
 *
 * One stream carries many watches. When the client does not read, its watches are parked by the hub and cost
 * nothing but their place; when there is room again they read the store from where they were.
 *
 * Whether somebody may watch is asked when he begins to, as in etcd: he goes on when he may no longer. Unlike in
 * etcd 3.4, who watches all keys from one on must be allowed to read all of them, and not only the first.
 */
import { Either } from "effect"
import type { OpenStream, StreamCall } from "#actors/kernel/ports/grpc.ts"
import { type EtcdError, GrpcCode, printedError } from "#protocols/wire/etcd/errors.ts"
import { LeaseKeepAliveRequest, LeaseKeepAliveResponse } from "#protocols/wire/etcd/lease.ts"
import { LEASE, WATCH } from "#protocols/wire/etcd/methods.ts"
import {
  FilterType,
  type WatchCreateRequest,
  WatchRequest,
  WatchResponse
} from "#protocols/wire/etcd/watch.ts"
import { ProtobufMalformed } from "#protocols/wire/protobuf.ts"
import { type Calls, type Endpoint, headerNow, headerOf } from "./etcd-calls.ts"
import { compareBytes } from "./record.ts"
import type { WatchEvent, WatchSink } from "./watch-hub.ts"
import type { ProgressTeller, WatchProgress } from "./watch-progress.ts"
import { WatchResponses } from "./watch-responses.ts"

const malformed: EtcdError = { code: GrpcCode.internal, message: "grpc: error while marshaling" }

const response = (given: Partial<WatchResponse>): Uint8Array =>
  WatchResponse.encode({
    header: undefined,
    watchId: 0,
    created: false,
    canceled: false,
    compactRevision: 0,
    cancelReason: "",
    fragment: false,
    events: [],
    ...given
  })

/** One zero byte is no end, but says that there is none. */
const isEmptyRange = (key: Uint8Array, rangeEnd: Uint8Array): boolean => {
  const isOpen = rangeEnd.length === 0 || (rangeEnd.length === 1 && rangeEnd[0] === 0)
  return !isOpen && compareBytes(key, rangeEnd) >= 0
}

/** By all streams of a member. */
interface Shared {
  readonly responses: WatchResponses
  readonly progress: WatchProgress
  /** How many watches there were, for their numbers. */
  watches: number
}

class WatchStream implements WatchSink, ProgressTeller {
  readonly #calls: Calls
  readonly #endpoint: Endpoint
  readonly #call: StreamCall
  /** The client's number of a watch, to the hub's, and back. */
  readonly #byClient = new Map<number, number>()
  readonly #byHub = new Map<number, number>()
  readonly #parked = new Set<number>()
  /** Watches that want to be told how far they are, and whether they were told nothing since the last time. */
  readonly #progress = new Map<number, boolean>()
  /** Those of which long responses may be split. */
  readonly #splitting = new Set<number>()
  readonly #shared: Shared
  #lastClient = -1
  #room = true

  constructor(calls: Calls, call: StreamCall, shared: Shared) {
    this.#calls = calls
    this.#endpoint = calls.endpoint
    this.#call = call
    this.#shared = shared
    call.onDrain = () => {
      this.#room = true
      for (const id of [...this.#parked]) this.#resume(id)
    }
    call.onCancel = () => this.close()
  }

  get #hub() {
    return this.#endpoint.member.hub
  }

  onMessage(bytes: Uint8Array): void {
    let request: WatchRequest
    try {
      request = WatchRequest.decode(bytes)
    } catch (problem) {
      if (!(problem instanceof ProtobufMalformed)) throw problem
      this.close()
      return this.#call.fail(malformed)
    }
    if (request.createRequest !== undefined) this.#askToCreate(request.createRequest)
    else if (request.cancelRequest !== undefined) this.#cancel(request.cancelRequest.watchId)
    // Only what all watches of the stream have seen may be told as progress.
    else if (request.progressRequest !== undefined && this.#parked.size === 0)
      this.#send({ watchId: -1, header: headerNow(this.#endpoint) })
  }

  #askToCreate(request: WatchCreateRequest): void {
    const key = request.key.length === 0 ? new Uint8Array(1) : request.key
    if (this.#calls.unguarded(this.#call)) return this.#create(request, key)
    // Answers come in the order of their requests.
    this.#call.pause()
    this.#calls.identify(this.#call, (who) => {
      if (this.#call.ended) return
      const { auth } = this.#endpoint.member.machine
      const refused = Either.isLeft(who) ? who.left : auth.refuses(who.right, "read", key, request.rangeEnd)
      if (refused === undefined) this.#create(request, key)
      else this.#refuse(printedError(refused))
      this.#call.resume()
    })
  }

  #refuse(cancelReason: string): void {
    const header = headerNow(this.#endpoint)
    this.#send({ watchId: -1, created: true, canceled: true, cancelReason, header })
  }

  #create(request: WatchCreateRequest, key: Uint8Array): void {
    const wanted = request.watchId
    const watchId = wanted === 0 ? this.#freeId() : wanted
    if (isEmptyRange(key, request.rangeEnd)) return this.#refuse("mvcc: watcher range is empty")
    if (this.#byClient.has(watchId))
      return this.#refuse("mvcc: duplicate watch ID provided on the WatchStream")
    const { watchesMax } = this.#endpoint.settings
    if (this.#byClient.size >= watchesMax)
      return this.#refuse(`etcdserver: a stream has at most ${watchesMax} watches`)
    const id = ++this.#shared.watches
    if (request.fragment) this.#splitting.add(watchId)
    if (request.progressNotify) {
      this.#progress.set(watchId, true)
      this.#shared.progress.add(this)
    }
    this.#byClient.set(watchId, id)
    this.#byHub.set(id, watchId)
    this.#send({ watchId, created: true, header: headerNow(this.#endpoint) })
    this.#hub.add(
      id,
      {
        range: { key, rangeEnd: request.rangeEnd },
        startRevision: Math.max(0, request.startRevision),
        prevKv: request.prevKv,
        noPut: request.filters.includes(FilterType.noPut),
        noDelete: request.filters.includes(FilterType.noDelete)
      },
      this
    )
    this.#resume(id)
  }

  #freeId(): number {
    do this.#lastClient++
    while (this.#byClient.has(this.#lastClient))
    return this.#lastClient
  }

  #cancel(watchId: number): void {
    const id = this.#byClient.get(watchId)
    if (id === undefined) return
    this.#forget(id)
    this.#hub.remove(id)
    this.#send({ watchId, canceled: true, header: headerNow(this.#endpoint) })
  }

  /** In pieces, so that one that has missed a lot does not keep all others waiting. */
  #resume(id: number): void {
    if (!this.#room || this.#endpoint.member.isInstalling) {
      this.#parked.add(id)
      return
    }
    this.#parked.delete(id)
    while (this.#hub.resume(id)) if (!this.#room) break
  }

  deliver(id: number, revision: number, events: ReadonlyArray<WatchEvent>): boolean {
    const watchId = this.#byHub.get(id)
    if (watchId === undefined) return true
    // Not told again so soon how far it is.
    if (this.#progress.has(watchId)) this.#progress.set(watchId, false)
    const splits = this.#splitting.has(watchId)
    const header = () => headerOf(this.#endpoint, revision)
    for (const encoded of this.#shared.responses.of(events, watchId, splits, header))
      if (!this.#call.send(encoded)) this.#room = false
    if (!this.#room) this.#parked.add(id)
    return this.#room
  }

  behind(id: number): void {
    this.#resume(id)
  }

  compacted(id: number, compactRevision: number): void {
    const watchId = this.#byHub.get(id)
    this.#forget(id)
    if (watchId === undefined) return
    // That it was compacted is all that etcd 3.4 says about it.
    this.#send({ watchId, canceled: true, compactRevision, header: headerOf(this.#endpoint, 0) })
  }

  #forget(id: number): void {
    const watchId = this.#byHub.get(id)
    this.#byHub.delete(id)
    this.#parked.delete(id)
    if (watchId === undefined) return
    this.#byClient.delete(watchId)
    this.#splitting.delete(watchId)
    this.#progress.delete(watchId)
    if (this.#progress.size === 0) this.#shared.progress.remove(this)
  }

  tellProgress(): void {
    for (const [watchId, isDue] of this.#progress) {
      const id = this.#byClient.get(watchId)
      if (isDue && id !== undefined && this.#hub.isSynced(id))
        this.#send({ watchId, header: headerNow(this.#endpoint) })
      this.#progress.set(watchId, true)
    }
  }

  #send(given: Partial<WatchResponse>): void {
    if (!this.#call.send(response(given))) this.#room = false
  }

  close(): void {
    for (const id of this.#byHub.keys()) this.#hub.remove(id)
    this.#byHub.clear()
    this.#byClient.clear()
    this.#parked.clear()
    this.#progress.clear()
    this.#shared.progress.remove(this)
  }
}

/** `renew`: has the leader give a lease its time again; undefined when there is no such lease. */
export const etcdStreams = (
  calls: Calls,
  renew: (lease: bigint, done: (ttlSeconds: number | undefined | EtcdError) => void) => void,
  progress: WatchProgress
): Readonly<Record<string, OpenStream>> => {
  const { endpoint } = calls
  const shared: Shared = {
    responses: new WatchResponses(endpoint.settings.watchFragmentBytes),
    progress,
    watches: 0
  }
  return {
    [WATCH.watch.path]: (call) => {
      const stream = new WatchStream(calls, call, shared)
      return {
        onMessage: (bytes) => stream.onMessage(bytes),
        // As in etcd, watches go on for a client that has said all it wants to say.
        onEnd: () => {}
      }
    },

    [LEASE.keepAlive.path]: (call) => {
      let renewing = 0
      let hasAskedAll = false
      return {
        onMessage: (bytes) => {
          let ID: bigint
          try {
            ID = LeaseKeepAliveRequest.decode(bytes).ID
          } catch (problem) {
            if (!(problem instanceof ProtobufMalformed)) throw problem
            return call.fail(malformed)
          }
          renewing++
          renew(ID, (ttlSeconds) => {
            renewing--
            if (typeof ttlSeconds === "object") return call.fail(ttlSeconds)
            const header = headerNow(endpoint)
            call.send(LeaseKeepAliveResponse.encode({ header, ID, TTL: ttlSeconds ?? 0 }))
            if (hasAskedAll && renewing === 0) call.end()
          })
        },
        onEnd: () => {
          hasAskedAll = true
          if (renewing === 0) call.end()
        }
      }
    }
  }
}
