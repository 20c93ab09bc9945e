/**
 * The Lock service of etcd v3: a line for each name, see waiting-line.ts, and the lock is with whoever stands
 * in front. It is had as long as the lease is, whatever becomes of the connection.
 *
 * A client that goes away while it waits, or whose deadline passes, leaves the line.
 */
import { Either } from "effect"
import type { GrpcStatus, Unary, UnaryCall } from "#actors/kernel/ports/grpc.ts"
import { type LockRequest, LockResponse, UnlockResponse } from "#protocols/wire/etcd/concurrency.ts"
import { GrpcCode } from "#protocols/wire/etcd/errors.ts"
import { SortOrder, SortTarget } from "#protocols/wire/etcd/kv.ts"
import { PutRequest, RangeRequest, type ResponseHeader } from "#protocols/wire/etcd/kv-fast.ts"
import { KV, LOCK } from "#protocols/wire/etcd/methods.ts"
import { RequestOp, type TxnRequest } from "#protocols/wire/etcd/txn-fast.ts"
import { unary } from "./etcd-calls.ts"
import { askAs, type Handlers } from "./inner-call.ts"
import { prefixed } from "./mvcc.ts"
import { createdAt, inOtherWords, leaving, placeOf, type WaitingLines, withLease } from "./waiting-line.ts"

const sessionExpired: GrpcStatus = { code: GrpcCode.unknown, message: "mutex: session is expired" }

export const lockCalls = (handlers: Handlers, lines: WaitingLines): Readonly<Record<string, Unary>> => ({
  [LOCK.lock.path]: unary(LOCK.lock, (request, call) => lock(handlers, lines, request, call)),

  [LOCK.unlock.path]: unary(LOCK.unlock, ({ key }, call) =>
    askAs(handlers, call)(KV.deleteRange, { key }, (answer) =>
      Either.match(answer, {
        onLeft: (refused) => call.fail(inOtherWords(refused)),
        onRight: ({ header }) => call.reply(UnlockResponse.encode({ header }))
      })
    )
  )
})

const lock = (
  handlers: Handlers,
  lines: WaitingLines,
  { lease, name }: LockRequest,
  call: UnaryCall
): void => {
  const ask = askAs(handlers, call)
  const failed = (refused: GrpcStatus) => call.fail(inOtherWords(refused))
  let gone = false
  call.onCancel = () => {
    gone = true
  }
  withLease(ask, lease, (had) => {
    if (gone) return
    if (Either.isLeft(had)) return failed(had.left)
    const { key, prefix } = placeOf(name, had.right)
    const locked = (header: ResponseHeader | undefined) => call.reply(LockResponse.encode({ header, key }))
    ask(KV.txn, entering(prefix, key, had.right), (answer) => {
      if (Either.isLeft(answer)) return failed(answer.left)
      const { header, responses, succeeded } = answer.right
      const [ours, first] = responses.map(({ responseRange }) => responseRange?.kvs[0])
      const createRevision = (succeeded ? header?.revision : ours?.createRevision) ?? 0
      const place = { prefix, key, createRevision }
      const leave = () => ask(KV.txn, leaving(place), () => {})
      // Who had the key before has it still.
      if (gone) return succeeded ? leave() : undefined
      if (first === undefined || first.createRevision === createRevision) return locked(header)
      const stop = lines.wait(call, place, (turn) => {
        if (Either.isLeft(turn)) {
          leave()
          return call.fail(turn.left)
        }
        if (turn.right === undefined) call.fail(sessionExpired)
        else locked(turn.right)
      })
      call.onCancel = () => {
        stop()
        leave()
      }
    })
  })
}

/** Puts our key where it is not yet; either way tells who is in front. */
const entering = (prefix: Uint8Array, key: Uint8Array, lease: bigint): TxnRequest => {
  const first = RequestOp.make({
    requestRange: RangeRequest.make({
      ...prefixed(prefix),
      sortOrder: SortOrder.ascend,
      sortTarget: SortTarget.create,
      limit: 1
    })
  })
  return {
    compare: [createdAt(key, 0)],
    success: [RequestOp.make({ requestPut: PutRequest.make({ key, lease }) }), first],
    failure: [RequestOp.make({ requestRange: RangeRequest.make({ key }) }), first]
  }
}
