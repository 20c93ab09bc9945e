import test from "ava"
import { defaultConfig } from "./raft-config.ts"
import { Membership } from "./raft-membership.ts"
import type { Chunk } from "./raft-messages.ts"
import { SnapshotReceiver, SnapshotStream } from "./raft-snapshots.ts"

const config = { ...defaultConfig, chunkBytes: 10, chunksInflightMax: 2 }
const snapshot = { index: 20, term: 1, membership: new Membership([1]), id: 1, bytes: 35 }
const chunk = (offset: number, bytes: number, id = 1): Chunk => ({
  _tag: "Chunk",
  from: 1,
  to: 2,
  term: 1,
  snapshot: { ...snapshot, id },
  offset,
  data: new Uint8Array(bytes)
})

test("chunks are asked for within a window, which moves with the answers", (t) => {
  const stream = new SnapshotStream(snapshot, 0)
  t.deepEqual(stream.next(config), [0, 10])
  t.deepEqual(stream.next(config), [])
  stream.answered(10, false, 1)
  t.deepEqual(stream.next(config), [20])
  stream.answered(35, false, 2)
  t.true(stream.isSent)
})

test("a rejection rewinds to what the receiver has, and so does silence", (t) => {
  const stream = new SnapshotStream(snapshot, 0)
  stream.next(config)
  stream.answered(10, true, 1)
  t.deepEqual(stream.next(config), [10, 20])
  t.false(stream.isStuck(500, 1_000))
  t.true(stream.isStuck(1_001, 1_000))
  t.deepEqual(stream.next(config), [10, 20])
})

test("an empty snapshot takes one chunk", (t) => {
  const stream = new SnapshotStream({ ...snapshot, bytes: 0 }, 0)
  t.false(stream.isSent)
  t.deepEqual(stream.next(config), [0])
  t.deepEqual(stream.next(config), [])
  t.true(stream.isSent)
})

test("chunks are taken in order, doubles and gaps are rejected with what it has", (t) => {
  const receiver = new SnapshotReceiver()
  t.is(receiver.receive(chunk(0, 10)), "taken")
  t.is(receiver.receive(chunk(0, 10)), "rejected")
  t.is(receiver.receive(chunk(20, 10)), "rejected")
  t.is(receiver.offset, 10)
  t.is(receiver.receive(chunk(10, 25)), "complete")
})

test("another snapshot begins anew, and one that was staged goes on", (t) => {
  const receiver = new SnapshotReceiver({ snapshot, offset: 30 })
  t.is(receiver.receive(chunk(30, 5)), "complete")
  t.is(receiver.receive(chunk(10, 5, 2)), "rejected")
  t.is(receiver.offset, 0)
})

test("more than it has bytes is rejected", (t) => {
  t.is(new SnapshotReceiver().receive(chunk(0, 36)), "rejected")
})
