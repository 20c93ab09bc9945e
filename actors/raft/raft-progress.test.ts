import test from "ava"
import { defaultConfig } from "./raft-config.ts"
import { Membership } from "./raft-membership.ts"
import { Progress } from "./raft-progress.ts"

const config = { ...defaultConfig, inflightMessagesMax: 2, inflightBytesMax: 100 }
const snapshot = { index: 20, term: 1, membership: new Membership([1]), id: 1, bytes: 10 }

const replicating = (): Progress => {
  const progress = new Progress(6, 0)
  progress.accepted(5)
  return progress
}

test("a probe sends one message, and the next after an answer or a heartbeat's", (t) => {
  const progress = new Progress(6, 0)
  progress.sent(9, 10)
  t.false(progress.canTake(config))
  progress.beat()
  t.true(progress.canTake(config))
  t.is(progress.next, 6)
})

test("a rejected probe goes back to the hint, a late one nowhere", (t) => {
  const progress = new Progress(10, 0)
  t.false(progress.rejected(4, 2))
  t.true(progress.rejected(9, 3))
  t.is(progress.next, 4)
})

test("a window is full by messages or by bytes, and empties with answers", (t) => {
  const progress = replicating()
  progress.sent(6, 10)
  progress.sent(7, 10)
  t.false(progress.canTake(config))
  t.true(progress.accepted(6))
  t.true(progress.canTake(config))
  progress.sent(8, 95)
  progress.accepted(7)
  t.is(progress.inflight, 1)
  t.true(progress.canTake(config))
  progress.sent(9, 10)
  t.false(progress.canTake(config))
})

test("what is rejected behind what it has says nothing, and ahead of it means a loss", (t) => {
  const progress = replicating()
  progress.sent(9, 10)
  t.false(progress.rejected(5, 3))
  t.true(progress.rejected(8, 5))
  t.is(progress.state, "probe")
  t.is(progress.next, 6)
})

test("no news between two beats, with something on its way, is a loss", (t) => {
  const progress = replicating()
  progress.beat()
  progress.sent(6, 1)
  t.true(progress.beat())
  progress.accepted(6)
  t.false(progress.beat())
})

test("it replicates again once the snapshot is installed", (t) => {
  const progress = replicating()
  progress.startSnapshot(snapshot, 0)
  t.false(progress.canTake(config))
  progress.accepted(5)
  t.is(progress.state, "snapshot")
  progress.accepted(20)
  t.is(progress.state, "replicate")
  t.is(progress.next, 21)
})
