import test from "ava"
import { clientsUndisturbed } from "./clients-undisturbed.ts"
import { judged } from "./fixtures/evidence.ts"

test("whatever a client complained of fails, in its own words", (t) => {
  const problems = ["watch 1 was cancelled: etcdserver: mvcc: required revision has been compacted"]
  t.is(judged(clientsUndisturbed, {}).verdict, "passed")
  t.is(judged(clientsUndisturbed, { problems }).verdict, "failed")
  t.deepEqual(judged(clientsUndisturbed, { problems }).lines, problems)
})
