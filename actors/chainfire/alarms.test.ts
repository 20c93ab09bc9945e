import test from "ava"
import { AlarmType } from "#protocols/wire/etcd/cluster.ts"
import { Alarms, alarmKinds, alarmOfRow, alarmText } from "./alarms.ts"
import { MemoryTable } from "./fixtures/memory-table.ts"

const noSpace = (memberID: bigint) => ({ memberID, alarm: AlarmType.noSpace })

test("alarms are raised once, listed by kind, and are there after a restart", (t) => {
  const table = new MemoryTable()
  table.put(new TextEncoder().encode("state"), new Uint8Array(32))
  const alarms = new Alarms(table)
  alarms.activate(noSpace(2n ** 64n - 1n))
  alarms.activate(noSpace(3n))
  alarms.activate(noSpace(3n))
  alarms.activate({ memberID: 3n, alarm: AlarmType.corrupt })
  t.deepEqual(alarms.list(AlarmType.noSpace), [noSpace(3n), noSpace(2n ** 64n - 1n)])
  t.is(alarms.list().length, 3)
  t.deepEqual(alarmKinds(alarms.list()), ["NOSPACE", "CORRUPT"])
  t.deepEqual(new Alarms(table).list(), alarms.list())
})

test("an alarm is over for the group when the last member's is", (t) => {
  const table = new MemoryTable()
  const alarms = new Alarms(table)
  alarms.activate(noSpace(1n))
  alarms.activate(noSpace(2n))
  t.true(alarms.deactivate(noSpace(1n)))
  t.true(alarms.has(AlarmType.noSpace))
  t.false(alarms.deactivate(noSpace(1n)))
  t.true(alarms.deactivate(noSpace(2n)))
  t.false(alarms.has(AlarmType.noSpace))
  t.is(table.size, 0)
})

test("rows of other things are none of ours, and texts are etcd's", (t) => {
  t.is(alarmOfRow(new TextEncoder().encode("state")), undefined)
  t.is(alarmText(noSpace(10276657743932975437n)), "memberID:10276657743932975437 alarm:NOSPACE ")
})
