import test from "ava"
import fc from "fast-check"
import { type ChangeSeen, checkWatch, type WatchSeen } from "./watch-completeness.ts"

const change = (revision: number, key: string, value: string | null = `${revision}`): ChangeSeen => ({
  revision,
  key,
  value
})

const changes = [
  change(2, "a"),
  change(3, "b"),
  change(4, "a", null),
  change(4, "b"),
  change(6, "a"),
  change(7, "b")
]
const truth = { changes, isComplete: true }

const check = (events: ReadonlyArray<ChangeSeen>, more: Partial<WatchSeen> = {}) =>
  checkWatch(truth, { name: "w", first: "a", last: "b", fromRevision: 1, events, ...more })

test("a watch that has seen all up to somewhere is in order", (t) => {
  for (const length of [0, 1, 2, 4, 5, 6]) t.deepEqual(check(changes.slice(0, length)), [])
})

test("a watch sees nothing of what was before it, and of other keys", (t) => {
  t.deepEqual(check(changes.slice(4), { fromRevision: 5 }), [])
  t.deepEqual(check([change(2, "a"), change(4, "a", null)], { first: "a", last: "a" }), [])
  t.deepEqual(check(changes.slice(0, 2), { fromRevision: 3 }), [
    "watch w has seen a = 2 at revision 2, and began at revision 3"
  ])
  t.deepEqual(check(changes.slice(0, 2), { first: "a", last: "a" }), [
    "watch w has seen b = 3 at revision 3, which it does not watch"
  ])
})

test("a gap is found, also within one revision", (t) => {
  t.deepEqual(check([change(2, "a"), change(4, "a", null), change(4, "b")]), [
    "watch w has not seen b = 3 at revision 3"
  ])
  t.deepEqual(check([change(2, "a"), change(3, "b"), change(4, "b"), change(6, "a")]), [
    "watch w has not seen the deletion of a at revision 4"
  ])
})

test("an event that comes twice is found, as after a resume from the wrong revision", (t) => {
  t.deepEqual(check([change(2, "a"), change(3, "b"), change(3, "b")]), [
    "watch w has seen b = 3 at revision 3 more than once"
  ])
})

test("events in another order are found", (t) => {
  t.deepEqual(check([change(3, "b"), change(2, "a")]), [
    "watch w has seen a = 2 at revision 2 after revision 3"
  ])
})

test("an event of what never was, or was something else, is found", (t) => {
  t.deepEqual(check([change(2, "a"), change(3, "b", "x")]), [
    "watch w has seen b = x at revision 3, and it was b = 3 at revision 3"
  ])
  t.deepEqual(check([...changes, change(8, "a")]), ["watch w has seen a = 8 at revision 8, which never was"])
})

test("where not all changes are known, an event may be of a write whose answer was lost", (t) => {
  const watch = { name: "w", first: "a", last: "b", fromRevision: 1, events: [...changes, change(8, "a")] }
  t.deepEqual(checkWatch({ changes, isComplete: false }, watch), [])
})

test("a watch that had the time to see more, and has not, is found", (t) => {
  t.deepEqual(check(changes.slice(0, 5), { throughRevision: 6 }), [])
  t.deepEqual(check(changes.slice(0, 5), { throughRevision: 7 }), [
    "watch w has not seen b = 7 at revision 7"
  ])
})

test("a watch that has gone very wrong says so in a few lines", (t) => {
  const many = Array.from({ length: 100 }, (_, at) => change(at + 2, "a"))
  const lines = checkWatch(
    { changes: many, isComplete: true },
    { name: "w", first: "a", last: "b", fromRevision: 1, events: [], throughRevision: 200 }
  )
  t.is(lines.length, 11)
  t.is(lines[10], "watch w: 90 more")
})

test("every single fault in what a watch saw is found", (t) => {
  const events = fc
    .integer({ min: 3, max: 30 })
    .map((count) => Array.from({ length: count }, (_, at) => change(at + 2, at % 3 === 0 ? "a" : "b")))
  fc.assert(
    fc.property(events, fc.nat(), fc.constantFrom("gap", "again", "swapped", "other"), (all, nat, fault) => {
      const at = nat % (all.length - 2)
      const [one, two] = [all[at], all[at + 1]]
      if (one === undefined || two === undefined) throw new Error("there is no such event")
      const seen =
        fault === "gap"
          ? all.toSpliced(at, 1)
          : fault === "again"
            ? all.toSpliced(at + 1, 0, one)
            : fault === "swapped"
              ? all.toSpliced(at, 2, two, one)
              : all.toSpliced(at, 1, { ...one, value: "other" })
      const lines = (watched: ReadonlyArray<ChangeSeen>) =>
        checkWatch(
          { changes: all, isComplete: true },
          { name: "w", first: "a", last: "b", fromRevision: 2, events: watched }
        )
      return lines(all).length === 0 && lines(seen).length > 0
    })
  )
  t.pass()
})
