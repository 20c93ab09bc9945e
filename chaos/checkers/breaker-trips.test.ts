import test from "ava"
import { Kill, Start } from "#chaos/faults/action.ts"
import { breakerTrips } from "./breaker-trips.ts"
import type { NodeStatus } from "./evidence.ts"
import { judged, sight, struck, threeNodes } from "./fixtures/evidence.ts"

type Breaker = NodeStatus["fleetBreaker"]

const check = breakerTrips({ downMin: 2, opensWithinMillis: 3_000, closesWithinMillis: 4_000 })
const two = [struck(3_000, new Kill({ node: "node02" })), struck(4_000, new Kill({ node: "node03" }))]
const back = [struck(9_000, new Start({ node: "node02" })), struck(9_000, new Start({ node: "node03" }))]

const judge = (breaker: (atMillis: number) => Breaker, timeline = [...two, ...back]) =>
  judged(check, {
    timeline,
    peaceMillis: 10_000,
    sights: [
      ...threeNodes.map((node) => sight(0, node, "node01")),
      ...Array.from({ length: 40 }, (_, at) =>
        sight(at * 500, "node01", "node01", { fleetBreaker: breaker(at * 500) })
      )
    ]
  })

const openFrom = (from: number, to: number) => (at: number) => (at >= from && at < to ? "open" : "closed")

test("a breaker that opens in time and closes after peace passes", (t) => {
  t.deepEqual(judge(openFrom(7_000, 14_000)).lines, [
    "4 times it was seen open as it should be, and 20 times closed"
  ])
})

test("one that opens too late, or not at all, fails", (t) => {
  t.regex(judge(openFrom(7_500, 14_000)).lines.join(), /at 7000 ms .* node01 was closed, with 2 nodes down/)
  t.is(judge(() => "closed").verdict, "failed")
})

test("one that stays open fails, and so does one that opened for less", (t) => {
  t.regex(judge(openFrom(7_000, 14_500)).lines.join(), /at 14000 ms .* open, long after peace/)
  t.regex(
    judge(openFrom(3_500, 14_000)).lines.join(),
    /at 3500 ms .* open, with never more than 1 nodes down/
  )
})

test("where never so many were down, or nobody saw, nothing was shown", (t) => {
  t.is(judge(() => "closed", two.slice(0, 1)).verdict, "unknown")
  t.is(judge(() => undefined).verdict, "unknown")
})
