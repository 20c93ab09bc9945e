import test from "ava"
import type { Holding } from "./evidence.ts"
import { held, judged } from "./fixtures/evidence.ts"
import { leaseSafety } from "./lease-safety.ts"

const judge = (...holdings: ReadonlyArray<Holding>) => judged(leaseSafety, { holdings })
const leased = (holding: Holding, leaseMillis: number, more: Partial<Holding> = {}): Holding => ({
  ...holding,
  leaseMillis,
  fenced: true,
  ...more
})

test("whoever begins after the other one's lease, or after it was given back, is in order", (t) => {
  t.is(judge(leased(held("a", 1, 0, 10), 10), leased(held("b", 2, 10, 15), 30)).verdict, "passed")
  t.is(judge(leased(held("a", 1, 0, 5), 10), leased(held("b", 2, 6, 15), 30)).verdict, "passed")
  t.is(judge(leased(held("a", 1, 0), 10), leased(held("b", 2, 10, 15), 30)).verdict, "passed")
})

test("whoever begins within the other one's lease fails, also where that one is fenced off", (t) => {
  const { lines, verdict } = judge(leased(held("a", 1, 0), 10), leased(held("b", 2, 9, 15), 30))
  t.is(verdict, "failed")
  t.deepEqual(lines, [
    "b held lock under fence 2 from 9 to 15 ms, while the lease of a under fence 1 was to last until 10 ms"
  ])
})

test("whoever believes longer than its lease fails", (t) => {
  const { lines } = judge(leased(held("a", 1, 0, 12), 10))
  t.deepEqual(lines, ["a held lock under fence 1 from 0 to 12 ms, and its lease ended at 10 ms"])
})

test("whoever loses what it holds before its lease is over fails, and after it does not", (t) => {
  t.regex(
    judge(leased(held("a", 1, 0, 5), 10, { lostMillis: 5 })).lines.join(),
    /was told that it had lost it, with a lease until 10 ms/
  )
  t.is(judge(leased(held("a", 1, 0, 10), 10, { lostMillis: 11 })).verdict, "passed")
})

test("where nobody has a lease nothing was shown", (t) => {
  t.is(judge(held("a", 1, 0, 5)).verdict, "unknown")
})
