import test from "ava"
import { Kill, Start } from "#chaos/faults/action.ts"
import type { Evidence, Holding } from "./evidence.ts"
import { held, judged, sight, struck } from "./fixtures/evidence.ts"
import { rolesTakenOver } from "./roles-taken-over.ts"

const [node, other] = ["node01", "node02"]
const judge = (some: Partial<Evidence>) => judged(rolesTakenOver({ withinMillis: 1_000 }), some)
const role = (holder: string, epoch: number, fromMillis: number, what = "role clockwork"): Holding => ({
  ...held(holder, epoch, fromMillis),
  what,
  fenced: true
})

const sights = [node, other, "node03"].map((name) => sight(500, name, node))
const timeline = [struck(1_000, new Kill({ node }))]
const former = role(node, 1, 100)

test("whoever is out has a successor with a larger epoch, in time", (t) => {
  const { lines, verdict } = judge({ sights, timeline, holdings: [former, role(other, 2, 1_900)] })
  t.is(verdict, "passed")
  t.deepEqual(lines, ["1 roles were taken over, after 900 ms at most"])
  t.is(judge({ sights, timeline, holdings: [former, role(other, 2, 2_900)], slowness: 2 }).verdict, "passed")
})

test("nobody, one that is late, one with an old epoch, and one with another role are no successors", (t) => {
  t.deepEqual(judge({ sights, timeline, holdings: [former] }).lines, [
    "node01 with role clockwork, epoch 1, was out at 1000 ms, and nobody took over within 1000 ms"
  ])
  for (const later of [role(other, 2, 2_001), role(other, 1, 1_900), role(other, 2, 1_900, "role failover")])
    t.is(judge({ sights, timeline, holdings: [former, later] }).verdict, "failed")
})

test("whoever has no role, or is back before the time is over, shows nothing", (t) => {
  t.is(judge({ sights, timeline, holdings: [] }).verdict, "unknown")
  t.is(judge({ sights, timeline, holdings: [role(other, 1, 100)] }).verdict, "unknown")
  const back = [...timeline, struck(1_500, new Start({ node }))]
  t.is(
    judge({ sights: [...sights, sight(1_800, node, other)], timeline: back, holdings: [former] }).verdict,
    "unknown"
  )
})
