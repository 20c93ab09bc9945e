import test from "ava"
import { type EtcdInput, type EtcdOutput, put } from "#chaos/models/etcd-model.ts"
import { acknowledgedWrites } from "./acknowledged-writes-kept.ts"
import { judged } from "./fixtures/evidence.ts"
import { written, wrote } from "./fixtures/histories.ts"
import type { ChangeSeen } from "./watch-completeness.ts"

const pairOf = (value: string): EtcdInput => ({
  compares: [],
  success: ["x", "y"].map((key) => ({ _tag: "Put", key, value })),
  failure: []
})
const bothWrote: EtcdOutput = { succeeded: true, results: [{ _tag: "Wrote" }, { _tag: "Wrote" }] }

const history = written<EtcdInput, EtcdOutput>(
  ["c1", put("a", "1"), 0, 1, wrote()],
  ["c1", pairOf("2"), 2, 3, bothWrote],
  ["c1", put("a", "3"), 4],
  ["c1", put("a", "4"), 5, 6]
)
const change = (revision: number, key: string, value: string | null): ChangeSeen => ({ revision, key, value })
const changes = [change(2, "a", "1"), change(3, "x", "2"), change(3, "y", "2"), change(4, "a", null)]

test("writes that are there pass, also of pairs, and those whose answers were lost may be there", (t) => {
  t.deepEqual(judged(acknowledgedWrites, { history, changes }).lines, [
    "2 acknowledged writes are there, and 0 whose answers were lost"
  ])
  t.deepEqual(judged(acknowledgedWrites, { history, changes: [...changes, change(5, "a", "3")] }).lines, [
    "2 acknowledged writes are there, and 1 whose answers were lost"
  ])
})

test("a lost write fails, with the operation that made it", (t) => {
  const { lines, operations, verdict } = judged(acknowledgedWrites, { history, changes: changes.slice(1) })
  t.is(verdict, "failed")
  t.deepEqual(lines, ["1 of 2 acknowledged writes are lost: a = 1"])
  t.deepEqual(operations, [0])
})

test("a write that was carried out twice, or was refused and is there, or that nobody made fails", (t) => {
  const twice = judged(acknowledgedWrites, { history, changes: [...changes, change(5, "a", "1")] })
  t.deepEqual([twice.verdict, twice.operations], ["failed", [0]])
  const refused = judged(acknowledgedWrites, { history, changes: [...changes, change(5, "a", "4")] })
  t.deepEqual([refused.verdict, refused.operations], ["failed", [3]])
  const strange = judged(acknowledgedWrites, { history, changes: [...changes, change(5, "a", "9")] })
  t.deepEqual([strange.verdict, strange.operations], ["failed", []])
})

test("keys of others are not looked at", (t) => {
  const others = [...changes, change(5, "ultracloud/leases/failover", "node01")]
  t.is(judged(acknowledgedWrites, { history, changes: others }).verdict, "passed")
})

test("where nobody could tell what was written, or nothing was acknowledged, nothing was shown", (t) => {
  t.is(judged(acknowledgedWrites, { history, changes: undefined }).verdict, "unknown")
  t.is(judged(acknowledgedWrites, { changes }).verdict, "unknown")
})
