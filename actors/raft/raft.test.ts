/** Corners of elections, replication and reads, one story each. */
import test from "ava"
import { Prng } from "#chaos/sim/prng.ts"
import { ByHand } from "./fixtures/raft-by-hand.ts"
import { simConfig } from "./fixtures/raft-network.ts"
import { Raft } from "./raft.ts"
import { RaftBug } from "./raft-check.ts"
import { Membership } from "./raft-membership.ts"
import type { Append, Message, Vote } from "./raft-messages.ts"

const vote = (from: number, to: number, term: number, more: Partial<Vote> = {}): Vote => ({
  _tag: "Vote",
  from,
  to,
  term,
  pre: false,
  transfer: false,
  lastIndex: 0,
  lastTerm: 0,
  ...more
})

const append = (from: number, to: number, term: number, more: Partial<Append> = {}): Append => ({
  _tag: "Append",
  from,
  to,
  term,
  prevIndex: 0,
  prevTerm: 0,
  commit: 0,
  round: 1,
  entries: [],
  ...more
})

const entry = (index: number, term: number) =>
  ({ index, term, kind: "normal", data: new Uint8Array(1) }) as const

const repliesOf = (group: ByHand, from: number): ReadonlyArray<Message> =>
  group.sent.filter((message) => message.from === from)

test("whoever is alone leads at once, and commits by its own disk", (t) => {
  const group = new ByHand([1])
  group.pass(1)
  t.is(group.raft(1).role, "leader")
  t.is(group.propose(1)._tag, "Proposed")
  t.is(group.raft(1).commit, 2)
})

test("a new group has a leader at once, and the one who asks first waits for the others as long as it takes", (t) => {
  const group = new ByHand([1, 2, 3])
  group.pass(50)
  t.is(group.raft(1).role, "leader")

  const late = new ByHand([1, 2, 3])
  late.drops = () => true
  late.pass(900)
  t.is(late.raft(1).term, 0)
  late.drops = () => false
  late.pass(300)
  t.like(late.raft(1).status, { role: "leader", term: 1 })
})

test("a leader may rest no lease on who could forget its term, and then take itself for new", (t) => {
  const group = new ByHand([1, 2, 3])
  const answersOf = (id: number) =>
    group.sent.filter(({ _tag, from }) => from === id && _tag === "HeartbeatReply").length
  group.slow.add(3)
  group.pass(500)
  t.is(group.raft(1).role, "leader")
  t.like(group.raft(3).status, { term: 1, leader: 1 })
  t.true(answersOf(2) > 0)
  t.is(answersOf(3), 0)
  group.slow.delete(3)
  group.persist(3)
  group.pass(200)
  t.true(answersOf(3) > 0)
})

test("without the one who asks first others do, after T to 2 T of silence, and one only leads", (t) => {
  const group = new ByHand([1, 2, 3])
  group.drops = ({ from, to }) => from === 1 || to === 1
  group.pass(4_200)
  t.is([2, 3].filter((id) => group.raft(id).role === "leader").length, 1)
  t.is(group.raft(1).term, 0)
  group.drops = () => false
  group.pass(500)
  t.is(new Set([1, 2, 3].map((id) => group.raft(id).leader)).size, 1)
})

test("after T to 2 T of silence there is a leader, and one only", (t) => {
  const group = new ByHand([1, 2, 3])
  group.pass(2_100)
  const leaders = [1, 2, 3].filter((id) => group.raft(id).role === "leader")
  t.deepEqual(leaders, [1])
  t.deepEqual(
    [1, 2, 3].map((id) => group.raft(id).leader),
    [1, 1, 1]
  )
})

test("a vote leaves when it is durable, and a pre-vote at once", (t) => {
  const group = new ByHand([1, 2, 3])
  group.slow.add(2)
  group.nowMillis = 5_000
  group.step(2, { _tag: "Received", message: vote(1, 2, 1, { pre: true }) })
  t.is(repliesOf(group, 2).length, 1)
  group.step(2, { _tag: "Received", message: vote(1, 2, 1) })
  t.is(repliesOf(group, 2).length, 1)
  group.persist(2)
  t.like(repliesOf(group, 2)[1], { _tag: "VoteReply", granted: true, term: 1 })
})

