import test from "ava"
import { type EtcdInput, type EtcdOutput, get, put } from "#chaos/models/etcd-model.ts"
import { evidenceOf, judged } from "./fixtures/evidence.ts"
import { crowd, got, written, wrote } from "./fixtures/histories.ts"
import { linearizable } from "./linearizable.ts"

const etcd = written<EtcdInput, EtcdOutput>

test("a read of what was acknowledged before it passes, with numbers", (t) => {
  const history = etcd(
    ["c1", put("a", "1"), 0, 1, wrote()],
    ["c2", get("a"), 2, 3, got("1")],
    ["c1", get("b"), 4]
  )
  const { lines, verdict } = judged(linearizable, { history })
  t.is(verdict, "passed")
  t.deepEqual(lines, ["3 operations, 2 answered, of 2 sets of keys"])
})

test("a stale read fails, and the finding names the operations that show it", (t) => {
  const history = etcd(
    ["c1", put("a", "1"), 0, 1, wrote()],
    ["c1", put("b", "1"), 2, 3, wrote()],
    ["c1", put("a", "2"), 4, 5, wrote()],
    ["c2", get("a"), 6, 7, got("1")]
  )
  const { lines, operations, verdict } = judged(linearizable, { history })
  t.is(verdict, "failed")
  t.deepEqual(operations, [0, 2, 3])
  t.regex(lines[0] ?? "", /^a is not linearizable/)
})

test("a search that has no time left is no success", (t) => {
  let calls = 0
  const history = crowd({ seed: 1, clients: 8, keys: 1, operations: 3_000, lost: 0.3 })
  const bounds = { nowMillis: () => ++calls * 1_000, millisMax: 1 }
  const { lines, verdict } = linearizable.judge(evidenceOf({ history }), bounds)
  t.is(verdict, "unknown")
  t.regex(lines.join(), /reached its bound in time/)
})

test("where nothing was answered nothing was shown", (t) => {
  t.is(judged(linearizable, { history: etcd(["c1", put("a", "1"), 0]) }).verdict, "unknown")
})
