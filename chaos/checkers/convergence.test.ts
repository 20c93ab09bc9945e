import test from "ava"
import { ReplaceNode } from "#chaos/faults/action.ts"
import { convergence } from "./convergence.ts"
import type { Evidence, FinalState } from "./evidence.ts"
import { judged, sight, sightsOf, silence, struck, threeNodes } from "./fixtures/evidence.ts"

const state = (node: string, hash = 7, revision = 30): FinalState => ({ node, hash, revision, voter: true })
const final = threeNodes.map((node) => state(node))
const judge = (some: Partial<Evidence>) => judged(convergence({ withinMillis: 2_000 }), { final, ...some })
const before = sightsOf("node01", [500])
const settled = sightsOf("node02", [11_500, 12_500, 13_500])

test("nodes that agree in time pass, with the time that it took", (t) => {
  const late = [silence(10_900, "node01"), sight(11_000, "node03", "node01")]
  const { lines, verdict } = judge({ sights: [...before, ...late, ...settled] })
  t.is(verdict, "passed")
  t.deepEqual(lines, ["3 nodes agreed 1000 ms after peace, led by node02"])
})

test("a node that answers too late, or never, or follows another one, or nobody, fails", (t) => {
  const lineOf = (late: ReturnType<typeof sight>) =>
    judge({ sights: [...before, ...settled, late] }).lines.join()
  t.regex(lineOf(silence(12_600, "node01")), /node01 did not answer, 2600 ms after peace/)
  t.regex(lineOf(sight(12_600, "node03", undefined)), /node03 knew of no leader, 2600 ms/)
  const other = [...before, sight(12_600, "node03", "node01"), ...sightsOf("node02", [13_000])]
  t.regex(judge({ sights: other }).lines.join(), /node03 still followed node01, 2600 ms/)
  t.regex(judge({ sights: [...before, sight(11_000, "node01", undefined)] }).lines.join(), /nobody leads/)
})

test("a node that disagrees when the run ends fails, also where the run is shorter than the bound", (t) => {
  const followed = (leader: string) =>
    judge({
      sights: [
        ...before,
        sight(11_000, "node01", "node02"),
        sight(11_000, "node03", leader),
        sight(11_100, "node02", "node02")
      ]
    })
  t.deepEqual(followed("node01").lines, ["node03 still followed node01 when it was looked at last"])
  t.is(followed("node02").verdict, "passed")
})

test("different states fail, and so does a node that cannot tell its own", (t) => {
  const sights = [...before, ...settled]
  t.deepEqual(judge({ sights, final: [state("node01"), state("node02", 8), state("node03")] }).lines, [
    "node02 has hash 8 at revision 30, and node01 hash 7 at revision 30"
  ])
  t.is(judge({ sights, final: [state("node01"), state("node02", 7, 29), state("node03")] }).verdict, "failed")
  t.deepEqual(judge({ sights, final: final.slice(0, 2) }).lines, [
    "node03 could not tell its state in the end"
  ])
})

test("a node that was replaced need not answer, and a learner need not know who leads", (t) => {
  const timeline = [struck(1_000, new ReplaceNode({ node: "node03", by: "node04" }))]
  const sights = [...before, ...settled, silence(15_000, "node03")]
  t.is(judge({ timeline, sights, final: final.slice(0, 2) }).verdict, "passed")
  const learner = { ...state("node03"), voter: false }
  const silent = [...before, ...settled, sight(15_000, "node03", undefined)]
  t.is(judge({ sights: silent, final: [state("node01"), state("node02"), learner] }).verdict, "passed")
})

test("where nobody looked after peace nothing was shown", (t) => {
  t.is(judge({ sights: before }).verdict, "unknown")
})