test("a second candidate of the term gets no vote", (t) => {
  const group = new ByHand([1, 2, 3])
  group.nowMillis = 5_000
  group.step(2, { _tag: "Received", message: vote(1, 2, 1) })
  group.step(2, { _tag: "Received", message: vote(3, 2, 1) })
  t.deepEqual(
    repliesOf(group, 2).map((message) => message._tag === "VoteReply" && message.granted),
    [true, false]
  )
})

test("a candidate's own vote counts when its disk has it", (t) => {
  const group = new ByHand([1, 2])
  group.slow.add(1)
  group.nowMillis = 5_000
  group.step(1, { _tag: "Campaign" })
  group.settle()
  t.is(group.raft(1).role, "candidate")
  t.false(group.sent.some((message) => message._tag === "Vote" && !message.pre))
  group.persist(1)
  group.settle()
  t.is(group.raft(1).role, "leader")
})

test("a member that comes back from a partition disturbs nobody", (t) => {
  const group = new ByHand([1, 2, 3])
  group.elect(1)
  const { term } = group.raft(1)
  group.drops = ({ from, to }) => from === 3 || to === 3
  group.pass(10_000)
  t.is(group.raft(3).term, term)
  group.drops = () => false
  group.pass(1_000)
  t.deepEqual(
    [1, 2, 3].map((id) => [group.raft(id).leader, group.raft(id).term]),
    [
      [1, term],
      [1, term],
      [1, term]
    ]
  )
})

test("a leader that hears of no quorum for T steps down", (t) => {
  const group = new ByHand([1, 2, 3])
  group.elect(1)
  group.drops = ({ from }) => from !== 1
  group.pass(1_200)
  t.not(group.raft(1).role, "leader")
})

test("a conflict is found by terms and not entry by entry", (t) => {
  const group = new ByHand([1, 2, 3])
  group.elect(1)
  group.drops = ({ from, to }) => from === 1 || to === 1
  for (let at = 0; at < 50; at++) group.propose(1, `lost ${at}`)
  group.wire = []
  group.elect(2)
  group.propose(2, "kept")
  group.settle()
  group.drops = () => false
  group.sent.length = 0
  group.pass(300)
  t.is(group.raft(1).status.lastIndex, group.raft(2).status.lastIndex)
  const appends = group.sent.filter((message) => message._tag === "Append" && message.to === 1)
  t.true(appends.length <= 4, `${appends.length} appends`)
  t.is(group.raft(1).commit, group.raft(2).commit)
})

test("an Append that comes late cuts nothing off", (t) => {
  const group = new ByHand([1, 2, 3])
  const early = append(1, 2, 1, { entries: [entry(1, 1)] })
  group.step(2, { _tag: "Received", message: early })
  group.step(2, { _tag: "Received", message: append(1, 2, 1, { entries: [entry(1, 1), entry(2, 1)] }) })
  group.step(2, { _tag: "Received", message: early })
  t.is(group.raft(2).status.lastIndex, 2)
})

test("an acknowledgement of entries waits for the disk, that of a gap does not", (t) => {
  const group = new ByHand([1, 2, 3])
  group.slow.add(2)
  group.step(2, { _tag: "Received", message: append(1, 2, 1, { prevIndex: 7, prevTerm: 1 }) })
  t.like(repliesOf(group, 2)[0], { _tag: "AppendReply", rejected: true, hintIndex: 0 })
  group.step(2, { _tag: "Received", message: append(1, 2, 1, { entries: [entry(1, 1)] }) })
  t.is(repliesOf(group, 2).length, 1)
  // The same again writes nothing, and must wait all the same.
  group.step(2, { _tag: "Received", message: append(1, 2, 1, { entries: [entry(1, 1)] }) })
  t.is(repliesOf(group, 2).length, 1)
  group.persist(2)
  t.is(repliesOf(group, 2).length, 3)
})

