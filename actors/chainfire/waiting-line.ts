/**
 * Lines: keys under one prefix, each with the lease of whoever stands there, the oldest in front. Locks and
 * elections of etcd are such lines, the server's and those that clients make by themselves alike.
 *
 *   look: is our key still there? who came right before us?
 *     ├── nobody ──► it is our turn
 *     ├── our key is gone, its lease has run out ──► lost
 *     └── somebody ──► watch that key and our own until one is deleted ──► look again
 *
 * Each watches only the one before, so that whoever leaves wakes one and not all.
 */
import { Either } from "effect"
import type { GrpcStatus } from "#actors/kernel/ports/grpc.ts"
import { etcdErrors, GrpcCode } from "#protocols/wire/etcd/errors.ts"
import { CompareResult, CompareTarget, SortOrder, SortTarget } from "#protocols/wire/etcd/kv.ts"
import { DeleteRangeRequest, RangeRequest, type ResponseHeader } from "#protocols/wire/etcd/kv-fast.ts"
import { KV, LEASE, WATCH } from "#protocols/wire/etcd/methods.ts"
import { Compare, RequestOp, type TxnRequest } from "#protocols/wire/etcd/txn-fast.ts"
import { FilterType, WatchCreateRequest, type WatchResponse } from "#protocols/wire/etcd/watch.ts"
import { type Ask, askAs, type Caller, type Handlers, InnerStream } from "./inner-call.ts"
import { prefixed } from "./mvcc.ts"

/** Of one member, over all lines. */
const waitersMax = 10_000

/** For whoever brings no lease; as etcd's sessions have it. */
const leaseSeconds = 60

/** Where one stands. */
export interface Place {
  /** Of the line. */
  readonly prefix: Uint8Array
  readonly key: Uint8Array
  readonly createRevision: number
}

/** Our turn, as of this header; undefined: our key is gone. */
export type Turn = ResponseHeader | undefined

export class WaitingLines {
  readonly #handlers: Handlers
  readonly #waitersMax: number
  #waiting = 0

  constructor(handlers: Handlers, max = waitersMax) {
    this.#handlers = handlers
    this.#waitersMax = max
  }

  get waiting(): number {
    return this.#waiting
  }

  /** Calls back once, unless what it returns is called before. */
  wait(caller: Caller, place: Place, done: (turn: Either.Either<Turn, GrpcStatus>) => void): () => void {
    if (this.#waiting >= this.#waitersMax) {
      done(Either.left(etcdErrors.tooManyRequests))
      return () => {}
    }
    this.#waiting++
    const waiter = new Waiter(this.#handlers, caller, place, (turn) => {
      this.#waiting--
      if (turn !== undefined) done(turn)
    })
    waiter.look()
    return () => waiter.leave()
  }
}

class Waiter {
  readonly #handlers: Handlers
  readonly #caller: Caller
  readonly #place: Place
  readonly #over: (turn: Either.Either<Turn, GrpcStatus> | undefined) => void
  #isOver = false
  #watch: InnerStream<object, WatchResponse> | undefined

  constructor(
    handlers: Handlers,
    caller: Caller,
    place: Place,
    over: (turn: Either.Either<Turn, GrpcStatus> | undefined) => void
  ) {
    this.#handlers = handlers
    this.#caller = caller
    this.#place = place
    this.#over = over
  }

  leave(): void {
    this.#end(undefined)
  }

  look(): void {
    askAs(this.#handlers, this.#caller)(KV.txn, whoIsBefore(this.#place), (answer) => {
      if (this.#isOver) return
      if (Either.isLeft(answer)) return this.#end(Either.left(inOtherWords(answer.left)))
      const { header, responses, succeeded } = answer.right
      if (!succeeded) return this.#end(Either.right(undefined))
      const before = responses[0]?.responseRange?.kvs[0]
      if (before === undefined) this.#end(Either.right(header))
      else this.#await(before.key, (header?.revision ?? 0) + 1)
    })
  }

