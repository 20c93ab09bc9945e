import test from "ava"
import { Membership } from "./raft-membership.ts"
import { entryBytes, isFromLeader, isSameSnapshot } from "./raft-messages.ts"

test("an entry counts for more than its data", (t) => {
  t.true(entryBytes({ index: 1, term: 1, kind: "noop", data: new Uint8Array(0) }) > 0)
})

test("snapshots are the same if their bytes are", (t) => {
  const one = { index: 5, term: 2, membership: new Membership([1]), id: 7, bytes: 10 }
  t.true(isSameSnapshot(one, { ...one, membership: new Membership([1]) }))
  t.false(isSameSnapshot(one, { ...one, id: 8 }))
})

test("a candidate is no leader", (t) => {
  const vote = { from: 1, to: 2, term: 1, pre: false, transfer: false, lastIndex: 0, lastTerm: 0 }
  t.false(isFromLeader({ _tag: "Vote", ...vote }))
  t.true(isFromLeader({ _tag: "TimeoutNow", from: 1, to: 2, term: 1 }))
})