test("what is written, cut off and written again is durable with the last write only", (t) => {
  const group = new ByHand([1, 2, 3])
  group.slow.add(2)
  group.step(2, { _tag: "Received", message: append(1, 2, 1, { entries: [entry(1, 1)] }) })
  const first = group.batches.get(2)?.at(-1)?.seq ?? 0
  group.step(2, { _tag: "Received", message: append(3, 2, 2, { entries: [entry(1, 2)] }) })
  group.step(2, { _tag: "Received", message: append(1, 2, 3, { entries: [entry(1, 1), entry(2, 3)] }) })
  group.step(2, { _tag: "Persisted", seq: first })
  t.is(group.raft(2).status.durableIndex, 0)
  group.persist(2)
  t.is(group.raft(2).status.durableIndex, 2)
})

test("two leaders of one term are a bug that stops the group", (t) => {
  const group = new ByHand([1, 2, 3])
  group.elect(1)
  const message = append(2, 1, group.raft(1).term)
  t.throws(() => group.step(1, { _tag: "Received", message }), { instanceOf: RaftBug })
})

test("a follower's read goes through the leader, and those of a turn share a message", (t) => {
  const group = new ByHand([1, 2, 3])
  group.elect(1)
  group.sent.length = 0
  for (const read of [1, 2, 3]) group.raft(3).read(read, group.nowMillis)
  group.settle()
  t.is(group.sent.filter(({ _tag }) => _tag === "ReadIndex").length, 1)
  t.deepEqual(
    group.reads.map((outcome) => outcome._tag),
    ["Readable", "Readable", "Readable"]
  )
})

test("without a leader a read is refused, and one whose leader is gone too", (t) => {
  const group = new ByHand([1, 2, 3])
  group.raft(1).read(1, 0)
  group.take(1)
  t.like(group.reads[0], { _tag: "Refused", reason: "NoLeader" })
  group.elect(1)
  group.drops = () => true
  group.raft(3).read(2, group.nowMillis)
  group.take(3)
  group.pass(1_001)
  t.like(group.reads[1], { _tag: "Refused", read: 2 })
})

test("a proposal to a follower is refused with whom to ask", (t) => {
  const group = new ByHand([1, 2, 3])
  t.deepEqual(group.propose(2), { _tag: "NotLeader", leader: 0 })
  group.elect(1)
  t.deepEqual(group.propose(2), { _tag: "NotLeader", leader: 1 })
})

test("after a restart it goes on from its disk, and votes no second time", (t) => {
  const snapshot = { index: 0, term: 0, membership: new Membership([1, 2, 3]), id: 0, bytes: 0 }
  const hardState = { term: 4, vote: 3, commit: 1 }
  const entries = [entry(1, 2), entry(2, 4)]
  const prng = new Prng(1)
  const raft = new Raft(2, simConfig, { snapshot, hardState, entries }, 0, () => prng.next())
  t.like(raft.status, { term: 4, lastIndex: 2, durableIndex: 2, commit: 1 })
  raft.step({ _tag: "Received", message: vote(1, 2, 4, { lastIndex: 9, lastTerm: 4 }) }, 9_000)
  t.like(raft.take(9_000)?.messages[0], { _tag: "VoteReply", granted: false })
})

test("who was voted out, and does not know that it is committed, may still be needed", (t) => {
  const group = new ByHand([1, 2])
  group.elect(1)
  group.drops = () => true
  t.is(group.raft(1).change([{ _tag: "Remove", node: 1 }], group.nowMillis)._tag, "Proposed")
  group.take(1)
  group.pass(5_000)
  group.drops = () => false
  group.pass(5_000)
  t.is(group.raft(2).role, "leader")
  t.is(`${group.raft(2).membership}`, "voters 2")
  t.is(group.raft(1).role, "follower")
})