  #await(before: Uint8Array, startRevision: number): void {
    const again = () => {
      watch.close()
      this.#watch = undefined
      this.look()
    }
    const watch = new InnerStream(this.#handlers, this.#caller, WATCH.watch, {
      answered: ({ cancelReason, canceled, compactRevision, events }) => {
        // What was compacted away before we read it, a look tells as well.
        if (events.length > 0 || (canceled && compactRevision > 0)) again()
        else if (canceled) this.#end(Either.left({ code: GrpcCode.unknown, message: cancelReason }))
        return true
      },
      ended: (status) => this.#end(Either.left(inOtherWords(status ?? etcdErrors.stopped)))
    })
    this.#watch = watch
    for (const key of [before, this.#place.key]) {
      watch.ask({
        createRequest: WatchCreateRequest.make({ key, startRevision, filters: [FilterType.noPut] })
      })
    }
  }

  #end(turn: Either.Either<Turn, GrpcStatus> | undefined): void {
    if (this.#isOver) return
    this.#isOver = true
    this.#watch?.close()
    this.#watch = undefined
    this.#over(turn)
  }
}

const whoIsBefore = ({ createRevision, key, prefix }: Place): TxnRequest => ({
  compare: [createdAt(key, createRevision)],
  success: [
    RequestOp.make({
      requestRange: RangeRequest.make({
        ...prefixed(prefix),
        maxCreateRevision: createRevision - 1,
        sortOrder: SortOrder.descend,
        sortTarget: SortTarget.create,
        limit: 1
      })
    })
  ],
  failure: []
})

/** The key of a lease in a line. */
export const placeOf = (
  name: Uint8Array,
  lease: bigint
): { readonly prefix: Uint8Array; readonly key: Uint8Array } => {
  const prefix = joined(name, "/")
  return { prefix, key: joined(prefix, lease.toString(16)) }
}

/** With revision 0: there is no such key. */
export const createdAt = (key: Uint8Array, createRevision: number): Compare =>
  Compare.make({ key, result: CompareResult.equal, target: CompareTarget.create, createRevision })

/** Gives a key up, and not that of whoever has it after us. */
export const resigning = (key: Uint8Array, createRevision: number): TxnRequest => ({
  compare: [createdAt(key, createRevision)],
  success: [RequestOp.make({ requestDeleteRange: DeleteRangeRequest.make({ key }) })],
  failure: []
})

/**
 * Leaves the line, unless we have come to its front meanwhile. Then a later call with the same lease may have been
 * told so already, and would lose what it has without a word; etcd deletes the key, and takes that risk. The
 * front is ours for as long as the lease is, or until it is given up.
 */
export const leaving = ({ createRevision, key, prefix }: Place): TxnRequest => ({
  compare: [
    Compare.make({
      ...prefixed(prefix),
      result: CompareResult.greater,
      target: CompareTarget.create,
      createRevision: createRevision - 1
    })
  ],
  success: [],
  failure: [RequestOp.make({ requestTxn: resigning(key, createRevision) })]
})

/** The lease that a client brings, or one of its own. */
export const withLease = (
  ask: Ask,
  lease: bigint,
  then: (lease: Either.Either<bigint, GrpcStatus>) => void
): void => {
  if (lease !== 0n) return then(Either.right(lease))
  ask(LEASE.grant, { TTL: leaseSeconds }, (granted) => then(Either.map(granted, ({ ID }) => ID)))
}

/** As etcd's services do that are clients inside of it: of an error only the words are left. */
export const inOtherWords = ({ message }: GrpcStatus): GrpcStatus => ({ code: GrpcCode.unknown, message })

const joined = (bytes: Uint8Array, text: string): Uint8Array => {
  const tail = new TextEncoder().encode(text)
  const whole = new Uint8Array(bytes.length + tail.length)
  whole.set(bytes)
  whole.set(tail, bytes.length)
  return whole
}
