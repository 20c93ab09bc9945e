import test from "ava"
import * as Totals from "./totals.ts"

test("a key's total is the sum of what was written to it, and no other key's", (t) => {
  const totals = [1, 2, 3].reduce((sum, by) => Totals.write(sum, "a", by), Totals.write(Totals.empty, "b", 9))
  t.is(Totals.total(totals, "a"), 6)
  t.is(Totals.total(totals, "b"), 9)
  t.is(Totals.total(totals, "c"), undefined)
})
