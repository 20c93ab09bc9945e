import test from "ava"
import {
  Cut,
  fairNetwork,
  Kill,
  Mend,
  Network,
  Pause,
  PowerOff,
  PowerOn,
  Resume
} from "#chaos/faults/action.ts"
import type { Evidence, Sight } from "./evidence.ts"
import { judged, sight, struck, threeNodes } from "./fixtures/evidence.ts"
import { membershipAccurate } from "./membership-accurate.ts"

type View = NonNullable<Sight["status"]>["members"]

const check = membershipAccurate({ healedWithinMillis: 5_000, foundWithinMillis: 3_000 })
const allAlive: View = { node01: "alive", node02: "alive", node03: "alive" }
const holding = (other: string, status: View[string]): View => ({ ...allAlive, [other]: status })

/** Node01 every half second, with what it believes then; the others are only there. */
const views = (beliefs: (atMillis: number) => View): ReadonlyArray<Sight> =>
  Array.from({ length: 40 }, (_, at) => at * 500).flatMap((at) => [
    ...(at === 0 ? threeNodes.map((node) => sight(0, node, "node01")) : []),
    sight(at, "node01", "node01", { members: beliefs(at) })
  ])
const judge = (
  beliefs: (atMillis: number) => View,
  timeline: Evidence["timeline"] = [],
  more: ReadonlyArray<Sight> = []
) => judged(check, { sights: [...views(beliefs), ...more], timeline })

test("nodes that see each other alive pass, and until they know each other they may see anything", (t) => {
  t.is(judge(() => allAlive).verdict, "passed")
  t.is(judge((at) => (at < 5_000 ? { node01: "alive" } : allAlive)).verdict, "passed")
})

test("a live node that is held dead fails, in bad weather too, where it may be suspected", (t) => {
  const weather = [struck(1_000, new Network({ ...fairNetwork, loss: 0.1 }))]
  t.deepEqual(judge((at) => (at === 8_000 ? holding("node02", "failed") : allAlive), weather).lines, [
    "at 8000 ms node01 held node02 for failed, and it was to be not dead"
  ])
  t.is(judge((at) => (at === 8_000 ? holding("node02", "suspect") : allAlive), weather).verdict, "passed")
  t.is(judge((at) => (at === 8_000 ? holding("node02", "suspect") : allAlive)).verdict, "failed")
  t.is(judge((at) => (at === 8_000 ? { node01: "alive", node03: "alive" } : allAlive)).verdict, "failed")
})

test("a node that is cut off may be held dead, and some time after the cut has healed it must not", (t) => {
  const cut = { from: ["node01"], to: ["node02"] }
  const timeline = [struck(6_000, new Cut(cut)), struck(8_000, new Mend(cut))]
  const dead = holding("node02", "failed")
  t.is(judge((at) => (at >= 6_000 && at < 13_000 ? dead : allAlive), timeline).verdict, "passed")
  t.regex(
    judge((at) => (at >= 6_000 && at < 13_500 ? dead : allAlive), timeline).lines.join(),
    /^at 13000 ms/
  )
})

test("a node that stands still is not judged, nor who looks at it", (t) => {
  const timeline = [
    struck(6_000, new Pause({ node: "node02" })),
    struck(12_000, new Resume({ node: "node02" }))
  ]
  t.is(judge((at) => (at >= 6_000 ? holding("node02", "failed") : allAlive), timeline).verdict, "failed")
  const back = (at: number) => (at >= 6_000 && at < 17_000 ? holding("node02", "failed") : allAlive)
  t.is(judge(back, timeline).verdict, "passed")
})

test("whoever is down must be found, and be alive again some time after it answers", (t) => {
  const node = "node02"
  const timeline = [struck(6_000, new PowerOff({ node })), struck(11_000, new PowerOn({ node }))]
  const answers = [sight(12_000, node, "node01")]
  const found = (from: number, to: number) => (at: number) =>
    at >= from && at < to ? holding(node, "failed") : allAlive
  t.is(judge(found(9_000, 17_000), timeline, answers).verdict, "passed")
  t.regex(judge(found(9_500, 17_000), timeline, answers).lines.join(), /^at 9000 ms .* for alive, .* dead$/)
  t.regex(
    judge(found(9_000, 18_000), timeline, answers).lines.join(),
    /^at 17000 ms .* for failed, .* alive$/
  )
})

test("bad weather is no reason not to find out who died", (t) => {
  const timeline = [
    struck(1_000, new Network({ ...fairNetwork, loss: 0.1 })),
    struck(6_000, new Kill({ node: "node02" }))
  ]
  t.is(judge((at) => (at >= 9_000 ? holding("node02", "failed") : allAlive), timeline).verdict, "passed")
  t.is(judge(() => allAlive, timeline).verdict, "failed")
})

test("where nobody was seen for long enough nothing was shown", (t) => {
  t.is(judged(check, { sights: views(() => allAlive).slice(0, 5) }).verdict, "unknown")
})
