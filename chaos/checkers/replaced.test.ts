import test from "ava"
import type { FinalState } from "./evidence.ts"
import { judged } from "./fixtures/evidence.ts"
import { replaced } from "./replaced.ts"

const check = replaced({ node: "node03", by: "node04", voters: 3 })
const final = (...voters: ReadonlyArray<string>): ReadonlyArray<FinalState> =>
  ["node01", "node02", "node03", "node04"].map((node) => ({
    node,
    revision: 7,
    hash: 1,
    voter: voters.includes(node)
  }))

test("one votes in the place of the other, and as many as before", (t) => {
  t.is(judged(check, { final: final("node01", "node02", "node04") }).verdict, "passed")
})

test("a spare that does not vote, a member that still does, and a group that shrank or grew fail", (t) => {
  const wrong = [
    final("node01", "node02", "node03"),
    final("node01", "node02", "node03", "node04"),
    final("node01", "node04"),
    final("node01", "node02")
  ]
  for (const voters of wrong) t.is(judged(check, { final: voters }).verdict, "failed")
})

test("where nobody could be asked nothing is known", (t) => {
  t.is(judged(check, { final: [] }).verdict, "unknown")
})
