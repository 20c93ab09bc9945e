import test from "ava"
import { Cut, Kill, Mend, Pause, PowerOff, Resume, Start } from "#chaos/faults/action.ts"
import type { Evidence } from "./evidence.ts"
import { judged, sight, sightsOf, struck } from "./fixtures/evidence.ts"
import { takenOver } from "./taken-over.ts"

const check = takenOver({ withinMillis: 1_000 })
const [node, other] = ["node01", "node02"]
const judge = (some: Partial<Evidence>) => judged(check, some)

/** The first leads until it is struck at a second. */
const before = sightsOf(node, [500])
const killed = [struck(1_000, new Kill({ node }))]
const successor = (atMillis: number, term = 2) => sight(atMillis, other, other, { term })

test("a leader that is ended, cut off or paused has a successor in time", (t) => {
  const { lines, verdict } = judge({ timeline: killed, sights: [...before, successor(1_900)] })
  t.is(verdict, "passed")
  t.deepEqual(lines, ["1 times another node took over, after 900 ms at most"])
  const others = ["node02", "node03"]
  const cut = [
    struck(1_000, new Cut({ from: [node], to: others })),
    struck(1_000, new Cut({ from: others, to: [node] })),
    struck(4_000, new Mend({ from: [node], to: others })),
    struck(4_000, new Mend({ from: others, to: [node] }))
  ]
  t.is(judge({ timeline: cut, sights: [...before, successor(1_900)] }).verdict, "passed")
  t.is(judge({ timeline: cut, sights: before }).verdict, "failed")
  const paused = [struck(1_000, new Pause({ node })), struck(4_000, new Resume({ node }))]
  t.is(judge({ timeline: paused, sights: [...before, successor(1_900)] }).verdict, "passed")
  t.is(judge({ timeline: paused, sights: before }).verdict, "failed")
})

test("nobody, one that is late, and one in a term that was over are no successors", (t) => {
  const timeline = killed
  t.deepEqual(judge({ timeline, sights: before }).lines, [
    "after node01 is killed at 1000 ms, nobody took over from node01; it may take 1000 ms"
  ])
  t.deepEqual(judge({ timeline, sights: [...before, successor(2_001)] }).lines, [
    "after node01 is killed at 1000 ms, node02 after 1001 ms took over from node01; it may take 1000 ms"
  ])
  t.is(judge({ timeline, sights: [...before, successor(1_900, 1)] }).verdict, "failed")
  t.is(judge({ timeline, sights: [...before, sight(1_900, other, node)] }).verdict, "failed")
})

test("a slow world may take its time", (t) => {
  t.is(judge({ timeline: killed, sights: [...before, successor(2_900)], slowness: 2 }).verdict, "passed")
})

test("whoever is back before the time is over needs no successor, but that shows nothing", (t) => {
  const timeline = [...killed, struck(1_500, new Start({ node }))]
  t.is(judge({ timeline, sights: [...before, sight(1_800, node, undefined)] }).verdict, "unknown")
})

test("followers need none, and neither does a leader where nobody could lead", (t) => {
  const follower = [struck(1_000, new Kill({ node: other }))]
  t.is(judge({ timeline: follower, sights: before }).verdict, "unknown")
  const all = [other, "node03", node].map((name, index) =>
    struck(1_000 + index, new PowerOff({ node: name }))
  )
  t.is(judge({ timeline: all, sights: before }).verdict, "unknown")
})
