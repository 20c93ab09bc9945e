/** What only a leader does, one story each. */
import test from "ava"
import { ByHand } from "./fixtures/raft-by-hand.ts"

const started = (
  config: ConstructorParameters<typeof ByHand>[1] = {},
  others: ReadonlyArray<number> = []
) => {
  const group = new ByHand([1, 2, 3], config, others)
  group.elect(1)
  return group
}

test("entries go out before they are durable here, and count here when they are", (t) => {
  const group = started()
  group.slow.add(1)
  group.drops = ({ from, to }) => from === 3 || to === 3
  const before = group.raft(1).commit
  group.propose(1)
  group.settle()
  t.is(group.raft(2).status.durableIndex, before + 1)
  t.is(group.raft(1).commit, before)
  group.persist(1)
  t.is(group.raft(1).commit, before + 1)
})

test("a quorum of others commits without the leader's disk, which applies when it has it", (t) => {
  const group = started()
  group.slow.add(1)
  const before = group.raft(1).commit
  group.propose(1)
  group.settle()
  t.is(group.raft(1).commit, before + 1)
  t.is(group.committed.get(1)?.at(-1)?.index, before)
  group.persist(1)
  t.is(group.committed.get(1)?.at(-1)?.index, before + 1)
})

test("all proposals of a turn go in one Append, and followers learn of the commit at once", (t) => {
  const group = started()
  group.sent.length = 0
  for (let at = 0; at < 100; at++) group.raft(1).propose(new Uint8Array(9), group.nowMillis)
  group.settle()
  t.is(group.sent.filter(({ _tag, to }) => _tag === "Append" && to === 2).length, 1)
  t.deepEqual(
    [1, 2, 3].map((id) => group.raft(id).commit),
    [101, 101, 101]
  )
})

test("what is uncommitted is bounded, and proposals beyond it are refused", (t) => {
  const group = started({ uncommittedBytesMax: 1_000 })
  group.drops = () => true
  const results = Array.from({ length: 9 }, () => group.propose(1, "y".repeat(100))._tag)
  t.is(results.filter((tag) => tag === "Proposed").length, 6)
  t.is(results.at(-1), "Overloaded")
  group.drops = () => false
  group.pass(500)
  t.is(group.raft(1).status.uncommittedBytes, 0)
  t.is(group.propose(1)._tag, "Proposed")
})

test("an in-flight window keeps a follower that does not answer from being flooded", (t) => {
  const group = started({ inflightMessagesMax: 3, appendEntriesMax: 1 })
  group.slow.add(2)
  group.sent.length = 0
  for (let at = 0; at < 20; at++) group.propose(1)
  t.is(group.sent.filter(({ _tag, to }) => _tag === "Append" && to === 2).length, 3)
})

test("a leader of old entries commits them with its first own, not by counting them", (t) => {
  const group = started()
  group.drops = ({ to }) => to === 3
  group.slow.add(2)
  const { commit } = group.raft(1)
  group.propose(1)
  group.settle()
  t.is(group.raft(1).commit, commit)
  group.slow.delete(2)
  group.persist(2)
  group.wire = []
  group.drops = () => false
  const leader = group.elect(2)
  t.is(leader.commit, commit + 2)
  t.is(leader.termOf(commit + 1), leader.term - 1)
})

test("no read is answered before the leader's first entry is committed", (t) => {
  const group = new ByHand([1, 2, 3])
  group.drops = (message) => message._tag === "Append"
  group.elect(1)
  group.raft(1).read(7, group.nowMillis)
  group.settle()
  t.deepEqual(group.reads, [])
  group.drops = () => false
  group.pass(400)
  t.deepEqual(group.reads, [{ _tag: "Readable", read: 7, index: 1 }])
})

test("a leader that is cut off answers no read, and refuses it when it steps down", (t) => {
  const group = started()
  group.drops = () => true
  group.raft(1).read(7, group.nowMillis)
  group.pass(2_000)
  t.deepEqual(group.reads, [{ _tag: "Refused", read: 7, reason: "LeaderLost" }])
})

