import test from "ava"
import { held, judged } from "./fixtures/evidence.ts"
import { singleHolder } from "./single-holder.ts"

const judge = (...holdings: ReadonlyArray<ReturnType<typeof held>>) => judged(singleHolder, { holdings })

test("one holder after the other passes, with larger fences", (t) => {
  t.is(judge(held("a", 1, 0, 10), held("b", 2, 11, 20), held("a", 3, 20)).verdict, "passed")
})

test("two holders at once fail, with their names and times", (t) => {
  const { lines, verdict } = judge(held("a", 1, 0, 10), held("b", 2, 5, 20))
  t.is(verdict, "failed")
  t.deepEqual(lines, [
    "at 5 ms two held the same: a held lock under fence 1 from 0 to 10 ms, and b held lock under fence 2 from 5 to 20 ms"
  ])
})

test("a former holder that is fenced off may believe, the later one may not be the fenced one", (t) => {
  const former = { ...held("a", 1, 0), fenced: true }
  const { lines, verdict } = judge(former, held("b", 2, 5))
  t.is(verdict, "passed")
  t.regex(lines.join(), /1 former holders that were fenced off/)
  t.is(judge(held("a", 1, 0), { ...held("b", 2, 5), fenced: true }).verdict, "failed")
})

test("one fence of two holders fails, fenced or not, at once or one after the other", (t) => {
  const fenced = { ...held("a", 1, 0, 10), fenced: true }
  t.is(judge(fenced, { ...held("b", 1, 5, 20), fenced: true }).verdict, "failed")
  t.is(judge(fenced, { ...held("b", 1, 15, 20), fenced: true }).verdict, "failed")
})

test("a fence that shrinks fails", (t) => {
  t.regex(judge(held("a", 2, 0, 10), held("b", 1, 11, 20)).lines.join(), /fences do not grow/)
})

test("where nobody held anything nothing was shown", (t) => {
  t.is(judge().verdict, "unknown")
})
