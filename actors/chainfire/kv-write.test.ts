/** Corners of writes; that the answers are etcd's is in etcd-differential.test.ts. */
import test from "ava"
import { Either } from "effect"
import { etcdErrors } from "#protocols/wire/etcd/errors.ts"
import { CompareResult, CompareTarget } from "#protocols/wire/etcd/kv.ts"
import { DeleteRangeRequest, PutRequest, RangeRequest } from "#protocols/wire/etcd/kv-fast.ts"
import { Compare, type RequestOp, type TxnRequest } from "#protocols/wire/etcd/txn-fast.ts"
import { Local } from "./fixtures/local.ts"
import { checkTxn, isReadOnly, transactionOpsMax } from "./kv-write.ts"

const bytes = (text: string): Uint8Array => new TextEncoder().encode(text)
const none = {
  requestPut: undefined,
  requestRange: undefined,
  requestDeleteRange: undefined,
  requestTxn: undefined
}
const put = (key: string, value = "1"): RequestOp => ({
  ...none,
  requestPut: PutRequest.make({ key: bytes(key), value: bytes(value) })
})
const get = (key: string): RequestOp => ({ ...none, requestRange: RangeRequest.make({ key: bytes(key) }) })
const remove = (key: string, end: string): RequestOp => ({
  ...none,
  requestDeleteRange: DeleteRangeRequest.make({ key: bytes(key), rangeEnd: bytes(end) })
})
const nested = (requestTxn: TxnRequest): RequestOp => ({ ...none, requestTxn })
const txn = (given: Partial<TxnRequest>): TxnRequest => ({ compare: [], success: [], failure: [], ...given })
const absent = (key: string) =>
  Compare.make({
    key: bytes(key),
    target: CompareTarget.create,
    result: CompareResult.equal,
    createRevision: 0
  })

const refusal = (request: TxnRequest) => checkTxn(request)?.message

test("a key that two operations of a transaction may write is refused, wherever they are", (t) => {
  const twice = etcdErrors.duplicateKey.message
  t.is(refusal(txn({ success: [put("a"), put("a")] })), twice)
  t.is(refusal(txn({ success: [put("b"), remove("a", "c")] })), twice)
  t.is(refusal(txn({ success: [put("a"), nested(txn({ failure: [put("a")] }))] })), twice)
  t.is(refusal(txn({ success: [put("a"), remove("b", "c")] })), undefined)
  t.is(refusal(txn({ success: [put("a")], failure: [put("a")] })), undefined, "only one branch is taken")
  t.is(refusal(txn({ success: [nested(txn({ success: [put("a")], failure: [put("a")] }))] })), undefined)
})

test("a transaction has so many operations and no more, those of nested ones included", (t) => {
  const many = (count: number) => Array.from({ length: count }, (_, index) => put(`k${index}`))
  t.is(refusal(txn({ success: many(transactionOpsMax) })), undefined)
  t.is(refusal(txn({ success: many(transactionOpsMax + 1) })), etcdErrors.tooManyOps.message)
  const inner = nested(txn({ success: many(transactionOpsMax) }))
  t.is(refusal(txn({ success: [inner] })), etcdErrors.tooManyOps.message)
  const bottomless = (depth: number): TxnRequest =>
    txn({ success: depth === 0 ? [] : [nested(bottomless(depth - 1))] })
  t.is(refusal(bottomless(200)), etcdErrors.tooManyOps.message)
})

test("a transaction of which one operation is refused changes nothing", (t) => {
  const ours = new Local()
  const leased = { ...none, requestPut: PutRequest.make({ key: bytes("b"), lease: 9n }) }
  const outcome = ours.txn(txn({ success: [put("a"), leased] }))
  t.deepEqual(outcome, Either.left(etcdErrors.leaseNotFound))
  t.is(ours.machine.mvcc.revision, 1)
})

test("all comparisons are made on the store as it was, those of nested transactions too", (t) => {
  const ours = new Local()
  const inner = nested(
    txn({ compare: [absent("a")], success: [put("b", "then")], failure: [put("b", "else")] })
  )
  ours.txn(txn({ compare: [absent("a")], success: [put("a"), inner] }))
  t.deepEqual(ours.machine.mvcc.get(bytes("b"))?.value, bytes("then"))
})

test("a read within a transaction sees what was written before it", (t) => {
  const ours = new Local()
  const outcome = Either.getOrThrow(ours.txn(txn({ success: [put("a"), get("a")] })))
  const responses = "responses" in outcome ? outcome.responses : []
  t.like(responses[1]?.responseRange, { count: 1, header: { revision: 2 } })
})

test("a transaction that only reads need not be replicated", (t) => {
  t.true(isReadOnly(txn({ success: [get("a")], failure: [nested(txn({ success: [get("a")] }))] })))
  t.false(isReadOnly(txn({ success: [get("a")], failure: [nested(txn({ success: [put("a")] }))] })))
})
