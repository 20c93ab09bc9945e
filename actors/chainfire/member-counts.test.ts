import test from "ava"
import { MemberCounts } from "./member-counts.ts"

test("a leader counts when it comes, and again when it comes back", (t) => {
  const counts = new MemberCounts()
  for (const leader of [0, 2, 2, 0, 2, 3]) counts.led(leader)
  t.is(counts.leaderChanges.value, 3)
})

test("leases count when they were granted and revoked, and not when that was refused", (t) => {
  const counts = new MemberCounts()
  counts.carriedOut("LeaseGrant", false)
  counts.carriedOut("LeaseGrant", true)
  counts.carriedOut("LeaseRevoke", false)
  counts.carriedOut("Put", false)
  t.deepEqual([counts.leasesGranted.value, counts.leasesRevoked.value], [1, 1])
})
