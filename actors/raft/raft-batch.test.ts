import test from "ava"
import { Outbox } from "./raft-batch.ts"
import type { Message } from "./raft-messages.ts"

const message: Message = { _tag: "TimeoutNow", from: 1, to: 2, term: 1 }

test("what has to wait for the disk waits, unless all is durable", (t) => {
  const out = new Outbox()
  out.sendPersisted(message)
  t.deepEqual(out.take(1, false, [], undefined, [], undefined).persistedMessages, [message])
  out.sendPersisted(message)
  t.deepEqual(out.take(1, true, [], undefined, [], undefined).messages, [message])
})

test("the same entries are wanted once", (t) => {
  const out = new Outbox()
  out.want({ from: 3, to: 5, bytesMax: 10 })
  out.want({ from: 3, to: 5, bytesMax: 10 })
  t.is(out.take(0, true, [], undefined, [], undefined).entriesWanted.length, 1)
})

test("what was taken is gone", (t) => {
  const out = new Outbox()
  t.true(out.isEmpty)
  out.send(message)
  out.read({ _tag: "Refused", read: 1, reason: "NoLeader" })
  t.false(out.isEmpty)
  out.take(0, true, [], undefined, [], undefined)
  t.true(out.isEmpty)
})
