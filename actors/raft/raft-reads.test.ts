import test from "ava"
import { ForwardedReads, isOwn, ReadRounds } from "./raft-reads.ts"

test("reads that come while a round is under way share the next one", (t) => {
  const rounds = new ReadRounds()
  rounds.add({ from: 0, request: 1 })
  t.true(rounds.wantsRound)
  rounds.begin(10, 5)
  rounds.add({ from: 0, request: 2 })
  rounds.add({ from: 3, request: 3 })
  t.false(rounds.wantsRound)
  t.deepEqual(
    rounds.confirm(1).map(({ index, request }) => [request, index]),
    [[1, 5]]
  )
  t.true(rounds.wantsRound)
  rounds.begin(20, 9)
  t.deepEqual(
    rounds.confirm(2).map(({ index, request }) => [request, index]),
    [
      [2, 9],
      [3, 9]
    ]
  )
})

test("an answer to a later round confirms the earlier ones, and the lease counts from its begin", (t) => {
  const rounds = new ReadRounds()
  rounds.add({ from: 0, request: 1 })
  rounds.begin(10, 5)
  rounds.begin(20, 6)
  t.is(rounds.confirm(2).length, 1)
  t.is(rounds.confirmedMillis, 20)
  t.deepEqual(rounds.confirm(1), [])
})

test("reads wait for the first commit of the term", (t) => {
  const rounds = new ReadRounds()
  rounds.add({ from: 0, request: 1 })
  rounds.begin(10, undefined)
  t.deepEqual(rounds.confirm(1), [])
  t.is(rounds.size, 1)
})

test("reads of one turn are one request, and each is answered once", (t) => {
  const reads = new ForwardedReads(7)
  reads.add(1)
  reads.add(2)
  t.is(reads.send(100), 7)
  t.is(reads.send(100), undefined)
  t.deepEqual(reads.answered(7, 33, false), [
    { _tag: "Readable", read: 1, index: 33 },
    { _tag: "Readable", read: 2, index: 33 }
  ])
  t.deepEqual(reads.answered(7, 33, false), [])
  t.is(reads.size, 0)
})

test("what is not answered in time, or has no leader any more, is refused", (t) => {
  const reads = new ForwardedReads(0)
  reads.add(1)
  reads.send(100)
  t.is(reads.wakeMillis, 100)
  t.deepEqual(reads.overdue(99), [])
  t.deepEqual(reads.overdue(100), [{ _tag: "Refused", read: 1, reason: "TimedOut" }])
  reads.add(2)
  t.deepEqual(reads.takeAll("LeaderLost"), [{ _tag: "Refused", read: 2, reason: "LeaderLost" }])
  t.is(reads.size, 0)
})

test("an own read is from nobody", (t) => {
  t.true(isOwn({ from: 0, request: 1 }))
  t.false(isOwn({ from: 2, request: 1 }))
})