test("heartbeats to those who need nothing are rarely answered, and always by one who is missed or behind", (t) => {
  const group = started()
  group.pass(1_000)
  const answersIn = (millis: number, from: number) => {
    group.sent.length = 0
    group.pass(millis)
    return group.sent.filter((message) => message._tag === "HeartbeatReply" && message.from === from).length
  }
  t.is(answersIn(3_000, 2), 10)
  group.drops = ({ from }) => from === 2
  t.true(answersIn(1_000, 2) >= 7)
  group.drops = ({ _tag }) => _tag === "Append"
  group.propose(1)
  t.is(answersIn(1_000, 3), 10)
  t.is(group.raft(1).role, "leader")
})

test("a follower is at rest after a heartbeat that tells it nothing, and not after one that tells of a commit", (t) => {
  const group = started()
  group.pass(1_000)
  const follower = group.raft(2)
  const beat = { _tag: "Heartbeat", from: 1, to: 2, term: follower.term, round: 0, quiesce: false } as const
  follower.step({ _tag: "Received", message: { ...beat, commit: follower.commit } }, group.nowMillis)
  t.true(follower.isAtRest)
  t.is(follower.take(group.nowMillis), undefined)
  group.drops = ({ _tag }) => _tag === "Heartbeat"
  group.propose(1)
  group.settle()
  t.true(follower.isAtRest)
  follower.step({ _tag: "Received", message: { ...beat, commit: follower.commit + 1 } }, group.nowMillis)
  t.false(follower.isAtRest)
  t.is(follower.take(group.nowMillis)?.committed.length, 1)
  t.false(group.raft(1).isAtRest)
})

test("under a lease a read takes no message, and none is served after a transfer was tried", (t) => {
  const group = started({ clockDriftMax: 0.1 })
  group.pass(150)
  group.sent.length = 0
  group.raft(1).read(1, group.nowMillis)
  group.take(1)
  t.is(group.reads.length, 1)
  t.is(group.sent.length, 0)
  group.drops = ({ _tag }) => _tag === "TimeoutNow"
  group.raft(1).transfer(2, group.nowMillis)
  group.settle()
  group.raft(1).read(2, group.nowMillis)
  group.take(1)
  t.is(group.reads.length, 1)
  group.settle()
  t.is(group.reads.length, 2)
})

test("a lease ends, and then a read asks", (t) => {
  const group = started({ clockDriftMax: 0.1 })
  group.pass(150)
  group.drops = () => true
  group.nowMillis += 900
  group.raft(1).read(1, group.nowMillis)
  group.take(1)
  t.deepEqual(group.reads, [])
})

test("the leadership goes to who was named, at once, and proposals are refused meanwhile", (t) => {
  const group = started()
  t.is(group.raft(1).transfer(3, group.nowMillis)._tag, "Proposed")
  t.deepEqual(group.propose(1), { _tag: "Transferring", to: 3 })
  group.settle()
  t.is(group.raft(3).role, "leader")
  t.is(group.raft(1).role, "follower")
})

test("a transfer to somebody who is gone is given up after T", (t) => {
  const group = started()
  group.drops = ({ from, to }) => from === 3 || to === 3
  group.raft(1).transfer(3, group.nowMillis)
  group.pass(1_100)
  t.is(group.raft(1).role, "leader")
  t.is(group.propose(1)._tag, "Proposed")
})

test("a transfer to a stranger or to itself is refused", (t) => {
  const group = started()
  t.like(group.raft(1).transfer(9, group.nowMillis), { _tag: "InvalidTransfer" })
  t.like(group.raft(1).transfer(1, group.nowMillis), { _tag: "InvalidTransfer" })
})

test("a learner votes when it is promoted, and is promoted when it has caught up", (t) => {
  const group = started({ promotionLagMax: 5 }, [4])
  group.drops = ({ to }) => to === 4
  for (let at = 0; at < 20; at++) group.propose(1)
  group.settle()
  const change = (_tag: "AddLearner" | "AddVoter" | "Remove", node: number) => {
    const result = group.raft(1).change([{ _tag, node }], group.nowMillis)
    group.settle()
    return result._tag
  }
  t.is(change("AddVoter", 4), "NotCaughtUp")
  t.is(change("AddLearner", 4), "Proposed")
  t.is(change("AddVoter", 4), "NotCaughtUp")
  group.drops = () => false
  group.pass(400)
  t.is(group.raft(4).commit, group.raft(1).commit)
  t.is(change("AddVoter", 4), "Proposed")
  t.is(`${group.raft(4).membership}`, "voters 1,2,3,4")
})

