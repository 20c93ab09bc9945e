import test from "ava"
import { type EtcdInput, type EtcdOutput, get, put } from "#chaos/models/etcd-model.ts"
import { judged } from "./fixtures/evidence.ts"
import { got, written, wrote } from "./fixtures/histories.ts"
import { revisionsInOrder } from "./revisions-in-order.ts"

const etcd = written<EtcdInput, EtcdOutput>

test("revisions that grow with time pass", (t) => {
  const history = etcd(
    ["c1", put("a", "1"), 0, 1, wrote(2)],
    ["c2", get("b"), 2, 3, got(null, undefined, 2)],
    ["c1", put("b", "1"), 4, 5, wrote(3)]
  )
  t.is(judged(revisionsInOrder, { history }).verdict, "passed")
})

test("an answer from the past fails, also of another key, with both operations", (t) => {
  const history = etcd(["c1", put("a", "1"), 0, 1, wrote(3)], ["c2", get("b"), 2, 3, got(null, undefined, 2)])
  const { operations, verdict } = judged(revisionsInOrder, { history })
  t.is(verdict, "failed")
  t.deepEqual(operations, [0, 1])
})

test("two changes of one revision fail", (t) => {
  const history = etcd(["c1", put("a", "1"), 0, 3, wrote(2)], ["c2", put("b", "1"), 1, 2, wrote(2)])
  t.regex(judged(revisionsInOrder, { history }).lines.join(), /both made revision 2/)
})

test("of many problems some are named", (t) => {
  const history = etcd(
    ...Array.from({ length: 30 }, (_, at) => ["c", put("a", `${at}`), 2 * at, 2 * at + 1, wrote(2)] as const)
  )
  const { lines } = judged(revisionsInOrder, { history })
  t.is(lines.length, 11)
  t.regex(lines[10] ?? "", /^and \d+ more$/)
})

test("without answers nothing was shown", (t) => {
  t.is(judged(revisionsInOrder, {}).verdict, "unknown")
})
