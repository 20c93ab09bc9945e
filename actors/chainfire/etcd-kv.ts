/** The KV service of etcd v3. */
import { Either } from "effect"
import type { Unary, UnaryCall } from "#actors/kernel/ports/grpc.ts"
import { type RangeRequest, RangeResponse } from "#protocols/wire/etcd/kv-fast.ts"
import { KV } from "#protocols/wire/etcd/methods.ts"
import type { TxnRequest } from "#protocols/wire/etcd/txn-fast.ts"
import { refusesTxn } from "./authorisation.ts"
import { type Calls, headerNow, unary } from "./etcd-calls.ts"
import { sweptCall } from "./etcd-physical.ts"
import { checkRange, range } from "./kv-range.ts"
import { checkDeleteRange, checkPut, checkTxn, isReadOnly, txn } from "./kv-write.ts"
import { costOfPut, costOfTxn } from "./quota.ts"

export const kvCalls = (calls: Calls): Readonly<Record<string, Unary>> => {
  const { endpoint } = calls
  const { member, quota, settings } = endpoint
  const { auth, mvcc } = member.machine

  const answerTxn = (request: TxnRequest, call: UnaryCall): void => {
    const outcome = txn(member.machine, request)
    if (Either.isLeft(outcome)) return call.fail(outcome.left)
    mvcc.commit()
    call.reply(KV.txn.response.encode({ ...outcome.right, header: headerNow(endpoint) }))
  }

  const answerRange = (request: RangeRequest, call: UnaryCall): void =>
    Either.match(range(mvcc, request), {
      onLeft: (unreadable) => call.fail(unreadable),
      onRight: (found) => call.reply(RangeResponse.encode({ header: headerNow(endpoint), ...found }))
    })

  return {
    [KV.put.path]: unary(KV.put, (request, call, bytes) => {
      const refused = quota.refuses(costOfPut(request)) ?? checkPut(request)
      if (refused !== undefined) call.fail(refused)
      else calls.propose("Put", KV.put, bytes, call)
    }),

    [KV.deleteRange.path]: unary(KV.deleteRange, (request, call, bytes) => {
      const refused = checkDeleteRange(request)
      if (refused !== undefined) call.fail(refused)
      else calls.propose("DeleteRange", KV.deleteRange, bytes, call)
    }),

    [KV.txn.path]: unary(KV.txn, (request, call, bytes) => {
      const refused = quota.refuses(costOfTxn(request)) ?? checkTxn(request, settings.transactionOpsMax)
      if (refused !== undefined) return call.fail(refused)
      if (!isReadOnly(request)) return calls.propose("Txn", KV.txn, bytes, call)
      calls.afterRead(call, () =>
        calls.permitted(
          call,
          (asker) => refusesTxn(member.machine, asker, request),
          () => answerTxn(request, call)
        )
      )
    }),

    [KV.compact.path]: unary(KV.compact, (request, call, bytes) =>
      calls.propose("Compact", KV.compact, bytes, request.physical ? sweptCall(calls, request, call) : call)
    ),

    [KV.range.path]: unary(KV.range, (request, call) => {
      const refused = checkRange(request)
      if (refused !== undefined) return call.fail(refused)
      const answer = () => {
        // As it is when it is answered.
        if (calls.unguarded(call)) return answerRange(request, call)
        calls.permitted(
          call,
          (asker) => auth.refuses(asker, "read", request.key, request.rangeEnd),
          () => answerRange(request, call)
        )
      }
      // While a snapshot takes the place of the state, nobody reads it.
      if (request.serializable && !member.isInstalling) answer()
      else calls.afterRead(call, answer)
    })
  }
}