test("a change is refused while the one before is not committed", (t) => {
  const group = started({}, [4, 5])
  group.drops = () => true
  t.is(group.raft(1).change([{ _tag: "AddLearner", node: 4 }], group.nowMillis)._tag, "Proposed")
  group.take(1)
  t.is(group.raft(1).change([{ _tag: "AddLearner", node: 5 }], group.nowMillis)._tag, "ChangeInFlight")
})

test("a member is replaced through a joint phase that ends by itself", (t) => {
  const group = started({}, [4])
  group.raft(1).change([{ _tag: "AddLearner", node: 4 }], group.nowMillis)
  group.settle()
  const result = group.raft(1).change(
    [
      { _tag: "AddVoter", node: 4 },
      { _tag: "Remove", node: 2 }
    ],
    group.nowMillis
  )
  t.is(result._tag, "Proposed")
  t.true(group.raft(1).membership.isJoint)
  group.settle()
  t.is(`${group.raft(1).membership}`, "voters 1,3,4")
  t.is(`${group.raft(4).membership}`, "voters 1,3,4")
})

test("a leader that is removed leads until that is committed, and hands over", (t) => {
  const group = started()
  group.raft(1).change([{ _tag: "Remove", node: 1 }], group.nowMillis)
  t.is(group.raft(1).role, "leader")
  group.settle()
  t.is(group.raft(1).role, "follower")
  t.is([2, 3].filter((id) => group.raft(id).role === "leader").length, 1)
  t.is(group.raft(1).membership.isVoter(1), false)
})

test("changes that make no sense are refused", (t) => {
  const group = new ByHand([1])
  group.pass(1)
  const change = (_tag: "AddLearner" | "Remove", node: number) =>
    group.raft(1).change([{ _tag, node }], group.nowMillis)._tag
  t.is(change("Remove", 1), "InvalidChange")
  t.is(change("Remove", 7), "InvalidChange")
})

test("what a slow follower needs and memory has no more is read from the journal", (t) => {
  const group = started({ memoryEntriesMax: 8 })
  group.drops = ({ from, to }) => from === 3 || to === 3
  for (let at = 0; at < 40; at++) group.propose(1)
  group.settle()
  t.true(group.raft(1).status.memoryEntries <= 8)
  group.drops = () => false
  const journal = (group.batches.get(1) ?? []).flatMap(({ entries }) => entries)
  for (let turn = 0; turn < 5; turn++) {
    group.pass(200)
    for (const { from, to } of group.batches.get(1)?.flatMap(({ entriesWanted }) => entriesWanted) ?? []) {
      group.step(1, { _tag: "Entries", from, entries: journal.slice(from - 1, to) })
      group.settle()
    }
  }
  t.is(group.raft(3).commit, 41)
})

test("an idle group falls asleep, and wakes for a proposal or when a peer is gone", (t) => {
  const group = started({ quiesceMillis: 500 })
  group.pass(2_000)
  t.deepEqual(
    [1, 2, 3].map((id) => group.raft(id).isQuiesced),
    [true, true, true]
  )
  t.deepEqual(
    [1, 2, 3].map((id) => group.raft(id).wakeMillis),
    [Infinity, Infinity, Infinity]
  )
  group.nowMillis += 1e6
  group.propose(1)
  group.settle()
  t.is(group.raft(3).commit, 2)
  group.pass(2_000)
  t.true(group.raft(2).isQuiesced)
  group.drops = ({ from, to }) => from === 1 || to === 1
  for (const id of [2, 3]) group.step(id, { _tag: "PeerDown", node: 1 })
  group.pass(3_000)
  t.is([2, 3].filter((id) => group.raft(id).role === "leader").length, 1)
})

