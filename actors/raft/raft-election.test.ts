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

test("a member that is new sticks to nobody, since it has heard nobody", (t) => {
  const clock = new ElectionClock(defaultConfig, () => 0.5, 0, true)
  t.false(clock.sticks(0))
  clock.heard(100)
  t.true(clock.sticks(1_099))
  clock.askAgainSoon(200)
  t.is(clock.deadlineMillis, 450)
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

test("whoever has lost its leader asks for votes soon, and sticks to nobody, unless leases rest on that", (t) => {
  const config = { ...defaultConfig, electionMillis: 1_000, heartbeatMillis: 100 }
  const clock = new ElectionClock(config, () => 0.5, 0)
  clock.heard(5_000)
  clock.lost(5_010)
  t.is(clock.deadlineMillis, 5_060)
  t.false(clock.sticks(5_010))
  const leased = new ElectionClock({ ...config, clockDriftMax: 0.01 }, () => 0.5, 0)
  leased.heard(5_000)
  leased.lost(5_010)
  t.is(leased.deadlineMillis, 6_500)
  t.true(leased.sticks(5_010))
})
