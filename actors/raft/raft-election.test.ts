import test from "ava"
import { defaultConfig } from "./raft-config.ts"
import { ElectionClock, Votes } from "./raft-election.ts"
import { Membership } from "./raft-membership.ts"

test("it asks for votes after T to 2 T of silence", (t) => {
  t.is(new ElectionClock(defaultConfig, () => 0, 100).deadlineMillis, 1_100)
  t.is(new ElectionClock(defaultConfig, () => 0.999, 100).deadlineMillis, 2_099)
})

test("it sticks to a leader for T, after a start too, and while its clock is stopped", (t) => {
  const clock = new ElectionClock(defaultConfig, () => 0.5, 0)
  t.true(clock.sticks(999))
  t.false(clock.sticks(1_000))
  clock.heard(1_000)
  t.true(clock.sticks(1_999))
  clock.stop()
  t.true(clock.sticks(99_999))
  t.is(clock.deadlineMillis, Number.POSITIVE_INFINITY)
  clock.restart(5_000)
  t.is(clock.deadlineMillis, 6_500)
})

test("the first answer of each voter counts", (t) => {
  const votes = new Votes()
  votes.add(1, true)
  votes.add(2, false)
  votes.add(2, true)
  t.is(votes.verdict(new Membership([1, 2, 3])), "pending")
  votes.add(3, true)
  t.is(votes.verdict(new Membership([1, 2, 3])), "won")
})
