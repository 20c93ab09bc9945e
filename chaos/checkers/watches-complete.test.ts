import test from "ava"
import { judged } from "./fixtures/evidence.ts"
import type { ChangeSeen, WatchSeen } from "./watch-completeness.ts"
import { watchesComplete } from "./watches-complete.ts"

const change = (revision: number): ChangeSeen => ({ revision, key: "a", value: `${revision}` })
const changes = [change(2), change(3), change(4)]
const watch = (events: ReadonlyArray<ChangeSeen>, throughRevision = 4): WatchSeen => ({
  name: "w",
  first: "a",
  last: "z",
  fromRevision: 1,
  events,
  throughRevision
})

test("watches that have seen everything pass", (t) => {
  const watches = [watch(changes), watch(changes.slice(0, 2), 3)]
  const { lines, verdict } = judged(watchesComplete, { changes, watches })
  t.is(verdict, "passed")
  t.deepEqual(lines, ["2 watches have seen 5 events"])
})

test("a gap, an event that comes twice, and one that never was fail", (t) => {
  for (const [events, line] of [
    [[change(2), change(4)], "watch w has not seen a = 3 at revision 3"],
    [[...changes, change(4)], "watch w has seen a = 4 at revision 4 more than once"],
    [[...changes, change(5)], "watch w has seen a = 5 at revision 5, which never was"],
    [changes.slice(0, 2), "watch w has not seen a = 4 at revision 4"]
  ] as const)
    t.deepEqual(judged(watchesComplete, { changes, watches: [watch(changes), watch(events)] }).lines, [line])
})

test("where nobody watched, or nobody can tell what was to be seen, nothing was shown", (t) => {
  t.is(judged(watchesComplete, { changes }).verdict, "unknown")
  t.is(judged(watchesComplete, { changes: undefined, watches: [watch(changes)] }).verdict, "unknown")
})
