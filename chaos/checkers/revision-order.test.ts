import test from "ava"
import fc from "fast-check"
import { stampOf } from "#chaos/models/etcd-writes.ts"
import { crowd, written } from "./fixtures/histories.ts"
import { checkRevisionOrder, type Stamp } from "./revision-order.ts"

const wrote = (revision: number): Stamp => ({ revision, changed: true })
const read = (revision: number): Stamp => ({ revision, changed: false })
const check = (...operations: ReadonlyArray<readonly [string, string, number, number?, Stamp?]>) =>
  checkRevisionOrder(written(...operations), (_input, output: Stamp) => output).map(({ line }) => line)

test("who comes later sees at least the revision that was told", (t) => {
  t.deepEqual(check(["a", "", 0, 1, wrote(2)], ["b", "", 2, 3, read(2)], ["b", "", 4, 5, wrote(3)]), [])
  t.deepEqual(check(["a", "", 0, 1, wrote(2)], ["b", "", 2, 3, read(1)]), [
    "operation 1 of b at 2 ms was answered at revision 1, and operation 0 of a at 0 ms had seen 2 before"
  ])
})

test("who comes at the same time may see either", (t) => {
  t.deepEqual(check(["a", "", 0, 3, wrote(3)], ["b", "", 1, 2, wrote(2)]), [])
  t.deepEqual(check(["a", "", 0, 3, wrote(2)], ["b", "", 1, 2, wrote(3)]), [])
})

test("two changes have two revisions", (t) => {
  t.deepEqual(check(["a", "", 0, 3, wrote(2)], ["b", "", 1, 2, wrote(2)]), [
    "operation 0 of a at 0 ms and operation 1 of b at 1 ms have both made revision 2"
  ])
})

test("a change cannot make a revision that somebody has seen before it", (t) => {
  t.deepEqual(check(["a", "", 0, 1, read(2)], ["b", "", 2, 3, wrote(2)]), [
    "operation 1 of b at 2 ms made revision 2, which operation 0 of a at 0 ms had seen before"
  ])
})

test("what has no answer says nothing", (t) => {
  t.deepEqual(check(["a", "", 0], ["b", "", 1, 2], ["c", "", 3, 4, wrote(2)]), [])
})

test("random clients of a correct store are in order, and one answer from the past is not", (t) => {
  fc.assert(
    fc.property(fc.integer(), (seed) => {
      const history = crowd({ seed, clients: 4, keys: 3, operations: 60, lost: 0.1 })
      if (checkRevisionOrder(history, stampOf).length > 0) return false
      const alone = crowd({ seed, clients: 1, keys: 3, operations: 60 })
      const last = alone.at(-1)
      const first = alone.find(({ ending }) => ending._tag === "Ok" && ending.output.revision === 2)
      if (last?.ending._tag !== "Ok" || first === undefined || (last.ending.output.revision ?? 0) < 3)
        return true
      const { ending } = last
      const stale = { ...last, ending: { ...ending, output: { ...ending.output, revision: 1 } } }
      return checkRevisionOrder([...alone.slice(0, -1), stale], stampOf).length > 0
    })
  )
  t.pass()
})
