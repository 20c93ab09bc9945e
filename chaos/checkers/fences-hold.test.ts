import test from "ava"
import { fencesHold } from "./fences-hold.ts"
import { judged } from "./fixtures/evidence.ts"
import type { ChangeSeen } from "./watch-completeness.ts"

const change = (revision: number, key: string, value: string | null): ChangeSeen => ({ revision, key, value })

const changes = [
  change(7, "locks/1", "holder 1"),
  change(8, "guarded/1", "7 holder 1.1"),
  // It moves to another lease, and is the same lock.
  change(9, "locks/1", "holder 1"),
  change(10, "guarded/1", "7 holder 1.2"),
  change(12, "locks/1", null),
  change(13, "locks/2", "holder 3"),
  change(15, "locks/1", "holder 2"),
  change(16, "guarded/1", "15 holder 2.1"),
  change(17, "guarded/2", "13 holder 3.1"),
  change(18, "a", "1")
]

test("writes under the lock of their time pass", (t) => {
  t.deepEqual(judged(fencesHold, { changes }).lines, ["4 writes under locks"])
})

test("a write of a former holder fails, whether somebody else has the lock or nobody", (t) => {
  t.deepEqual(judged(fencesHold, { changes: [...changes, change(19, "guarded/1", "7 holder 1.3")] }).lines, [
    "guarded/1 = 7 holder 1.3 was written at revision 19, when the lock had fence 15"
  ])
  const free = [...changes, change(19, "locks/1", null), change(20, "guarded/1", "15 holder 2.2")]
  t.deepEqual(judged(fencesHold, { changes: free }).lines, [
    "guarded/1 = 15 holder 2.2 was written at revision 20, when nobody had the lock"
  ])
})

test("where nothing was written under a lock, or nobody can tell, nothing was shown", (t) => {
  t.is(judged(fencesHold, {}).verdict, "unknown")
  t.is(judged(fencesHold, { changes: undefined }).verdict, "unknown")
})
