import test from "ava"
import { brief, type ClientWrite, judge, type Remembered } from "./remembered.ts"

const member = (
  changes: ReadonlyArray<readonly [revision: number, key: string, value: string | null]>,
  compactRevision = -1
): Remembered => ({
  revision: changes.at(-1)?.[0] ?? 1,
  compactRevision,
  storedIndex: 0,
  lastIndex: 0,
  changes: changes.map(([revision, key, value]) => ({ revision, key, value })),
  contradictions: []
})

const write = (
  revision: number,
  key: string,
  value: string,
  ...logBytes: ReadonlyArray<number>
): ClientWrite => ({
  key,
  value,
  acknowledged: { revision, logBytes }
})

test("a write is due if the client had its answer before the power went", (t) => {
  const writes = [write(2, "a", "1", 1_000), write(3, "a", "2", 2_000)]
  t.like(judge(writes, [1_999], [member([[2, "a", "1"]])]), { due: 1, lost: [] })
  t.like(judge(writes, [2_000], [member([[2, "a", "1"]])]), {
    due: 2,
    lost: ["a = 2 of revision 3 is on 0 of 1 disks"]
  })
})

test("it is looked for at its own revision: the same value at another one is another write", (t) => {
  t.is(judge([write(2, "a", "1", 0)], [10], [member([[3, "a", "1"]])]).lost.length, 1)
})

test("a majority of the disks has to have it, whichever these are", (t) => {
  const [having, behind] = [member([[2, "a", "1"]]), member([])]
  const writes = [write(2, "a", "1", 5, 5, 5)]
  for (const members of [
    [having, having, behind],
    [behind, having, having],
    [having, having, having]
  ])
    t.deepEqual(judge(writes, [9, 9, 9], members).lost, [])
  t.deepEqual(judge(writes, [9, 9, 9], [behind, having, behind]).lost, [
    "a = 1 of revision 2 is on 1 of 3 disks"
  ])
})

test("a write is due only if the answer came before the power of every machine went", (t) => {
  t.is(judge([write(2, "a", "1", 5, 5, 50)], [9, 9, 9], [member([]), member([]), member([])]).due, 0)
})

test("what nobody was told, and what a member has compacted, is not looked for", (t) => {
  t.is(judge([{ key: "a", value: "1" }], [9], [member([])]).due, 0)
  t.is(judge([write(2, "a", "1", 5)], [9], [member([[4, "a", "2"]], 4)]).due, 0)
})

test("a value that nobody put there is invented; other keys are other people's", (t) => {
  const writes: ReadonlyArray<ClientWrite> = [write(2, "a", "1", 5), { key: "a", value: "2" }]
  const members = [
    member([
      [2, "a", "1"],
      [3, "a", "2"],
      [4, "a", null],
      [5, "a", "7"],
      [6, "role", "9"]
    ])
  ]
  t.deepEqual(judge(writes, [9], members).invented, ["a = 7"])
})

test("long values are told from each other by their hashes", (t) => {
  const [one, other] = ["x".repeat(1_000), `${"x".repeat(999)}y`]
  t.true(brief(one).length < 100)
  t.is(judge([write(2, "a", one, 5)], [9], [member([[2, "a", brief(one)]])]).lost.length, 0)
  t.is(judge([write(2, "a", one, 5)], [9], [member([[2, "a", brief(other)]])]).lost.length, 1)
})
