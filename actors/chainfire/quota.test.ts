import test from "ava"
import { AlarmType } from "#protocols/wire/etcd/cluster.ts"
import { etcdErrors } from "#protocols/wire/etcd/errors.ts"
import { CompactionRequest } from "#protocols/wire/etcd/kv.ts"
import { DeleteRangeRequest, PutRequest } from "#protocols/wire/etcd/kv-fast.ts"
import { LeaseGrantRequest } from "#protocols/wire/etcd/lease.ts"
import { type RequestOp, TxnRequest } from "#protocols/wire/etcd/txn-fast.ts"
import { Alarms } from "./alarms.ts"
import type { Command } from "./command.ts"
import { MemoryTable } from "./fixtures/memory-table.ts"
import { costOfPut, costOfTxn, Quota, refusedByAlarm } from "./quota.ts"

const putOp = (bytes: number): RequestOp => ({
  requestPut: PutRequest.make({ key: Uint8Array.of(1), value: new Uint8Array(bytes) }),
  requestRange: undefined,
  requestDeleteRange: undefined,
  requestTxn: undefined
})
const txn = (success: ReadonlyArray<RequestOp>, failure: ReadonlyArray<RequestOp> = []) =>
  TxnRequest.make({ success, failure })

test("a transaction costs what its dearer branch puts, within others too", (t) => {
  t.is(costOfPut(PutRequest.make({ key: Uint8Array.of(1), value: new Uint8Array(100) })), 357)
  t.is(costOfTxn(txn([putOp(10)], [putOp(10), putOp(100)])), 267 + 357)
  t.is(costOfTxn(txn([{ ...putOp(0), requestPut: undefined, requestTxn: txn([putOp(3)]) }])), 260)
  t.is(costOfTxn(txn([])), 0)
})

const world = (quotaBytes: number) => {
  const alarms = new Alarms(new MemoryTable())
  const state = { usedBytes: 0, raised: 0 }
  const quota = new Quota({
    quotaBytes,
    usedBytes: () => state.usedBytes,
    alarms: () => alarms,
    raise: () => void state.raised++
  })
  return { alarms, quota, state }
}

test("what does not fit is refused at the door, and raises the alarm; what needs no space is not", (t) => {
  const { alarms, quota, state } = world(1_000)
  t.is(quota.refuses(900), undefined)
  state.usedBytes = 200
  t.is(quota.refuses(900), etcdErrors.noSpace)
  t.is(state.raised, 1)
  t.is(quota.refuses(0), undefined)
  // Once it is raised, even what would fit has to wait for the operator.
  alarms.activate({ memberID: 1n, alarm: AlarmType.noSpace })
  t.is(quota.refuses(1), etcdErrors.noSpace)
  t.is(state.raised, 1)
})

test("what others let in is noticed, when something was written", (t) => {
  const { quota, state } = world(1_000)
  quota.look(2)
  state.usedBytes = 2_000
  quota.look(2)
  t.is(state.raised, 0)
  quota.look(3)
  t.is(state.raised, 1)
  quota.look(3)
  t.is(state.raised, 1)
})

test("a negative quota is none", (t) => {
  const { quota, state } = world(-1)
  state.usedBytes = 1e15
  t.is(quota.refuses(1e9), undefined)
  quota.look(9)
  t.is(state.raised, 0)
})

test("an alarm forbids the same commands on every member", (t) => {
  const alarms = new Alarms(new MemoryTable())
  const commands: ReadonlyArray<Command> = [
    { _tag: "Put", request: PutRequest.make({}) },
    { _tag: "Txn", request: txn([putOp(1)]) },
    { _tag: "Txn", request: txn([]) },
    { _tag: "LeaseGrant", request: LeaseGrantRequest.make({}) },
    { _tag: "DeleteRange", request: DeleteRangeRequest.make({}) },
    { _tag: "Compact", request: CompactionRequest.make({}) },
    { _tag: "Alarm", request: { action: 2, memberID: 1n, alarm: 1 } }
  ]
  const refused = () => commands.map((command) => refusedByAlarm(alarms, command)?.message ?? "")
  const { corrupt, noSpace } = etcdErrors
  t.deepEqual(refused(), ["", "", "", "", "", "", ""])
  alarms.activate({ memberID: 1n, alarm: AlarmType.noSpace })
  t.deepEqual(refused(), [noSpace.message, noSpace.message, "", noSpace.message, "", "", ""])
  alarms.activate({ memberID: 2n, alarm: AlarmType.corrupt })
  t.deepEqual(refused(), [...Array<string>(6).fill(corrupt.message), ""])
})
