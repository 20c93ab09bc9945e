import test from "ava"
import { Crash, Cut, Kill, Mend, PowerOff, PowerOn, Start } from "#chaos/faults/action.ts"
import type { Evidence } from "./evidence.ts"
import { judged, sight, sightsOf, struck, writesAt } from "./fixtures/evidence.ts"
import { recoveryTime } from "./recovery-time.ts"

const check = recoveryTime({ withinMillis: 1_000 })
const node = "node01"
const judge = (some: Partial<Evidence>) =>
  judged(check, { sights: sightsOf(node, [500]), peaceMillis: 10_000, ...some })

/** After peace at ten seconds, so that only what is before counts. */
const atPeace = [10_000, 10_100] as const

test("the time from the strike to the first write that was asked for after it counts", (t) => {
  const timeline = [struck(1_000, new Kill({ node }))]
  const history = writesAt([900, 1_100], [1_200, 1_800], [1_700, 1_750], atPeace)
  const { lines, verdict } = judge({ timeline, history })
  t.is(verdict, "passed")
  t.deepEqual(lines, ["2 recoveries, of 750 ms at the median and 750 ms at most"])
})

test("whoever can write again too late fails, or never", (t) => {
  const timeline = [struck(1_000, new Kill({ node }))]
  t.deepEqual(judge({ timeline, history: writesAt([900, 1_100], [1_200, 2_001], atPeace) }).lines, [
    "after node01 is killed at 1000 ms, clients could write again after 1001 ms; it may take 1000 ms"
  ])
  t.deepEqual(judge({ history: writesAt([900, 1_100], [10_000, 11_001]) }).lines, [
    "after peace, clients could write again after 1001 ms; it may take 1000 ms"
  ])
})

test("a slow world may take its time", (t) => {
  const timeline = [struck(1_000, new Kill({ node }))]
  const history = writesAt([1_200, 2_001], atPeace)
  t.is(judge({ timeline, history, slowness: 2 }).verdict, "passed")
})

test("a follower that dies ends nothing, an actor of a leader's member does", (t) => {
  const late = writesAt([1_200, 5_000], atPeace)
  t.is(judge({ timeline: [struck(1_000, new Kill({ node: "node02" }))], history: late }).verdict, "passed")
  const crash = (path: string) => [struck(1_000, new Crash({ node, path }))]
  t.is(judge({ timeline: crash("/node01/roles/role-agent"), history: late }).verdict, "passed")
  t.is(judge({ timeline: crash("/node01/chainfire/member"), history: late }).verdict, "failed")
})

test("a quorum that is lost counts from when it is there again, and a boot is no part of it", (t) => {
  const timeline = [
    struck(1_000, new PowerOff({ node: "node02" })),
    struck(1_100, new PowerOff({ node: "node03" })),
    struck(3_000, new PowerOn({ node: "node02" }))
  ]
  const sights = [...sightsOf(node, [500]), sight(5_000, "node02", undefined)]
  t.is(
    judge({ timeline, sights, history: writesAt([1_200, 5_900], [5_000, 5_950], atPeace) }).verdict,
    "passed"
  )
  const { lines } = judge({ timeline, sights, history: writesAt([5_100, 6_100], atPeace) })
  t.deepEqual(lines, [
    "after the power of node03 is cut at 1100 ms, clients could write again after 1100 ms; it may take 1000 ms"
  ])
})

test("what is struck again before its time is over is judged by the later strike", (t) => {
  const timeline = [
    struck(1_000, new Kill({ node })),
    struck(1_900, new Kill({ node: "node02" })),
    struck(2_000, new Start({ node: "node01" }))
  ]
  const sights = [
    ...sightsOf(node, [500]),
    sight(1_500, "node02", "node02", { term: 2 }),
    sight(2_500, "node01", undefined)
  ]
  t.is(judge({ timeline, sights, history: writesAt([2_600, 3_400], atPeace) }).verdict, "passed")
  t.is(judge({ timeline, sights, history: writesAt([2_600, 3_600], atPeace) }).verdict, "failed")
})

test("a leader that is cut off counts as ended, one that keeps a majority does not", (t) => {
  const history = writesAt([1_200, 5_000], atPeace)
  const cut = (to: ReadonlyArray<string>) => [
    struck(1_000, new Cut({ from: [node], to })),
    struck(2_000, new Mend({ from: [node], to }))
  ]
  t.is(judge({ timeline: cut(["node02", "node03"]), history }).verdict, "failed")
  t.is(judge({ timeline: cut(["node02"]), history }).verdict, "passed")
})

test("where nobody asked after a strike nothing was shown", (t) => {
  t.is(judge({ history: writesAt([100, 200]) }).verdict, "unknown")
})
