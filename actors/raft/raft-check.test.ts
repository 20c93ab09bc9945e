import test from "ava"
import { check, RaftBug } from "./raft-check.ts"

test("what holds passes, what does not ends in a RaftBug that says it", (t) => {
  check(true, "one is one")
  const bug = t.throws(() => check(false, "one is two"), { instanceOf: RaftBug })
  t.is(bug.message, "it does not hold that one is two")
})