test("a group with a member that is down falls asleep too, and wakes when it is back", (t) => {
  const group = started({ quiesceMillis: 500 })
  group.drops = ({ from, to }) => from === 3 || to === 3
  group.step(1, { _tag: "PeerDown", node: 3 })
  group.propose(1)
  group.pass(3_000)
  t.true(group.raft(1).isQuiesced)
  group.drops = () => false
  group.step(1, { _tag: "PeerUp", node: 3 })
  group.pass(1_000)
  t.is(group.raft(3).commit, group.raft(1).commit)
})

test("a member that was removed and does not know it disturbs nobody", (t) => {
  const group = started()
  group.drops = ({ from, to }) => from === 3 || to === 3
  group.raft(1).change([{ _tag: "Remove", node: 3 }], group.nowMillis)
  group.settle()
  const { term } = group.raft(1)
  group.drops = () => false
  group.pass(20_000)
  t.is(group.raft(1).role, "leader")
  t.is(group.raft(1).term, term)
})

test("who has lost its log behind the compacted one gets a snapshot, in chunks and in order", (t) => {
  const group = started({ chunkBytes: 10 })
  group.drops = ({ from, to }) => from === 3 || to === 3
  for (let at = 0; at < 5; at++) group.propose(1)
  group.settle()
  group.step(1, { _tag: "Snapshotted", index: 6, id: 9, bytes: 25 })
  group.step(1, { _tag: "Compact", index: 6 })
  group.drops = () => false
  const answered = new Set<unknown>()
  for (let turn = 0; turn < 20; turn++) {
    group.pass(100)
    const wanted = group.batches.get(1)?.flatMap(({ chunksWanted }) => chunksWanted) ?? []
    for (const want of wanted.filter((one) => !answered.has(one))) {
      answered.add(want)
      const { bytesMax, offset, snapshot, to } = want
      group.step(1, { _tag: "SnapshotRead", to, snapshot, offset, data: new Uint8Array(bytesMax) })
      group.settle()
    }
  }
  const chunks = group.batches.get(3)?.flatMap((batch) => batch.chunks) ?? []
  t.deepEqual(
    chunks.map(({ data, offset }) => [offset, data.length]),
    [
      [0, 10],
      [10, 10],
      [20, 5]
    ]
  )
  t.is(group.raft(3).status.snapshotIndex, 6)
  group.propose(1)
  group.settle()
  t.is(group.raft(3).commit, group.raft(1).commit)
})

test("a snapshot that had to be made anew of the same index is sent as it is now, and made no more", (t) => {
  const group = started({ chunkBytes: 10 })
  group.drops = ({ from, to }) => from === 3 || to === 3
  for (let at = 0; at < 5; at++) group.propose(1)
  group.settle()
  // As by somebody who was sent it, and has nothing in pieces.
  group.step(1, { _tag: "Snapshotted", index: 6, id: 9, bytes: 25 })
  group.step(1, { _tag: "Compact", index: 6 })
  group.drops = () => false
  const answered = new Set<unknown>()
  let [made, shelf] = [0, 0]
  for (let turn = 0; turn < 40 && made < 10; turn++) {
    group.pass(100)
    const wanted = group.batches.get(1)?.flatMap(({ chunksWanted }) => chunksWanted) ?? []
    for (const want of wanted.filter((one) => !answered.has(one))) {
      answered.add(want)
      const { bytesMax, offset, snapshot, to } = want
      const data = snapshot.id === shelf ? new Uint8Array(bytesMax) : undefined
      // Those who ask for an earlier one while one is made wait for it.
      if (data === undefined && (shelf === 0 || snapshot.id > 100)) {
        shelf = 100 + ++made
        group.step(1, { _tag: "Snapshotted", index: 6, id: shelf, bytes: 25 })
      }
      group.step(1, { _tag: "SnapshotRead", to, snapshot, offset, data })
      group.settle()
    }
  }
  t.is(group.raft(3).status.snapshotIndex, 6)
  t.is(made, 1)
})

test("an own promise not to vote is kept when an operator asks to campaign", (t) => {
  const group = started()
  group.sent.length = 0
  group.step(2, { _tag: "Campaign" })
  t.is(group.sent.length, 0)
})
