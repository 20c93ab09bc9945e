import test from "ava"
import { qmpCommand, qmpMessage } from "./qmp.ts"

test("the greeting tells which QEMU it is", (t) => {
  const line =
    '{"QMP": {"version": {"qemu": {"micro": 22, "minor": 2, "major": 7}, "package": "Debian 1:7.2"}, "capabilities": ["oob"]}}'
  t.deepEqual(qmpMessage(line), { _tag: "Greeting", version: "7.2.22" })
})

test("a command is one line, and its answer and its refusal carry its id", (t) => {
  t.is(qmpCommand(7, "stop"), '{"execute":"stop","arguments":{},"id":7}\n')
  t.is(
    qmpCommand(8, "set_link", { name: "nic0", up: false }),
    '{"execute":"set_link","arguments":{"name":"nic0","up":false},"id":8}\n'
  )
  t.deepEqual(qmpMessage('{"return": {"status": "running"}, "id": 7}'), {
    _tag: "Answer",
    id: 7,
    value: { status: "running" }
  })
  t.deepEqual(
    qmpMessage('{"id": 8, "error": {"class": "DeviceNotFound", "desc": "Device \'nic0\' not found"}}'),
    {
      _tag: "Refusal",
      id: 8,
      reason: "DeviceNotFound: Device 'nic0' not found"
    }
  )
})

test("events come with their time", (t) => {
  const line =
    '{"timestamp": {"seconds": 1790000000, "microseconds": 250000}, "event": "SHUTDOWN", "data": {"guest": true}}'
  t.deepEqual(qmpMessage(line), {
    _tag: "Event",
    name: "SHUTDOWN",
    data: { guest: true },
    atMillis: 1790000000250
  })
})

test("what is no message of QMP is told as such", (t) => {
  t.is(qmpMessage("{")._tag, "Unknown")
  t.is(qmpMessage('{"QMP": 7}')._tag, "Unknown")
  t.is(qmpMessage('"x"')._tag, "Unknown")
})
