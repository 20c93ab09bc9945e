/** What the checker must refuse. Whole runs with planted bugs are in raft-planted.test.ts. */
import test from "ava"
import { ByHand } from "./fixtures/raft-by-hand.ts"
import { RaftBug } from "./raft-check.ts"
import { RaftInvariants } from "./raft-invariants.ts"

const disk = (lastIndex: number) => ({ lastIndex, termOf: () => undefined })

test("two votes of one member in a term are refused", (t) => {
  const invariants = new RaftInvariants(() => disk(0))
  const vote = (to: number) =>
    ({ _tag: "VoteReply", from: 1, to, term: 3, pre: false, granted: true }) as const
  invariants.sent(vote(2))
  invariants.sent(vote(2))
  t.throws(() => invariants.sent(vote(3)), { instanceOf: RaftBug, message: /votes once/ })
})

test("an acknowledgement of what is not on the disk is refused", (t) => {
  const invariants = new RaftInvariants(() => disk(4))
  const reply = {
    _tag: "AppendReply",
    from: 1,
    to: 2,
    term: 3,
    rejected: false,
    hintIndex: 0,
    hintTerm: 0,
    round: 0
  } as const
  invariants.sent({ ...reply, index: 4 })
  t.throws(() => invariants.sent({ ...reply, index: 5 }), { instanceOf: RaftBug })
})

test("a read from before it began is refused", (t) => {
  const invariants = new RaftInvariants(() => disk(0))
  invariants.read(5, 5)
  t.throws(() => invariants.read(4, 5), { instanceOf: RaftBug })
})

test("a commit that is on no quorum of disks is refused, and one that is passes", (t) => {
  const group = new ByHand([1, 2, 3])
  group.elect(1)
  const judge = (holders: ReadonlyArray<number>) =>
    new RaftInvariants((node) => disk(holders.includes(node) ? 1 : 0)).observe(group.raft(1), undefined)
  t.notThrows(() => judge([1, 3]))
  t.throws(() => judge([1]), { instanceOf: RaftBug, message: /majority/ })
})
